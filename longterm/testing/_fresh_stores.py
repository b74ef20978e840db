"""Stores for one test: empty at its begin, gone at its end; and copies of all runs of one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final

from longterm._escapes import escaped
from longterm.errors import NotSupported
from longterm.run import Run
from longterm.store._urls import without_password
from longterm.store.base import Query, RunStore, Search
from longterm.store.inbox import Inbox
from longterm.store.memory import MemoryStore
from longterm.store.queues import Queues

_PAGE: Final = 1000
_NO_LIMIT: Final = 2**31 - 1


def fresh_store(where: str) -> AbstractContextManager[RunStore]:
    """Return a new and empty store, which is closed, and forgotten, at the end.

    Args:
        where: `memory`, `sqlite`, or the URL of a Postgres database.

    Raises:
        ValueError: it is none of these.
        StoreError: the database refuses it.
    """
    if where.removesuffix("://") == "memory":
        return nullcontext(MemoryStore())
    if where.removesuffix("://") == "sqlite":
        return _sqlite_store()
    if where.startswith(("postgresql", "postgres://")):
        from longterm.store.postgres._scratch import scratch_store

        return scratch_store(where)
    raise ValueError(
        f"no test has its runs in {escaped(without_password(where))!r} (give memory, sqlite, or "
        "the URL of a Postgres database: --longterm-store=postgresql://localhost/test)"
    )


@contextmanager
def _sqlite_store() -> Iterator[RunStore]:
    from longterm.store.sqlite import SQLiteStore

    # What a test has written need not outlive the machine.
    with (
        tempfile.TemporaryDirectory(prefix="longterm-") as folder,
        SQLiteStore(str(Path(folder, "runs.db")), synchronous="NORMAL") as store,
    ):
        yield store


def runs_of(store: RunStore) -> Iterator[Run]:
    """Yield all runs of a store, in the order in which they began.

    Raises:
        NotSupported: the store cannot search.
    """
    if not isinstance(store, Search):
        raise NotSupported(store, "finding runs")
    last = None
    while True:
        page = store.find(Query(limit=_PAGE, after=last))
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].id


def copy_runs(store: RunStore, other: RunStore, now: datetime) -> None:
    """Copy all runs of a store that rest, with their unread events, and all queues.

    What they have refused, and the keys of what they have read, is not copied.
    """
    if isinstance(store, Queues) and isinstance(other, Queues):
        for status in store.queue_statuses(now=now):
            other.declare_queue(status.queue)
    for run in runs_of(store):
        other.create(run.changed(unread=()))
        if run.unread:
            assert isinstance(store, Inbox)
            assert isinstance(other, Inbox)
            for event in store.unread(run.id, limit=_NO_LIMIT):
                other.post(event, limit=_NO_LIMIT)
