"""The runs that contract tests work on, and what they compare of them. Knows no store itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore

NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER: Final = NOON + timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)

_FACTS: Final[Mapping[str, Fact]] = {
    "patient": "Grüße \"'",
    "age": 41,
    "big": 2**60,
    "dose": 1.5,
    "sum": 1e300,
    "whole": 2.0,
    "urgent": True,
    "ward": None,
    "": "",
}


_NOT_STORED: Final = {"is_duplicate", "delivery_digest"}
"""Fields that say something of a call, and are no part of the stored run."""


def suspended_run(run_id: str = "r1", event_id: str = "number") -> Run:
    """Return a run as the engine creates it when a flow has reached its first suspend."""
    return Run(
        id=run_id,
        flow="shop.orders:greet",
        state=RunState.SUSPENDED,
        waiting_for=event_id,
        stack=b"frames \x00\xff",
        encoded_response=b"said \x00\xff",
    )


def full_run() -> Run:
    """Return a run in which every field holds something."""
    moment = datetime(2026, 11, 24, 8, 30, 0, 123_456, tzinfo=UTC)
    return Run(
        id="r1",
        flow="shop.orders:greet",
        state=RunState.SUSPENDED,
        turn=7,
        saved_turn=5,
        waiting_for="number",
        stack=b"frames",
        encoded_response=b"said",
        encoded_result=b"a result",
        encoded_error="Traceback:\n  no",
        created_at=moment,
        updated_at=moment + timedelta(days=400, microseconds=1),
        deadline=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        claimed_until=datetime(1970, 1, 1, tzinfo=UTC),
        attempts=2,
        delivery="click 17",
        index=_FACTS,
        parent="another run",
        children=("a child", "Kind \"'\\ 😀", ""),
        wants={"approve": {"ask": "Grüße?\n", "of": ["a", None, 1, 1.5, True]}, "": {}},
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        position="shop.orders:greet@3f2a9c04:1>läden:pay@91cc02b7:2",
    )


def plain(run: Run) -> dict[str, Any]:
    """Return what the engine sees of a run, leaving out fields of the store's own.

    The number of its claim is one of them.
    """
    names = {field.name for field in fields(Run) if field.compare} - _NOT_STORED
    return {name: getattr(run, name) for name in names}


def claim(store: RunStore, run_id: str = "r1", event_id: str = "number") -> Run:
    """Claim a run that is known to be free."""
    claimed = store.unsuspend(run_id, event_id)
    assert claimed is not None, f"run {run_id!r} waits for {event_id!r} and was not claimed"
    return claimed
