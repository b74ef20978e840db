"""What an interpreted flow sends to others: its children run at once, as plain calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from longterm.child import Child
from longterm.errors import AlreadyTaken
from longterm.run import Run, RunState
from longterm.unread import Receipt
from longterm.wait import Wait, value_of_first

Call = Callable[[Callable[..., Any], Sequence[Any], dict[str, Any]], Any]


class ScriptedOutbox:
    """Keeps how children have ended; what else is sent goes nowhere."""

    def __init__(self, call: Call) -> None:
        """Call the flows of children so."""
        self._call = call
        self._ends: dict[str, tuple[Any, Exception | None]] = {}
        """How each child has ended that is not waited for yet, by the name of that event."""

    def spawn(
        self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Child[Any]:
        child: Child[Any] = Child(self.start(flow, args, kwargs).id)
        try:
            self._ends[child.event_id] = self._call(flow, args, kwargs), None
        except Exception as error:
            self._ends[child.event_id] = None, error
        return child

    def start(self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Run:
        name = f"{flow.__module__}:{flow.__qualname__}"
        return Run(id=uuid4().hex, flow=name, state=RunState.SUSPENDED)

    def send(self, run_id: str, event_id: str, value: Any, key: str | None) -> Receipt:
        return Receipt(run_id=run_id, number=None)

    def cancel(self, run_id: str) -> None: ...

    def check_open(self, child: Child[Any]) -> None:
        if child.event_id not in self._ends:
            raise AlreadyTaken(child.run_id)

    def has_ended(self, wait: Wait) -> bool:
        """Return whether a wait is for a child, all of which have ended."""
        return any(name in self._ends for name in wait.event_id.split("\n"))

    def end_of(self, wait: Wait) -> Any:
        """Return what a wait for children is worth, or raise the exception of one."""
        awaited = wait.event_id.split("\n")
        names = [name for name in self._ends if name in awaited]
        names = names if wait.is_for_all else names[:1]
        ends = {name: self._ends.pop(name) for name in names}
        for _, error in ends.values():
            if error is not None:
                raise error
        if wait.is_for_all:
            return [ends[name][0] for name in awaited]
        value = ends[names[0]][0]
        return value_of_first(wait.events, names[0], value) if wait.events else value
