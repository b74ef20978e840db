"""Whatever is asked of a durable store, in any order, it answers as the memory store does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fixtures.folder_store import FolderStore
from longterm.errors import LongtermError
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from longterm.testing._sample_runs import plain

RUN_IDS = st.sampled_from(["a", "b", "A", "ä", ""])
EVENTS = st.sampled_from(["number", "name", "Name", "", "10"])
TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
BYTES = st.none() | st.binary(max_size=50)
STATES = st.sampled_from(list(RunState))


class StoreMachine(RuleBasedStateMachine):
    """Asks both stores the same; `claimed` holds records as engines would, some long overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="longterm-model-"))
        self.model = MemoryStore()
        self.store = self.open()
        self.claimed: list[tuple[Run, Run]] = []

    def open(self) -> RunStore:
        raise NotImplementedError

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        if isinstance(self.store, SQLiteStore):
            self.store.close()

    def both(self, ask: Callable[[RunStore], Run | None]) -> tuple[Run | None, Run | None]:
        """Ask both, compare their answers or errors, and return the answers."""
        expected, answer = (outcome(ask, one) for one in (self.model, self.store))
        if isinstance(expected, Run) and isinstance(answer, Run):
            assert plain(answer) == plain(expected)
            return expected, answer
        assert answer == expected
        return None, None

    @rule(run_id=RUN_IDS, state=STATES, event_id=st.none() | EVENTS, stack=BYTES, error=TEXTS)
    def create(
        self, run_id: str, state: RunState, event_id: str | None, stack: bytes, error: str
    ) -> None:
        run = Run(
            id=run_id, flow="m:f", state=state, waiting_for=event_id, stack=stack, error=error
        )
        model_run, stored_run = self.both(lambda store: store.create(run))
        if model_run and stored_run and state is RunState.RUNNING:
            self.claimed.append((model_run, stored_run))

    @rule(run_id=RUN_IDS)
    def get(self, run_id: str) -> None:
        self.both(lambda store: store.get(run_id))

    @rule(run_id=RUN_IDS, event_id=EVENTS)
    def unsuspend(self, run_id: str, event_id: str) -> None:
        model_run, stored_run = self.both(lambda store: store.unsuspend(run_id, event_id))
        if model_run and stored_run:
            self.claimed.append((model_run, stored_run))

    @precondition(lambda self: self.claimed)
    @rule(choose=st.data(), state=STATES, event_id=st.none() | EVENTS, made=BYTES, error=TEXTS)
    def update(
        self, choose: Any, state: RunState, event_id: str | None, made: bytes, error: str
    ) -> None:
        pair = choose.draw(st.sampled_from(self.claimed))
        changes = {"state": state, "waiting_for": event_id, "error": error}
        changes |= {"stack": made, "encoded_response": made, "encoded_result": made}
        model_run, stored_run = (replace(run, **changes) for run in pair)
        self.both(lambda store: store.update(model_run if store is self.model else stored_run))

    @rule()
    def reopen(self) -> None:
        self.close()
        self.store = self.open()


def outcome(ask: Callable[[RunStore], Run | None], store: RunStore) -> object:
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
