"""The methods of an engine for asynchronous code; each does what its namesake does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from longterm._engine.events import Events, checked_event, exception_of
from longterm._engine.starting import Starting, moment_of
from longterm._engine.work import Work
from longterm._flows.wait_result import WaitResult
from longterm._later import later
from longterm._names import id_of_run
from longterm._turns.rest import Looks, rests
from longterm._turns.starts import Start
from longterm._turns.threads import in_store
from longterm.errors import Cancelled
from longterm.run import Fact, Run

if TYPE_CHECKING:
    from uuid import UUID

    from longterm._turns.due import DueTurn
    from longterm.unread import Receipt, UnreadEvent
else:
    UUID = later("uuid", "UUID")
    Receipt = later("longterm.unread", "Receipt")
    UnreadEvent = later("longterm.unread", "UnreadEvent")

P = ParamSpec("P")
T = TypeVar("T")


class AsyncTwins(Starting, Events, Work):
    """The part of an engine that is awaited."""

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

        A flow that is no `async def`, and a store that cannot wait in the loop, run in a thread. A
        task that is cancelled meanwhile waits for its end, so that no run is left claimed.
        """
        start = Start(self._turns.startable(flow), flow, args, kwargs)
        return await self._agone_on(await self._turns.astart(start))

    @overload
    async def astart(
        self,
        flow: Callable[..., Coroutine[Any, Any, T]],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    @overload
    async def astart(
        self,
        flow: Callable[..., T],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    async def astart(
        self,
        flow: Callable[..., Any],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run:
        """Start a run under an id of your own, or later, from asynchronous code; see `start`."""
        wanted = (flow, args, kwargs, id, index, queue, partition)
        if queue is None:
            start = self._start_of(*wanted)
        else:  # it looks whether there is such a queue
            start = await in_store(self.store, self._start_of, *wanted)
        if at is not None or queue is not None:
            due = moment_of(at, self.clock.now())
            return await in_store(self.store, self._turns.start_later, start, due)
        return await self._agone_on(await self._turns.astart(start))

    async def aprocess_event(
        self,
        run_id: str | UUID,
        event_id: str,
        result: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Run:
        """Give a run the event that it waits for, from asynchronous code; see `process_event`."""
        run_id, name, key = checked_event(run_id, event_id, result, key, revision)
        arrived = await self._arrivals.adeliver(run_id, name, result, key, revision)
        return await self._agone_on(arrived)

    async def asend(
        self,
        run_id: str | UUID,
        event_id: str,
        value: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Receipt:
        """Store an event for a run, from asynchronous code; see `send`."""
        return await in_store(
            self.store, self.send, run_id, event_id, value, key=key, revision=revision
        )

    async def adiscard_event(self, run_id: str | UUID, number: int) -> UnreadEvent:
        """Take an event out of the inbox of a run, from asynchronous code; see `discard_event`."""
        return await in_store(self.store, self.discard_event, run_id, number)

    async def athrow(self, run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
        """Raise an exception at the suspend where a run waits; see `throw`."""
        return await self._ainterrupt(id_of_run(run_id), exception_of(error))

    async def acancel(self, run_id: str | UUID, *, force: bool = False) -> Run:
        """Cancel a run, from asynchronous code; see `cancel`."""
        run_id = id_of_run(run_id)
        if force:
            return await self._agone_on(await in_store(self.store, self._turns.end, run_id))
        return await self._ainterrupt(run_id, Cancelled(run_id))

    async def _ainterrupt(self, run_id: str, error: BaseException) -> Run:
        send = self._sends_error(run_id, error)
        done = await self._turns.ainterrupt(run_id, WaitResult(error=error), send)
        return await self._agone_on(done)

    async def aexpire(self, run_id: str | UUID) -> Run:
        """End a run's wait as if its deadline had come; see `expire`."""
        return await self._agone_on(await self._turns.ainterrupt(id_of_run(run_id), None))

    async def aretry(self, run_id: str | UUID) -> Run:
        """Give a failed run another try, from asynchronous code; see `retry`."""
        return await self._agone_on(await self._turns.aretry(id_of_run(run_id)))

    async def arun_pending(self, limit: int | None = None) -> int:
        """Run the turns that are due, from asynchronous code; see `run_pending`.

        Those of `async def` flows run in this event loop.
        """
        await in_store(self.store, self._let_go)
        await in_store(self.store, self._going_on.deliver_due)
        done = 0
        while limit is None or done < limit:
            turns: list[DueTurn] = []
            try:
                await in_store(self.store, self._claim_into, turns)
            except BaseException:  # such as of a task that is cancelled
                self._due.release(turns)
                raise
            if not turns:
                break
            (turn,) = turns
            async with turn.claim, turn.claim:  # twice, as `Claim` says
                if turn.is_async:
                    await turn.aadvance()
                else:
                    await turn.claim.in_thread(turn.advance)
            done += 1
        return done

    async def ajoin(self, run_id: str | UUID, timeout: float | None = None) -> Run:
        """Wait until a run rests, or has ended, from asynchronous code; see `join`."""
        import asyncio  # only for those who use it

        run_id = id_of_run(run_id)
        looks = Looks(run_id, timeout)
        while not rests(
            run := await in_store(self.store, self.store.get, run_id), self.clock.now()
        ):
            await asyncio.sleep(looks.next(run))
        return run
