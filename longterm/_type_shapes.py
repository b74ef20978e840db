"""Types as they are stored: what is no class is a tuple that begins with its kind.

    list[Approval | None]    ("of", list, ("union", Approval, None))
    Literal["yes", "no"]     ("literal", "yes", "no")

A class is stored by its name, and so is the class of today that is found again.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

_MOST_PARTS: Final = 1_000
"""Of a stored type, wherever they stand: bytes can make one part stand in many places."""


def shape_of(wanted: Any) -> Any:
    """Return a type as it is stored; what has no such form is left for the codec to refuse."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is None:
        return None if wanted is type(None) else wanted
    if not hasattr(wanted, "__args__"):  # `typing.List` alone
        return origin
    if origin is Literal:
        return ("literal", *arguments)
    if origin is Annotated:
        return ("annotated", shape_of(arguments[0]), *arguments[1:])
    shapes = map(shape_of, arguments)
    return ("union", *shapes) if origin in (Union, UnionType) else ("of", origin, *shapes)


def type_of(shape: Any) -> Any:
    """Return the type that was stored.

    Raises:
        ValueError: it is none.
    """
    try:
        return _Types().of(shape)
    except (TypeError, KeyError, IndexError, RecursionError) as error:
        raise ValueError(f"no type is stored as {type(shape).__name__}: {error}") from None


class _Types:
    """Makes types of shapes, as many as one stored type has parts at most."""

    def __init__(self) -> None:
        self._left = _MOST_PARTS

    def of(self, shape: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"a stored type has more than {_MOST_PARTS:,} parts")
        return _MAKERS[shape[0]](self, *shape[1:]) if type(shape) is tuple else shape

    def generic(self, origin: Any, *shapes: Any) -> Any:
        return origin[tuple(map(self.of, shapes))]

    def union(self, *shapes: Any) -> Any:
        return Union[tuple(map(self.of, shapes))]  # noqa: UP007 - of as many as there are

    def annotated(self, shape: Any, *metadata: Any) -> Any:
        return Annotated[(self.of(shape), *metadata)]

    def literal(self, *values: Any) -> Any:
        return Literal[values]


_MAKERS: Final[dict[str, Callable[..., Any]]] = {
    "of": _Types.generic,
    "union": _Types.union,
    "annotated": _Types.annotated,
    "literal": _Types.literal,
}
