"""The quick way for trees of plain values, where nothing is held twice: msgpack writes them as is.

In: a value, or the frames of a continuation. Out: its bytes, or None if it needs the whole encoder.
Most stored runs are such trees, and this costs little more than msgpack alone. In frames some types
are taken apart first, such as the iterator of a `for` loop (see `opened`), and a few values may be
held twice (see `shared`).
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgpack import Packer

from longterm._codec import wire
from longterm._codec.decode.decoding import MANY_KEYS, MANY_KEYS_BYTES
from longterm._codec.encode.references import base_of_references
from longterm._codec.types import atoms
from longterm._codec.types.registry import ATOMS, DUMPERS, IS_NAN, OPENED, TAGGED_LEAVES
from longterm.errors import CorruptData
from longterm.frame import Frame

if TYPE_CHECKING:
    from longterm._codec.encode.opened import Opened

_EMPTY_TUPLE: Final = ()
_EMPTY_FROZENSET: Final[frozenset[Any]] = frozenset()
_no_keys: Final[frozenset[Any]] = frozenset()
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_TAGGED: Final = frozenset({tuple, set, frozenset})
_SETS: Final = frozenset({set, frozenset})
_HASHING: Final = _SETS | {dict}
_FEW: Final = 4
"""How many values are looked at one by one as fast as all at once."""

_FLOAT: Final = 0xCB
"""The tag of a float."""

_HOLDS_SCALARS, _HOLDS_ATOMS, _HOLDS_TAGS = range(3)
"""What a tree has, besides lists and dicts; each may have those before it too. Numbers, since
Python 3.11 looks up the members of an enumeration by a function (`EnumType.__getattr__`)."""


class _NotPlain(Exception):
    """A value turned up that the whole encoder must see."""


def pack_tree(root: Any) -> tuple[int, bytes] | None:
    """Return the layout and the bytes of a tree; None if it is no plain tree."""
    return _packed(0, root, _look_over([[root]], _BASE, set()))


def pack_frames(frames: list[Any]) -> tuple[int, bytes] | None:
    """Return the layout and the bytes of frames with plain slots; see `pack_tree`."""
    rows, slots = [], []
    for frame in frames:
        if type(frame) is not Frame or frame.cells:
            return None
        held = frame.slots
        slots.append(held)
        rows.append([frame.flow, frame.version, frame.point, frame.line, held, frame.rest])
    found = _look_over(slots, _BASE, set(map(id, slots)), frames)
    return _packed(wire.FRAMES, rows, found, frames)


def may_hold_nan(packed: bytes) -> bool:
    """Tell whether bytes may have a float that is not a number: all bits of its exponent are set.

    Infinities and some text look like that too, so this only tells where to look closer.
    """
    return _FLOAT in packed and (
        _has_float_with(b"\x7f", packed) or _has_float_with(b"\xff", packed)
    )


def _has_float_with(first: bytes, packed: bytes) -> bool:
    """Tell whether the tag of a float stands before a byte that, unlike the tag, is mostly rare."""
    if packed.count(first) > len(packed) >> 6:
        return bytes([_FLOAT]) + first in packed
    at = packed.find(first)
    while at > 0:
        if packed[at - 1] == _FLOAT:
            return True
        at = packed.find(first, at + 1)
    return False


def _packed(
    layout: int, value: Any, found: _Found | None, frames: list[Frame] | None = None
) -> tuple[int, bytes] | None:
    if found is None:
        return None
    holds, large, opened, shared = found
    default = _default_for(holds, opened)
    packed: bytes | None
    try:
        if not shared:
            packed = Packer(strict_types=True, default=default).pack(value)
        else:
            from longterm._codec.encode.shared import pack_shared

            assert frames is not None
            layout = wire.ITEMS
            packed = pack_shared(frames, shared, {} if opened is None else opened.parts, default)
    except (_NotPlain, ValueError):
        # Half a surrogate pair, nesting beyond what msgpack does, or a rare type.
        return None
    if packed is None or (large and len(packed) > MANY_KEYS_BYTES and _may_collide(large)):
        return None
    return layout | wire.TAGGED if holds == _HOLDS_TAGS and not shared else layout, packed


def _default_for(holds: int, opened: Opened | None) -> Callable[[Any], Any]:
    if holds == _HOLDS_SCALARS:
        return _integer
    if opened is None:
        return _default
    parts = opened.parts
    return lambda value: parts.get(id(value)) or _default(value)


def _may_collide(large: list[Any]) -> bool:
    """Tell whether keys of these take long to be told apart; the whole encoder refuses it."""
    from longterm._codec.decode.hashing import check_told_apart

    try:
        check_told_apart(large)
    except CorruptData:
        return True
    return False


def _integer(value: Any) -> Any:
    """Pack a big integer, all that msgpack asks about where containers hold only scalars.

    Anything else is a key that the whole encoder must see, so keys need no look of their own.
    """
    if type(value) is int:
        return atoms.integer(value)
    raise _NotPlain


def _default(value: Any) -> Any:
    cls = type(value)
    if cls is int:
        return atoms.integer(value)
    if cls in ATOMS or cls in _TAGGED or cls in TAGGED_LEAVES:
        return DUMPERS[cls](value)
    raise _NotPlain


_Found: TypeAlias = "tuple[int, list[Any], Opened | None, set[int]]"
"""What is in trees, besides lists and dicts; those with many keys; what was taken apart; the ids of
what is held twice."""


def _look_over(
    nodes: list[Any], base: int, seen: set[int], frames: list[Frame] | None = None
) -> _Found | None:
    """Return what is in trees; None if they are no trees of plain values.

    What only its parent holds cannot be held twice, and its reference count says so. The few that
    more hold (a name of the caller, mostly) are remembered, to see whether they come again. Trees
    of frames may have what is to be taken apart, and what does come again.
    """
    scalars, count, push, dicts = _SCALARS, getrefcount, nodes.append, []
    large: list[Any] = []
    shared: set[int] = set()
    holds, opened = _HOLDS_SCALARS, None
    # The list grows while it is gone through: it is the queue. One loop, since each value that is
    # stored comes by here, and a call for each would cost more than what is looked at.
    for node in nodes:
        if type(node) is dict:
            dicts.append(node)
            values: Any = node.values()
        else:
            values = node
        if len(values) > _FEW:
            if len(values) > MANY_KEYS and type(node) in _HASHING:
                large.append(node)
            if scalars.issuperset(map(type, values)):
                continue
        for value in values:
            cls = type(value)
            if cls in scalars:
                continue
            if cls is not dict and cls is not list:
                if (cls not in DUMPERS and not DUMPERS.finds(cls)) or cls in OPENED:
                    if frames is None:
                        return None
                    if opened is None:
                        from longterm._codec.encode.opened import Opened

                        opened = Opened(frames)
                    elif id(value) in opened.parts:
                        if id(value) not in opened.members:
                            shared.add(id(value))
                        continue
                    held = opened.open(value)
                    if held is None:
                        return None
                    push(held)
                    holds = _HOLDS_TAGS
                    continue
                if cls in ATOMS:
                    if cls in IS_NAN and IS_NAN[cls](value):
                        if id(value) in seen:
                            return None
                        seen.add(id(value))
                    holds = max(holds, _HOLDS_ATOMS)
                    continue
                holds = _HOLDS_TAGS
                if cls in TAGGED_LEAVES or value is _EMPTY_TUPLE:
                    continue
                if cls not in _TAGGED:
                    return None
            if count(value) > base:
                if id(value) in seen:
                    if frames is None:
                        return None
                    if value is not _EMPTY_FROZENSET:
                        shared.add(id(value))
                    continue
                seen.add(id(value))
            push(value)
    # Keys other than these could be held twice, or be written as what they are not. Where only
    # scalars are held, packing finds them by itself.
    if holds != _HOLDS_SCALARS and not _SCALARS.issuperset(map(type, _no_keys.union(*dicts))):
        return None
    if (shared or opened is not None) and not all(map(_hashes_scalars, nodes)):
        return None
    if shared and frames and not shared.isdisjoint(map(id, nodes[: len(frames)])):
        return None  # of the slots of a frame nothing but the whole encoder makes an item
    return holds, large, opened, shared


def _hashes_scalars(node: Any) -> bool:
    """Tell whether a container hashes nothing but scalars, if it hashes: keys were looked at."""
    return type(node) not in _SETS or _SCALARS.issuperset(map(type, node))


def _finds_shared(tree: Any, base: int) -> bool:
    seen: set[int] = set()
    _look_over(tree, base, seen)
    return bool(seen)


_BASE: Final = base_of_references(_finds_shared)
