"""Whatever the store does to an engine, its promises hold: calls fail before, after, or come late.

A late call is that of a claimant that was paused: its caller never hears of it, and it reaches the
store at some later moment. The memory store stands behind; the clock is moved by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longterm import Engine, LongtermError, RunState
from longterm.errors import ClaimLost, RunNotSuspended, StoreError, WrongEvent
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from longterm.wait import START
from tests.chaos.faulty_store import CHANGING, FaultyStore
from tests.chaos.flows import EVENTS, EXPIRED, collect

LEASE = timedelta(seconds=60)
PATIENCE = 100.0
FAULTS = st.none() | st.tuples(
    st.sampled_from([*CHANGING, "get"]), st.sampled_from(["fails before", "fails after", "hangs"])
)


class Hung(BaseException):
    """The caller is paused in a call of the store, and does nothing more."""


class FaultMachine(RuleBasedStateMachine):
    """Delivers events by an engine whose store is told to fail in the next step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.memory = MemoryStore()
        self.engine = Engine(FaultyStore(self.memory, self.fault), clock=self.clock, lease=LEASE)
        self.plan: tuple[str, str] | None = None
        self.is_hung = False
        self.late: list[Callable[[], Any]] = []
        self.runs: list[str] = []
        self.sent: dict[str, tuple[str, str]] = {}
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()

    def fault(self, method: str, when: str, step: Callable[[], Any]) -> None:
        if self.is_hung:
            raise Hung
        if self.plan is None or self.plan[0] != method:
            return
        how = self.plan[1]
        if how == "hangs" and when == "before":
            self.plan = None
            self.is_hung = True
            self.late.append(step)
            raise Hung
        if how == f"fails {when}":
            self.plan = None
            raise StoreError(f"{method} {how}")

    def attempt(self, plan: tuple[str, str] | None, step: Callable[[], Any]) -> Any:
        """Take a step with a fault in it; return what came of it, errors too."""
        self.plan = plan
        try:
            return step()
        except (LongtermError, Hung) as error:
            return error
        finally:
            self.plan, self.is_hung = None, False
            # A process that is paused, or died, renews nothing.
            self.engine._claims.keeper._held.clear()

    @rule(plan=FAULTS)
    def start(self, plan: tuple[str, str] | None) -> None:
        outcome = self.attempt(plan, lambda: self.engine.start_flow(collect, PATIENCE))
        if not isinstance(outcome, BaseException):
            self.runs.append(outcome.id)

    @precondition(lambda self: self.memory._runs)
    @rule(choose=st.data(), plan=FAULTS, is_wrong=st.sampled_from([False] * 5 + [True]))
    def deliver(self, choose: Any, plan: tuple[str, str] | None, is_wrong: bool) -> None:
        run_id = choose.draw(st.sampled_from(sorted(self.memory._runs)))
        event_id = self.memory.get(run_id).waiting_for or "event 0"
        if is_wrong or event_id == START:
            event_id = "event 99"
        token = f"token {len(self.sent)}"
        self.sent[token] = (run_id, event_id)

        def send() -> Any:
            return self.engine.process_event(run_id, event_id, token, key=token)

        outcome = self.attempt(plan, send)

        if isinstance(outcome, StoreError):
            # Its sender does not know what came of it, and sends it once more.
            outcome = self.attempt(None, send)
        elif isinstance(outcome, (ClaimLost, RunNotSuspended, WrongEvent)):
            self.refused.add(token)
        if not isinstance(outcome, BaseException):
            self.acknowledged.add(token)
            assert outcome.response == [f"{event_id}: {token}"]

    @rule(plan=FAULTS, limit=st.integers(1, 3))
    def work(self, plan: tuple[str, str] | None, limit: int) -> None:
        self.attempt(plan, lambda: self.engine.release_stale(max_attempts=10**6))
        self.attempt(plan, lambda: self.engine.expire_due(limit=limit))

    @rule(seconds=st.sampled_from([1, 59, 61, 101]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @precondition(lambda self: self.late)
    @rule(choose=st.data())
    def come_late(self, choose: Any) -> None:
        step = self.late.pop(choose.draw(st.integers(0, len(self.late) - 1)))
        with suppress(ClaimLost):
            step()

    @invariant()
    def no_run_has_failed(self) -> None:
        assert all(run.state is not RunState.FAILED for run in self.memory._runs.values())

    def teardown(self) -> None:
        """Let every run come to its end, and compare what it saw with what was promised."""
        self.late.clear()
        self.clock.advance(2 * LEASE)
        self.engine.release_stale(max_attempts=10**6)
        assert set(self.runs) <= set(self.memory._runs)
        happened: dict[str, tuple[str, str]] = {}
        for run_id in sorted(self.memory._runs):
            run = self.engine.get_run(run_id)
            while run.state is not RunState.COMPLETE:
                if run.waiting_for == START:  # its first turn was cut off
                    run = self.engine.expire(run_id)
                else:
                    run = self.engine.process_event(run_id, run.waiting_for or "", "the end")
            assert len(run.result) == EVENTS
            for place, token in enumerate(run.result):
                if token not in (EXPIRED, "the end"):
                    assert token not in happened
                    happened[token] = (run_id, f"event {place}")
        assert all(self.sent[token] == place for token, place in happened.items())
        assert self.acknowledged <= set(happened)
        assert not self.refused & set(happened)


TestFaults = FaultMachine.TestCase
TestFaults.settings = settings(stateful_step_count=25)
