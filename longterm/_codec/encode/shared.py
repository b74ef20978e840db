"""Frames in which something is held twice, such as a dict by two variables: as items.

In: frames that are trees of plain values but for this, and what is held twice. Out: the items, or
None. Whoever holds it has a reference; all else stays in the tree as it is. Cycles, and what is
nested deep, are left to the whole encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from msgpack import ExtType, Packer

from longterm._codec import wire
from longterm._codec.encode.writer import DEPTH
from longterm._codec.types.frames import FRAME
from longterm._codec.types.kinds import Parts
from longterm._codec.types.registry import ATOMS, DUMPERS
from longterm.frame import Frame

_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes, ExtType})


def pack_shared(
    frames: list[Frame],
    shared: Collection[int],
    parts: Mapping[int, Parts],
    default: Callable[[Any], Any],
) -> bytes | None:
    """Return the items of frames, joined; None if only the whole encoder can write them.

    Args:
        frames: the frames.
        shared: the ids of what is held twice.
        parts: what was taken apart, by the ids of the values.
        default: packs the rest of what msgpack does not.
    """
    writer = _Writer(shared, parts, default)
    rows = []
    for frame in frames:
        place = (frame.flow, frame.version, frame.point, frame.line)
        slots = writer.form(frame.slots)
        rows.append([FRAME.tag, *place, slots, frame.cells, frame.rest])
    return None if writer.is_refused else writer.finish(rows)


class _Writer:
    """The items so far, and what stands for each value in those that hold it."""

    __slots__ = ("_count", "_forms", "_open", "_packer", "_parts", "_shared", "is_refused")

    def __init__(
        self, shared: Collection[int], parts: Mapping[int, Parts], default: Callable[[Any], Any]
    ) -> None:
        self._shared = shared
        self._parts = parts
        self._forms: dict[int, ExtType] = {}
        """The references to what was written, by the ids of the values."""
        self._open: set[int] = set()
        """The ids of the containers from a frame's slots to where this is."""
        self._packer = Packer(strict_types=True, autoreset=False, default=default)
        self._count = 0
        self.is_refused = False
        """Whether there is a cycle, or containers are nested too deep for one item."""

    def form(self, value: Any) -> Any:
        """Return what is packed for a container: itself, a copy with references, or a reference."""
        key = id(value)
        if key in self._forms:
            return self._forms[key]
        if key in self._open or len(self._open) == DEPTH:
            self.is_refused = True
        if self.is_refused:
            return None
        self._open.add(key)
        form = self._content(value)
        self._open.discard(key)
        if key in self._shared:
            self._packer.pack(form)
            form = self._forms[key] = wire.reference(self._count)
            self._count += 1
        return form

    def _content(self, value: Any) -> Any:
        if type(value) is dict:
            held = value.values()
            if _SCALARS.issuperset(map(type, held)):
                return value
            return dict(zip(value, self._all(held), strict=True))
        parts = value if type(value) is list else self._parts.get(id(value))
        if parts is None:
            parts = DUMPERS[type(value)](value)
        if type(parts) is ExtType or _SCALARS.issuperset(map(type, parts)):
            return parts
        return self._all(parts)

    def _all(self, values: Any) -> list[Any]:
        return [
            value if (cls := type(value)) in _SCALARS or cls in ATOMS else self.form(value)
            for value in values
        ]

    def finish(self, rows: list[Any]) -> bytes:
        """Write the frames as the last item, and return all."""
        self._packer.pack(rows)
        return bytes(self._packer.bytes())
