"""The engine: start runs and carry them on, one turn at a time, on one store.

A turn is claim, decode, run, encode, save. It happens as a whole or not at all: whatever goes wrong
before the save, the run stays as it was, and the caller is told.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, overload

from longterm._codec import check_keys
from longterm._flows.wait_result import WaitResult
from longterm._later import later
from longterm._names import delivery_key, event_name, id_of_run
from longterm._records import Records
from longterm._turns.arrivals import Arrivals
from longterm._turns.claims import Claims
from longterm._turns.threads import in_thread
from longterm._turns.turns import Turns
from longterm.clock import Clock, SystemClock
from longterm.errors import Cancelled, NotAnException
from longterm.run import Run
from longterm.store import open_store
from longterm.store.base import RunStore

if TYPE_CHECKING:
    from uuid import UUID

    from longterm._turns.due import DueTurns
    from longterm._turns.sending import Sending
    from longterm.unread import Receipt
else:
    UUID = later("uuid", "UUID")
    Receipt = later("longterm.unread", "Receipt")

P = ParamSpec("P")
T = TypeVar("T")
MAX_ATTEMPTS: Final = 5
"""How many turns of a run may die in a row, unless an engine is told otherwise."""
MAX_BYTES: Final = 64 * 2**20
"""What a stack, the responses or a result may take, unless an engine is told otherwise."""
MAX_EVENT_BYTES: Final = 16 * 2**20
"""What the value of an event may take, unless an engine is told otherwise."""
MAX_UNREAD: Final = 1000
"""How many events a run may have that it has not read, unless an engine is told otherwise."""


class Engine(Records):
    """Starts and continues the runs of one store.

    The module-level functions such as `start_flow` use a default engine; make your own for several
    stores in one process, or for tests.
    """

    def __init__(
        self,
        store: RunStore | str,
        *,
        clock: Clock | None = None,
        lease: timedelta = timedelta(seconds=60),
        max_attempts: int = MAX_ATTEMPTS,
        max_bytes: int = MAX_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_unread: int = MAX_UNREAD,
    ) -> None:
        """Use a store, or open the store of a URL such as `sqlite:///runs.db`.

        Args:
            store: where the runs are.
            clock: where all stored times come from; the machine's unless told otherwise.
            lease: how long a claim holds when its process dies, on stores that have leases. While
                the process lives it renews its claims, however long a turn takes.
            max_attempts: after how many turns in a row that died with their process a run is
                failed instead of taken up once more; a worker of this engine keeps to it too.
            max_bytes: how many bytes the stack, the responses or the result of a run may take,
                each. A turn that would leave more is refused; a stack that has more is not read.
            max_event_bytes: how many bytes the value of an event may take, as it would be stored.
            max_unread: how many events a run may have been sent that it has not read.

        Raises:
            ValueError: the lease is no time at all, or a number allows nothing.
            StoreError: the URL names no store.
            InvalidKey: a key in `LONGTERM_KEY` is too short, or not random.
        """
        check_keys()
        _check_limits(lease, max_attempts, max_bytes, max_event_bytes, max_unread)
        opened: RunStore = open_store(store) if isinstance(store, str) else store
        super().__init__(opened, clock or SystemClock())
        self._claims = Claims(self.store, self.clock, lease, max_attempts)
        self._turns = Turns(self.store, self.clock, self._claims, max_bytes=max_bytes)
        self._arrivals = Arrivals(self._turns, self._claims, max_event_bytes=max_event_bytes)
        self._max_event_bytes, self._max_unread = max_event_bytes, max_unread

    def start_flow(self, flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            NotImportable: the flow is of a program that cannot be imported, such as an interactive
                shell, and the store is not in memory.
            AsyncFlow: the flow is an `async def`; await `astart_flow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                is left, or a failed one if the store cannot forget it.
            Exception: what the flow itself raised; the run is stored as failed.

        The run is created before the flow's first line runs. If this process dies then, a worker
        starts it again, provided that the function and the arguments could be stored.
        """
        return self._gone_on(self._turns.start(flow, args, kwargs))

    def process_event(
        self, run_id: str | UUID, event_id: str, result: Any = None, *, key: str | None = None
    ) -> Run:
        """Give a suspended run the event that it waits for, and carry it on by one turn.

        Args:
            run_id: the run's id; a `UUID` of it does too.
            event_id: the event's name, as the flow's `suspend` gave it.
            result: the event's value, which that `suspend` returns.
            key: a name for this delivery, a string of 1 to 500 characters. The same key again
                changes nothing and returns the run as it is, with `is_duplicate`. Keys are kept for
                30 days at least; that of a delivery that failed the run, until a `retry`.

        Raises:
            InvalidRunId, InvalidEventId, InvalidDeliveryKey: an argument is not what it should be.
            EventTooLarge: its value takes more bytes than the engine takes.
            UnknownRun: the store has no such run.
            KeyReused: the run has taken another event, or value, under the key.
            WrongEvent: the run waits for another event.
            RunComplete, RunNotSuspended: the run takes no events now.
            TooManyAttempts: the process of this run's turn has died too often; the run is failed.
            UnknownFlow, FlowChanged: this process cannot go on with the run's frames.
            AsyncFlow: the flow is an `async def`; await `aprocess_event`.
            CannotSuspend: the flow came to wait where it cannot be stored.
            Exception: what the flow itself raised; the run is stored as failed, and keeps the
                frames that it had before the turn.

        After any of these but the last the run waits on as it was.
        """
        run_id, event_id = id_of_run(run_id), event_name(event_id)
        key = None if key is None else delivery_key(key)
        run = self._arrivals.deliver(run_id, event_id, result, key)
        return self._gone_on(run) if run.unread else run

    def send(
        self, run_id: str | UUID, event_id: str, value: Any = None, *, key: str | None = None
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

        Returns:
            The receipt of the event: it is stored now, as durably as a turn.

        Raises:
            InvalidRunId, InvalidEventId, InvalidDeliveryKey: an argument is not what it should be.
            CannotStore: the value cannot be stored.
            EventTooLarge: it takes more bytes than the engine takes.
            UnknownRun: the store has no such run.
            KeyReused: the run has taken, or was sent, another event or value under the key.
            RunComplete, RunNotSuspended: the run is complete, or cancelled.
            InboxFull: it has not read as many events as the engine allows.
            NotSupported: the store keeps no events.
        """
        run_id, event_id = id_of_run(run_id), event_name(event_id)
        key = None if key is None else delivery_key(key)
        return self._sending.send(run_id, event_id, value, key)

    def throw(self, run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
        """Raise an exception at the suspend where a run waits, and carry it on by one turn.

        The flow's own `except`, `finally` and `with` see it as if the suspend had raised it.

        Args:
            run_id: the run's id.
            error: the exception, or a class of which one is made without arguments.

        Raises:
            NotAnException: it is neither.
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run takes no events now.
            BaseException: the exception itself, if the flow lets it out; the run is then failed.
        """
        result = WaitResult(error=_exception(error))
        return self._gone_on(self._turns.interrupt(id_of_run(run_id), result))

    def cancel(self, run_id: str | UUID, *, force: bool = False) -> Run:
        """Cancel a suspended run: its flow is unwound from the suspend where it waits.

        `Cancelled` is raised there, so `finally` and `with` clean up as always. A flow that catches
        it may still go on, and even wait again.

        Args:
            run_id: the run's id.
            force: end the run without running its code, which may be gone: nothing is cleaned up.
                A turn that is under way is not saved (`ClaimLost`).

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run waits for nothing now.
        """
        run_id = id_of_run(run_id)
        if force:
            return self._turns.end(run_id)
        return self._gone_on(self._turns.interrupt(run_id, WaitResult(error=Cancelled(run_id))))

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

        A run that failed in its first turn is started again, by the code of today; any other waits
        again for the event of the turn that failed. What was sent by `send` it reads once more at
        once; what came by `process_event` must come again.

        Raises:
            CannotRestart: it failed in its first turn, and what was called could not be stored.
            UnknownRun: the store has no such run.
            RunNotFailed: the run has not failed.
            NotSupported: the store cannot take up a failed run.
        """
        return self._gone_on(self._turns.retry(id_of_run(run_id)))

    def expire_due(
        self, *, limit: int = 100, is_stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """End the waits that are over, one after the other; return how many.

        Those are the waits whose deadlines have passed, and those for an event that was sent. What
        a worker does, in this thread. Only runs of flows that this process knows are taken. A
        flow that fails then is stored as failed, and no exception comes here. A run that cannot go
        on in this process (its flow has changed) is parked: it waits on, `error` says why, and it
        is looked at again after a minute, then after two, and so on up to an hour. An `async def`
        flow runs in an event loop of its own, so call this where none is running.

        Args:
            limit: how many to end at most.
            is_stopped: asked before each run; once it says yes, no more are taken.

        Raises:
            NotSupported: the store has no deadlines.
        """
        ended = 0
        while ended < limit and not is_stopped():
            turns = self._due.claim(1)
            if not turns:
                break
            for turn in turns:
                with turn.claim, turn.claim:  # twice, as `Claim` says
                    turn.advance_alone()
            ended += 1
        return ended

    @cached_property
    def _due(self) -> DueTurns:
        """What workers find due runs by."""
        from longterm._turns.due import DueTurns

        return DueTurns(self._turns, self._claims, self.clock)

    @cached_property
    def _sending(self) -> Sending:
        """What sends events."""
        from longterm._turns.sending import Sending

        return Sending(
            self._claims,
            self.clock,
            max_event_bytes=self._max_event_bytes,
            max_unread=self._max_unread,
        )

    def release_stale(
        self, *, max_attempts: int | None = None, limit: int | None = None
    ) -> list[Run]:
        """Let go of the runs whose processes have died in a turn, and return them.

        Each waits again as it did before that turn; one that has died `max_attempts` times in a
        row, those of the engine unless told otherwise, is failed instead, until somebody retries
        it. At most `limit` are let go of at once; None: all.

        Raises:
            NotSupported: the store has no leases.
        """
        return self._claims.release_stale(max_attempts, limit)

    @overload
    async def astart_flow(
        self, flow: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run[T]: ...

    @overload
    async def astart_flow(
        self, flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run[T]: ...

    async def astart_flow(
        self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run:
        """Start a run of a flow, `async def` or not, from asynchronous code; see `start_flow`.

        The store, and a flow that is no `async def`, run in a thread. A task that is cancelled
        meanwhile waits for its end, so that no run is left claimed.
        """
        return await self._agone_on(await self._turns.astart(flow, args, kwargs))

    async def aprocess_event(
        self, run_id: str | UUID, event_id: str, result: Any = None, *, key: str | None = None
    ) -> Run:
        """Give a run the event that it waits for, from asynchronous code; see `process_event`."""
        run_id, event_id = id_of_run(run_id), event_name(event_id)
        key = None if key is None else delivery_key(key)
        return await self._agone_on(await self._arrivals.adeliver(run_id, event_id, result, key))

    async def asend(
        self, run_id: str | UUID, event_id: str, value: Any = None, *, key: str | None = None
    ) -> Receipt:
        """Store an event for a run, from asynchronous code; see `send`."""
        return await in_thread(self.send, run_id, event_id, value, key=key)

    async def athrow(self, run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
        """Raise an exception at the suspend where a run waits; see `throw`."""
        result = WaitResult(error=_exception(error))
        return await self._agone_on(await self._turns.ainterrupt(id_of_run(run_id), result))

    async def acancel(self, run_id: str | UUID, *, force: bool = False) -> Run:
        """Cancel a suspended run, from asynchronous code; see `cancel`."""
        run_id = id_of_run(run_id)
        if force:
            return await in_thread(self._turns.end, run_id)
        result = WaitResult(error=Cancelled(run_id))
        return await self._agone_on(await self._turns.ainterrupt(run_id, result))

    async def aexpire(self, run_id: str | UUID) -> Run:
        """End a run's wait as if its deadline had come; see `expire`."""
        return await self._agone_on(await self._turns.ainterrupt(id_of_run(run_id), None))

    async def aretry(self, run_id: str | UUID) -> Run:
        """Give a failed run another try, from asynchronous code; see `retry`."""
        return await self._agone_on(await self._turns.aretry(id_of_run(run_id)))

    def _gone_on(self, run: Run) -> Run:
        """Return a run once it has read, after a turn, what it was sent before."""
        return run if run.is_duplicate or not run.unread else self._due.go_on(run)

    async def _agone_on(self, run: Run) -> Run:
        return run if run.is_duplicate or not run.unread else await self._due.ago_on(run)


def _check_limits(
    lease: timedelta, max_attempts: int, max_bytes: int, max_event_bytes: int, max_unread: int
) -> None:
    if lease <= timedelta(0):
        raise ValueError(f"lease={lease!r} is no time (give timedelta(seconds=60))")
    if max_attempts < 1:
        raise ValueError(f"max_attempts={max_attempts} allows nothing (give {MAX_ATTEMPTS})")
    if max_bytes < 1:
        raise ValueError(f"max_bytes={max_bytes} allows nothing (give {MAX_BYTES}, 64 MiB)")
    if max_unread < 1:
        raise ValueError(f"max_unread={max_unread} allows nothing (give {MAX_UNREAD})")
    if max_event_bytes < 1:
        raise ValueError(
            f"max_event_bytes={max_event_bytes} allows nothing (give {MAX_EVENT_BYTES}, 16 MiB)"
        )


def _exception(error: object) -> BaseException:
    """Return what `raise error` would raise."""
    if isinstance(error, type) and issubclass(error, BaseException):
        error = error()
    if not isinstance(error, BaseException):
        raise NotAnException(error)
    return error
