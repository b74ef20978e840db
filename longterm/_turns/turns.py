"""Turns on a store: claim a run, carry it on, and save it, or leave it as it was.

The engine says what to bring to a run; here it is brought. Each way of carrying on exists for plain
code and for asynchronous code, over the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar

from longterm._abi import DEFAULT
from longterm._codec import decode_frames
from longterm._flows.context import LiveTurn
from longterm._flows.continuation import rebuild
from longterm._flows.flow import Flow, flow_named, flow_of
from longterm._flows.run_turn import arun_turn, event_error, event_value, run_turn
from longterm._turns.claims import Claims
from longterm._turns.transitions import after_turn, ended_run, failed_run, new_run, refusal
from longterm.clock import Clock
from longterm.errors import (
    AsyncFlow,
    Cancelled,
    CannotSuspend,
    CorruptData,
    Expired,
    InvalidEventId,
    RunTooLarge,
)
from longterm.frame import Frame
from longterm.run import Run, RunState, context_of
from longterm.store.base import RunStore
from longterm.wait import MISSING

P = ParamSpec("P")
R = TypeVar("R")

Bring: TypeAlias = Callable[[list[Frame]], Callable[[], Any]]
"""Makes what a continuation goes on with, from its frames."""

LetGo: TypeAlias = Callable[[Run, BaseException], None]
"""Gives a claimed run back when its turn is refused, and is told why."""

reading: ContextVar[RunStore | None] = ContextVar("longterm.reading", default=None)
"""The store whose values are being decoded: a run among them is read from it."""


class Turns:
    """Runs the turns of one engine."""

    def __init__(self, store: RunStore, clock: Clock, claims: Claims, max_bytes: int) -> None:
        """Run turns on a store, under claims; none reads or leaves more than some bytes."""
        self._store = store
        self._clock = clock
        self._claims = claims
        self._max_bytes = max_bytes

    def start(self, flow: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Run the first turn of a flow, and create its run as it is then."""
        refuse_async(flow_of(flow), "start_flow")
        run = new_run(flow_of(flow), args, kwargs, self._clock.now(), self._max_bytes)
        turn = LiveTurn(run)
        try:
            outcome = run_turn(turn, partial(flow, *args, **kwargs))
            done = after_turn(run, turn, outcome, self._clock.now(), self._max_bytes)
        except BaseException as error:
            self._end_attempt(run, [], error, self._store.create)
            raise
        return self._store.create(done)

    async def astart(
        self, flow: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Run:
        """Run the first turn of a flow from asynchronous code."""
        if not flow_of(flow).is_async:
            return await in_thread(self.start, flow, args, kwargs)
        run = new_run(flow_of(flow), args, kwargs, self._clock.now(), self._max_bytes)
        turn = LiveTurn(run)
        try:
            outcome = await arun_turn(turn, partial(flow, *args, **kwargs))
            done = after_turn(run, turn, outcome, self._clock.now(), self._max_bytes)
        except BaseException as error:
            await self._aend_attempt(run, [], error, self._store.create)
            raise
        return await in_thread(self._store.create, done)

    def claim(self, run_id: str, event_id: str, key: str | None = None) -> tuple[Run, Run | None]:
        """Claim a run for an event; the second run is the outcome of a repeated delivery."""
        if not isinstance(event_id, str) or not event_id:
            raise InvalidEventId(event_id)
        run = self._claims.claim(run_id, event_id)
        if run is None:
            stored = self._store.get(run_id)
            if key is not None and stored.delivery == key and stored.state is not RunState.RUNNING:
                return stored, stored
            raise refusal(stored, event_id)
        if key is not None and run.delivery == key:
            return run, self._claims.release(run)
        return run, None

    def deliver(self, run_id: str, event_id: str, bring: Bring, key: str | None = None) -> Run:
        """Claim a run for an event, and carry it on; if its flow is an `async def`, only claim it.

        A run that is only claimed is running; any other is the outcome.
        """
        claimed, repeated = self.claim(run_id, event_id, key)
        if repeated is None and not self._is_async(claimed):
            return self.carry_on(claimed, bring, key=key)
        return repeated or claimed

    def claim_waiting(self, run_id: str) -> Run:
        """Claim a suspended run, whatever it waits for."""
        run = self._store.get(run_id)
        if run.state is not RunState.SUSPENDED or run.waiting_for is None:
            raise refusal(run, "")
        return self.claim(run_id, run.waiting_for)[0]

    async def aclaim(self, claim: Callable[P, Run], /, *args: P.args, **kwargs: P.kwargs) -> Run:
        """Claim a run in a thread; if the caller ends meanwhile, let go of it again.

        A task that is cancelled waits for that; a coroutine that is closed can wait for nothing.
        """
        claimed: list[Run] = []
        is_closed = False

        def take() -> None:
            claimed.append(claim(*args, **kwargs))
            if is_closed:
                self._give_back(claimed)

        try:
            await in_thread(take)
        except GeneratorExit:
            is_closed = True
            self._give_back(claimed)
            raise
        except BaseException:
            await in_thread(self._give_back, claimed)
            raise
        return claimed[0]

    def _give_back(self, claimed: list[Run]) -> None:
        """Let go of a run that was claimed, if it was; one of two threads finds it in the list."""
        try:
            run = claimed.pop()
        except IndexError:
            return
        if run.state is RunState.RUNNING:
            self._claims.release(run)

    def carry_on(
        self, run: Run, bring: Bring, let_go: LetGo | None = None, *, key: str | None = None
    ) -> Run:
        """Run one turn of a claimed run and save it; if it is refused, let go of the run.

        A delivery's key is saved with what came of it, and only then: a refused one may come again.
        """
        let_go = let_go or self._let_go
        frames, going_on = self._going_on(run, bring, let_go, is_async=False)
        begun = _begun(run, key)
        turn = LiveTurn(begun)
        try:
            outcome = run_turn(turn, going_on)
            done = after_turn(begun, turn, outcome, self._clock.now(), self._max_bytes)
        except BaseException as error:
            undo = partial(let_go, run)
            self._end_attempt(begun, frames, error, self._claims.save, undo)
            raise
        return self._claims.save(done)

    async def acarry_on(
        self, run: Run, bring: Bring, let_go: LetGo | None = None, *, key: str | None = None
    ) -> Run:
        """Run one turn of a claimed run from asynchronous code."""
        if not self._is_async(run, let_go):
            return await in_thread(self.carry_on, run, bring, let_go, key=key)
        let_go = let_go or self._let_go
        frames, going_on = self._going_on(run, bring, let_go, is_async=True)
        begun = _begun(run, key)
        turn = LiveTurn(begun)
        try:
            outcome = await arun_turn(turn, going_on)
            done = after_turn(begun, turn, outcome, self._clock.now(), self._max_bytes)
        except BaseException as error:
            undo = partial(let_go, run)
            await self._aend_attempt(begun, frames, error, self._claims.save, undo)
            raise
        return await in_thread(self._claims.save, done)

    def cancel(self, run: Run) -> Run:
        """Unwind a claimed run's flow, and save the run as cancelled unless the flow goes on."""
        cancelled = Cancelled(run.id)
        try:
            return self.carry_on(run, bringing(event_error(cancelled)), self._unless(cancelled))
        except Cancelled as error:
            if error is not cancelled:
                raise
            return self._cancelled(run)

    async def acancel(self, run: Run) -> Run:
        """Cancel a claimed run from asynchronous code."""
        if not self._is_async(run):
            return await in_thread(self.cancel, run)
        cancelled = Cancelled(run.id)
        bring, let_go = bringing(event_error(cancelled)), self._unless(cancelled)
        try:
            return await self.acarry_on(run, bring, let_go)
        except Cancelled as error:
            if error is not cancelled:
                raise
            return await in_thread(self._cancelled, run)

    def _cancelled(self, run: Run) -> Run:
        return self._claims.save(ended_run(run, RunState.CANCELLED, self._clock.now()))

    def _is_async(self, run: Run, let_go: LetGo | None = None) -> bool:
        """Tell whether a claimed run is of an `async def` flow, or let go of it."""
        try:
            return flow_named(run.flow).is_async
        except BaseException as error:
            (let_go or self._let_go)(run, error)
            raise

    def _unless(self, kept: BaseException) -> LetGo:
        """Let go of a run unless it is this exception that ends its turn: its caller keeps it."""
        return lambda run, error: None if error is kept else self._let_go(run, error)

    def _let_go(self, run: Run, error: BaseException) -> None:
        self._claims.release(run)

    def _going_on(
        self, run: Run, bring: Bring, let_go: LetGo, *, is_async: bool
    ) -> tuple[list[Frame], Callable[[], Any]]:
        """Return a claimed run's frames and what carries them on, or let go of the run."""
        assert run.stack is not None
        try:
            if not is_async:
                refuse_async(flow_named(run.flow), "process_event")
            frames = self._frames(run, run.stack)
            if frames[0].point == 0:
                return frames, _start(frames[0])
            return frames, rebuild(frames, bring(frames))
        except BaseException as error:
            let_go(run, error)
            raise

    def _end_attempt(
        self,
        run: Run,
        frames: list[Frame],
        error: BaseException,
        save: Callable[[Run], Run],
        undo: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        """Settle what becomes of a run, with the frames it had, if an exception ends its turn.

        If the author's code raised it, the run is saved as failed; if the turn was refused, or
        interrupted (Ctrl-C, a cancelled task), it is undone, since that is nobody's failure.
        """
        if not isinstance(error, Exception) or isinstance(error, CannotSuspend):
            undo(error)
            return
        try:
            failed = failed_run(run, error, frames, self._clock.now())
        except BaseException as another:
            undo(another)
            raise
        save(failed)

    async def _aend_attempt(
        self,
        run: Run,
        frames: list[Frame],
        error: BaseException,
        save: Callable[[Run], Run],
        undo: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        """Settle what becomes of a run, in a thread; a coroutine that is closed waits for none."""
        if isinstance(error, GeneratorExit):
            self._end_attempt(run, frames, error, save, undo)
        else:
            await in_thread(self._end_attempt, run, frames, error, save, undo)

    def _frames(self, run: Run, stack: bytes) -> list[Frame]:
        if len(stack) > self._max_bytes:
            raise RunTooLarge(run.id, len(stack), self._max_bytes)
        token = reading.set(self._store)
        try:
            return decode_frames(stack, context_of(run, "stack"))
        finally:
            reading.reset(token)


def _begun(run: Run, key: str | None) -> Run:
    return run if key == run.delivery else run.changed(delivery=key)


def bringing(event: Callable[[], Any]) -> Bring:
    """Bring the same event whatever the frames are."""
    return lambda frames: event


def expiring(run: Run, frames: list[Frame]) -> Callable[[], Any]:
    """Return what a wait is worth whose deadline has come."""
    default = frames[-1].slots.get(DEFAULT, MISSING)
    return (
        event_error(Expired(run.waiting_for or "")) if default is MISSING else event_value(default)
    )


def _start(frame: Frame) -> Callable[[], Any]:
    """Return the call that starts a flow, from the frame that was kept of it."""
    flow = flow_named(frame.flow, frame.version)
    args, kwargs = frame.slots.get("args"), frame.slots.get("kwargs")
    # Exactly these: a subclass could have its own way to be gone through.
    if type(args) is not tuple or type(kwargs) is not dict:
        raise CorruptData("the stored bytes hold no arguments where a flow begins")
    if not all(type(name) is str for name in kwargs):
        raise CorruptData("the stored bytes hold arguments without names")
    return partial(next(iter(flow.functions)), *args, **kwargs)


def refuse_async(flow: Flow, entry: str) -> None:
    """Refuse to run an `async def` flow from plain code."""
    if flow.is_async:
        raise AsyncFlow(flow.name, entry)


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking function in a thread; a task that is cancelled meanwhile waits for its end.

    So nothing goes on behind the caller's back, and whatever it claims is let go of by somebody.
    """
    import asyncio  # only for those who use it

    call = partial(copy_context().run, _kept, function, *args, **kwargs)
    thread = asyncio.get_running_loop().run_in_executor(None, call)
    cancelled = None
    while not thread.done():
        try:
            await asyncio.wait([thread])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    outcome: Callable[[], R] = thread.result()
    return outcome()


def _kept(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], R]:
    """Call a function, and keep the outcome for later: a future takes no `StopIteration`."""
    try:
        return event_value(function(*args, **kwargs))
    except BaseException as error:
        return event_error(error)
