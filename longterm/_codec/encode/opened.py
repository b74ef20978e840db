"""What is taken apart in a tree of frames: iterators, members of enums, instances of plain classes.

So are the methods of containers, such as the `append` of `said.append(suspend("say"))`, and what a
wait is for: its `Event`, or the class that is its type.

In: a value of a tree. Out: its parts, which stand in the tree as one tagged array. That says all
of a value that is held once; what it does not say of others, only the whole encoder can.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import ExtType

from longterm._codec.encode.plain import SCALARS
from longterm._codec.introspect import is_a
from longterm._codec.refusal import NotPlain
from longterm._codec.types import registered
from longterm._codec.types.classes import BARE_BASES, ClassPlan, NoPlan, plan_of
from longterm._codec.types.constants import Constants, is_flat
from longterm._codec.types.instances import MEMBER, OBJECT, dump_enum
from longterm._codec.types.kinds import Form
from longterm._codec.types.registry import DUMPERS, OPENED, PLANS
from longterm._signals import is_of_signal
from longterm.frame import Frame


class Opened:
    """What was taken apart so far."""

    __slots__ = ("_constants", "_counts", "_frames", "single")

    def __init__(self, frames: list[Frame]) -> None:
        """Start with nothing; the frames say which modules may hold a value under a name."""
        self.single = set(_EMPTY)
        """The ids of what is one object in a process, and may be held any number of times: members
        of enums, what is found by its name, and what is empty."""
        self._counts: dict[int, int] = {}
        """How many instances there are of each class, by its id."""
        self._frames = frames
        self._constants: Constants | None = None

    def form_of(self, value: Any, cls: type, is_held_by_more: bool) -> Form:
        """Take a value apart; of what is found by its name, return that.

        Args:
            value: the value.
            cls: its type.
            is_held_by_more: whether more than its holder here has a reference to it.

        Raises:
            NotPlain: it stands in no tree, or cannot be stored.
        """
        try:
            plan = PLANS.get(id(cls))
            if plan is None or not plan.is_opened:
                form = _own_form(value, cls)
                if form is not None:
                    if type(form) is ExtType:
                        self.single.add(id(value))
                    return form
                plan = _plan_of(cls)
            count = self._counts[id(cls)] = self._counts.get(id(cls), 0) + 1
            if count > _MOST_OF_A_CLASS:
                raise NotPlain
            if plan.is_enum:
                tag, _, *state = dump_enum(value, plan)
                if tag is MEMBER.tag:
                    self.single.add(id(value))
                return [tag, plan.form, *state]
            state = plan.state(value)
            # Only what more hold than the frames may have a name in a module.
            if is_held_by_more and is_flat(state) and self._is_constant(value, plan):
                raise NotPlain
        except NotPlain:
            raise  # before it is asked whether a signal's handler raised it, which takes long
        except Exception as error:
            if is_of_signal(error):
                raise
            raise NotPlain from error  # the whole encoder says what it is, and where
        return [OBJECT.tag, plan.form, *state]

    def _is_constant(self, value: Any, plan: ClassPlan) -> bool:
        if self._constants is None:
            self._constants = Constants(self._frames)
        constants = self._constants
        return constants.may_have_name(value, plan) and constants.dump(value, plan) is not None


def _own_form(value: Any, cls: type) -> Form | None:
    """Take apart a value that is not stored by the plan of its class; None: it may be.

    Raises:
        NotPlain: it stands in no tree.
    """
    if cls in OPENED:
        return DUMPERS[cls](value)
    if cls in DUMPERS:
        raise NotPlain
    own = registered.dump(value)
    if own is not None:
        _, name, _, plain = own
        held = plain if type(plain) is list else (plain,)
        # What holds more, or is read from the store, is looked at as a whole before it is written.
        if registered.reads_store(name) or not SCALARS.issuperset(map(type, held)):
            raise NotPlain
        return own
    return DUMPERS[type](value) if is_a(value, type) else None


def _plan_of(cls: type) -> ClassPlan:
    """Return the plan of a class whose instances are taken apart in trees.

    Raises:
        NotPlain: they are not.
    """
    if cls is object:
        raise NotPlain
    plan = plan_of(cls)
    if isinstance(plan, NoPlan) or not (plan.is_enum or plan.base in BARE_BASES):
        raise NotPlain
    plan.is_opened = True
    return plan


_EMPTY: Final = frozenset(map(id, ((), frozenset())))
_MOST_OF_A_CLASS: Final = 8
"""How many instances of a class stand in a tree. Each names its class and the attributes; the whole
encoder writes the class of many once, before them."""
