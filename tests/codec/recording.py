"""Classes that note whatever is called on them, for the proof that decoding calls nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from longterm._codec import storable

CALLS: list[str] = []
T = TypeVar("T")


def _note(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        CALLS.append(name)
        if name in ("__reduce__", "__reduce_ex__"):
            return (list, ())
        return {"__getstate__": {}, "__len__": 0, "__bool__": True, "__index__": 1}.get(name)

    return method


class _Metaclass(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        CALLS.append("metaclass __call__")
        return super().__call__(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        CALLS.append(f"metaclass __getattr__ {name}")
        raise AttributeError(name)


NAMES = (
    "__init__", "__reduce__", "__reduce_ex__", "__setstate__", "__getstate__", "__getnewargs__",
    "__setattr__", "__getattr__", "__delattr__", "__len__", "__bool__", "__iter__", "__next__",
    "__call__", "__copy__", "__deepcopy__", "__instancecheck__", "__index__", "__get__", "__set__",
    "__post_init__", "keys", "items", "append", "extend", "update", "__getitem__", "__setitem__",
    "startswith", "__contains__", "__class_getitem__", "__mro_entries__",
)  # fmt: skip


def _class_property(self: Any) -> Any:
    CALLS.append("__class__")
    return int


# Made without class statements, so that the names are the list above and nothing is forgotten.
Recorder = _Metaclass(
    "Recorder",
    (),
    {
        **{name: _note(name) for name in NAMES},
        "__class__": property(_class_property),
        "__module__": __name__,
        "attribute": property(_note("property")),
    },
)


class RecordingPage(Generic[T]):
    def __class_getitem__(cls, arguments: Any) -> Any:
        CALLS.append("page __class_getitem__")
        return super().__class_getitem__(arguments)  # type: ignore[misc]


class RecordingError(Exception):
    def __init__(self, *args: Any) -> None:
        CALLS.append("error __init__")

    def __reduce__(self) -> Any:
        CALLS.append("error __reduce__")
        return (list, ())

    def __setstate__(self, state: Any) -> None:
        CALLS.append("error __setstate__")


class RecordingList(list[Any]):
    def __new__(cls, *args: Any) -> Any:
        CALLS.append("list __new__")
        return super().__new__(cls)

    def __init__(self, *args: Any) -> None:
        CALLS.append("list __init__")

    def append(self, value: Any) -> None:
        CALLS.append("list append")

    def extend(self, values: Any) -> None:
        CALLS.append("list extend")


class Deleted:
    def __del__(self) -> None:
        CALLS.append("__del__")


@storable(
    name="recording:OptedIn",
    encode=lambda value: CALLS.append("own encode"),
    decode=lambda plain: CALLS.append("own decode"),
)
class OptedIn:
    def __init__(self) -> None:
        CALLS.append("opted-in __init__")


def act(*args: Any) -> None:
    CALLS.append("act")


@dataclass
class Job:
    def on_end(self) -> None:  # type: ignore[no-redef]
        """Do nothing; what an instance has instead is declared above."""


Job.__annotations__ = {"on_end": Any}


@storable(
    name="recording:Made", encode=lambda value: value.parts[0], decode=lambda plain: Made(plain)
)
class Made:
    def __init__(self, *parts: Any) -> None:
        self.parts = parts
