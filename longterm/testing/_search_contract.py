"""The part of the store contract about finding runs by what is known of them.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from longterm.run import Fact, RunState
from longterm.store.base import Query, RunStore, Search
from longterm.testing._sample_runs import LATER, MINUTE, NOON, claim, plain, suspended_run

_ALIKE: tuple[Fact, ...] = (
    *(1, 1.0, True, "1", 0, 0.0, -0.0, False, "0", None, "None", "null", ""),
    *(2**60, 2**60 + 1, float(2**60), 2**90, 2**90 + 1, 0.1, 0.1 + 2**-56, 1e300, 5e-324),
    *(float("inf"), "a", "A", "a ", "ä", "a\N{COMBINING DIAERESIS}", "a=b", '"', "%", "a\0", "\\"),
    *("\ud800", "東京", "'); DROP TABLE runs; --"),
)
_NAMES = ("patient", "Patient", "a=b", "a", "", "%", "%003d", "ü", 'quote"', "with space", "$.x")
_BOTH: Mapping[str, Fact] = {"ward": "B", "urgent": True}
_QUERIES: list[Any] = [
    pytest.param(Query(), "abcdef", id="everything"),
    pytest.param(Query(state=RunState.SUSPENDED), "abef", id="state"),
    pytest.param(Query(state=RunState.FAILED), "d", id="rare-state"),
    pytest.param(Query(flow="m:f"), "abcd", id="flow"),
    pytest.param(Query(flow="m:f", state=RunState.SUSPENDED), "ab", id="flow-and-state"),
    pytest.param(Query(flow="m:f", state=RunState.FAILED), "d", id="flow-and-rare-state"),
    pytest.param(Query(waiting_for="number"), "ade", id="event"),
    pytest.param(Query(waiting_for="number", flow="m:g"), "e", id="event-and-flow"),
    pytest.param(Query(waiting_for=""), "f", id="empty-event"),
    pytest.param(Query(index={"ward": "B"}), "bce", id="fact"),
    pytest.param(Query(index={"ward": "B", "urgent": True}), "ce", id="facts"),
    pytest.param(Query(index={"urgent": True, "ward": "B"}, flow="m:f"), "c", id="facts-and-flow"),
    pytest.param(Query(index={"ward": "B"}, state=RunState.COMPLETE), "c", id="fact-and-state"),
    pytest.param(Query(index={"ward": "B"}, waiting_for="name"), "b", id="fact-and-event"),
    pytest.param(Query(index={"ward": None}), "", id="absent-is-not-none"),
    pytest.param(Query(saved_before=NOON + 2 * MINUTE), "ab", id="saved-before"),
    pytest.param(
        Query(saved_before=NOON + 9 * MINUTE, state=RunState.SUSPENDED), "abe", id="saved-and-state"
    ),
    pytest.param(Query(index={"ward": "B"}, saved_before=NOON + 3 * MINUTE), "bc", id="saved-fact"),
    pytest.param(Query(to="managers"), "af", id="audience"),
    pytest.param(Query(to="Eve"), "f", id="one-of-an-audience"),
    pytest.param(Query(to="managers", flow="m:f"), "a", id="audience-and-flow"),
    pytest.param(Query(to="managers", waiting_for="number"), "a", id="audience-and-event"),
    pytest.param(Query(to="managers", index={"bed": "B"}), "a", id="audience-and-fact"),
    pytest.param(Query(to="Managers"), "", id="no-such-audience"),
    pytest.param(Query(flow="no:flow"), "", id="nothing"),
]


class SearchContract:
    """Runs are found by what is known of them, page by page."""

    @pytest.fixture
    def search(self, store: RunStore) -> Search:
        """Return the store, if it can search."""
        if not isinstance(store, Search):
            pytest.skip("the store offers no search (find)")
        return store

    @pytest.mark.parametrize(("query", "expected"), _QUERIES)
    def test_runs_are_found_by_what_is_known_of_them(
        self, store: RunStore, search: Search, query: Query, expected: str
    ) -> None:
        _create_six(store)

        found = search.find(query)

        assert "".join(run.id for run in found) == expected
        for run in found:
            assert plain(run) == plain(store.get(run.id))

    @pytest.mark.parametrize(("query", "expected"), _QUERIES)
    def test_pages_together_are_the_whole(
        self, store: RunStore, search: Search, query: Query, expected: str
    ) -> None:
        _create_six(store)
        found, after = "", None

        while page := search.find(replace(query, limit=2, after=after)):
            assert len(page) <= 2
            found += "".join(run.id for run in page)
            after = page[-1].id

        assert found == expected

    @pytest.mark.parametrize(("query", "expected"), _QUERIES)
    def test_pages_can_begin_with_the_newest(
        self, store: RunStore, search: Search, query: Query, expected: str
    ) -> None:
        _create_six(store)
        query = replace(query, newest_first=True)
        found, after = "", None
        assert "".join(run.id for run in search.find(query)) == expected[::-1]

        while page := search.find(replace(query, limit=2, after=after)):
            found += "".join(run.id for run in page)
            after = page[-1].id

        assert found == expected[::-1]

    def test_a_run_that_waits_for_several_events_is_found_by_each(
        self, store: RunStore, search: Search
    ) -> None:
        for run_id, waiting_for in zip(
            "fbdcae", ["a", "a\nb", "b\na\nc", "c", "ab\nb", "b\na"], strict=True
        ):
            store.create(replace(suspended_run(run_id), waiting_for=waiting_for, index={"n": 1}))
        assert store.unsuspend("e", "b\na")

        runs_by_event = {"a": "bdef", "b": "abde", "c": "cd", "ab": "a", "": ""}
        runs_by_event |= {"b\na": "e", "a\nc": ""}  # all names of a wait, as its run has them
        for event_id, expected in runs_by_event.items():
            for facts in ({}, {"n": 1}):
                query = Query(waiting_for=event_id, index=facts)
                assert "".join(run.id for run in search.find(query)) == expected
                rest = search.find(replace(query, after="b", limit=2))
                assert [run.id for run in rest] == [name for name in expected if name > "b"][:2]
                rest = search.find(replace(query, after="e", limit=2, newest_first=True))
                assert [run.id for run in rest] == [n for n in expected[::-1] if n < "e"][:2]
        (running,) = search.find(Query(waiting_for="a", state=RunState.RUNNING))
        assert running.id == "e"

    def test_pages_are_in_the_order_of_code_points(self, store: RunStore, search: Search) -> None:
        run_ids = ["", "10", "9", "A", "Z", "_", "a", "ä", "\uffee", "\N{GRINNING FACE}"]
        for run_id in reversed(run_ids):
            store.create(suspended_run(run_id))

        assert [run.id for run in search.find(Query())] == run_ids
        assert [run.id for run in search.find(Query(after="a"))] == run_ids[7:]
        assert [run.id for run in search.find(Query(after="b", limit=1))] == ["ä"]

    def test_facts_that_look_alike_are_different(self, store: RunStore, search: Search) -> None:
        for number, fact in enumerate(_ALIKE):
            store.create(replace(suspended_run(f"r{number}"), index={"fact": fact}))

        for number, fact in enumerate(_ALIKE):
            (found,) = search.find(Query(index={"fact": fact}))
            assert found.id == f"r{number}"
            assert repr(found.index["fact"]) == repr(fact)

    def test_names_that_look_alike_are_different(self, store: RunStore, search: Search) -> None:
        for number, name in enumerate(_NAMES):
            store.create(replace(suspended_run(f"r{number}"), index={name: 'c="d"'}))

        for number, name in enumerate(_NAMES):
            (found,) = search.find(Query(index={name: 'c="d"'}))
            assert found.id == f"r{number}"
            assert found.index == {name: 'c="d"'}

    def test_facts_follow_each_save(self, store: RunStore, search: Search) -> None:
        store.create(replace(suspended_run(), index={"ward": "A", "urgent": True}))
        claimed = claim(store)
        assert [run.turn for run in search.find(Query(index={"ward": "A"}))] == [2]

        store.update(replace(claimed, state=RunState.SUSPENDED, index={"ward": "B", "age": 1}))

        assert search.find(Query(index={"ward": "A"})) == []
        assert search.find(Query(index={"urgent": True})) == []
        assert [run.id for run in search.find(Query(index={"ward": "B"}))] == ["r1"]
        assert [run.id for run in search.find(Query(index={"age": 1}))] == ["r1"]

    def test_a_run_is_found_by_whom_it_waits_for_now(self, store: RunStore, search: Search) -> None:
        store.create(replace(suspended_run(), wants={"to": ["Ada"]}, index={"ward": "A"}))
        wants = {"to": ['"Eve"', "%to", "Bo"]}

        store.update(claim(store).changed(state=RunState.SUSPENDED, wants=wants))

        assert search.find(Query(to="Ada")) == []
        for name in ('"Eve"', "%to", "Bo"):
            (found,) = search.find(Query(to=name, index={"ward": "A"}))
            assert (found.wants, found.index) == (wants, {"ward": "A"})
        store.update(claim(store).changed(state=RunState.COMPLETE, wants=None, waiting_for=None))
        assert search.find(Query(to="Bo")) == []
        assert [run.id for run in search.find(Query(index={"ward": "A"}))] == ["r1"]

    def test_an_audience_is_no_fact_of_a_flow(self, store: RunStore, search: Search) -> None:
        store.create(replace(suspended_run("r1"), wants={"to": ["Ada", "Ada"]}))
        store.create(replace(suspended_run("r2"), index={"to": "Ada", "%to": "Ada"}))

        assert [run.id for run in search.find(Query(to="Ada"))] == ["r1"]
        assert [run.id for run in search.find(Query(index={"to": "Ada"}))] == ["r2"]
        assert [run.id for run in search.find(Query(index={"%to": "Ada"}))] == ["r2"]

    def test_a_refused_step_leaves_the_facts_alone(self, store: RunStore, search: Search) -> None:
        run = replace(suspended_run(), index={"ward": "A"})
        store.create(run)

        for step in (store.create, store.update):
            with pytest.raises(Exception, match="r1"):
                step(replace(run, index={"ward": "B"}))

        assert [run.id for run in search.find(Query(index={"ward": "A"}))] == ["r1"]
        assert search.find(Query(index={"ward": "B"})) == []


def _create_six(store: RunStore) -> None:
    """Create runs a to f, in no order."""
    base = replace(suspended_run(), flow="m:f", updated_at=NOON)
    for run in (
        replace(base, id="e", flow="m:g", updated_at=NOON + 8 * MINUTE, index=_BOTH),
        replace(base, id="b", waiting_for="name", index={"ward": "B", "urgent": False}),
        replace(
            base,
            id="c",
            state=RunState.COMPLETE,
            waiting_for=None,
            updated_at=NOON + 2 * MINUTE,
            index=_BOTH,
        ),
        replace(
            base, id="a", index={"ward": "b", "bed": "B"}, wants={"to": ["managers"], "ask": None}
        ),
        replace(base, id="d", state=RunState.FAILED, updated_at=LATER),
        replace(
            base,
            id="f",
            flow="m:F",
            waiting_for="",
            updated_at=None,
            wants={"to": ["Eve", "managers"]},
        ),
    ):
        store.create(run)
