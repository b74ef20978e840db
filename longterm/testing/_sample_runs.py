"""The runs that contract tests work on, and what they compare of them. Knows no store itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from longterm.run import Run, RunState
from longterm.store.base import RunStore


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


def plain(run: Run) -> dict[str, Any]:
    """Return what the engine sees of a run, leaving out fields of the store's own."""
    return {field.name: getattr(run, field.name) for field in fields(Run)}


def claim(store: RunStore, run_id: str = "r1", event_id: str = "number") -> Run:
    """Claim a run that is known to be free."""
    claimed = store.unsuspend(run_id, event_id)
    assert claimed is not None, f"run {run_id!r} waits for {event_id!r} and was not claimed"
    return claimed
