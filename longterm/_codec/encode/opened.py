"""What is taken apart in a tree of frames: iterators, members of enums, instances of plain classes.

In: a value of a tree. Out: its parts, which stand in the tree as one tagged array. That says all
of a value that is held once; what it does not say of others, only the whole encoder can.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import ExtType

from longterm._codec.introspect import is_a
from longterm._codec.types import registered
from longterm._codec.types.classes import BARE_BASES, PLANS, NoPlan, plan_of
from longterm._codec.types.constants import Constants, is_flat
from longterm._codec.types.instances import MEMBER, dump_enum, dump_instance
from longterm._codec.types.kinds import Parts
from longterm._codec.types.registry import DUMPERS, OPENED
from longterm._signals import is_of_signal
from longterm.frame import Frame


class Opened:
    """The parts of what was taken apart so far, by the ids of the values."""

    __slots__ = ("_constants", "_counts", "members", "parts")

    def __init__(self, frames: list[Frame]) -> None:
        """Start with nothing; the frames say which modules may hold a value under a name."""
        self.parts: dict[int, Parts] = {}
        self.members: set[int] = set()
        """The ids of the members of enums, which may be held any number of times."""
        self._counts: dict[int, int] = {}
        """How many instances there are of each class, by the id of its plan."""
        self._constants = Constants(frames)

    def open(self, value: Any) -> Parts | None:
        """Take a value apart; return which of its parts are to be looked at, None if it cannot."""
        try:
            return self._open(value, type(value))
        except Exception as error:
            if is_of_signal(error):
                raise
            return None  # the whole encoder says what it is, and where

    def _open(self, value: Any, cls: type) -> Parts | None:
        if cls in OPENED:
            parts = DUMPERS[cls](value)
            assert not isinstance(parts, ExtType)
            self.parts[id(value)] = parts
            return parts[1:]
        if cls in DUMPERS or cls is object or is_a(value, type) or registered.finds(cls):
            return None
        plan = PLANS.get(id(cls)) or plan_of(cls)
        if isinstance(plan, NoPlan):
            return None
        count = self._counts[id(plan)] = self._counts.get(id(plan), 0) + 1
        if count > _MOST_OF_A_CLASS:
            return None
        if plan.is_enum:
            parts = dump_enum(value, plan)
            if parts[0] is MEMBER.tag:
                self.members.add(id(value))
        elif plan.base in BARE_BASES:
            parts = dump_instance(value, plan)
            if is_flat(parts) and self._constants.dump(value, plan) is not None:
                return None
        else:
            return None
        tag, _, *held = parts
        self.parts[id(value)] = [tag, plan.form, *held]
        return held


_MOST_OF_A_CLASS: Final = 8
"""How many instances of a class stand in a tree. Each names its class and the attributes; the whole
encoder writes the class of many once, before them."""
