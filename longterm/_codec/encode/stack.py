"""Frames that hold objects, or something twice: taken apart in one walk.

In: frames whose slots are trees of plain values, but for what is taken apart (see `opened`) and
what is held twice, such as a dict by two variables. Out: a tree with tagged arrays; or, if
something is held twice, items: that is one, and whoever holds it has a reference. Cycles, and what
is nested deep, are left to the whole encoder.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from sys import getrefcount
from typing import Any, Final

from msgpack import ExtType, Packer

from longterm._codec import wire
from longterm._codec.decode.decoding import MANY_KEYS
from longterm._codec.encode.opened import Opened
from longterm._codec.encode.plain import FEW, SCALARS, SETS, dump_rest
from longterm._codec.encode.references import base_of_references
from longterm._codec.refusal import NotPlain
from longterm._codec.types.containers import TUPLE
from longterm._codec.types.frames import FRAME
from longterm._codec.types.registry import DUMPERS, IS_NAN, PLANS, VALUES
from longterm.frame import Frame

DEPTH: Final = 200
"""How deep an item may nest. Of what is deeper, the whole encoder makes an item of its own."""

READY: Final = SCALARS | {ExtType}
"""What msgpack writes by itself, and forms that are ready; never looked into."""
_PLAIN: Final = frozenset({list, dict, tuple})
_BEGUN: Final = object()
"""Stands for a value as long as what it holds is gone through."""


def pack_stack(frames: list[Frame]) -> tuple[int, bytes, list[Any]]:
    """Return the layout and the bytes of frames, and their containers with many keys.

    Raises:
        NotPlain, ValueError, RecursionError: only the whole encoder can write them.
    """
    walk = _Walk(frames, _BASE)
    rows = []
    for frame in frames:
        slots = walk.form(frame.slots, dict, -1, False)
        rows.append([frame.flow, frame.version, frame.point, frame.line, slots, frame.rest])
    if not READY.issuperset(map(type, chain.from_iterable(walk.dicts))):
        raise NotPlain  # a key that is more than a scalar could be held twice
    if not walk.shares:
        packed = Packer(strict_types=True, default=_dump).pack(rows)
        return wire.FRAMES | wire.TAGGED, packed, walk.large
    packer = Packer(strict_types=True, autoreset=False, default=_dump)
    number = 0
    for held in walk.finished:
        if held.is_shared:
            packer.pack(held.form)
            held.form = wire.reference(number)
            number += 1
    for row in rows:
        row.insert(0, FRAME.tag)
        row.insert(-1, {})
    packer.pack(rows)
    return wire.ITEMS, packer.bytes(), walk.large


class _Held:
    """What stands for a value that may be held twice, wherever it is held."""

    __slots__ = ("form", "is_shared")

    def __init__(self, form: Any) -> None:
        self.form = form
        """What is packed for the value."""
        self.is_shared = False


def _dump(value: Any) -> Any:
    return value.form if type(value) is _Held else dump_rest(value)


class _Walk:
    """A walk through all that frames hold, children first."""

    __slots__ = (
        "_base",
        "_begun",
        "_nans",
        "_opened",
        "dicts",
        "finished",
        "large",
        "shares",
    )

    def __init__(self, frames: list[Frame], base: int) -> None:
        """Begin; what has no more references than `base` is held by its holder alone."""
        self._base = base
        self._begun: dict[int, Any] = {}
        """What stands for the values that may be held twice, by their ids."""
        self._nans: set[int] | None = None
        self._opened = Opened(frames)
        for frame in frames:
            # Of the slots of a frame nothing but the whole encoder makes an item.
            self._begun[id(frame.slots)] = _BEGUN
        self.dicts: list[dict[Any, Any]] = []
        self.finished: list[_Held] = []
        """What stands for the values that may be held twice, each after what it holds."""
        self.large: list[Any] = []
        """The containers of many keys."""
        self.shares = False
        """Whether something is held twice."""

    def form(self, value: Any, cls: type, depth: int, is_held_by_more: bool) -> Any:
        """Return what is packed for a value that is neither scalar nor leaf."""
        if cls is dict:
            self.dicts.append(value)
            if len(value) > MANY_KEYS:
                self.large.append(value)
            held = value.values()
            forms = self._all(held, depth + 1)
            return value if forms is held else dict(zip(value, forms, strict=True))
        if cls is list:
            return self._all(value, depth + 1)
        if cls is tuple:
            return [TUPLE.tag, *self._all(value, depth + 1)]
        if cls in SETS:
            if not READY.issuperset(map(type, value)):
                raise NotPlain  # what is hashed must be whole before
            if len(value) > MANY_KEYS:
                self.large.append(value)
            return DUMPERS[cls](value)
        form = self._opened.form_of(value, cls, is_held_by_more)
        return form if type(form) is ExtType else self._all(form, depth + 1)

    def _all(self, values: Collection[Any], depth: int) -> Any:
        """Return what is packed for some values: themselves, or a list."""
        scalars = READY
        if not values or (len(values) > FEW and scalars.issuperset(map(type, values))):
            return values
        if depth == DEPTH:
            raise NotPlain
        begun, base, is_changed = self._begun, self._base, False
        made: list[Any] = []
        for value in values:
            cls = type(value)
            if cls in scalars:
                made.append(value)
                continue
            is_held_by_more = getrefcount(value) > base
            key = id(value)
            if cls not in _PLAIN and id(cls) not in PLANS and self._is_leaf(value, cls):
                made.append(value)
                continue
            if is_held_by_more:
                form = begun.get(key)
                if form is None:
                    begun[key] = _BEGUN
                    form = begun[key] = _Held(self.form(value, cls, depth, True))
                    self.finished.append(form)
                elif form is _BEGUN:
                    raise NotPlain  # it holds itself
                elif key not in self._opened.single:
                    form.is_shared = self.shares = True
            else:
                form = self.form(value, cls, depth, False)
            made.append(form)
            is_changed = is_changed or form is not value
        return made if is_changed else values

    def _is_leaf(self, value: Any, cls: type) -> bool:
        """Tell whether of a value only the content matters, and msgpack asks for it by itself."""
        if cls not in DUMPERS:
            DUMPERS.finds(cls)
        if cls not in VALUES:
            return False
        if cls in IS_NAN and IS_NAN[cls](value):
            self._nans = self._nans or set()
            if id(value) in self._nans:
                raise NotPlain
            self._nans.add(id(value))
        return True


def _finds_shared(tree: Any, base: int) -> bool:
    walk = _Walk([], base)
    # The tree itself has a name here, so that it is no measure of what only its holder refers to.
    walk.form(tree, type(tree), 0, False)
    return bool(walk.finished)


_BASE: Final = base_of_references(_finds_shared)
