"""Iterators of builtin containers, where they stand: of sequences, dicts and sets.

An iterator keeps hold of the very container it goes through, so what is appended to a list later is
still seen, and a dict or set that changed its size is still noticed.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from operator import length_hint
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly, mro_of, namespace_of, qualname_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row
from longterm._codec.types.ordered import ORDERED, ORDERED_ITERATOR, of_changed, position_of

_GROUP: Final = "iterators"
_MOST_PAST_THE_END: Final = 100_000
"""How far an iterator may stand past the end of a list that has shrunk: what `Decoding` allows."""

# What makes a fresh iterator, by the name that is stored; and what its container may be.
_SEQUENCES: Final[dict[str, tuple[Callable[[Any], Any], tuple[type, ...]]]] = {
    "list": (list.__iter__, (list,)),
    "reversed list": (list.__reversed__, (list,)),
    "tuple": (tuple.__iter__, (tuple,)),
    "str": (str.__iter__, (str,)),
    "bytes": (bytes.__iter__, (bytes,)),
    "bytearray": (bytearray.__iter__, (bytearray,)),
    "range": (range.__iter__, (range,)),
    "array": (iter, (array,)),
    "reversed": (reversed, (tuple, str, bytes, bytearray)),
}
_TABLES: Final[dict[str, tuple[Callable[[Any], Any], tuple[type, ...]]]] = {
    "keys": (lambda d: dict.__iter__(d), (dict,)),
    "values": (lambda d: iter(dict.values(d)), (dict,)),
    "items": (lambda d: iter(dict.items(d)), (dict,)),
    "reversed keys": (lambda d: dict.__reversed__(d), (dict,)),
    "reversed values": (lambda d: reversed(dict.values(d)), (dict,)),
    "reversed items": (lambda d: reversed(dict.items(d)), (dict,)),
    "set": (set.__iter__, (set,)),
    "frozenset": (frozenset.__iter__, (frozenset,)),
    "deque": (deque.__iter__, (deque,)),
    "reversed deque": (deque.__reversed__, (deque,)),
    **{name: (make, (OrderedDict,)) for name, make in ORDERED.items()},
}
_EMPTY: Final[dict[str, Any]] = {
    "list": [], "reversed list": [], "tuple": (), "str": "", "bytes": b"",
    "bytearray": bytearray(), "range": range(0), "array": array("B"), "reversed": (),
}  # fmt: skip
_TYPE_OF: Final[dict[str, type]] = {
    **{name: type(_SEQUENCES[name][0](empty)) for name, empty in _EMPTY.items() if name != "range"},
    **{name: type(make(types[0]())) for name, (make, types) in _TABLES.items()},
}
_BACKWARDS: Final = frozenset({reversed, _TYPE_OF["reversed list"]})
_NAME_OF_TABLE: Final = {
    _TYPE_OF[name]: name for name in _TABLES if name != "frozenset" and name not in ORDERED
}
_RANGE_ITERATORS: Final = (type(iter(range(1))), type(iter(range(1 << 100))))
_STRING_ITERATORS: Final = (type(iter("")), type(iter("\u0100")))
_NAME_OF_SEQUENCE: Final = {
    **{cls: name for name, cls in _TYPE_OF.items() if name in _SEQUENCES},
    **dict.fromkeys(_RANGE_ITERATORS, "range"),
    **dict.fromkeys(_STRING_ITERATORS, "str"),
}


def _dump_sequence(iterator: Any) -> Parts:
    _, (container, *_), *state = iterator.__reduce__()
    name = _name_of_sequence(iterator, container)
    if not state:
        ended = _EMPTY[name] if type(iterator) is not _STRING_ITERATORS[1] else "\u0100"
        return [SEQUENCE.tag, name, ended, None]
    if (
        state[0] > _MOST_PAST_THE_END
        and is_a(container, list, bytearray, array)
        and state[0] - _length(container) > _MOST_PAST_THE_END
    ):
        raise NotEncodable(
            "it stands far past the end of what it goes through", "go through a list of it"
        )
    return [SEQUENCE.tag, name, container, state[0]]


def _name_of_sequence(iterator: Any, container: Any) -> str:
    name = _NAME_OF_SEQUENCE[type(iterator)]
    if name == "reversed" and not is_exactly(container, *_SEQUENCES["reversed"][1]):
        raise NotEncodable(
            f"it goes backwards through a {qualname_of(type(container))}, whose state is not known",
            "go through a list of it",
        )
    return name


def _load_sequence(parts: Parts, decoding: Decoding) -> Any:
    name, container = parts
    make, types = _SEQUENCES[_name(name)]
    # `reversed` asks a subclass for its own way to go backwards.
    fits = is_exactly if make is reversed else is_a
    if type(container) is not types[0] and not fits(container, *types):
        raise TypeError(f"a {name} iterator does not go through a {qualname_of(type(container))}")
    return make(container)


def _name(name: Any) -> str:
    if type(name) is not str:
        raise TypeError("an iterator is called by a name")
    return name


def _populate_sequence(iterator: Any, parts: Parts, decoding: Decoding) -> None:
    (position,) = parts
    if position is None:
        decoding.spend(length_hint(iterator))
        deque(iterator, maxlen=0)
    elif type(position) is int:
        if position or type(iterator) in _BACKWARDS:  # it begins at 0 by itself
            _set_position(iterator, position, decoding)
    else:
        raise TypeError("an iterator stands at a number")


def _set_position(iterator: Any, position: int, decoding: Decoding) -> None:
    """Put an iterator where it stood; where that is past the end of what it goes through, too.

    A list can shrink under its iterator, and grow again later. `__setstate__` takes no position
    past the end, so the list is given that length for a moment.
    """
    iterator.__setstate__(position)
    left = length_hint(iterator)
    if left and (left == position + 1 or type(iterator) not in _BACKWARDS):
        return  # most often
    # `__reduce__` shows another list where nothing is left of this one, from Python 3.13 on.
    container = _container(iterator, list, bytearray, array)
    length = position if container is None else _length(container)
    missing = position + 1 - length
    if container is None or missing <= 0:
        return
    decoding.spend(missing)
    kind = next(kind for kind in (list, bytearray, array) if is_a(container, kind))
    more = bytes(missing)
    kind.extend(
        container, array(container.typecode, more * container.itemsize) if kind is array else more
    )
    iterator.__setstate__(position)
    kind.__delitem__(container, slice(length, None))


def _dump_range(iterator: Any) -> Parts:
    # A range that is partly gone through is a shorter range: its own start is never seen again.
    _, (rest,), *state = iterator.__reduce__()
    passed = state[0] if state else 0
    return [SEQUENCE.tag, "range", rest[passed:] if passed else rest, 0]


def _dump_table(iterator: Any) -> Parts:
    container = _container(iterator, dict, set, frozenset, deque)
    if container is None:
        return [TABLE.tag, _NAME_OF_TABLE[type(iterator)], None, None]
    name = _NAME_OF_TABLE[type(iterator)]
    if name == "set" and is_a(container, frozenset):
        name = "frozenset"
    if is_a(container, OrderedDict):
        raise NotEncodable("it goes through an OrderedDict's dict", "go through a list of it")
    left = length_hint(iterator)
    if is_a(container, deque):
        return [TABLE.tag, name, container, max(_length(container) - left, -1)]
    try:
        rest = iterator.__reduce__()[1][0]
    except RuntimeError:
        if left:
            raise NotEncodable(
                "its dict was changed while it was gone through", "go through a list of the dict"
            ) from None
        return [TABLE.tag, name, container, -1]
    if name.endswith("set"):
        if left == _length(container):
            return [TABLE.tag, name, container, 0]
        return [SET_ITERATOR.tag, container, _length(container), *reversed(rest)]
    if len(rest) != left:
        raise NotEncodable(
            "its dict was changed while it was gone through", "go through a list of the dict"
        )
    return [TABLE.tag, name, container, _length(container) - left]


def _dump_ordered(iterator: Any) -> Parts:
    return [TABLE.tag, *position_of(iterator)]


def _container(iterator: Any, *types: type) -> Any:
    """Return what an iterator goes through, of one of these types; None if it is at its end."""
    import gc

    return next((held for held in gc.get_referents(iterator) if is_a(held, *types)), None)


def _length(container: Any) -> int:
    """Return how long a container is, without asking a subclass of the author's."""
    base: Any = next(base for base in _CONTAINERS if is_a(container, base))
    length: int = base.__len__(container)
    return length


_CONTAINERS: Final = (list, bytearray, array, dict, set, frozenset, deque)


def _load_table(parts: Parts, decoding: Decoding) -> Any:
    name, container, passed = parts
    make, types = _TABLES[_name(name)]
    if container is None and passed == -1 and name in ORDERED:
        return of_changed()
    if container is None:
        made = make(types[0]())
        next(made, None)
        return made
    if not is_a(container, *types) or type(passed) is not int:
        raise TypeError(
            f"an iterator of {name} does not go through a {qualname_of(type(container))}"
        )
    if passed < 0:
        return _of_changed(container, make)
    made = make(container)
    decoding.spend(min(passed, _length(container)))
    deque(islice(made, passed), maxlen=0)
    return made


def _of_changed(container: Any, make: Callable[[Any], Any]) -> Any:
    # The size is changed for a moment, so that the iterator finds another than it began with.
    other = object()
    if is_a(container, dict):
        if is_a(container, OrderedDict):
            raise TypeError("an OrderedDict that was changed is not gone through")
        dict.__setitem__(container, other, None)
        made = make(container)
        dict.__delitem__(container, other)
    elif is_a(container, deque):
        made = make(container)
        deque.append(container, deque.pop(container) if deque.__len__(container) else None)
    else:
        set.add(container, other)
        made = make(container)
        set.remove(container, other)
    return made


def _dump_items(iterator: Any) -> Parts:
    _, (container,), *state = iterator.__reduce__()
    return [ITEMS.tag, container, *state]


def _load_items(parts: Parts, decoding: Decoding) -> Any:
    container, *state = parts
    made: Any
    if not state:
        made = iter(_Nothing())
        next(made, None)
        return made
    names = {name for base in mro_of(type(container)) for name in namespace_of(base)}
    if "__iter__" in names or "__getitem__" not in names or type(state[0]) is not int:
        raise TypeError("what is gone through by its items has them, and no way of its own")
    decoding.acts = True
    made = iter(container)
    made.__setstate__(state[0])
    return made


class _Nothing:
    """What ends at once, gone through by its items."""

    def __getitem__(self, index: int) -> Any:
        raise IndexError


class SetIterator(Iterator[Any]):
    """What goes on through a set that another process began to go through.

    The order of a set differs between processes; the elements that are left do not.
    """

    __slots__ = ("_left", "_set", "_size")

    def __init__(self, through: Any, size: int, left: list[Any]) -> None:
        """Go through `left`, last first, while the set keeps its size."""
        self._set = through
        self._size = size
        self._left = left

    def __next__(self) -> Any:
        """Return the next element that was left."""
        if self._set is not None and _length(self._set) != self._size:
            self._size = -1
            raise RuntimeError("Set changed size during iteration")
        if not self._left:
            self._set = None
            raise StopIteration
        return self._left.pop()

    def __length_hint__(self) -> int:
        """Return how many elements are left."""
        return len(self._left)


def _dump_set_iterator(iterator: SetIterator) -> Parts:
    return [SET_ITERATOR.tag, iterator._set, iterator._size, *iterator._left]


def _load_set_iterator(parts: Parts, decoding: Decoding) -> SetIterator:
    through, size, *left = parts
    if not is_a(through, set, frozenset, type(None)) or type(size) is not int:
        raise TypeError("a set iterator goes through a set")
    return SetIterator(through, size, left)


SEQUENCE: Final = Kind("iterator", _load_sequence, _populate_sequence, needs=2, is_fragile=True)
TABLE: Final = Kind("iterator of a dict or set", _load_table, whole=True, is_fragile=True)
SET_ITERATOR: Final = Kind("rest of a set", _load_set_iterator)
ITEMS: Final = Kind("iterator of items", _load_items, whole=True, is_fragile=True)

ITEMS_ITERATOR: Final = type(iter(_Nothing()))

FAMILY: Final = Family(
    kinds=(SEQUENCE, TABLE, SET_ITERATOR, ITEMS),
    rows=(
        Row(
            *(_TYPE_OF[name] for name in _SEQUENCES if name not in ("str", "range")),
            *_STRING_ITERATORS,
            dump=_dump_sequence,
            group=_GROUP,
            is_opened=True,
        ),
        Row(*_RANGE_ITERATORS, dump=_dump_range, group=_GROUP, is_opened=True),
        Row(*_NAME_OF_TABLE, dump=_dump_table, group=_GROUP, is_opened=True),
        Row(ORDERED_ITERATOR, dump=_dump_ordered, group=_GROUP, is_opened=True),
        Row(
            ITEMS_ITERATOR,
            dump=_dump_items,
            group=_GROUP,
            note="over what has `__getitem__` alone",
        ),
        Row(SetIterator, dump=_dump_set_iterator, group=_GROUP),
    ),
)
