"""The example of a store of one's own keeps the contract, and its walk-through quotes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.folder_store import DeskRun, FolderStore
from longterm.errors import StoreError
from longterm.run import RunState
from longterm.testing._sample_runs import claim, suspended_run
from longterm.testing.contract import StoreContract

ROOT = Path(__file__).parents[2]


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(tmp_path, desk="billing")

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], FolderStore]:
        return lambda: FolderStore(tmp_path, desk="shipping")


def test_a_run_keeps_the_desk_that_it_was_started_at(tmp_path: Path) -> None:
    FolderStore(tmp_path, desk="billing").create(suspended_run())
    shipping = FolderStore(tmp_path, desk="shipping")
    shipping.create(suspended_run("r2"))

    shipping.update(replace(claim(shipping), state=RunState.COMPLETE))

    (run,) = shipping.at_desk("billing")
    assert isinstance(run, DeskRun)
    assert (run.id, run.state, run.turn) == ("r1", RunState.COMPLETE, 2)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is no folder \(create it"):
        FolderStore(tmp_path / "no", desk="billing")


def test_the_walk_through_quotes_the_example_as_it_is() -> None:
    example = (ROOT / "fixtures" / "folder_store.py").read_text()
    page = (ROOT / "docs" / "store-contract.md").read_text()

    quotes = re.findall(r"<!-- from fixtures/folder_store\.py -->\n```python\n(.*?)```", page, re.S)

    assert quotes
    for quote in quotes:
        assert quote in example
