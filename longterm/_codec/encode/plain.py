"""The quick way for trees of plain values, where nothing is held twice: msgpack writes them as is.

In: a value, or the frames of a continuation. Out: its bytes, or None if it needs the whole encoder.
Most stored runs are such trees, and this costs little more than msgpack alone. In frames some types
are taken apart first, such as the iterator of a `for` loop (see `opened`), and a few values may be
held twice (see `shared`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import chain
from sys import getrefcount
from typing import Any, Final, TypeAlias

from msgpack import Packer

from longterm._codec import wire
from longterm._codec.decode.decoding import MANY_KEYS, MANY_KEYS_BYTES
from longterm._codec.encode.references import base_of_references
from longterm._codec.refusal import NotPlain
from longterm._codec.types import atoms
from longterm._codec.types.registry import ATOMS, DUMPERS, IS_NAN, OPENED, PLANS, TAGGED_LEAVES
from longterm.errors import CorruptData
from longterm.frame import Frame

_EMPTY_TUPLE: Final = ()
SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
"""What msgpack writes by itself."""
_TAGGED: Final = frozenset({tuple, set, frozenset})
SETS: Final = frozenset({set, frozenset})
_HASHING: Final = SETS | {dict}
FEW: Final = 4
"""How many values are looked at one by one as fast as all at once."""

_FLOAT: Final = 0xCB
"""The tag of a float."""
_NAN: Final = re.compile(rb"\xcb[\x7f\xff](?:[\xf1-\xff]|\xf0(?!\0{6}))")
"""A float that is no number: all bits of its exponent are set, and some behind them. Those of an
infinity are not."""

_HOLDS_SCALARS, _HOLDS_ATOMS, _HOLDS_TAGS = range(3)
"""What a tree has, besides lists and dicts; each may have those before it too. Numbers, since
Python 3.11 looks up the members of an enumeration by a function (`EnumType.__getattr__`)."""


def pack_tree(root: Any) -> tuple[int, bytes] | None:
    """Return the layout and the bytes of a tree; None if it is no plain tree."""
    found = _look_over([[root]], set(), _BASE)
    return None if found is None else _packed(0, root, *found)


def pack_frames(frames: list[Any]) -> tuple[int, bytes] | None:
    """Return the layout and the bytes of frames; None if only the whole encoder can write them."""
    scalars, is_flat, is_plain = SCALARS, True, True
    rows, slots = [], []
    for frame in frames:
        if type(frame) is not Frame or frame.cells:
            return None
        held = frame.slots
        slots.append(held)
        rows.append([frame.flow, frame.version, frame.point, frame.line, held, frame.rest])
        if len(held) > MANY_KEYS:
            is_flat = False
        for cls in map(type, held.values()):
            if cls not in scalars:
                is_flat = False
                if cls in OPENED or id(cls) in PLANS:
                    is_plain = False  # most of what is taken apart is met here
    if is_plain:
        found = _FLAT if is_flat else _look_over(slots, set(map(id, slots)), _BASE)
        if found is not None:
            return _packed(wire.FRAMES, rows, *found)
    return _packed_stack(frames)


def may_hold_nan(packed: bytes) -> bool:
    """Tell whether bytes may have a float that is not a number.

    Parts of large integers and of other floats look like one now and then, so this only tells where
    to look closer.
    """
    return _FLOAT in packed and _NAN.search(packed) is not None


def _packed(layout: int, value: Any, holds: int, large: list[Any]) -> tuple[int, bytes] | None:
    try:
        default = _integer if holds == _HOLDS_SCALARS else dump_rest
        packed: bytes = Packer(strict_types=True, default=default).pack(value)
    except (NotPlain, ValueError):
        # Half a surrogate pair, nesting beyond what msgpack does, or a rare type.
        return None
    if large and len(packed) > MANY_KEYS_BYTES and _may_collide(large):
        return None
    return layout | wire.TAGGED if holds == _HOLDS_TAGS else layout, packed


def _packed_stack(frames: list[Frame]) -> tuple[int, bytes] | None:
    try:
        layout, packed, large = _pack_stack()(frames)
    except (NotPlain, ValueError, RecursionError):
        return None
    if large and len(packed) > MANY_KEYS_BYTES and _may_collide(large):
        return None
    return layout, packed


@cache
def _pack_stack() -> Callable[..., tuple[int, bytes, list[Any]]]:
    """Return what packs frames that hold more, imported with the first of them."""
    from longterm._codec.encode.stack import pack_stack

    return pack_stack


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
    raise NotPlain


def dump_rest(value: Any) -> Any:
    """Return the form of a value that msgpack does not know."""
    cls = type(value)
    if cls is int:
        return atoms.integer(value)
    if cls in ATOMS or cls in _TAGGED or cls in TAGGED_LEAVES:
        return DUMPERS[cls](value)
    raise NotPlain


_Found: TypeAlias = tuple[int, list[Any]]
"""What is in trees, besides lists and dicts; and those with many keys."""
_FLAT: Final[_Found] = (_HOLDS_SCALARS, [])


def _look_over(nodes: list[Any], seen: set[int], base: int) -> _Found | None:
    """Return what is in trees; None if they are no trees of plain values.

    What only its parent holds cannot be held twice, and its reference count says so. The few that
    more hold (a name of the caller, mostly) are remembered, to see whether they come again.
    """
    scalars, atoms, count, push = SCALARS, ATOMS, getrefcount, nodes.append
    dicts: list[dict[Any, Any]] = []
    large: list[Any] = []
    holds = _HOLDS_SCALARS
    # The list grows while it is gone through: it is the queue. One loop, since each value that is
    # stored comes by here, and a call for each would cost more than what is looked at.
    for node in nodes:
        if type(node) is dict:
            dicts.append(node)
            values: Any = node.values()
        else:
            values = node
        if len(values) > FEW:
            if len(values) > MANY_KEYS and type(node) in _HASHING:
                large.append(node)
            if scalars.issuperset(map(type, values)):
                continue
        for value in values:
            cls = type(value)
            if cls in scalars:
                continue
            if cls is not dict and cls is not list:
                if cls in atoms or (cls not in DUMPERS and _is_of_new_atoms(cls)):
                    if cls in IS_NAN and IS_NAN[cls](value):
                        if id(value) in seen:
                            return None
                        seen.add(id(value))
                    if holds == _HOLDS_SCALARS:
                        holds = _HOLDS_ATOMS
                    continue
                holds = _HOLDS_TAGS
                if cls in TAGGED_LEAVES or value is _EMPTY_TUPLE:
                    continue
                if cls not in _TAGGED:
                    return None
            if count(value) > base:
                if id(value) in seen:
                    return None
                seen.add(id(value))
            push(value)
    # Keys other than these could be held twice, or be written as what they are not. Where only
    # scalars are held, packing finds them by itself.
    if holds != _HOLDS_SCALARS and not scalars.issuperset(map(type, chain.from_iterable(dicts))):
        return None
    return holds, large


def _is_of_new_atoms(cls: type) -> bool:
    """Load the family of a type that is new here; tell whether its values are atoms."""
    return id(cls) not in PLANS and DUMPERS.finds(cls) and cls in ATOMS


def _finds_shared(tree: Any, base: int) -> bool:
    seen: set[int] = set()
    _look_over(tree, seen, base)
    return bool(seen)


_BASE: Final = base_of_references(_finds_shared)
