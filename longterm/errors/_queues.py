"""Errors of queues and schedules."""

from __future__ import annotations

from longterm.errors._base import LongtermError, shown


class InvalidQueue(LongtermError):
    """Raised when a queue is declared, or named, as none can be."""

    def __init__(self, argument: str, value: object, hint: str) -> None:
        """Keep which argument it was."""
        self.argument = argument
        super().__init__(f"{argument}={shown(value)} is no such thing of a queue ({hint})")


class UnknownQueue(LongtermError):
    """Raised when a run is to wait in a queue that was never declared in its store."""

    def __init__(self, name: str) -> None:
        """Keep the queue's name."""
        self.name = name
        super().__init__(
            f"no queue {name!r} is declared in this store (check the name, or declare it first: "
            f"`engine.queue({name!r})`, with `concurrency=`, `per_partition=` or `rate=` if it is "
            "to be limited)"
        )


class InvalidSchedule(LongtermError):
    """Raised when a schedule is declared as none can be, or a cron expression is none."""

    def __init__(self, argument: str, value: object, hint: str) -> None:
        """Keep which argument it was."""
        self.argument = argument
        super().__init__(f"{argument}={shown(value)} is no such thing of a schedule ({hint})")
