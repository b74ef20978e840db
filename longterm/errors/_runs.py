"""Errors of what is asked of a run: it is not there, or not in a state for it, or asked wrongly."""

from __future__ import annotations

from longterm._event_names import START, spoken
from longterm.errors._base import LongtermError, in_bytes, shown


class InvalidRunId(LongtermError):
    """Raised when what is given as a run's id is no string and no `UUID`, or no good one."""

    def __init__(self, run_id: object, *, is_new: bool = False) -> None:
        """Say what was given, for a run that is there or for a new one."""
        super().__init__(
            "the id of a new run is printable text of 1 to 500 characters, or a UUID, not "
            f"{shown(run_id)} (give what it is about, such as id='order 4711')"
            if is_new
            else f"a run's id is a string or a UUID, not {shown(run_id)} (give `run.id`)"
        )


class UnknownRun(LongtermError):
    """Raised when the store has no run of the given id."""

    def __init__(self, run_id: str) -> None:
        """Keep the id that was asked for."""
        self.run_id = run_id
        super().__init__(
            f"there is no run {run_id!r} in this store (check the id, and the store's URL)"
        )


class InvalidEventId(LongtermError):
    """Raised when an event id is no string that every store can hold as a name, or is reserved.

    Also when several are waited for at once that cannot be.
    """

    def __init__(self, event_id: object, problem: str = "") -> None:
        """Say what was given, or what is wrong with several."""
        super().__init__(
            problem
            or "an event id is a string of 1 to 500 characters without NUL or line break "
            f"that does not begin with 'longterm.' or 'run:', not {shown(event_id)} "
            '(write suspend("approved"), process_event(run_id, "approved", value))'
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
    """Raised when an event comes for a run that does not wait: it has failed, was cancelled, or is
    in the middle of a turn (`RunBusy`)."""

    def __init__(self, run_id: str, state: str) -> None:
        """Keep the run and the state it is in."""
        self.run_id = run_id
        self.state = state
        cause = {
            "running": "another turn is under way: wait for it to end",
            "failed": "its last turn raised an exception: see get_run(...).error, then retry it",
            "cancelled": "it was cancelled: start a new run",
        }.get(state, "see get_run")
        super().__init__(f"run {run_id!r} is {state} and takes no event now ({cause})")


class RunBusy(RunNotSuspended):
    """Raised when an event comes for a run that is in the middle of a turn."""

    def __init__(self, run_id: str) -> None:
        """Keep the run."""
        super().__init__(run_id, "running")


class JoinTimeout(LongtermError, TimeoutError):
    """Raised when a run that is waited for does not come to rest in time."""

    def __init__(self, run_id: str, seconds: float, state: str, waiting_for: str | None) -> None:
        """Keep the run, the time, and how the run stands."""
        self.run_id = run_id
        self.seconds = seconds
        self.state = state
        what = "in the middle of a turn"
        if state != "running":
            what = f"still to be carried on: it waits for {spoken(waiting_for)}, which is there"
        super().__init__(
            f"run {run_id!r} did not come to rest within {seconds:g} seconds: it is {what} (see "
            "that a worker runs which knows its flow, or call `run_pending`; or allow more time)"
        )


class RunComplete(RunNotSuspended):
    """Raised when an event is processed for a run that has reached its end."""

    def __init__(self, run_id: str) -> None:
        """Keep the run."""
        LongtermError.__init__(
            self, f"run {run_id!r} is complete and takes no more events (start a new run)"
        )
        self.run_id = run_id
        self.state = "complete"


class InvalidDeliveryKey(LongtermError):
    """Raised when the key of a delivery is no string that every store can hold as a name."""

    def __init__(self, key: object, rule: str = "", hint: str = "") -> None:
        """Say what was given; where it is the key of something else, what that must be."""
        rule = rule or (
            "the key of a delivery is a string of 1 to 500 characters without NUL that does not "
            "begin with 'longterm.'"
        )
        hint = hint or "give the message's id in the queue, as text"
        super().__init__(f"{rule}, not {shown(key)} ({hint})")


class KeyReused(LongtermError):
    """Raised when a run has taken another event, or another value, under the key of a delivery.

    Also when another flow, or other arguments, were started under the id of a run.
    """

    def __init__(self, run_id: str, key: str) -> None:
        """Keep the run and the key; that of a start is `longterm.start`."""
        self.run_id = run_id
        self.key = key
        super().__init__(
            f"run {run_id!r} was started before, with another flow or other arguments (give each "
            "run an id of its own, such as the order's number)"
            if key == START
            else f"run {run_id!r} has taken a delivery of key {key!r} with other content (give "
            "each delivery a key of its own, such as the message's id in the queue)"
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


class UnknownEvent(LongtermError):
    """Raised when an event is to be discarded that is not in the inbox of its run."""

    def __init__(self, run_id: str, number: int) -> None:
        """Keep the run and the number."""
        self.run_id = run_id
        self.number = number
        super().__init__(
            f"run {run_id!r} has no event {number} that is unread or refused "
            "(see unread_events and refused_events for those that it has)"
        )


class NotAnException(LongtermError):
    """Raised when what is to be thrown into a run could not be raised."""

    def __init__(self, value: object) -> None:
        """Say what was given."""
        super().__init__(
            f"an exception is thrown into a run, not {shown(value)} "
            '(give an instance such as ValueError("too late"), or its class)'
        )


class RunNotFailed(LongtermError):
    """Raised when a run is to be retried that has not failed."""

    def __init__(self, run_id: str, state: str) -> None:
        """Keep the run and the state it is in."""
        self.run_id = run_id
        self.state = state
        super().__init__(f"run {run_id!r} is {state}: there is nothing to retry (see get_run)")


class CannotRestart(LongtermError):
    """Raised when a run that failed before its first wait cannot be started once more."""

    def __init__(self, run_id: str, cause: str) -> None:
        """Keep the run."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} cannot be started again: {cause} (start a new run)")


class StaleEvent(LongtermError):
    """Raised when an event is for a wait of a run that is over: a page that was shown before."""

    def __init__(self, run_id: str, revision: int, current: int) -> None:
        """Keep the run, the revision that was meant, and that at which the run is."""
        self.run_id = run_id
        self.revision = revision
        self.current = current
        why = f"it is at revision {current}"
        if current == revision:
            why = "it was sent an event, which it is about to read"
        super().__init__(
            f"run {run_id!r} does not rest at revision {revision}: {why} (read the run again, and "
            "see whether the event is still meant)"
        )


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


class InvalidFact(LongtermError):
    """Raised when a run shall be found by what is no plain value, or takes too much room."""

    def __init__(
        self, name: str, value: object, hint: str = "set a string, a number, a bool or None"
    ) -> None:
        """Keep the name of the fact."""
        self.name = name
        super().__init__(f"the fact {name[:100]}={shown(value)} cannot be searched for ({hint})")


class InvalidQuery(LongtermError):
    """Raised when runs are to be found by what no run can have."""

    def __init__(self, name: str, value: object, hint: str) -> None:
        """Keep which argument it was."""
        self.name = name
        super().__init__(f"{name}={shown(value)} finds no runs ({hint})")
