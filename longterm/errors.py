"""Everything that longterm raises, one class per failure, all under `LongtermError`.

A message says what was asked, shows the value, and names the way out in parentheses. Whenever one
of these is raised by `start_flow` or `process_event`, the run is as it was before the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from longterm._event_names import spoken


class LongtermError(Exception):
    """The base of every error that longterm raises."""


def _shown(value: object) -> str:
    """Show a plain value that was refused, shortened; of any other, only the type."""
    if not isinstance(value, str | bytes | int | float | None):
        return f"a {type(value).__qualname__}"
    try:
        shown = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "an integer of too many digits"
    return shown if len(shown) <= 80 else f"{shown[:60]}... ({len(shown):,} characters)"


class CompileError(LongtermError):
    """Raised when `@deflow` is put on something that cannot become a flow.

    The message is the rendered diagnostics: rule, place, cause and remedy of each problem. They are
    also kept as data, in `diagnostics`.
    """

    def __init__(self, message: str, diagnostics: Iterable[Any] = ()) -> None:
        """Keep the diagnostics, those of `longterm_compiler`, in the order of the text."""
        self.diagnostics = tuple(diagnostics)
        super().__init__(message)


class UnknownRun(LongtermError):
    """Raised when the store has no run of the given id."""

    def __init__(self, run_id: str) -> None:
        """Keep the id that was asked for."""
        self.run_id = run_id
        super().__init__(
            f"there is no run {run_id!r} in this store (check the id, and the store's URL)"
        )


class RunExists(LongtermError):
    """Raised by a store that is asked to create a run whose id it has already."""

    def __init__(self, run_id: str) -> None:
        """Keep the id that is taken."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} exists already (choose another id)")


class ClaimLost(LongtermError):
    """Raised when a turn cannot be saved because the run is no longer held by this claim.

    Another process took the run up since, or it was removed; nothing of this turn was stored.
    """

    def __init__(self, run_id: str, turn: int) -> None:
        """Keep the run and the turn that could not be saved."""
        self.run_id = run_id
        self.turn = turn
        super().__init__(
            f"turn {turn} of run {run_id!r} was not saved: the claim on the run was lost "
            "(nothing of the turn is stored; get_run shows how the run stands)"
        )


class StoreError(LongtermError):
    """Raised when a store cannot be opened, read or written; the message says what to do."""


class ClockSkew(StoreError):
    """Raised when runs cannot be claimed because this machine's clock is far from the store's.

    Claims hold until a moment. A machine whose clock is ahead would take live turns from others,
    and one whose clock is behind would lose its own; a turn would then be run twice.
    """

    def __init__(self, ahead: timedelta, lease: timedelta) -> None:
        """Keep how far the clock is ahead (negative: behind), and how long claims hold."""
        self.ahead = ahead
        self.lease = lease
        seconds = ahead.total_seconds()
        super().__init__(
            f"no run can be claimed: the clock of this machine is {abs(seconds):.1f} seconds "
            f"{'ahead of' if seconds > 0 else 'behind'} the store's, more than half of the lease "
            f"of {lease.total_seconds():g} seconds (set the clocks of all machines by NTP; nothing "
            "need be restarted)"
        )


class UnreadableRun(StoreError):
    """Raised when the row of a run is not what was saved, or holds what Python cannot.

    A bit changed on the disk or in memory, or by a hand that left the checksum as it was. The other
    runs of the store are not concerned.
    """

    def __init__(self, run_id: str, reason: str) -> None:
        """Keep the run, and what is wrong with its row."""
        self.run_id = run_id
        self.reason = reason
        super().__init__(
            f"the row of run {run_id!r} cannot be read: {reason} (restore it from a backup; or, if "
            "somebody changed it by hand and it is right, set its checksum to NULL; then retry it)"
        )


class NotStorable(LongtermError):
    """Raised when a value that must be stored is of a type that the codec does not know.

    `path` leads from the encoded root to the value, step by step; joined as text it reads
    `[2].slots['rows'][3].cursor`.
    """

    def __init__(
        self,
        message: str,
        *,
        path: Sequence[object] = (),
        value_type: str = "",
        reason: str = "",
        hint: str = "",
    ) -> None:
        """Keep where the value is, what it is, why it cannot be stored and what to do."""
        self.path = tuple(path)
        self.value_type = value_type
        self.reason = reason
        self.hint = hint
        super().__init__(message)

    @classmethod
    def at(cls, path: Sequence[object], name: str, reason: str, hint: str) -> NotStorable:
        """Return the error for a value at the end of a path, whose type has this name."""
        place = "".join(map(str, path)) or "the value"
        return cls(
            f"cannot store {place}, which is of type {name}: {reason} ({hint})",
            path=path,
            value_type=name,
            reason=reason,
            hint=hint,
        )

    @property
    def frame(self) -> int | None:
        """The index of the frame that holds the value, if what was encoded is a continuation."""
        return getattr(self.path[0], "key", None) if self._is_in_slot() else None

    @property
    def slot(self) -> str | None:
        """The local name that holds the value, if what was encoded is a continuation."""
        return getattr(self.path[2], "key", None) if self._is_in_slot() else None

    @property
    def path_in_slot(self) -> str:
        """The rest of the path, from the local name on, such as `[3].cursor`."""
        return "".join(map(str, self.path[3:] if self._is_in_slot() else self.path))

    def _is_in_slot(self) -> bool:
        return len(self.path) > 2 and str(self.path[1]) in (".slots", ".cells")


class CorruptData(LongtermError):
    """Raised when stored bytes are not what the codec wrote."""


class NotAllowed(CorruptData):
    """Raised when stored bytes name a class, function or module that is not here or not allowed."""

    def __init__(self, name: str, reason: str, place: str = "") -> None:
        """Keep the name that the bytes gave, and where they hold it, if that is known."""
        self.name = name
        self.reason = reason
        self.place = place
        where = f" [{place}]" if place else ""
        super().__init__(f"the stored bytes name {name}, which {reason}{where}")

    def at(self, place: str) -> NotAllowed:
        """Return the error with the place where the bytes hold the name."""
        return NotAllowed(self.name, self.reason, place)


class CannotLoad(CorruptData):
    """Raised when a class has changed so that what was stored of it cannot be made again.

    The bytes are as they were written. The run waits on as it was, and can go on when the class is
    mended, or `register_upgrade` says what became of its fields.
    """

    def __init__(
        self, name: str, reason: str, hint: str, *, field: str | None = None, place: str = ""
    ) -> None:
        """Keep the class, `module:qualname`, the field or member, why, and what to do.

        Args:
            name: the name that the bytes gave.
            reason: what has become of the class.
            hint: what to do.
            field: the field or member that is the matter, if it is one.
            place: where the instance is held, such as `order.lines[2] of shop:sell at line 41`.
        """
        self.name = name
        self.reason = reason
        self.hint = hint
        self.field = field
        self.place = place
        held = f"{place}, which is a" if place else "a"
        super().__init__(f"cannot load {held} {name.replace(':', '.')}: {reason} ({hint})")

    def at(self, place: str) -> CannotLoad:
        """Return the error with the place where the instance is held."""
        return CannotLoad(self.name, self.reason, self.hint, field=self.field, place=place)


class NotSealed(CorruptData):
    """Raised when stored bytes have no seal, and there is a key, so that they must have one."""

    def __init__(self, place: str) -> None:
        """Name the bytes."""
        super().__init__(
            f"{place} has no seal, and since there is a key, only what is sealed is accepted (if "
            "runs were stored before there was a key, set LONGTERM_ACCEPT_UNSEALED=yes, or call "
            "set_keys(..., accept_unsealed=True), until each has gone on or was pruned)"
        )


class WrongSeal(CorruptData):
    """Raised when stored bytes have another seal than they should.

    Somebody changed them, or put them into another run, turn or column; or the key is missing.
    """


class InvalidKey(LongtermError):
    """Raised when a key is too short or not random; the message does not show it."""

    def __init__(self, cause: str) -> None:
        """Say what is wrong."""
        super().__init__(
            f"{cause} (make a key with: python3 -c "
            "'import secrets; print(secrets.token_urlsafe(32))')"
        )


class ValueRaised(CorruptData):
    """Raised when code of the application's own raises while stored bytes are decoded.

    Such as the `__hash__` of a key, or the function that a type was registered with. The bytes may
    be as they were written; `__cause__` is the exception.
    """

    def __init__(self, where: str, error: BaseException) -> None:
        """Keep the function that raised, `shop.orders.Key.__hash__`."""
        self.where = where
        super().__init__(
            f"a stored value cannot be decoded: {where} raised {type(error).__qualname__} "
            "(see the cause above; it must work on a value as it was stored)"
        )


class NotInRun(LongtermError):
    """Raised when a form such as `suspend` is used outside of a run."""

    def __init__(self, form: str) -> None:
        """Keep the name of the form."""
        super().__init__(
            f"{form}() was called outside of a run (start the flow with start_flow, "
            "or try it with longterm.testing.interpret)"
        )


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


class AsyncFlow(LongtermError):
    """Raised when an `async def` flow is to be run from code that is not asynchronous."""

    def __init__(self, flow: str, entry: str) -> None:
        """Keep the flow; `entry` is the function that was called."""
        self.flow = flow
        super().__init__(f"flow {flow} is an async def (use `await a{entry}(...)`)")


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
    """Raised when a run's flow no longer means what it meant when the run was suspended."""

    def __init__(self, flow: str, saved: str, present: str) -> None:
        """Keep the flow and both versions."""
        self.flow = flow
        super().__init__(
            f"flow {flow} has changed since this run was suspended: it was saved from version "
            f"{saved}, this process has {present} (process the event with the code it was "
            "saved from; comments, docstrings and moved lines never count as a change)"
        )


class WrongEvent(LongtermError):
    """Raised when an event is processed that the run does not wait for."""

    def __init__(self, run_id: str, event_id: str, waiting_for: str | None) -> None:
        """Keep the run, the event that came and what it waits for; of several, a name a line."""
        self.run_id = run_id
        self.event_id = event_id
        self.waiting_for = waiting_for
        super().__init__(
            f"run {run_id!r} does not wait for event {event_id!r} "
            f"(it waits for {spoken(waiting_for)})"
        )


class RunNotSuspended(LongtermError):
    """Raised when an event comes for a run that is in the middle of a turn, or has failed."""

    def __init__(self, run_id: str, state: str) -> None:
        """Keep the run and the state it is in."""
        self.run_id = run_id
        self.state = state
        cause = {
            "running": "another turn is under way: wait for it to end",
            "failed": "its last turn raised an exception: see get_run(...).error",
            "cancelled": "it was cancelled: start a new run",
        }.get(state, "see get_run")
        super().__init__(f"run {run_id!r} is {state} and takes no event now ({cause})")


class TooManyAttempts(LongtermError):
    """Raised when a run is not taken up again, since its turns have died too often."""

    def __init__(self, run_id: str, attempts: int) -> None:
        """Keep the run, and how many turns in a row died with their process."""
        self.run_id = run_id
        self.attempts = attempts
        super().__init__(
            f"run {run_id!r} is failed now: {attempts} turns in a row died with their process and "
            f"never ended (find out what kills it; then retry({run_id!r}))"
        )


class RunNotFailed(LongtermError):
    """Raised when a run is to be retried that has not failed."""

    def __init__(self, run_id: str, state: str) -> None:
        """Keep the run and the state it is in."""
        self.run_id = run_id
        self.state = state
        super().__init__(f"run {run_id!r} is {state}: there is nothing to retry (see get_run)")


class RunNotEnded(LongtermError):
    """Raised when a run is to be deleted that waits, or is in the middle of a turn."""

    def __init__(self, run_id: str, state: str) -> None:
        """Keep the run and the state it is in."""
        self.run_id = run_id
        self.state = state
        super().__init__(
            f"run {run_id!r} is {state} and cannot be deleted (cancel it first: cancel(run_id), or "
            "cancel(run_id, force=True) if its code is gone)"
        )


class CannotRestart(LongtermError):
    """Raised when a run that failed before its first wait cannot be started once more."""

    def __init__(self, run_id: str, cause: str) -> None:
        """Keep the run."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} cannot be started again: {cause} (start a new run)")


class RunComplete(RunNotSuspended):
    """Raised when an event is processed for a run that has reached its end."""

    def __init__(self, run_id: str) -> None:
        """Keep the run."""
        LongtermError.__init__(
            self, f"run {run_id!r} is complete and takes no more events (start a new run)"
        )
        self.run_id = run_id
        self.state = "complete"


class InvalidRunId(LongtermError):
    """Raised when what is given as a run's id is no string and no `UUID`."""

    def __init__(self, run_id: object) -> None:
        """Say what was given."""
        super().__init__(f"a run's id is a string or a UUID, not {_shown(run_id)} (give `run.id`)")


class InvalidEventId(LongtermError):
    """Raised when an event id is no string that every store can hold as a name, or is reserved.

    Also when several are waited for at once that cannot be.
    """

    def __init__(self, event_id: object, problem: str = "") -> None:
        """Say what was given, or what is wrong with several."""
        super().__init__(
            problem
            or "an event id is a string of 1 to 500 characters without NUL or line break "
            f"that does not begin with 'longterm.', not {_shown(event_id)} "
            '(write suspend("approved"), process_event(run_id, "approved", value))'
        )


class InvalidDeliveryKey(LongtermError):
    """Raised when the key of a delivery is no string that every store can hold as a name."""

    def __init__(self, key: object) -> None:
        """Say what was given."""
        super().__init__(
            f"the key of a delivery is a string of 1 to 500 characters without NUL, not "
            f"{_shown(key)} (give the message's id in the queue, as text)"
        )


class KeyReused(LongtermError):
    """Raised when a run has taken another event, or another value, under the key of a delivery."""

    def __init__(self, run_id: str, key: str) -> None:
        """Keep the run and the key."""
        self.run_id = run_id
        self.key = key
        super().__init__(
            f"run {run_id!r} has taken a delivery of key {key!r} with other content (give each "
            "delivery a key of its own, such as the message's id in the queue)"
        )


class InvalidDeadline(LongtermError):
    """Raised when a suspend or a sleep is told to end at something that is no moment."""

    def __init__(self, cause: str, expires: object, *, is_sleep: bool = False) -> None:
        """Say what is wrong with what was given."""
        what, example = (
            (f"sleep({expires!r}) cannot end", "sleep(timedelta(days=3))")
            if is_sleep
            else (
                f"expires={expires!r} cannot end a wait",
                "suspend(event_id, expires=timedelta(days=3), default=None)",
            )
        )
        super().__init__(f"{what}: {cause} (write {example}, or give an aware datetime)")


class InvalidFact(LongtermError):
    """Raised when a run shall be found by what is no plain value, or takes too much room."""

    def __init__(
        self, name: str, value: object, hint: str = "set a string, a number, a bool or None"
    ) -> None:
        """Keep the name of the fact."""
        self.name = name
        super().__init__(f"the fact {name[:100]}={_shown(value)} cannot be searched for ({hint})")


class InvalidQuery(LongtermError):
    """Raised when runs are to be found by what no run can have."""

    def __init__(self, name: str, value: object, hint: str) -> None:
        """Keep which argument it was."""
        self.name = name
        super().__init__(f"{name}={_shown(value)} finds no runs ({hint})")


class NotAnException(LongtermError):
    """Raised when what is to be thrown into a run could not be raised."""

    def __init__(self, value: object) -> None:
        """Say what was given."""
        super().__init__(
            f"an exception is thrown into a run, not {_shown(value)} "
            '(give an instance such as ValueError("too late"), or its class)'
        )


class Expired(LongtermError):
    """Raised inside a flow when a wait ended without its event, and has no default."""

    def __init__(self, event_id: str) -> None:
        """Keep the event that did not come in time; of several, a name a line."""
        self.event_id = event_id
        super().__init__(f"event {spoken(event_id)} did not come in time")


def closed_store() -> StoreError:
    """Return what a step on a closed store raises."""
    return StoreError("the store is closed (open it again with `open_store`)")


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


class NotSupported(LongtermError):
    """Raised when a store is asked for a capability that it does not offer."""

    def __init__(self, store: object, capability: str) -> None:
        """Say what was asked for."""
        self.capability = capability
        super().__init__(
            f"{type(store).__name__} does not offer {capability} (use a built-in store, or give "
            "yours the methods that docs/store-contract.md lists)"
        )


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


class EventTooLarge(LongtermError):
    """Raised when the value of an event takes more bytes than the engine takes; no run changes."""

    def __init__(self, event_id: str, size: int, max_bytes: int) -> None:
        """Keep the event, the size and the limit."""
        self.event_id = event_id
        self.size = size
        self.max_bytes = max_bytes
        super().__init__(
            f"the value of event {event_id!r} takes {in_bytes(size)}, and this engine takes at "
            f"most {in_bytes(max_bytes)} (keep what is large elsewhere and send its key, or raise "
            f"the limit: Engine(store, max_event_bytes={size}))"
        )


class InboxFull(LongtermError):
    """Raised when a run is sent an event and has as many unread ones as an engine allows."""

    def __init__(self, run_id: str, max_unread: int) -> None:
        """Keep the run and the limit."""
        self.run_id = run_id
        self.max_unread = max_unread
        super().__init__(
            f"run {run_id!r} has {max_unread:,} unread events, the most that this engine allows "
            "(send it again when the run has read some: `longterm show` says what it waits for; or "
            f"raise the limit: Engine(store, max_unread={2 * max_unread}))"
        )


class RunTooLarge(LongtermError):
    """Raised when the stored stack of a run has more bytes than the engine reads."""

    def __init__(self, run_id: str, size: int, max_bytes: int) -> None:
        """Keep the run, the size and the limit."""
        self.run_id = run_id
        self.size = size
        self.max_bytes = max_bytes
        super().__init__(
            f"the stack of run {run_id!r} has {in_bytes(size)}, and this engine reads at most "
            f"{in_bytes(max_bytes)} (raise the limit if you trust who wrote it: "
            f"Engine(store, max_bytes={size}))"
        )


def in_bytes(number: int) -> str:
    """Write a number of bytes for people."""
    return f"{number:,} bytes" if number < 2**20 else f"{number / 2**20:,.1f} MiB"


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


class Cancelled(BaseException):
    """Raised inside a flow at the suspend where its run was cancelled.

    Like `asyncio.CancelledError` it is no `Exception`, so that an ordinary handler does not keep a
    cancelled flow going.
    """

    def __init__(self, run_id: str) -> None:
        """Keep the run that is cancelled."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} was cancelled")
