"""Whatever the store does to an engine, each event that was sent is read once, or is still there.

The memory store stands behind; its calls fail before, after, or come late. The flow waits by a
script for one name, or for the first of several.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from longterm import Cancelled, RunState, deflow, suspend
from longterm._event_names import START, is_control
from longterm.errors import ClaimLost, RunNotSuspended, StoreError, WrongEvent
from tests.chaos.faulty_engine import HOW, FaultyEngine
from tests.chaos.faulty_store import CHANGING, OF_INBOX

NAMES = st.sampled_from(["a", "b", "c"])
SCRIPTS = st.lists(st.sampled_from(["a", "b", "a|b", "b|c", "a|b|c"]), max_size=8)
LONGEST_PAUSE = timedelta(hours=2)
"""Longer than a parked run rests."""
FAULTS = st.none() | st.tuples(st.sampled_from([*CHANGING, *OF_INBOX, "get", "unread"]), HOW)


@deflow
def reads(script):
    """Read events by a script, then wait for one that nobody sends; a cancel ends it."""
    seen = []
    try:
        for names in script:
            if "|" in names:
                name, value = suspend(*names.split("|"))
            else:
                name, value = names, suspend(names)
            seen.append((names, name, value))
        suspend("never")
    except Cancelled:
        pass
    return seen


class InboxMachine(FaultyEngine):
    """Sends and delivers events by an engine whose store is told to fail in the next step."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, dict[int, str]] = {}
        """Of each run the numbers of the events that were sent, with their names."""
        self.at_once: dict[int, bool | None] = {}
        """Of each event that came by `process_event` whether it was taken; None: nobody knows."""
        self.number = 0

    def some_run(self, choose: Any) -> str:
        # In the order of their creation: ids of one millisecond are in no order.
        run_id: str = choose.draw(st.sampled_from(list(self.memory._runs)))
        return run_id

    @rule(plan=FAULTS, script=SCRIPTS)
    def start(self, plan: tuple[str, str] | None, script: list[str]) -> None:
        self.attempt(plan, lambda: self.engine.start_flow(reads, script))

    @precondition(lambda self: self.memory._runs)
    @rule(choose=st.data(), plan=FAULTS, name=NAMES)
    def send(self, choose: Any, plan: tuple[str, str] | None, name: str) -> None:
        run_id = self.some_run(choose)
        number = self.number = self.number + 1

        def send() -> Any:
            return self.engine.send(run_id, name, number, key=f"key {number}")

        outcome = self.attempt(plan, send)
        # A sender who does not know what came of it sends it once more, until it is told.
        while isinstance(outcome, BaseException) and not isinstance(outcome, RunNotSuspended):
            outcome = self.attempt(None, send)
        if not isinstance(outcome, RunNotSuspended):
            self.sent.setdefault(run_id, {})[number] = name

    @precondition(lambda self: self.memory._runs)
    @rule(choose=st.data(), plan=FAULTS, name=NAMES)
    def deliver(self, choose: Any, plan: tuple[str, str] | None, name: str) -> None:
        run_id = self.some_run(choose)
        number = self.number = self.number + 1

        def deliver() -> Any:
            return self.engine.process_event(run_id, name, number, key=f"key {number}")

        outcome = self.attempt(plan, deliver)
        if isinstance(outcome, StoreError):
            outcome = self.attempt(None, deliver)
        is_refused = isinstance(outcome, (ClaimLost, RunNotSuspended, WrongEvent))
        is_taken = not isinstance(outcome, BaseException)
        self.at_once[number] = is_taken if is_taken or is_refused else None
        if is_taken and plan is None and outcome.state is RunState.SUSPENDED:
            assert outcome.next_unread is None

    @rule(plan=FAULTS, limit=st.integers(1, 3))
    def work(self, plan: tuple[str, str] | None, limit: int) -> None:
        self.attempt(plan, lambda: self.engine.release_stale(max_attempts=10**6))
        self.attempt(plan, lambda: self.engine.run_pending(limit=limit))

    @precondition(lambda self: self.memory._runs)
    @rule(choose=st.data(), plan=FAULTS)
    def cancel(self, choose: Any, plan: tuple[str, str] | None) -> None:
        run_id = self.some_run(choose)
        self.attempt(plan, lambda: self.engine.cancel(run_id))

    def teardown(self) -> None:
        """Let workers do what there is to do, end every run, and look at what each has read."""
        self.late.clear()
        self.clock.advance(LONGEST_PAUSE)
        self.engine.release_stale(max_attempts=10**6)
        self.engine.run_pending(limit=10**6)
        for run_id in list(self.memory._runs):
            run = self.engine.get_run(run_id)
            if run.state is RunState.SUSPENDED:
                assert run.waiting_for != START
                assert run.next_unread is None
                run = self.engine.cancel(run_id)
            left = self.engine.unread_events(run_id)
            assert run.unread == tuple(event.event_id for event in left)
            if run.state is RunState.COMPLETE:
                # A cancel that came in its last turn stays unread, too.
                letters = [event.value for event in left if not is_control(event.event_id)]
                self.check(run_id, run.result, letters)

    def check(self, run_id: str, result: list[tuple[str, str, int]], left: list[int]) -> None:
        """Compare what a run has read, and has left, with what it was sent."""
        sent = self.sent.get(run_id, {})
        read = [number for _, _, number in result]
        assert len(set(read)) == len(read)
        assert sorted([*(set(read) - set(self.at_once)), *left]) == sorted(sent)
        assert left == sorted(left)
        assert not any(self.at_once.get(number) is False for number in read)
        for place, (names, name, number) in enumerate(result):
            fitting = [one for one in sent if sent[one] in names.split("|")]
            assert name in names.split("|")
            assert sent.get(number, name) == name
            assert {one for one in fitting if one < number} <= set(read[:place])


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(stateful_step_count=25)
