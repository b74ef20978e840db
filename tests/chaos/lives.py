"""A machine that leads lives of runs: they wait, send, spawn, are cancelled, retried and deleted.

Their engine's store is told to fail, or the engine dies, before or after any call; there somebody
else may also come in between. Then another engine goes on. The clock is moved by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from longterm import Engine, LongtermError, RunState
from longterm._turns import starts
from longterm.errors import (
    ClaimLost,
    InboxFull,
    KeyReused,
    RunNotSuspended,
    StaleEvent,
    StoreError,
    UnknownRun,
    WrongEvent,
)
from longterm.testing import FakeClock
from tests.chaos.faulty_engine import renew_nothing
from tests.chaos.faulty_store import FaultyStore, WatchedStore
from tests.chaos.scripted import Broken, Thrown, acts, witness
from tests.chaos.verdict import Verdict, all_runs
from tests.chaos.world import MOST_UNREAD, Sent, World

LEASE = timedelta(seconds=60)
LONG = timedelta(hours=2)
"""Longer than any lease, pause or deadline of these lives."""
REFUSED = (ClaimLost, InboxFull, KeyReused, RunNotSuspended, StaleEvent, UnknownRun, WrongEvent)
EXPECTED = (LongtermError, Broken, Thrown)

NAMES = st.sampled_from(["a", "b", "c"])
WHICH = st.integers(0, 9)


def step(*parts: Any) -> Any:
    drawn = [part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts]
    return st.tuples(*drawn).map(list)


def scripts(depth: int) -> Any:
    """Return scripts of flows that begin others, which begin others, to a depth."""
    wanted = st.lists(NAMES, min_size=1, max_size=2, unique=True)
    steps = [
        step("read", wanted, None),
        step("read", wanted, None),
        step("read", wanted, st.sampled_from([0, 30, 90])),
        step("expires", NAMES, st.sampled_from([0, 30])),
        step("checkpoint"),
        step("send", WHICH, NAMES, st.booleans()),
        step("need"),
        step("fail"),
    ]
    if depth:
        inner = scripts(depth - 1)
        steps += [
            step("spawn", inner),
            step("spawn", inner),
            step("start", inner),
            step("tell", WHICH, NAMES),
            step("wait", WHICH),
            step("race", WHICH, NAMES),
            step("gather", WHICH),
            step("kill", WHICH),
        ]
    return st.lists(st.one_of(steps), min_size=depth, max_size=6 if depth else 4)


ACTIONS = (
    *("send", "send with a key", "send at a revision", "deliver", "deliver with a key"),
    *("deliver at a revision", "repeat by send", "repeat by deliver", "again", "cancel"),
    *("force", "throw", "expire", "retry", "delete", "work", "work", "mend"),
)
ACTS = st.tuples(st.sampled_from(ACTIONS), WHICH, NAMES)
STARTS = st.tuples(
    st.sampled_from(["start", "start", "name", "put off"]), scripts(2), st.booleans()
)
WHERE = st.tuples(st.integers(0, 12), st.sampled_from(["before", "after"]))
FAULTS = st.lists(st.tuples(WHERE, st.sampled_from(["fails", "dies", "hangs"]) | ACTS), max_size=3)


class Died(BaseException):
    """The engine does nothing more: its process has died, or is paused in a call of the store."""


class Lives(RuleBasedStateMachine):
    """Leads the lives of runs on one store, which is empty at first."""

    def __init__(self, store: Any) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.world = World()
        self.store = WatchedStore(store, self.world.note)
        self.other = self.engine_on(self.store)
        self.engine = self.other
        self.faults: list[tuple[tuple[int, str], Any]] = []
        self.calls = 0
        self.is_dead = self.is_other = False
        self.late: list[Callable[[], Any]] = []
        self.numbers = 0
        self.ids = itertools.count(1)
        # Those that the library draws would be in another order each time.
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(starts, "new_id", lambda _: f"{next(self.ids):032x}")

    def engine_on(self, store: Any, *, inline: bool = True) -> Engine:
        engine = Engine(
            store,
            clock=self.clock,
            lease=LEASE,
            max_attempts=10**6,
            max_unread=MOST_UNREAD,
            inline=inline,
        )
        renew_nothing(engine)
        return engine

    def fault(self, method: str, when: str, call: Callable[[], Any]) -> None:
        if self.is_dead:
            raise Died
        if self.is_other:
            return
        self.calls += when == "before"
        here = self.calls - 1, when
        for fault in [each for each in self.faults if each[0] == here]:
            self.faults.remove(fault)
            what = fault[1]
            if what == "fails":
                raise StoreError(f"{method} fails")
            if what in ("dies", "hangs"):
                self.is_dead = True
                if what == "hangs" and when == "before":
                    self.late.append(call)
                raise Died
            self.is_other = True
            try:
                self.act(*what)
            finally:
                self.is_other = False

    def attempt(self, ask: Callable[[Engine], Any]) -> Any:
        """Ask an engine, perhaps with faults; return what came of it, errors too."""
        try:
            return ask(self.other if self.is_other else self.engine)
        except (*EXPECTED, Died) as error:
            return error

    def insist(self, ask: Callable[[Engine], Any]) -> Any:
        """Ask until there is an answer, as whoever must know does; without further faults."""
        outcome = self.attempt(ask)
        if isinstance(outcome, (StoreError, Died)):
            with suppress(*EXPECTED):
                return ask(self.other)
        return outcome

    @rule(
        act=ACTS | STARTS,
        faults=FAULTS,
        inline=st.booleans(),
    )
    def go(self, act: tuple[str, Any, Any], faults: list[Any], inline: bool) -> None:
        """Do something by an engine that meets faults."""
        self.engine = self.engine_on(FaultyStore(self.store, self.fault), inline=inline)
        self.faults, self.calls = list(faults), 0
        try:
            self.act(*act)
        finally:
            self.faults, self.is_dead = [], False
            # A process that is paused, or died, renews nothing.
            self.engine._claims.keeper._held.clear()

    @initialize(script=scripts(2), other=scripts(1))
    def begin(self, script: Any, other: Any) -> None:
        self._start(other, is_stubborn=True)
        self._start(script, is_stubborn=False)

    @rule(seconds=st.sampled_from([1, 31, 61, 130]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @precondition(lambda self: self.late)
    @rule(which=WHICH)
    def come_late(self, which: int) -> None:
        call = self.late.pop(which % len(self.late))
        with suppress(LongtermError):
            call()

    def act(self, what: str, *how: Any) -> None:
        name, _, manner = what.partition(" ")
        arguments = (*how, manner) if manner else how
        getattr(self, f"_{name}")(*arguments)

    def _start(self, script: Any, is_stubborn: bool) -> None:
        call = self.numbered(script), is_stubborn
        self.attempt(lambda engine: engine.start_flow(acts, *call))

    def _name(self, script: Any, is_stubborn: bool) -> None:
        self._start_own([self.numbered(script), is_stubborn], None)

    def _put(self, script: Any, is_stubborn: bool, manner: str) -> None:
        self._start_own([self.numbered(script), is_stubborn], timedelta(seconds=50))

    def _start_own(self, call: list[Any], at: timedelta | None) -> None:
        run_id = f"own {len(self.world.own)}"
        self.world.own[run_id] = call
        self.insist(lambda engine: engine.start(acts, call, id=run_id, at=at))
        assert run_id in self.world.records

    def _again(self, which: int, name: str) -> None:
        if not self.world.own:
            return
        run_id, call = list(self.world.own.items())[which % len(self.world.own)]
        was_there = run_id in self.world.records and run_id not in self.world.deleted
        outcome = self.attempt(lambda engine: engine.start(acts, call, id=run_id))
        if was_there and not isinstance(outcome, (BaseException)):
            assert outcome.is_duplicate or run_id in self.world.deleted
        if was_there and run_id not in self.world.deleted:
            other = self.attempt(lambda engine: engine.start(acts, (["other"],), id=run_id))
            assert isinstance(other, (KeyReused, StoreError, Died)) or run_id in self.world.deleted

    def _send(self, which: int, name: str, manner: str = "") -> None:
        if sent := self.new_event(which, name, manner):
            self.send(sent)

    def _deliver(self, which: int, name: str, manner: str = "") -> None:
        if sent := self.new_event(which, name, manner):
            self.deliver(sent)

    def _repeat(self, which: int, name: str, manner: str) -> None:
        keyed = [sent for sent in self.world.sent.values() if sent.key]
        if keyed:
            sent = keyed[-1 - which % len(keyed)]
            (self.send if manner == "by send" else self.deliver)(sent)

    def new_event(self, which: int, name: str, manner: str) -> Sent | None:
        run = self.some_run(which)
        if run is None:
            return None
        self.numbers += 1
        key = f"key {self.numbers}" if manner == "with a key" else None
        revision = run.revision if manner == "at a revision" else None
        if revision is not None and run.awaits:
            name = run.awaits[0] if which % 2 else name
        sent = Sent(run.id, name, self.numbers, key, self.world.moment, revision)
        return self.world.sent.setdefault(sent.number, sent)

    def send(self, sent: Sent) -> None:
        self.give(
            sent,
            lambda engine: engine.send(
                sent.run_id, sent.name, sent.number, key=sent.key, revision=sent.revision
            ),
        )

    def deliver(self, sent: Sent) -> None:
        self.give(
            sent,
            lambda engine: engine.process_event(
                sent.run_id, sent.name, sent.number, key=sent.key, revision=sent.revision
            ),
        )

    def give(self, sent: Sent, ask: Callable[[Engine], Any]) -> None:
        """Bring an event, again if it has a key and its sender does not know what came of it."""
        outcome = self.attempt(ask)
        is_known = True
        if isinstance(outcome, (StoreError, Died)):
            is_known = False
            if sent.key is None:
                return
            outcome = self.insist(ask)
        if not isinstance(outcome, BaseException):
            sent.fate = "taken"
        elif isinstance(outcome, REFUSED) and is_known and sent.fate == "unknown":
            sent.fate = "refused" if sent.key is None else "unknown"

    def _cancel(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            outcome = self.attempt(lambda engine: engine.cancel(run.id))
            if not isinstance(outcome, BaseException):
                self.world.cancelled.add(run.id)

    def _force(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            faults, self.faults = self.faults, []
            self.world.forcing = run.id
            self.attempt(lambda engine: engine.cancel(run.id, force=True))
            self.world.forcing, self.faults = None, faults

    def _throw(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            self.world.disturbed.add(run.id)
            self.attempt(lambda engine: engine.throw(run.id, Thrown(name)))

    def _expire(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            self.world.disturbed.add(run.id)
            self.attempt(lambda engine: engine.expire(run.id))

    def _retry(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            self.attempt(lambda engine: engine.retry(run.id))

    def _delete(self, which: int, name: str) -> None:
        if run := self.some_run(which):
            self.attempt(lambda engine: engine.delete(run.id))

    def _mend(self, which: int, name: str) -> None:
        witness.broken.clear()

    def _work(self, which: int, name: str) -> None:
        self.attempt(lambda engine: engine.run_pending(limit=which + 1))

    def some_run(self, which: int) -> Any:
        ids = self.world.living()
        with suppress(UnknownRun):
            return self.other.get_run(ids[which % len(ids)]) if ids else None
        return None

    def numbered(self, script: list[Any]) -> list[Any]:
        """Give each step that needs one its number, and each message its receiver."""
        return [self.numbered_step(*each) for each in script]

    def numbered_step(self, what: str, *how: Any) -> list[Any]:
        if what in ("spawn", "start"):
            return [what, self.numbered(how[0])]
        if what not in ("send", "tell", "need"):
            return [what, *how]
        self.numbers += 1
        if what == "tell":
            return [what, *how, self.numbers]
        if what == "need":
            witness.broken.add(self.numbers)
            return [what, self.numbers]
        which, name, has_key = how
        run = self.some_run(which)
        run_id = "nobody" if run is None else run.id
        return [what, run_id, name, self.numbers, f"key {self.numbers}" if has_key else None]

    def teardown(self) -> None:
        """Let workers do what is left, compare; then end all, and see that nothing is left."""
        try:
            self.end()
        finally:
            self.patch.undo()

    def end(self) -> None:
        self.late.clear()
        witness.broken.clear()
        for run in all_runs(self.other):
            if run.state is RunState.FAILED:
                with suppress(*EXPECTED):
                    self.other.retry(run.id)
        self.settle()
        Verdict(self.world, self.other).check_rest()
        for _ in range(4):  # a stubborn one goes on after the first; children follow
            waiting = {run.id for run in all_runs(self.other) if run.state is RunState.SUSPENDED}
            for run in all_runs(self.other):
                if run.id in waiting and run.parent not in waiting:
                    with suppress(*EXPECTED):
                        self.other.cancel(run.id)
            self.settle()
        Verdict(self.world, self.other).check_rest()
        self.check_that_nothing_is_left()

    def settle(self) -> None:
        """Have workers look, hours later each time, until there was nothing to do for long."""
        idle = 0
        while idle < 3:
            self.clock.advance(LONG)
            idle = 0 if self.other.run_pending() else idle + 1

    def check_that_nothing_is_left(self) -> None:
        for run in all_runs(self.other):
            assert run.state is not RunState.SUSPENDED, "a run has outlived all others"
            self.other.delete(run.id)
        for _ in range(3):
            self.clock.advance(LONG)
            assert self.other.run_pending() == 0
        now = self.clock.now()
        assert self.store.claim_outgoing(now=now + 99 * LONG, until=now, limit=9) == []  # type: ignore[attr-defined]
        assert not list(all_runs(self.other))
