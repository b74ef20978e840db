"""How an engine brings runs what they wait for, and what they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from longterm._engine.parts import Parts
from longterm._flows.wait_result import WaitResult
from longterm._later import later
from longterm._names import delivery_key, event_name, id_of_run, revision_of
from longterm.errors import Cancelled, NotAnException
from longterm.run import Run

if TYPE_CHECKING:
    from uuid import UUID

    from longterm.unread import Receipt, UnreadEvent
else:
    UUID = later("uuid", "UUID")
    Receipt = later("longterm.unread", "Receipt")
    UnreadEvent = later("longterm.unread", "UnreadEvent")


class Events(Parts):
    """The part of an engine that carries a run on."""

    def process_event(
        self,
        run_id: str | UUID,
        event_id: str,
        result: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Run:
        """Give a suspended run the event that it waits for, and carry it on by one turn.

        Args:
            run_id: the run's id; a `UUID` of it does too.
            event_id: the event's name, as the flow's `suspend` gave it.
            result: the event's value, which that `suspend` returns.
            key: a name for this delivery, a string of 1 to 500 characters. The same key again
                changes nothing and returns the run as it is, with `is_duplicate`. Keys are kept for
                30 days at least.
            revision: the event is for the wait of this save only, such as the `run.revision` of the
                page on which somebody has answered.

        Raises:
            InvalidRunId, InvalidEventId, InvalidDeliveryKey: an argument is not what it should be.
            EventTooLarge: its value takes more bytes than the engine takes.
            InvalidValue: its value is not what the run, or a given `Event`, wants.
            CannotCheck: that cannot be told, for want of pydantic.
            UnknownRun: the store has no such run.
            KeyReused: the run has taken another event, or value, under the key.
            StaleEvent: it waits at another revision.
            WrongEvent: the run waits for another event.
            RunComplete, RunNotSuspended: the run takes no events now; `RunBusy`: try again.
            TooManyAttempts: the process of this run's turn has died too often; the run is failed.
            UnknownFlow, FlowChanged: this process cannot go on with the run's frames.
            AsyncFlow: the flow is an `async def`; await `aprocess_event`.
            CannotSuspend: the flow came to wait where it cannot be stored.
            Exception: what the flow itself raised; the run is stored as failed, and keeps the
                frames that it had before the turn, and the event, for a `retry`.

        After any of these but the last the run waits on as it was.
        """
        run_id, name, key = checked_event(run_id, event_id, result, key, revision)
        return self._gone_on(self._arrivals.deliver(run_id, name, result, key, revision))

    def send(
        self,
        run_id: str | UUID,
        event_id: str,
        value: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Receipt:
        """Store an event for a run, which reads it when it waits for it; runs no code of its flow.

        It may come early, or while a turn is under way: events are read in the order in which they
        were sent, each once. A run that waits for it is taken on by a worker.

        Args:
            run_id: the run's id; a `UUID` of it does too.
            event_id: the event's name, for which the run waits now, or will.
            value: the event's value, which the flow's `suspend` returns. It must be storable.
            key: a name for this delivery, as for `process_event`, which knows it too: the same key
                again changes nothing.
            revision: store it only while the run rests at this save, and was sent nothing else that
                it waits for.

        Returns:
            The receipt of the event: it is stored now, as durably as a turn.

        Raises:
            InvalidRunId, InvalidEventId, InvalidDeliveryKey: an argument is not what it should be.
            CannotStore: the value cannot be stored.
            EventTooLarge: it takes more bytes than the engine takes.
            InvalidValue: it is not what a given `Event` wants; or not what the run waits for now,
                where that can be told without the flow's code.
            UnknownRun: the store has no such run.
            KeyReused: the run has taken, or was sent, another event or value under the key.
            StaleEvent, RunBusy: a revision is given, and the run does not rest there.
            RunComplete, RunNotSuspended: the run is complete, or cancelled.
            InboxFull: it has not read as many events as the engine allows.
            NotSupported: the store keeps no events.
        """
        run_id, name, key = checked_event(run_id, event_id, value, key, revision)
        return self._sending.send(run_id, name, value, key, revision)

    def discard_event(self, run_id: str | UUID, number: int) -> UnreadEvent:
        """Take an event out of the inbox of a run that waits, or has failed; nobody reads it then.

        For one that can never be read: it fails the run each time, or its turn is always refused. A
        run that was parked for it goes on with the events after it. Runs no code of the flow. One
        that the run has refused is taken out whatever the run does.

        Args:
            run_id: the run's id.
            number: the event's, as `unread_events` and `refused_events` show it.

        Returns:
            The event that was taken out.

        Raises:
            UnknownRun: the store has no such run.
            UnknownEvent: the run has no such event unread or refused.
            RunBusy: it is in the middle of a turn.
            RunComplete, RunNotSuspended: it has ended.
            NotSupported: the store keeps no events.
        """
        from longterm._turns.discarding import discard  # seldom used

        return discard(self._claims, id_of_run(run_id), number)

    def throw(self, run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
        """Raise an exception at the suspend where a run waits, and carry it on by one turn.

        The flow's own `except`, `finally` and `with` see it as if the suspend had raised it. A run
        in the middle of a turn is returned as it is: the exception is stored, and raised at its
        next wait, before it reads any other event.

        Args:
            run_id: the run's id.
            error: the exception, or a class of which one is made without arguments.

        Raises:
            NotAnException: it is neither.
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run has ended; or it is in the middle of a turn, and
                the store has no inbox.
            CannotStore: it is in the middle of a turn, and the exception cannot be stored.
            BaseException: the exception itself, if the flow lets it out; the run is then failed.
        """
        return self._interrupt(id_of_run(run_id), exception_of(error))

    def cancel(self, run_id: str | UUID, *, force: bool = False) -> Run:
        """Cancel a run: its flow is unwound from the suspend where it waits.

        `Cancelled` is raised there, so `finally` and `with` clean up as always. A flow that catches
        it may still go on, and even wait again. A run in the middle of a turn is returned as it is:
        it is cancelled at its next wait, before it reads any event. To cancel it twice until then
        is to cancel it once.

        Args:
            run_id: the run's id.
            force: end the run without running its code, which may be gone: nothing is cleaned up.
                A turn that is under way is not saved (`ClaimLost`).

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run has ended; or it is in the middle of a turn, and
                the store has no inbox.
        """
        run_id = id_of_run(run_id)
        if force:
            return self._gone_on(self._turns.end(run_id))
        return self._interrupt(run_id, Cancelled(run_id))

    def _interrupt(self, run_id: str, error: BaseException) -> Run:
        send = self._sends_error(run_id, error)
        return self._gone_on(self._turns.interrupt(run_id, WaitResult(error=error), send))

    def _sends_error(self, run_id: str, error: BaseException) -> Callable[[], Receipt] | None:
        """Return what stores an exception for a run in the middle of a turn, if the store can."""
        if self._claims.inbox is None:
            return None
        return lambda: self._sending.send_error(run_id, error)

    def expire(self, run_id: str | UUID) -> Run:
        """End a run's wait as if its deadline had come: with its default, or by raising `Expired`.

        A worker does this for every run whose deadline has passed.

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run waits for nothing now.
        """
        return self._gone_on(self._turns.interrupt(id_of_run(run_id), None))

    def retry(self, run_id: str | UUID) -> Run:
        """Give a failed run another try, with the frames that it had before it failed.

        A run that failed in its first turn is started again, by the code of today; any other reads
        the event of the turn that failed once more. If that could not be kept, it must come again:
        its value cannot be stored, or the store has no inbox.

        Raises:
            Exception: what the flow raised this time; the run is stored as failed again.
            CannotRestart: it failed in its first turn, and what was called could not be stored.
            UnknownRun: the store has no such run.
            RunNotFailed: the run has not failed.
            NotSupported: the store cannot take up a failed run.
        """
        return self._gone_on(self._turns.retry(id_of_run(run_id)))


def check_sent(event_id: str, value: Any) -> None:
    """Check the value of an event that is sent by its declaration; see `checks.check_sent`."""
    from longterm._turns.checks import check_sent as check

    check(event_id, value)


def checked_event(
    run_id: object, event_id: str, value: Any, key: object, revision: object
) -> tuple[str, str, str | None]:
    """Return a run's id, an event's name and its key as plain strings, once all that is given fits.

    Raises:
        InvalidRunId, UnknownRun, InvalidEventId, InvalidDeliveryKey, TypeError: one does not.
        InvalidValue, CannotCheck: nor does the value, of an `Event` with a type.
    """
    names = id_of_run(run_id), event_name(event_id), None if key is None else delivery_key(key)
    if type(event_id) is not str:
        check_sent(event_id, value)
    if revision is not None:
        revision_of(revision)
    return names


def exception_of(error: object) -> BaseException:
    """Return what `raise error` would raise."""
    if isinstance(error, type) and issubclass(error, BaseException):
        error = error()
    if not isinstance(error, BaseException):
        raise NotAnException(error)
    return error
