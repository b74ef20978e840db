"""Whatever the store does to an engine, its promises hold: calls fail before, after, or come late.

A late call is that of a claimant that was paused: its caller never hears of it, and it reaches the
store at some later moment. The memory store stands behind; the clock is moved by hand.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from longterm import RunState
from longterm._event_names import START
from longterm.errors import ClaimLost, RunNotSuspended, StoreError, WrongEvent
from tests.chaos.faulty_engine import HOW, LEASE, PATIENCE, FaultyEngine
from tests.chaos.faulty_store import CHANGING
from tests.chaos.flows import EVENTS, EXPIRED, collect

FAULTS = st.none() | st.tuples(st.sampled_from([*CHANGING, "get"]), HOW)


class FaultMachine(FaultyEngine):
    """Delivers events by an engine whose store is told to fail in the next step."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.sent: dict[str, tuple[str, str]] = {}
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()

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
        self.attempt(plan, lambda: self.engine.run_pending(limit=limit))

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


class HistoryMachine(FaultMachine):
    """The same with histories: each turn that was saved has one entry, and no other has any."""

    history = "frames"

    @invariant()
    def each_saved_turn_is_kept_once(self) -> None:
        for run_id, run in self.memory._runs.items():
            entries = self.memory.entries(run_id)
            begun = [entry for entry in entries if entry.number == 0]
            taken = [entry.value for entry in begun if entry.event.startswith("event ")]
            expired = [EXPIRED for entry in begun if entry.event == "longterm.deadline"]
            assert begun == entries
            assert len({entry.turn for entry in begun}) == len(begun)
            assert run.index.get("seen", 0) in (len(taken) + len(expired), EVENTS - 1)

    def teardown(self) -> None:
        """Compare what was kept with what the flows have seen in the end."""
        super().teardown()
        for run_id, run in self.memory._runs.items():
            seen = [
                EXPIRED if entry.event == "longterm.deadline" else entry.value
                for entry in self.memory.entries(run_id, limit=10**6)
                if entry.event != "longterm.start"
            ]
            assert seen == run.result


TestFaults = FaultMachine.TestCase
TestHistories = HistoryMachine.TestCase
TestHistories.settings = settings(
    stateful_step_count=25, max_examples=max(1, settings().max_examples // 4)
)
TestFaults.settings = settings(stateful_step_count=25)
