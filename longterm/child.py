"""A child: a run that the flow of another has spawned, as that flow holds it.

    credit = spawn(check_credit, order)
    stock = spawn(reserve, order)
    what, value = suspend(credit, stock)

Plain data: it can be kept, stored and passed on. What it returns is taken once, by `suspend`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from longterm._current import current
from longterm._event_names import event_of_child
from longterm.errors import NotInRun

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Child(Generic[T_co]):
    """A run of its own, whose end the flow that has spawned it can wait for.

    `Child[str]` is one whose flow returns a `str`: `spawn` returns it, for type checkers.
    """

    run_id: str
    """The id of the run; it is known before the run exists."""

    @property
    def event_id(self) -> str:
        """The name of the event that its end is, for the run that has spawned it."""
        return event_of_child(self.run_id)

    def cancel(self) -> None:
        """Cancel it, once the turn of the flow that calls this is saved; see `Engine.cancel`.

        `suspend` of it raises `ChildCancelled` then. One that has ended stays as it is.

        Raises:
            NotInRun: no run is under way; use `longterm.cancel(child.run_id)`.
        """
        turn = current.get()
        if turn is None:
            raise NotInRun("Child.cancel")
        turn.outbox.cancel(self.run_id)
