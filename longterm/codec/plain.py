"""The quick way for trees of plain values, where nothing is held twice: msgpack writes them as is.

In: a value, or the frames of a continuation. Out: its bytes, or None if it needs the whole encoder.
Most stored runs are such trees, and this costs little more than msgpack alone.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Final

from msgpack import Packer

from longterm.codec import atoms
from longterm.codec.kinds import ATOMS, TAGGED_LEAVES, TAKERS
from longterm.codec.references import base_of_references
from longterm.frame import Frame

_EMPTY_TUPLE: Final = ()
_no_keys: Final[frozenset[Any]] = frozenset()
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_TAGGED: Final = frozenset({tuple, set, frozenset})


class _NotPlain(Exception):
    """A value turned up that the whole encoder must see."""


def pack_tree(root: Any) -> tuple[bytes, bool] | None:
    """Return the bytes of a tree, and whether it has tagged arrays; None if it is no plain tree."""
    has_tags = _look_over([[root]], _BASE, set())
    if has_tags is None:
        return None
    packed = _pack(root)
    return None if packed is None else (packed, has_tags)


def pack_frames(frames: list[Any]) -> tuple[bytes, bool] | None:
    """Return the bytes of frames with plain slots as rows; see `pack_tree`."""
    for frame in frames:
        if type(frame) is not Frame or frame.cells:
            return None
    has_tags = _look_over([frame.slots for frame in frames], _BASE, set())
    if has_tags is None:
        return None
    packed = _pack(
        [[each.flow, each.version, each.point, each.line, each.slots] for each in frames]
    )
    return None if packed is None else (packed, has_tags)


def _pack(value: Any) -> bytes | None:
    try:
        return Packer(strict_types=True, default=_default).pack(value)  # type: ignore[no-any-return]
    except (_NotPlain, ValueError):
        # Half a surrogate pair, nesting beyond what msgpack does, or a rare type.
        return None


def _default(value: Any) -> Any:
    cls = type(value)
    if cls is int:
        return atoms.integer(value)
    if cls in ATOMS or cls in _TAGGED or cls in TAGGED_LEAVES:
        return TAKERS[cls](value)
    raise _NotPlain


def _look_over(nodes: list[Any], base: int, seen: set[int]) -> bool | None:
    """Return whether there are tuples or sets in trees; None if they are no trees of plain values.

    What only its parent holds cannot be held twice, and its reference count says so. The few that
    more hold (a name of the caller, mostly) are remembered, to see whether they come again.
    """
    scalars, count, push, dicts = _SCALARS, getrefcount, nodes.append, []
    has_tags = False
    # The list grows while it is gone through: it is the queue.
    for node in nodes:
        if type(node) is dict:
            dicts.append(node)
            values: Any = node.values()
        else:
            values = node
        for value in values:
            cls = type(value)
            if cls in scalars:
                continue
            if cls is not dict and cls is not list:
                if cls in ATOMS:
                    continue
                has_tags = True
                if cls in TAGGED_LEAVES or value is _EMPTY_TUPLE:
                    continue
                if cls not in _TAGGED:
                    return None
            if count(value) > base:
                if id(value) in seen:
                    return None
                seen.add(id(value))
            push(value)
    # Keys other than these could be held twice, or be written as what they are not.
    if not _SCALARS.issuperset(map(type, _no_keys.union(*dicts))):
        return None
    return has_tags


def _finds_shared(tree: Any, base: int) -> bool:
    seen: set[int] = set()
    _look_over(tree, base, seen)
    return bool(seen)


_BASE: Final = base_of_references(_finds_shared)
