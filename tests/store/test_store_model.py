"""Whatever is asked of a durable store, in any order, it answers as the memory store does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fixtures.folder_store import FolderStore
from longterm.errors import LongtermError
from longterm.run import Run, RunState
from longterm.store.base import (
    Deadlines,
    Deletion,
    Erasure,
    Leases,
    Query,
    Rewriting,
    RunStore,
    Search,
)
from longterm.store.inbox import Inbox
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from longterm.testing._inbox_contract import letter
from longterm.testing._sample_runs import NOON, plain

RUN_IDS = st.sampled_from(["a", "b", "A", "ä", ""])
EVENTS = st.sampled_from(["number", "name", "Name", "", "10", "name\nnumber", "10\nname"])
NAMES = st.sampled_from(["number", "name", "10", "ä b"])
KEYS = st.sampled_from(["a", "b", "A", "ä", "1", "2", "3", "4"])
TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
BYTES = st.none() | st.binary(max_size=50)
STATES = st.sampled_from(list(RunState))
FLOWS = st.sampled_from(["m:f", "m:g"])
MOMENTS = st.integers(0, 5).map(lambda hours: NOON + hours * HOUR)
FACTS = st.sampled_from([1, 1.0, True, "1", None, 0, -0.0, "a=b"])
INDEXES = st.dictionaries(st.sampled_from(["ward", "a=b", ""]), FACTS, max_size=2)
HOUR = timedelta(hours=1)


class StoreMachine(RuleBasedStateMachine):
    """Asks both stores the same; `claimed` holds records as engines would, some long overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="longterm-model-"))
        self.model = MemoryStore()
        self.store: Any = self.open()
        self.claimed: list[tuple[Run, Run]] = []
        self.kept = 0
        self.read: list[tuple[Run, Run]] = []

    def open(self) -> RunStore:
        raise NotImplementedError

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        if isinstance(self.store, SQLiteStore):
            self.store.close()

    def both(self, ask: Callable[[Any], object]) -> tuple[Run | None, Run | None]:
        """Ask both, compare their answers or errors, and return the answers."""
        expected, answer = (outcome(ask, one) for one in (self.model, self.store))
        if isinstance(expected, Run) and isinstance(answer, Run):
            assert plain(answer) == plain(expected)
            return expected, answer
        assert answer == expected
        return None, None

    @rule(
        run_id=RUN_IDS,
        event_id=st.none() | EVENTS,
        facts=st.fixed_dictionaries(
            {
                "flow": FLOWS,
                "state": STATES,
                "stack": BYTES,
                "encoded_error": TEXTS,
                "index": INDEXES,
            }
            | {name: st.none() | MOMENTS for name in ("deadline", "claimed_until", "updated_at")}
        ),
    )
    def create(self, run_id: str, event_id: str | None, facts: dict[str, Any]) -> None:
        run = Run(id=run_id, waiting_for=wait(facts["state"], event_id), **facts)
        model_run, stored_run = self.both(lambda store: store.create(run))
        if model_run and stored_run and run.state is RunState.RUNNING:
            self.claimed.append((model_run, stored_run))

    @rule(run_id=RUN_IDS)
    def get(self, run_id: str) -> None:
        model_run, stored_run = self.both(lambda store: store.get(run_id))
        if model_run and stored_run:
            self.read.append((model_run, stored_run))

    @rule(run_id=RUN_IDS, event_id=EVENTS)
    def unsuspend(self, run_id: str, event_id: str) -> None:
        model_run, stored_run = self.both(lambda store: store.unsuspend(run_id, event_id))
        if model_run and stored_run:
            self.claimed.append((model_run, stored_run))

    @precondition(lambda self: self.claimed)
    @rule(
        choose=st.data(),
        event_id=st.none() | EVENTS,
        made=BYTES,
        facts=st.fixed_dictionaries(
            {"state": STATES, "encoded_error": TEXTS, "index": INDEXES}
            | {name: st.none() | MOMENTS for name in ("deadline", "claimed_until", "updated_at")}
        ),
    )
    def update(self, choose: Any, event_id: str | None, made: bytes, facts: dict[str, Any]) -> None:
        pair = choose.draw(st.sampled_from(self.claimed))
        changes = {"waiting_for": wait(facts["state"], event_id), **facts}
        changes |= {"stack": made, "encoded_response": made, "encoded_result": made}
        model_run, stored_run = (replace(run, **changes) for run in pair)
        self.both(lambda store: store.update(model_run if store is self.model else stored_run))

    @precondition(lambda self: isinstance(self.store, Leases))
    @rule(run_id=RUN_IDS, event_id=EVENTS, now=MOMENTS)
    def claim(self, run_id: str, event_id: str, now: datetime) -> None:
        self.keep(self.both(lambda one: one.claim(run_id, event_id, now=now, until=now + HOUR)))

    @precondition(lambda self: isinstance(self.store, Leases))
    @rule(run_id=RUN_IDS, now=MOMENTS)
    def revive(self, run_id: str, now: datetime) -> None:
        self.keep(self.both(lambda one: one.revive(run_id, now=now, until=now + HOUR)))

    @precondition(lambda self: self.claimed and isinstance(self.store, Leases))
    @rule(choose=st.data(), until=MOMENTS)
    def renew(self, choose: Any, until: datetime) -> None:
        run, _ = choose.draw(st.sampled_from(self.claimed))
        self.both(lambda one: one.renew(run.id, run.turn, until=until))

    @precondition(lambda self: isinstance(self.store, Leases))
    @rule(now=MOMENTS, max_attempts=st.integers(1, 3))
    def release_stale(self, now: datetime, max_attempts: int) -> None:
        self.both(lambda one: by_id(one.release_stale(now=now, max_attempts=max_attempts)))

    @precondition(lambda self: isinstance(self.store, Deadlines))
    @rule(now=MOMENTS, limit=st.integers(1, 3), flows=st.none() | st.sets(FLOWS, max_size=3))
    def claim_due(self, now: datetime, limit: int, flows: set[str] | None) -> None:
        asked = {"now": now, "until": now + HOUR, "limit": limit, "flows": flows}
        self.both(lambda one: listed(one.claim_due(**asked)))

    @precondition(lambda self: isinstance(self.store, Inbox))
    @rule(run_id=RUN_IDS, event_id=NAMES, key=KEYS, limit=st.integers(1, 3))
    def post(self, run_id: str, event_id: str, key: str, limit: int) -> None:
        event = letter(event_id, key, run_id)
        self.both(lambda one: one.post(event, limit=limit))
        self.compare_inboxes(run_id)

    @precondition(lambda self: isinstance(self.store, Inbox))
    @rule(limit=st.integers(1, 3), flows=st.none() | st.sets(FLOWS, max_size=3))
    def claim_unread(self, limit: int, flows: set[str] | None) -> None:
        asked = {"now": NOON, "until": NOON + HOUR, "limit": limit, "flows": flows}
        ours, theirs = (one.claim_unread(**asked) for one in (self.model, self.store))
        assert listed(ours) == listed(theirs)
        self.claimed += zip(ours, theirs, strict=True)

    @precondition(lambda self: self.claimed and isinstance(self.store, Inbox))
    @rule(choose=st.data(), event_id=NAMES, state=STATES)
    def update_read(self, choose: Any, event_id: str, state: RunState) -> None:
        pair = choose.draw(st.sampled_from(self.claimed))
        name = pair[0].next_unread
        found = self.model.unread(pair[0].id, events=[name], limit=1) if name else []
        if not found:  # it was read by a later turn
            return
        changes = {"waiting_for": event_id, "state": state, "updated_at": NOON}
        ours, theirs = (run.changed(**changes) for run in pair)
        kept = None
        if state is RunState.FAILED:  # as the event of a turn that has failed
            self.kept += 1
            kept = letter(event_id, f"failed {self.kept}", pair[0].id)
        self.both(
            lambda one: one.update_read(ours if one is self.model else theirs, found, kept=kept)
        )
        self.compare_inboxes(pair[0].id)

    def compare_inboxes(self, run_id: str) -> None:
        ours, theirs = (one.unread(run_id) for one in (self.model, self.store))
        assert ours == theirs
        _, stored = self.both(lambda one: one.get(run_id))
        if stored:
            assert stored.unread == tuple(event.event_id for event in theirs)

    @precondition(lambda self: isinstance(self.store, Search))
    @rule(
        state=st.none() | STATES,
        flow=st.none() | FLOWS,
        event_id=st.none() | EVENTS,
        index=INDEXES,
        saved_before=st.none() | MOMENTS,
        limit=st.integers(1, 3),
        after=st.none() | RUN_IDS,
        newest_first=st.booleans(),
    )
    def find(self, event_id: str | None, **wanted: Any) -> None:
        self.both(lambda one: listed(one.find(Query(waiting_for=event_id, **wanted))))

    @precondition(lambda self: isinstance(self.store, Deletion))
    @rule(saved_before=MOMENTS)
    def delete_ended(self, saved_before: datetime) -> None:
        self.both(lambda one: one.delete_ended(saved_before=saved_before, limit=99))
        self.read = []

    @precondition(lambda self: self.read and isinstance(self.store, Rewriting))
    @rule(choose=st.data(), stack=BYTES, error=TEXTS)
    def rewrite(self, choose: Any, stack: bytes | None, error: str | None) -> None:
        pair = choose.draw(st.sampled_from(self.read))
        ours, theirs = (run.changed(stack=stack, encoded_error=error) for run in pair)
        self.both(lambda one: one.rewrite(ours if one is self.model else theirs))

    @precondition(lambda self: isinstance(self.store, Erasure))
    @rule(run_id=RUN_IDS)
    def delete(self, run_id: str) -> None:
        self.both(lambda one: one.delete(run_id))
        self.read = [pair for pair in self.read if pair[0].id != run_id]
        if run_id not in self.model._runs:  # who gets the id next is another run
            self.claimed = [pair for pair in self.claimed if pair[0].id != run_id]

    def keep(self, pair: tuple[Run | None, Run | None]) -> None:
        if pair[0] and pair[1]:
            self.claimed.append((pair[0], pair[1]))

    @rule()
    def reopen(self) -> None:
        self.close()
        self.store = self.open()


def wait(state: RunState, event_id: str | None) -> str | None:
    return "some" if state is RunState.SUSPENDED and event_id is None else event_id


def listed(runs: list[Run]) -> list[dict[str, Any]]:
    return [plain(run) for run in runs]


def by_id(runs: list[Run]) -> list[dict[str, Any]]:
    return listed(sorted(runs, key=lambda run: run.id))


def outcome(ask: Callable[[Any], object], store: RunStore) -> object:
    try:
        return ask(store)
    except LongtermError as error:
        return type(error), str(error)


class SQLiteMachine(StoreMachine):
    def open(self) -> RunStore:
        return SQLiteStore(self.folder / "runs.db", synchronous="NORMAL")


class FolderMachine(StoreMachine):
    def open(self) -> RunStore:
        return FolderStore(self.folder, desk="billing")


TestSQLiteStoreModel = SQLiteMachine.TestCase
TestFolderStoreModel = FolderMachine.TestCase
