"""Windows on other values: views of dicts and other mappings, mapping proxies, memoryviews.

A window shows the very value that it showed, so what is changed there is seen through it.
"""

from __future__ import annotations

import gc
from array import array
from collections import OrderedDict
from collections.abc import ItemsView, KeysView, MappingView, ValuesView
from types import MappingProxyType
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_GROUP: Final = "views"
_VIEWS: Final[dict[str, Any]] = {
    "keys": dict.keys, "values": dict.values, "items": dict.items,
    "ordered keys": OrderedDict.keys, "ordered values": OrderedDict.values,
    "ordered items": OrderedDict.items,
}  # fmt: skip
_VIEW_NAMES: Final = {type(make(OrderedDict())): name for name, make in _VIEWS.items()}
# What `keys`, `values` and `items` of `collections.abc.Mapping` return: of a UserDict, a ChainMap.
_ABSTRACT_VIEWS: Final[dict[str, type[MappingView]]] = {
    "abstract keys": KeysView, "abstract values": ValuesView, "abstract items": ItemsView,
}  # fmt: skip
_ABSTRACT_NAMES: Final = {cls: name for name, cls in _ABSTRACT_VIEWS.items()}
mapping_of: Final[Any] = vars(MappingView)["_mapping"].__get__
"""What such a view shows."""


def _dump_view(view: Any) -> Parts:
    return [VIEW.tag, _VIEW_NAMES[type(view)], gc.get_referents(view)[0]]


def _dump_abstract_view(view: Any) -> Parts:
    return [VIEW.tag, _ABSTRACT_NAMES[type(view)], mapping_of(view)]


def _load_view(parts: Parts, decoding: Decoding) -> Any:
    name, mapping = parts
    if type(name) is str and name in _ABSTRACT_VIEWS:
        return _ABSTRACT_VIEWS[name](mapping)
    if type(name) is not str or not is_a(
        mapping, OrderedDict if name.startswith("ordered") else dict
    ):
        raise TypeError("a view has a name and shows a dict")
    return _VIEWS[name](mapping)


def _dump_proxy(proxy: MappingProxyType[Any, Any]) -> Parts:
    return [PROXY.tag, gc.get_referents(proxy)[0]]


def _load_proxy(parts: Parts, decoding: Decoding) -> MappingProxyType[Any, Any]:
    (mapping,) = parts
    if not is_a(mapping, dict):
        raise TypeError("a mapping proxy shows a dict")
    return MappingProxyType(mapping)


def _dump_memoryview(view: memoryview) -> Parts:
    try:
        shown, is_whole = view.obj, view.nbytes == memoryview(view.obj).nbytes
    except ValueError:
        raise NotEncodable("it was released", "del it before the suspend") from None
    if not is_exactly(shown, bytes, bytearray, array) or view.ndim != 1 or not view.c_contiguous:
        raise NotEncodable("what it shows of what is not known", "make it again after the suspend")
    if not is_whole:
        if type(shown) is not bytes:
            raise NotEncodable(
                f"where in its {type(shown).__name__} it begins cannot be read",
                "make it again after the suspend",
            )
        shown = view.tobytes()
    return [MEMORYVIEW.tag, shown, view.format, view.readonly]


def _load_memoryview(parts: Parts, decoding: Decoding) -> memoryview:
    shown, form, is_readonly = parts
    if not is_exactly(shown, bytes, bytearray, array) or type(form) is not str:
        raise TypeError("a memoryview shows bytes, a bytearray or an array, in a format")
    view: memoryview[Any] = memoryview(shown)
    if view.format != form:
        view = view.cast("B").cast(form)  # type: ignore[call-overload]
    return view.toreadonly() if is_readonly is True and not view.readonly else view


VIEW: Final = Kind("dict view", _load_view, is_fragile=True)
PROXY: Final = Kind("mapping proxy", _load_proxy, is_fragile=True)
MEMORYVIEW: Final = Kind("memoryview", _load_memoryview)

FAMILY: Final = Family(
    kinds=(VIEW, PROXY, MEMORYVIEW),
    rows=(
        Row(*_VIEW_NAMES, dump=_dump_view, group=_GROUP),
        Row(
            *_ABSTRACT_NAMES,
            dump=_dump_abstract_view,
            group=_GROUP,
            note="of a `UserDict`, a `ChainMap` and other mappings",
        ),
        Row(MappingProxyType, dump=_dump_proxy, group=_GROUP),
        Row(memoryview, dump=_dump_memoryview, group=_GROUP, note="whole, or a part of bytes"),
    ),
)
