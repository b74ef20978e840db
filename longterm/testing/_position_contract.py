"""The part of the store contract about counting runs by where they wait.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without
`Positions`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from longterm._event_names import START
from longterm.run import RunState
from longterm.store.base import Query, RunStore, Search
from longterm.store.positions import PositionCount, Positions
from longterm.testing._sample_runs import claim, suspended_run

_AT = "m:f@1a:1"
_DEEPER = "m:f@1a:2>läden:'g\"@2b:1+3c"


class PositionContract:
    """Runs that have not ended are counted by flow and position."""

    @pytest.fixture
    def positions(self, store: RunStore) -> Positions:
        """Return the store, if it counts positions."""
        if not isinstance(store, Positions):
            pytest.skip("the store counts no positions (count_positions)")
        return store

    def test_runs_are_counted_by_flow_and_position(
        self, store: RunStore, positions: Positions
    ) -> None:
        places = {
            "r5": _AT,
            "r1": _AT,
            "r2": _AT,
            "r3": _DEEPER,
            "r4": None,
            "r6": None,
            "r7": _AT,
            "r8": _AT,
            "r9": _AT,
        }
        for run_id, place in places.items():
            store.create(replace(suspended_run(run_id), flow="m:f", position=place))
        store.create(replace(suspended_run("a1", START), flow="m:f"))
        store.create(replace(suspended_run("a2"), flow="a:f", position=_AT))
        claim(store, "r2")
        for run_id, state in (
            ("r7", RunState.COMPLETE), ("r8", RunState.CANCELLED), ("r9", RunState.FAILED),
        ):  # fmt: skip
            store.update(claim(store, run_id).changed(state=state))

        assert positions.count_positions() == [
            _count("a:f", _AT, 1, "a2"),
            _count("m:f", None, 2, "r4"),
            _count("m:f", None, 1, "a1", is_to_begin=True),
            _count("m:f", _AT, 4, "r1"),
            _count("m:f", _DEEPER, 1, "r3"),
        ]

    def test_runs_are_found_by_where_they_wait(self, store: RunStore, positions: Positions) -> None:
        if not isinstance(store, Search):
            pytest.skip("the store offers no search (find)")
        places = {"c": _AT, "a": _AT, "d": _DEEPER, "b": None, "e": _AT}
        for run_id, place in places.items():
            store.create(replace(suspended_run(run_id), flow="m:f", position=place))
        store.create(replace(suspended_run("f"), flow="m:g", position=_AT))
        store.update(claim(store, "c").changed(state=RunState.FAILED))
        claim(store, "e")

        for query, expected in (
            (Query(position=_AT), "acef"),
            (Query(position=_AT, flow="m:f"), "ace"),
            (Query(position=_AT, flow="m:f", limit=1, after="a"), "c"),
            (Query(position=_AT, flow="m:f", state=RunState.SUSPENDED), "a"),
            (Query(position=_AT, waiting_for="number"), "acef"),
            (Query(position=_DEEPER), "d"),
            (Query(position="m:f"), ""),
        ):
            assert "".join(run.id for run in store.find(query)) == expected

    def test_an_empty_store_has_no_positions(self, positions: Positions) -> None:
        assert positions.count_positions() == []


def _count(
    flow: str, position: str | None, runs: int, example: str, *, is_to_begin: bool = False
) -> PositionCount:
    return PositionCount(
        flow=flow, position=position, is_to_begin=is_to_begin, runs=runs, example=example
    )
