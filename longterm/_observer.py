"""What an engine tells whoever observes it: of each turn its begin, its steps and its end.

An engine without an observer asks once a turn whether it has one. `longterm.telemetry.Telemetry` is
one. None of these methods may raise: what they do is no part of the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from longterm.run import Run
from longterm.unread import UnreadEvent


class Observer(Protocol):
    """Whoever is told what an engine does."""

    def traceparent(self) -> str | None:
        """Return where the present code stands in a trace, to be kept with a run that it begins."""
        ...

    def send(self, run_id: str, event_id: str) -> AbstractContextManager[str | None]:
        """Be told that an event is stored for a run while the context manager is open.

        It gives where the sender stands in a trace, to be kept with the event.
        """
        ...

    def begin(
        self,
        run: Run,
        event_id: str | None,
        read: Sequence[UnreadEvent],
        now: datetime,
        *,
        has_caller: bool,
    ) -> ObservedTurn:
        """Be told that a turn begins.

        Args:
            run: the run as it was claimed; as it was created, if the turn is its first.
            event_id: the event that the turn begins with; None: its wait is over, or it has begun.
            read: the events of the inbox that it begins with.
            now: the present moment by the engine's clock.
            has_caller: whether somebody waits for what comes of the turn.
        """
        ...


class Observed(Protocol):
    """Something that goes on, in which the author's code runs."""

    def enter(self) -> None:
        """Be the current one, in the copy of a context in which the author's code is to run."""
        ...


class ObservedStep(Observed, Protocol):
    """An attempt at a step that goes on."""

    def end(self, error: BaseException | None) -> None:
        """Be told that the attempt is over."""
        ...


class ObservedTurn(Observed, Protocol):
    """A turn that goes on."""

    error: BaseException | None
    """What has come to end the turn."""

    @property
    def traceparent(self) -> str | None:
        """Where the turn stands in a trace, to be kept with its run and with what it sends."""
        ...

    def step(self, name: str, number: int, attempt: int, max_attempts: int) -> ObservedStep:
        """Be told that an attempt at a step begins."""
        ...

    def read(self, event: UnreadEvent) -> None:
        """Be told that the turn reads one more event of the inbox."""
        ...

    def refuse(self, event_id: str, error: BaseException) -> None:
        """Be told that the turn refuses an event that it has read."""
        ...

    def end(self, run: Run | None) -> None:
        """Be told that the turn is over, and how it has left its run; None: it is undone."""
        ...
