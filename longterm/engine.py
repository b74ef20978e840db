"""The engine: start runs and carry them on, one turn at a time, on one store.

A turn is claim, decode, run, encode, save. It happens as a whole or not at all: whatever goes wrong
before the save, the run stays as it was, and the caller is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar

import longterm.inner  # noqa: F401 - the codec stores inner functions by its table
from longterm._abi import DEFAULT
from longterm.claims import Claims
from longterm.clock import Clock, SystemClock
from longterm.codec import decode
from longterm.errors import (
    AsyncFlow,
    Cancelled,
    CannotSuspend,
    Expired,
    InvalidEventId,
    NotSupported,
)
from longterm.flow import Flow, flow_named, flow_of
from longterm.frame import Frame
from longterm.loop import arun_turn, event_error, event_value, run_turn
from longterm.records import (
    after_turn,
    ended_run,
    failed_run,
    new_run,
    refusal,
    released_run,
)
from longterm.run import Fact, Run, RunState
from longterm.stack import rebuild
from longterm.store import open_store
from longterm.store.base import Deletion, Query, RunStore, Search
from longterm.turn import LiveTurn
from longterm.wait import MISSING

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger("longterm")
_PRUNED_AT_ONCE = 1000

reading: ContextVar[Engine | None] = ContextVar("longterm.reading", default=None)
"""The engine whose stored values are being decoded: a run among them is read from its store."""


class Engine:
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
    ) -> None:
        """Use a store, or open the store of a URL such as `sqlite:///runs.db`.

        Args:
            store: where the runs are.
            clock: where all stored times come from; the machine's unless told otherwise.
            lease: how long a claim holds when its process dies, on stores that have leases. While
                the process lives it renews its claims, however long a turn takes.
        """
        self.store: RunStore = open_store(store) if isinstance(store, str) else store
        self.clock: Clock = clock or SystemClock()
        self._claims = Claims(self.store, self.clock, lease)

    def start_flow(self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Run:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            AsyncFlow: the flow is an `async def`; await `astart_flow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                was created.
            Exception: what the flow itself raised; the run is stored as failed.
        """
        _refuse_async(flow_of(flow), "start_flow")
        run = new_run(flow_of(flow), args, kwargs, self.clock.now())
        turn = LiveTurn(run)
        with self._recording_failure(run, [], self.store.create):
            outcome = run_turn(turn, partial(flow, *args, **kwargs))
            done = after_turn(run, turn, outcome, self.clock.now())
        return self.store.create(done)

    def process_event(
        self, run_id: str, event_id: str, result: Any = None, *, key: str | None = None
    ) -> Run:
        """Give a suspended run the event that it waits for, and carry it on by one turn.

        Args:
            run_id: the run's id.
            event_id: the event's name, as the flow's `suspend` gave it.
            result: the event's value, which that `suspend` returns.
            key: a name for this delivery. The same key again, until the run's next turn, changes
                nothing and returns the run as the first delivery left it.

        Raises:
            UnknownRun: the store has no such run.
            WrongEvent: the run waits for another event.
            RunComplete, RunNotSuspended: the run takes no events now.
            UnknownFlow, FlowChanged: this process cannot go on with the run's frames.
            AsyncFlow: the flow is an `async def`; await `aprocess_event`.
            CannotSuspend: the flow came to wait where it cannot be stored.
            Exception: what the flow itself raised; the run is stored as failed, and keeps the
                frames that it had before the turn.

        After any of these but the last the run waits on as it was.
        """
        claimed, repeated = self._claim(run_id, event_id, key)
        return repeated or self._carry_on(claimed, _bringing(event_value(result)))

    def throw(self, run_id: str, error: BaseException) -> Run:
        """Raise an exception at the suspend where a run waits, and carry it on by one turn.

        The flow's own `except`, `finally` and `with` see it as if the suspend had raised it.

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run takes no events now.
            BaseException: the exception itself, if the flow lets it out; the run is then failed.
        """
        return self._carry_on(self._claim_waiting(run_id), _bringing(event_error(error)))

    def cancel(self, run_id: str) -> Run:
        """Cancel a suspended run: its flow is unwound from the suspend where it waits.

        `Cancelled` is raised there, so `finally` and `with` clean up as always. A flow that catches
        it may still go on, and even wait again.

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run waits for nothing now.
        """
        run = self._claim_waiting(run_id)
        cancelled = Cancelled(run_id)
        try:
            return self._carry_on(run, _bringing(event_error(cancelled)))
        except Cancelled as error:
            if error is not cancelled:
                raise
            return self._claims.save(ended_run(run, RunState.CANCELLED, self.clock.now()))

    def expire(self, run_id: str) -> Run:
        """End a run's wait as if its deadline had come: with its default, or by raising `Expired`.

        A worker does this for every run whose deadline has passed.

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run waits for nothing now.
        """
        run = self._claim_waiting(run_id)
        return self._carry_on(run, partial(_expiring, run))

    def retry(self, run_id: str) -> Run:
        """Give a failed run another try, with the frames that it had before it failed.

        A run that failed in its first turn is started again; any other waits again for the event
        of the turn that failed, which must be sent once more.

        Raises:
            UnknownRun: the store has no such run.
            RunNotSuspended: the run has not failed.
            NotSupported: the store cannot take up a failed run.
        """
        run = self._claims.revive(run_id)
        if run.waiting_for is not None:
            return self._claims.save(released_run(replace(run, error=None)))
        return self._carry_on(replace(run, error=None), _bringing(event_value(None)))

    def get_run(self, run_id: str) -> Run:
        """Return a run as it is now.

        Raises:
            UnknownRun: the store has no such run.
        """
        return self.store.get(run_id)

    def find_runs(
        self,
        *,
        state: RunState | str | None = None,
        flow: str | Callable[..., Any] | None = None,
        waiting_for: str | None = None,
        index: Mapping[str, Fact] | None = None,
        older_than: timedelta | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Run]:
        """Find runs by what is known of them; every argument that is given must fit.

        Args:
            state: the state that they are in.
            flow: the flow, or its name `module:qualname`.
            waiting_for: the event that they wait for.
            index: facts that their flows have set by `set_index`.
            older_than: for how long, at least, no turn of theirs was saved.
            limit: how many to return at most, in the order of their ids.
            after: the id of the last run of the page before.

        Raises:
            NotSupported: the store cannot search.
        """
        if not isinstance(self.store, Search):
            raise NotSupported(self.store, "finding runs")
        query = Query(
            state=None if state is None else RunState(state),
            flow=flow if flow is None or isinstance(flow, str) else flow_of(flow).name,
            waiting_for=waiting_for,
            index=index or {},
            saved_before=None if older_than is None else self.clock.now() - older_than,
            limit=limit,
            after=after,
        )
        return self.store.find(query)

    def prune(self, older_than: timedelta) -> int:
        """Delete the runs that ended longer ago than this; return how many they were.

        Raises:
            NotSupported: the store cannot delete.
        """
        if not isinstance(self.store, Deletion):
            raise NotSupported(self.store, "deleting runs")
        deleted, saved_before = 0, self.clock.now() - older_than
        while count := self.store.delete_ended(saved_before=saved_before, limit=_PRUNED_AT_ONCE):
            deleted += count
        return deleted

    def expire_due(self, *, limit: int = 100) -> int:
        """End the waits whose deadlines have passed, some of them at a time; return how many.

        A flow that fails then is stored as failed, and no exception comes here.

        Raises:
            NotSupported: the store has no deadlines.
        """
        due = self._claims.claim_due(limit)
        for run in due:
            try:
                self._carry_on(run, partial(_expiring, run))
            except Exception as error:
                _log.warning("run %s: its wait ended, and its turn failed: %s", run.id, error)
        return len(due)

    def release_stale(self, *, max_attempts: int = 5) -> list[Run]:
        """Let go of the runs whose processes have died in a turn, and return them.

        Each waits again as it did before that turn; one that has died `max_attempts` times in a
        row is failed instead, until somebody retries it.

        Raises:
            NotSupported: the store has no leases.
        """
        return self._claims.release_stale(max_attempts)

    async def astart_flow(
        self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run:
        """Start a run of a flow, `async def` or not, from asynchronous code; see `start_flow`.

        The store, and a flow that is no `async def`, run in a thread.
        """
        if not flow_of(flow).is_async:
            return await _in_thread(self.start_flow, flow, *args, **kwargs)
        run = new_run(flow_of(flow), args, kwargs, self.clock.now())
        turn = LiveTurn(run)
        with self._recording_failure(run, [], self.store.create):
            outcome = await arun_turn(turn, partial(flow, *args, **kwargs))
            done = after_turn(run, turn, outcome, self.clock.now())
        return await _in_thread(self.store.create, done)

    async def aprocess_event(
        self, run_id: str, event_id: str, result: Any = None, *, key: str | None = None
    ) -> Run:
        """Give a run the event that it waits for, from asynchronous code; see `process_event`."""
        claimed, repeated = await _in_thread(self._claim, run_id, event_id, key)
        return repeated or await self._acarry_on(claimed, _bringing(event_value(result)))

    async def athrow(self, run_id: str, error: BaseException) -> Run:
        """Raise an exception at the suspend where a run waits; see `throw`."""
        run = await _in_thread(self._claim_waiting, run_id)
        return await self._acarry_on(run, _bringing(event_error(error)))

    async def acancel(self, run_id: str) -> Run:
        """Cancel a suspended run, from asynchronous code; see `cancel`."""
        run = await _in_thread(self._claim_waiting, run_id)
        cancelled = Cancelled(run_id)
        try:
            return await self._acarry_on(run, _bringing(event_error(cancelled)))
        except Cancelled as error:
            if error is not cancelled:
                raise
            done = ended_run(run, RunState.CANCELLED, self.clock.now())
            return await _in_thread(self._claims.save, done)

    async def aget_run(self, run_id: str) -> Run:
        """Return a run as it is now, from asynchronous code; see `get_run`."""
        return await _in_thread(self.get_run, run_id)

    def _claim(self, run_id: str, event_id: str, key: str | None = None) -> tuple[Run, Run | None]:
        """Claim a run for an event; the second run is the outcome of a repeated delivery."""
        if not isinstance(event_id, str) or not event_id:
            raise InvalidEventId(event_id)
        run = self._claims.claim(run_id, event_id)
        if run is None:
            stored = self.store.get(run_id)
            if key is not None and stored.delivery == key and stored.state is not RunState.RUNNING:
                return stored, stored
            raise refusal(stored, event_id)
        if key is not None and run.delivery == key:
            return run, self._claims.release(run)
        return run if key == run.delivery else replace(run, delivery=key), None

    def _claim_waiting(self, run_id: str) -> Run:
        """Claim a suspended run, whatever it waits for."""
        run = self.store.get(run_id)
        if run.state is not RunState.SUSPENDED or run.waiting_for is None:
            raise refusal(run, "")
        return self._claim(run_id, run.waiting_for)[0]

    def _carry_on(self, run: Run, bring: _Bring) -> Run:
        frames, going_on = self._going_on(run, bring, is_async=False)
        turn = LiveTurn(run)
        with self._recording_failure(run, frames, self._claims.save, self._claims.release):
            done = after_turn(run, turn, run_turn(turn, going_on), self.clock.now())
        return self._claims.save(done)

    async def _acarry_on(self, run: Run, bring: _Bring) -> Run:
        if not self._is_async(run):
            return await _in_thread(self._carry_on, run, bring)
        frames, going_on = self._going_on(run, bring, is_async=True)
        turn = LiveTurn(run)
        with self._recording_failure(run, frames, self._claims.save, self._claims.release):
            outcome = await arun_turn(turn, going_on)
            done = after_turn(run, turn, outcome, self.clock.now())
        return await _in_thread(self._claims.save, done)

    def _is_async(self, run: Run) -> bool:
        try:
            return flow_named(run.flow).is_async
        except BaseException:
            self._claims.release(run)
            raise

    def _going_on(
        self, run: Run, bring: _Bring, *, is_async: bool
    ) -> tuple[list[Frame], Callable[[], Any]]:
        """Return a claimed run's frames and what carries them on, or let go of the run."""
        assert run.stack is not None
        try:
            if not is_async:
                _refuse_async(flow_named(run.flow), "process_event")
            frames = self._frames(run.stack)
            if frames[0].point == 0:
                return frames, _start(frames[0])
            return frames, rebuild(frames, bring(frames))
        except BaseException:
            self._claims.release(run)
            raise

    def _frames(self, stack: bytes) -> list[Frame]:
        token = reading.set(self)
        try:
            frames: list[Frame] = decode(stack)
            return frames
        finally:
            reading.reset(token)

    @contextmanager
    def _recording_failure(
        self,
        run: Run,
        frames: list[Frame],
        save: Callable[[Run], Run],
        release: Callable[[Run], object] = lambda run: None,
    ) -> Iterator[None]:
        """Store a run as failed when the author's code raises; undo the turn if it was refused.

        An interrupt (Ctrl-C, a cancelled task) is nobody's failure: the turn is undone too.
        """
        try:
            yield
        except CannotSuspend:
            release(run)
            raise
        except Cancelled:
            # The caller who cancelled the run saves how it ended.
            raise
        except Exception as error:
            save(failed_run(run, error, frames, self.clock.now()))
            raise
        except BaseException:
            release(run)
            raise


_Bring: TypeAlias = Callable[[list[Frame]], Callable[[], Any]]
"""Makes what a continuation goes on with, from its frames."""


def _bringing(event: Callable[[], Any]) -> _Bring:
    return lambda frames: event


def _expiring(run: Run, frames: list[Frame]) -> Callable[[], Any]:
    """Return what a wait is worth whose deadline has come."""
    default = frames[-1].slots.get(DEFAULT, MISSING)
    return (
        event_error(Expired(run.waiting_for or "")) if default is MISSING else event_value(default)
    )


def _start(frame: Frame) -> Callable[[], Any]:
    """Return the call that starts a flow, from the frame that was kept of it."""
    flow = flow_named(frame.flow, frame.version)
    args, kwargs = frame.slots["args"], frame.slots["kwargs"]
    assert isinstance(args, tuple)
    assert isinstance(kwargs, dict)
    return partial(next(iter(flow.functions)), *args, **kwargs)


def _refuse_async(flow: Flow, entry: str) -> None:
    if flow.is_async:
        raise AsyncFlow(flow.name, entry)


async def _in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking function in a thread; asyncio is imported only by those who use it."""
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)
