"""How runs are deleted: one by its id, all that have some facts, or those that ended long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from longterm._records.search import find, query_of
from longterm.errors import InvalidQuery, NotSupported, RunNotEnded, UnknownRun
from longterm.run import ENDED, Fact, Run
from longterm.store.base import Deletion, Erasure, Keys, RunStore

_AT_ONCE: Final = 1000
_KEPT: Final = timedelta(days=30)
"""How long the keys of deliveries are kept, at least."""


def delete_run(store: RunStore, run_id: str) -> None:
    """Delete one run.

    Raises:
        UnknownRun: the store has no such run.
        RunNotEnded: it waits, or is in the middle of a turn.
        NotSupported: the store cannot delete.
    """
    if not isinstance(store, Erasure):
        raise NotSupported(store, "deleting one run")
    if not store.delete(run_id):
        raise RunNotEnded(run_id, store.get(run_id).state)


def delete_found(store: RunStore, index: Mapping[str, Fact], blind: Mapping[str, Fact]) -> int:
    """Delete all runs that have some facts; none of them, if one has not ended.

    Raises:
        InvalidQuery: no fact is given, which would be all runs.
        RunNotEnded: one of them waits, or is in the middle of a turn.
        NotSupported: the store cannot delete, or cannot search.
    """
    if not index and not blind:
        raise InvalidQuery("index", index, "give a run's id, or at least one fact")
    if not isinstance(store, Erasure):
        raise NotSupported(store, "deleting one run")
    found = _all(store, index, blind)
    for run in found:
        if run.state not in ENDED:
            raise RunNotEnded(run.id, run.state)
    deleted = 0
    for run in found:
        try:
            delete_run(store, run.id)
        except UnknownRun:  # somebody else was faster
            continue
        deleted += 1
    return deleted


def _all(store: RunStore, index: Mapping[str, Fact], blind: Mapping[str, Fact]) -> list[Run]:
    found: list[Run] = []
    while True:
        after = found[-1].id if found else None
        page = find(store, query_of(index=index, limit=_AT_ONCE, after=after), blind)
        found += [run.changed(stack=None, encoded_response=None) for run in page]
        if len(page) < _AT_ONCE:
            return found


def delete_ended(store: RunStore, saved_before: datetime) -> int:
    """Delete the runs that ended before a moment, some at a time, so that nobody waits for it.

    Raises:
        NotSupported: the store cannot delete.
    """
    if not isinstance(store, Deletion):
        raise NotSupported(store, "deleting runs")
    deleted = 0
    while count := store.delete_ended(saved_before=saved_before, limit=_AT_ONCE):
        deleted += count
    return deleted


def whole_months(moment: datetime) -> datetime:
    """Return the begin of the month of a moment, in UTC: what ended before it ended in months that
    are over."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def forget_entries(store: RunStore, saved_before: datetime) -> int:
    """Forget what histories hold from before a moment, some at a time; return how many entries.

    Raises:
        NotSupported: the store keeps no histories.
    """
    from longterm.store.history import History  # for few

    if not isinstance(store, History):
        raise NotSupported(store, "histories of runs")
    forgotten = 0
    while count := store.forget_entries(saved_before=saved_before, limit=_AT_ONCE):
        forgotten += count
    return forgotten


def forget_keys(store: RunStore, now: datetime) -> None:
    """Forget the keys of deliveries that were taken long ago, if the store keeps any."""
    if isinstance(store, Keys):
        store.forget_keys(taken_before=now - _KEPT)
