"""The part of the store contract about bytes in another form, such as under another key.

Inherited through `longterm.testing.contract.StoreContract`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longterm.errors import UnknownRun
from longterm.run import ENDED, Run, RunState
from longterm.store.base import Query, Rewriting, RunStore, Search
from longterm.testing._sample_runs import claim, full_run, plain, suspended_run

_OTHER: dict[str, Any] = {
    "stack": b"other frames",
    "encoded_response": None,
    "encoded_result": b"",
    "encoded_error": "other words",
}


class RewriteContract:
    """The bytes of a run are replaced as long as nobody has it in hand."""

    @pytest.fixture
    def rewriting(self, store: RunStore) -> Rewriting:
        """Return the store, if it can write bytes anew."""
        if not isinstance(store, Rewriting):
            pytest.skip("the store does not write bytes anew (rewrite)")
        return store

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, *sorted(ENDED)])
    def test_the_bytes_are_replaced_and_nothing_else(
        self, store: RunStore, rewriting: Rewriting, state: RunState
    ) -> None:
        run = store.create(replace(full_run(), state=state))

        assert rewriting.rewrite(run.changed(**_OTHER))

        assert plain(store.get("r1")) == plain(run) | _OTHER
        assert rewriting.rewrite(run)
        assert plain(store.get("r1")) == plain(run)

    def test_a_run_in_a_turn_is_left_alone(self, store: RunStore, rewriting: Rewriting) -> None:
        run = store.create(suspended_run())
        claimed = claim(store)

        assert not rewriting.rewrite(run.changed(**_OTHER))
        assert not rewriting.rewrite(claimed.changed(**_OTHER))

        assert plain(store.get("r1")) == plain(claimed)
        store.update(claimed.changed(state=RunState.COMPLETE))

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, *sorted(ENDED)])
    def test_a_run_that_has_gone_on_is_left_alone(
        self, store: RunStore, rewriting: Rewriting, state: RunState
    ) -> None:
        run = store.create(suspended_run())
        saved = store.update(claim(store).changed(state=state, waiting_for="number"))

        assert not rewriting.rewrite(run.changed(**_OTHER))

        assert plain(store.get("r1")) == plain(saved)

    def test_the_rewritten_run_goes_on(self, store: RunStore, rewriting: Rewriting) -> None:
        run = store.create(suspended_run())

        assert rewriting.rewrite(run.changed(stack=b"other frames"))

        assert claim(store).stack == b"other frames"
        other = store.create(suspended_run("r2"))
        assert not rewriting.rewrite(other.changed(turn=other.turn + 1, **_OTHER))

    def test_an_unknown_run_cannot_be_rewritten(
        self, store: RunStore, rewriting: Rewriting
    ) -> None:
        store.create(suspended_run())

        with pytest.raises(UnknownRun) as refused:
            rewriting.rewrite(suspended_run("r2"))

        assert refused.value.run_id == "r2"

    def test_the_facts_still_find_the_run(
        self, store: RunStore, rewriting: Rewriting, search: Search
    ) -> None:
        run: Run = store.create(full_run())

        assert rewriting.rewrite(run.changed(**_OTHER))

        assert [one.id for one in search.find(Query(index=run.index))] == ["r1"]
