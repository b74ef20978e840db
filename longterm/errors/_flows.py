"""Errors of flows, and of the turns that run them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from longterm._event_names import spoken
from longterm.errors._base import LongtermError, in_bytes


class CompileError(LongtermError):
    """Raised when `@deflow` is put on something that cannot become a flow.

    The message is the rendered diagnostics: rule, place, cause and remedy of each problem. They are
    also kept as data, in `diagnostics`.
    """

    def __init__(self, message: str, diagnostics: Iterable[Any] = ()) -> None:
        """Keep the diagnostics, those of `longterm_compiler`, in the order of the text."""
        self.diagnostics = tuple(diagnostics)
        super().__init__(message)


class NotAFlow(LongtermError):
    """Raised when something that is no flow is to be started as one."""

    def __init__(self, value: object, flow: str | None = None) -> None:
        """Keep what was given; `flow` is the one that a decorator made it of."""
        name = getattr(value, "__qualname__", None) or repr(value)
        what = (
            "is not a flow" if flow is None else f"is not a flow, but was made of the flow {flow}"
        )
        remedy = "put @deflow on the function"
        if flow is not None or hasattr(value, "__wrapped__"):
            remedy += (
                " itself, and no decorator above it that hands on another one; leave its module "
                "out of import hooks that put such decorators there"
            )
        super().__init__(f"{name} {what} ({remedy})")


class NoSource(LongtermError):
    """Raised when a picture is wanted of a flow whose source is not here, or cannot be read."""

    def __init__(self, flow: str, cause: str, hint: str) -> None:
        """Keep the flow's name."""
        self.flow = flow
        super().__init__(f"flow {flow} cannot be drawn: {cause} ({hint})")


class AsyncFlow(LongtermError):
    """Raised when an `async def` flow is to be run from code that is not asynchronous."""

    def __init__(self, flow: str, entry: str) -> None:
        """Keep the flow; `entry` is the function that was called."""
        self.flow = flow
        super().__init__(f"flow {flow} is an async def (use `await a{entry}(...)`)")


class NotImportable(LongtermError):
    """Raised when a run is to be stored whose flow no other process could find."""

    def __init__(self, flow: str) -> None:
        """Keep the flow's name."""
        self.flow = flow
        super().__init__(
            f"flow {flow} cannot be found by another process: the program that defines it cannot "
            "be imported by a name (write the flow in a file such as shop.py, and import it here; "
            "or keep its runs in memory, by set_runstore('memory://'))"
        )


class UnknownFlow(LongtermError):
    """Raised when a run's flow does not exist in this process."""

    def __init__(self, flow: str, *, is_imported: bool = False) -> None:
        """Keep the flow's name, `module:qualname`; its module may be imported, and lack it."""
        self.flow = flow
        module, _, qualname = flow.partition(":")
        kept, *inside = qualname.split(".<locals>.")
        first = kept.partition(".")[0]
        if not is_imported:
            hint = (
                f"import {module} before the event is processed; if the flow was moved, keep a "
                f"module {module} with `from new_module import {first}` in it"
            )
        elif inside:
            hint = f"keep the flow {kept} in {module}, with the flows that are defined in it"
        else:
            hint = (
                f"{module} has no flow under that name now: if it was moved, write "
                f"`from new_module import {first}` there; if it was renamed, `{kept} = new_name`; "
                "if it is still there, put @deflow above its def"
            )
        super().__init__(f"flow {flow} is not known in this process ({hint})")


class FlowChanged(LongtermError):
    """Raised when a flow has no place any more at which a run could go on as it would have done."""

    def __init__(self, flow: str, saved: str, present: str, reason: str = "") -> None:
        """Keep the flow, both versions, and why what the author says of such runs is no help."""
        self.flow = flow
        self.reason = reason
        but = f"; {reason}" if reason else ""
        super().__init__(
            f"flow {flow} has changed since this run was suspended: it was saved from version "
            f"{saved}, and nowhere in version {present}, which this process has, is the same left "
            f"to do{but} (process the event with the code it was saved from, or undo what was "
            "changed of what comes after the wait and of the loops and blocks around it, or say "
            "beside the flow how such runs go on: "
            f'@upgrade({flow.rpartition(":")[2]}, since="{saved[:8]}"), or keep the old code as a '
            f"file: `longterm freeze {flow}@{saved[:8]}`)"
        )


class InvalidUpgrade(LongtermError):
    """Raised when what is said of a flow's earlier version cannot be meant."""

    def __init__(self, flow: str, since: object, cause: str) -> None:
        """Say what is wrong with an `@upgrade`."""
        self.flow = flow
        super().__init__(f"@upgrade of flow {flow} since {since!r}: {cause}")


class UpgradeFailed(LongtermError):
    """Raised when the author's `@upgrade` cannot move a run: the run is as it was."""

    def __init__(self, flow: str, version: str, place: str, cause: str) -> None:
        """Say where the `@upgrade` stands, and what is wrong."""
        self.flow = flow
        super().__init__(
            f"the run of flow {flow}, saved from version {version}, could not be moved by the "
            f"@upgrade at {place}: {cause}"
        )


class NotInRun(LongtermError):
    """Raised when a form such as `suspend` is used outside of a run."""

    def __init__(self, form: str) -> None:
        """Keep the name of the form."""
        super().__init__(
            f"{form}() was called outside of a run (start the flow with start_flow, "
            "or try it with longterm.testing.interpret)"
        )


class InvalidDeadline(LongtermError):
    """Raised when a suspend or a sleep is told to end at something that is no moment, or a run to
    begin then."""

    def __init__(
        self, cause: str, expires: object, *, is_sleep: bool = False, is_start: bool = False
    ) -> None:
        """Say what is wrong with what was given."""
        if is_sleep:
            what, example = f"sleep({expires!r}) cannot end", "sleep(timedelta(days=3))"
        elif is_start:
            what, example = f"at={expires!r} cannot begin a run", "at=timedelta(days=3)"
        else:
            what = f"expires={expires!r} cannot end a wait"
            example = "suspend(event_id, expires=timedelta(days=3), default=None)"
        super().__init__(f"{what}: {cause} (write {example}, or give an aware datetime)")


class Expired(LongtermError):
    """Raised inside a flow when a wait ended without its event, and has no default."""

    def __init__(self, event_id: str) -> None:
        """Keep the event that did not come in time; of several, a name a line."""
        self.event_id = event_id
        super().__init__(f"event {spoken(event_id)} did not come in time")


class Cancelled(BaseException):
    """Raised inside a flow at the suspend where its run was cancelled.

    Like `asyncio.CancelledError` it is no `Exception`, so that an ordinary handler does not keep a
    cancelled flow going.
    """

    def __init__(self, run_id: str) -> None:
        """Keep the run that is cancelled."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} was cancelled")


class CannotSuspend(LongtermError):
    """Raised when a flow suspends where its stack cannot be stored; the turn is undone."""


class CannotStore(CannotSuspend):
    """Raised when a suspended flow holds, said or returned a value that cannot be stored."""


class ValueTooLarge(CannotStore):
    """Raised when a flow's stack, responses or result take more bytes than the engine stores."""

    def __init__(self, what: str, size: int, max_bytes: int, largest: str = "") -> None:
        """Keep the size and the limit; `largest` says which value takes the most."""
        self.size = size
        self.max_bytes = max_bytes
        super().__init__(
            f"cannot store {what}: it takes {in_bytes(size)}, and this engine stores at most "
            f"{in_bytes(max_bytes)}{largest and '; '}{largest} (keep what is large elsewhere and "
            f"hold its key, or raise the limit: Engine(store, max_bytes={size}))"
        )


class StackTooDeep(LongtermError):
    """Raised when a run waits in more calls than this process allows; the run waits on."""

    def __init__(self, flow: str, frames: int, limit: int, needed: int) -> None:
        """Keep the flow and how many frames there are; `needed` is the least limit that will do."""
        self.flow = flow
        self.frames = frames
        super().__init__(
            f"flow {flow} waits in {frames:,} calls inside each other, and this process lets calls "
            f"nest {limit:,} deep (raise that where the application starts: "
            f"sys.setrecursionlimit({max(2 * limit, needed + limit)}))"
        )


class TurnTimeout(LongtermError):
    """The error of a run whose turn took longer than its worker allows."""

    def __init__(self, seconds: float, where: str = "") -> None:
        """Keep the limit, in seconds; `where` is the stack of what the turn was doing."""
        self.seconds = seconds
        super().__init__(
            f"the turn took longer than {seconds:g} seconds (find out what it waits for, or give "
            "the worker a longer --turn-seconds; then retry the run)"
        )
        if where:
            self.add_note(f"The turn was here (most recent call last):\n{where}")
