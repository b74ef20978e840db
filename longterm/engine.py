"""The engine: start runs and carry them on, one turn at a time, on one store.

A turn is claim, decode, run, encode, save. It happens as a whole or not at all: whatever goes wrong
before the save, the run stays as it was, and the caller is told.
"""

from __future__ import annotations

import os
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec

import longterm.inner  # noqa: F401 - the codec stores inner functions by its table
from longterm.codec import decode, encode
from longterm.errors import (
    AsyncFlow,
    Cancelled,
    CannotStore,
    CannotSuspend,
    InvalidEventId,
    NotStorable,
    RunComplete,
    RunNotSuspended,
    UnknownFlow,
    WrongEvent,
)
from longterm.flow import Flow, flow_named, flow_of
from longterm.frame import Frame
from longterm.loop import (
    Completed,
    Outcome,
    arun_turn,
    event_error,
    event_value,
    run_turn,
)
from longterm.run import Run, RunState
from longterm.stack import rebuild
from longterm.store import open_store
from longterm.store.base import RunStore
from longterm.turn import LiveTurn
from longterm.unstorable import cannot_store_frames

P = ParamSpec("P")
_HERE = os.path.dirname(__file__) + os.sep


class Engine:
    """Starts and continues the runs of one store.

    The module-level functions `start_flow`, `process_event` and `get_run` use a default engine; make
    your own for several stores in one process, or for tests.
    """

    def __init__(self, store: RunStore | str) -> None:
        """Use a store, or open the store of a URL such as `sqlite:///runs.db`."""
        self.store: RunStore = open_store(store) if isinstance(store, str) else store

    def start_flow(self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Run:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            AsyncFlow: the flow is an `async def`; await `astart_flow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                was created.
            Exception: what the flow itself raised; the run is stored as failed.
        """
        run = _new_run(flow_of(flow), args, kwargs)
        _refuse_async(flow_of(flow), "start_flow")
        turn = LiveTurn()
        with self._recording_failure(run, self.store.create):
            done = _after(run, turn, run_turn(turn, partial(flow, *args, **kwargs)))
        return self.store.create(done)

    def process_event(self, run_id: str, event_id: str, result: Any = None) -> Run:
        """Give a suspended run the event that it waits for, and carry it on by one turn.

        Args:
            run_id: the run's id.
            event_id: the event's name, as the flow's `suspend` gave it.
            result: the event's value, which that `suspend` returns.

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
        return self._carry_on(self._claim(run_id, event_id), event_value(result))

    def throw(self, run_id: str, error: BaseException) -> Run:
        """Raise an exception at the suspend where a run waits, and carry it on by one turn.

        The flow's own `except`, `finally` and `with` see it as if the suspend had raised it.

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run takes no events now.
            BaseException: the exception itself, if the flow lets it out; the run is then failed.
        """
        return self._carry_on(self._claim_waiting(run_id), event_error(error))

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
            return self._carry_on(run, event_error(cancelled))
        except Cancelled as error:
            if error is not cancelled:
                raise
            return self.store.update(_ended(run, RunState.CANCELLED))

    async def astart_flow(
        self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run:
        """Start a run of a flow, `async def` or not, from asynchronous code; see `start_flow`.

        The store, and a flow that is no `async def`, run in a thread.
        """
        if not flow_of(flow).is_async:
            return await _in_thread(self.start_flow, flow, *args, **kwargs)
        run = _new_run(flow_of(flow), args, kwargs)
        turn = LiveTurn()
        with self._recording_failure(run, self.store.create):
            done = _after(run, turn, await arun_turn(turn, partial(flow, *args, **kwargs)))
        return await _in_thread(self.store.create, done)

    async def aprocess_event(self, run_id: str, event_id: str, result: Any = None) -> Run:
        """Give a run the event that it waits for, from asynchronous code; see `process_event`."""
        run = await _in_thread(self._claim, run_id, event_id)
        return await self._acarry_on(run, event_value(result))

    async def athrow(self, run_id: str, error: BaseException) -> Run:
        """Raise an exception at the suspend where a run waits; see `throw`."""
        run = await _in_thread(self._claim_waiting, run_id)
        return await self._acarry_on(run, event_error(error))

    async def acancel(self, run_id: str) -> Run:
        """Cancel a suspended run, from asynchronous code; see `cancel`."""
        run = await _in_thread(self._claim_waiting, run_id)
        cancelled = Cancelled(run_id)
        try:
            return await self._acarry_on(run, event_error(cancelled))
        except Cancelled as error:
            if error is not cancelled:
                raise
            return await _in_thread(self.store.update, _ended(run, RunState.CANCELLED))

    async def aget_run(self, run_id: str) -> Run:
        """Return a run as it is now, from asynchronous code; see `get_run`."""
        return await _in_thread(self.get_run, run_id)

    def get_run(self, run_id: str) -> Run:
        """Return a run as it is now.

        Raises:
            UnknownRun: the store has no such run.
        """
        return self.store.get(run_id)

    def _claim(self, run_id: str, event_id: str) -> Run:
        if not isinstance(event_id, str) or not event_id:
            raise InvalidEventId(event_id)
        run = self.store.unsuspend(run_id, event_id)
        if run is None:
            raise _refusal(self.store.get(run_id), event_id)
        return run

    def _claim_waiting(self, run_id: str) -> Run:
        """Claim a suspended run, whatever it waits for."""
        run = self.store.get(run_id)
        if run.state is not RunState.SUSPENDED or run.waiting_for is None:
            raise _refusal(run, "")
        return self._claim(run_id, run.waiting_for)

    def _carry_on(self, run: Run, event: Callable[[], Any]) -> Run:
        going_on = self._going_on(run, event, is_async=False)
        turn = LiveTurn()
        with self._recording_failure(run, self.store.update, self._release):
            done = _after(run, turn, run_turn(turn, going_on))
        return self.store.update(done)

    async def _acarry_on(self, run: Run, event: Callable[[], Any]) -> Run:
        if not self._is_async(run):
            return await _in_thread(self._carry_on, run, event)
        going_on = self._going_on(run, event, is_async=True)
        turn = LiveTurn()
        with self._recording_failure(run, self.store.update, self._release):
            done = _after(run, turn, await arun_turn(turn, going_on))
        return await _in_thread(self.store.update, done)

    def _is_async(self, run: Run) -> bool:
        try:
            return flow_named(run.flow).is_async
        except UnknownFlow:
            self._release(run)
            raise

    def _release(self, run: Run) -> None:
        self.store.update(replace(run, state=RunState.SUSPENDED))

    def _going_on(self, run: Run, event: Callable[[], Any], *, is_async: bool) -> Callable[[], Any]:
        """Return what carries a claimed run on; a run that cannot go on is let go of."""
        assert run.stack is not None
        try:
            if not is_async:
                _refuse_async(flow_named(run.flow), "process_event")
            return rebuild(decode(run.stack), event)
        except BaseException:
            self._release(run)
            raise

    @contextmanager
    def _recording_failure(
        self,
        run: Run,
        save: Callable[[Run], Run],
        release: Callable[[Run], None] = lambda run: None,
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
            save(_failed(run, error))
            raise
        except BaseException:
            release(run)
            raise


async def _in_thread(function: Callable[..., Run], /, *args: Any, **kwargs: Any) -> Run:
    """Run a blocking function in a thread; asyncio is imported only by those who use it."""
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)


def _new_run(flow: Flow, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
    """Return a run that is about to start; its stack is the call itself, so it can be retried.

    Arguments that cannot be stored are no error: the flow may be done with them before it waits.
    """
    slots: dict[str, object] = {"args": args, "kwargs": kwargs}
    try:
        stack = encode([Frame(flow.name, flow.version, 0, 0, slots)])
    except NotStorable:
        stack = None
    return Run(id=uuid.uuid4().hex, flow=flow.name, state=RunState.RUNNING, stack=stack)


def _refuse_async(flow: Flow, entry: str) -> None:
    if flow.is_async:
        raise AsyncFlow(flow.name, entry)


def _after(run: Run, turn: LiveTurn, outcome: Outcome) -> Run:
    """Return a run as its turn has left it."""
    response = _encoded(turn.responses, f"a response of {run.flow}") if turn.responses else None
    if isinstance(outcome, Completed):
        result = _encoded(outcome.result, f"the result of {run.flow}")
        ended = _ended(run, RunState.COMPLETE)
        return replace(ended, encoded_response=response, encoded_result=result)
    return replace(
        run,
        state=RunState.SUSPENDED,
        waiting_for=outcome.event_id,
        stack=_encoded_frames(outcome.frames),
        encoded_response=response,
    )


def _ended(run: Run, state: RunState) -> Run:
    return replace(run, state=state, waiting_for=None, stack=None, encoded_response=None)


def _encoded(value: Any, what: str) -> bytes:
    try:
        return encode(value)
    except NotStorable as error:
        raise CannotStore(f"cannot store {what}: {error}") from error


def _encoded_frames(frames: list[Frame]) -> bytes:
    try:
        return encode(frames)
    except NotStorable as error:
        raise cannot_store_frames(frames, error) from error


def _failed(run: Run, error: Exception) -> Run:
    error.add_note(f"longterm: run {run.id} of flow {run.flow} failed in turn {run.turn}")
    # The author's own lines only: not the engine's above them.
    first = error.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_HERE):
        first = first.tb_next
    text = "".join(traceback.format_exception(type(error), error, first))
    return replace(run, state=RunState.FAILED, encoded_response=None, error=text)


def _refusal(run: Run, event_id: str) -> Exception:
    if run.state is RunState.COMPLETE:
        return RunComplete(run.id)
    if run.state is not RunState.SUSPENDED:
        return RunNotSuspended(run.id, run.state)
    return WrongEvent(run.id, event_id, run.waiting_for)
