"""A test's own engine: its runs are gone at its end, and time passes when it says so.

It is the fixture `longterm` of the pytest plugin. Without pytest: `with FlowTester() as longterm`.
There is always a worker at hand: what is due is done before a method returns, in this thread.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, Unpack

from longterm._api import default_engine, using_engine
from longterm._flows.context import running_task
from longterm._flows.registry import flow_of
from longterm._later import later
from longterm._turns.position import flow_of_run
from longterm.engine import Engine
from longterm.errors import UnknownFlow
from longterm.run import Run, RunState
from longterm.store.queues import Queues
from longterm.testing import FakeClock
from longterm.testing._fresh_stores import copy_runs, fresh_store, runs_of
from longterm.testing._handle import RunHandle, described
from longterm.testing._stubs import NOT_GIVEN, Call, Stub, StubUsedUp, put_stub

if TYPE_CHECKING:
    from uuid import UUID

    from longterm._records.search import Conditions
else:
    UUID = later("uuid", "UUID")
    Conditions = later("longterm._records.search", "Conditions")

__all__ = ["Call", "FlowTester", "NeverRests", "RunHandle", "Stub", "StubUsedUp"]

P = ParamSpec("P")
T = TypeVar("T")

_MOST_TURNS: Final = 10_000
"""How many turns may be due one after the other while the clock stands still."""
_LOOKS: Final = 60
"""How often to look, in the time of a queue's rate, whether that lets more begin."""


class NeverRests(AssertionError):
    """Raised when runs are due again and again, although no time passes."""


class FlowTester:
    """An engine for one test, with a clock that stands still until the test lets time pass.

    While it is open it is the default engine: what the application does by `start_flow` or
    `process_event` is done here.
    """

    engine: Engine
    """The engine, for all that has no method here."""
    clock: FakeClock
    """Where all stored times come from."""

    def __init__(self, store: str = "memory", *, clock: FakeClock | None = None) -> None:
        """Open an empty store, which is gone after `close`.

        Args:
            store: `memory`, `sqlite`, or the URL of a Postgres database, in which a schema is made.
            clock: the clock; one that stands at the begin of 2026 unless told otherwise.

        Raises:
            ValueError: the store is none of these.
            StoreError: the database refuses it.
        """
        self.clock = clock or FakeClock()
        self._where = store
        self._opened = ExitStack()
        self._said: dict[str, list[list[Any]]] = defaultdict(list)
        self._stubs: list[Stub] = []
        self._is_default = False
        opened = self._opened.enter_context(fresh_store(store))
        self.engine = Engine(opened, clock=self.clock, on_turn=self._note)

    def __enter__(self) -> Self:
        """Be the default engine until the end."""
        self._opened.enter_context(using_engine(self.engine))
        self._is_default = True
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Forget all runs, and take all stubs away."""
        self._is_default = False
        self._opened.close()

    def start(self, flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[T]:
        """Start a run of a flow, `async def` or not; see `Engine.start_flow`.

        Raises:
            Exception: what the flow itself raised, and what `start_flow` raises.
        """
        self._declare()
        is_async = flow_of(flow).is_async
        started = self._call(is_async, "start_flow", flow, *args, **kwargs)
        return RunHandle(self, started.id)

    def run(self, run_id: str | UUID) -> RunHandle[Any]:
        """Return a run by its id.

        Raises:
            UnknownRun: there is none.
        """
        return RunHandle(self, self.engine.get_run(run_id).id)

    def find_runs(self, **conditions: Unpack[Conditions]) -> list[RunHandle[Any]]:
        """Return the runs that fit, all unless told otherwise; see `Engine.find_runs`."""
        return [RunHandle(self, found.id) for found in self.engine.find_runs(**conditions)]

    def advance(
        self,
        duration: timedelta = timedelta(0),
        /,
        *,
        until: datetime | None = None,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let time pass: all that comes due meanwhile is done when it is due, in that order.

        Deadlines, sleeps, schedules, attempts at steps and runs that are to begin later. Flows that
        fail then fail as with a worker: their runs are failed, and nothing is raised here.

        Args:
            duration: how much time.
            until: or until which moment (aware).
            weeks, days, hours, minutes, seconds: or so much.

        Raises:
            ValueError: that is in the past, or the moment has no time zone.
            NeverRests: runs are due again and again, although no time passes.
            StubUsedUp: a stub was called more often than its sequence has answers.
        """
        now = self.clock.now()
        duration += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        end = now + duration if until is None else until + duration
        if end.tzinfo is None:
            raise ValueError(f"until={until!r} has no time zone (give it tzinfo=UTC, or another)")
        if end < now:
            raise ValueError(f"{end} is in the past: the clock stands at {now}")
        self.settle()
        while (due := self._next_due(end)) is not None:
            self._move_to(due)
            self.settle()
        self._move_to(end)

    def settle(self) -> None:
        """Do all that is due now, as a worker would.

        Raises:
            NeverRests, StubUsedUp: as `advance` does.
        """
        self._declare()
        done = self._off_loop(self.engine.run_pending, _MOST_TURNS)
        for stub in self._stubs:
            if stub.fault is not None:
                raise stub.fault
        if done == _MOST_TURNS:
            raise NeverRests(
                f"{_MOST_TURNS:,} turns were due one after the other at {self.clock.now()} (a flow "
                f"waits for a moment that is over, again and again)\n{self.describe()}"
            )

    def stub(
        self,
        step: Callable[..., Any],
        result: Any = NOT_GIVEN,
        *,
        raises: BaseException | type[BaseException] | None = None,
        sequence: Iterable[Any] | None = None,
        function: Callable[..., Any] | None = None,
    ) -> Stub:
        """Have a stub answer all calls of a step, instead of its function, until the test ends.

        The step keeps its attempts, pauses and time limit. One with a `db` is given no transaction.

        Args:
            step: the step.
            result: what each call returns, None unless told otherwise;
            raises: or the exception that each call raises;
            sequence: or an answer for each call in turn: an exception is raised, else returned;
            function: or what is called instead, with the arguments of the step.

        Returns:
            The stub, whose `calls` are those so far.

        Raises:
            TypeError: it is no step, or there is more than one answer.
        """
        stub = put_stub(step, result, raises, sequence, function, until=self._opened)
        self._stubs.append(stub)
        return stub

    def describe(self) -> str:
        """Tell how all runs stand, for people; what cannot be read is told, too."""
        lines = [f"the clock stands at {self.clock.now():%Y-%m-%d %H:%M:%S} UTC"]
        try:
            for run in runs_of(self.engine.store):
                lines += described(run, self._said[run.id])
        except Exception as error:  # it is told of a test that has failed already
            lines.append(f"the runs cannot be read: {type(error).__name__}: {error}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Say what time it is, and in which kind of store."""
        store = type(self.engine.store).__name__
        return f"<FlowTester at {self.clock.now():%Y-%m-%d %H:%M:%S} UTC, on a {store}>"

    def _fork(self) -> FlowTester:
        """Return one with a copy of all runs, at the same time, which is closed with this one."""
        fork = FlowTester(self._where, clock=FakeClock(self.clock.now()))
        self._opened.callback(fork.close)
        copy_runs(self.engine.store, fork.engine.store, self.clock.now())
        fork._said.update({run_id: list(said) for run_id, said in self._said.items()})
        fork._stubs = self._stubs
        return fork

    def _note(self, run: Run) -> None:
        """Keep what a turn has said, which the next one forgets."""
        self._said[run.id].append(run.response)

    def _declare(self) -> None:
        """Tell the engine what modules have declared since: their queues and schedules."""
        if self._is_default:
            default_engine()

    def _next_due(self, end: datetime) -> datetime | None:
        """Return when something is due next, until a moment; None: nothing is."""
        now = self.clock.now()
        moments = [self.engine._going_on.next_try]
        moments += [
            run.deadline for run in runs_of(self.engine.store) if run.state is RunState.SUSPENDED
        ]
        store = self.engine.store
        if isinstance(store, Queues):
            # The store does not tell when the time of a rate is over.
            moments += [
                now + status.queue.rate[1] / _LOOKS
                for status in store.queue_statuses(now=now)
                if status.waiting and status.queue.rate
            ]
        return min((due for due in moments if due is not None and now < due <= end), default=None)

    def _move_to(self, moment: datetime) -> None:
        """Set the clock, unless a step's pauses have moved it further."""
        self.clock.advance(max(moment - self.clock.now(), timedelta(0)))

    def _act(self, run: Run, method: str, *args: Any) -> None:
        """Do something with a run, and what is due then."""
        try:
            is_async = flow_of_run(run).is_async
        except UnknownFlow:  # the engine says so
            is_async = False
        self._call(is_async, method, run.id, *args)
        self.settle()

    def _call(self, is_async: bool, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the engine, for an `async def` flow its twin in a loop of its own."""
        if not is_async:
            return self._off_loop(getattr(self.engine, method), *args, **kwargs)
        twin = getattr(self.engine, f"a{method}")
        return self._off_loop(lambda: asyncio.run(twin(*args, **kwargs)))

    def _off_loop(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function here; in a thread if this one runs an event loop, as in an async test."""
        call = partial(function, *args, **kwargs)
        if running_task() is None:
            return call()
        with ThreadPoolExecutor(1) as other:
            return other.submit(copy_context().run, call).result()
