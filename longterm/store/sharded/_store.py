"""The store over several independent servers: what it does with one run, on the server that has it.

The id of a run says where it is. Nothing is done on two servers at once: what a turn sends to
others is delivered afterwards, wherever they are. Never decodes anything.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

from longterm._later import later
from longterm.clock import Clock, SystemClock
from longterm.errors import UnknownRun
from longterm.run import ENDED, Run
from longterm.store.base import Confirms, Migrates, RunStore
from longterm.store.history import FIRST, Place
from longterm.store.inbox import BEFORE_ALL
from longterm.store.sharded._beginning import Beginning
from longterm.store.sharded._epochs import Epoch
from longterm.store.sharded._queues import ShardedQueues
from longterm.store.sharded._server import ShardStore
from longterm.store.sharded._servers import Fixed, Servers, Source

if TYPE_CHECKING:
    from longterm.history import HistoryEntry
    from longterm.unread import UnreadEvent
else:
    HistoryEntry = later("longterm.history", "HistoryEntry")
    UnreadEvent = later("longterm.unread", "UnreadEvent")

__all__ = ["Sharded"]


class Sharded(Beginning, ShardedQueues):
    """A store whose runs are spread over several servers.

    Can be used as a context manager.
    """

    def __init__(
        self,
        stores: Mapping[str, RunStore],
        epochs: Sequence[Epoch] = (),
        *,
        partial: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Spread runs over stores.

        Args:
            stores: the store of each server by its name, which never changes.
            epochs: since when new runs are spread over which servers, the oldest first; if there
                are none, over all of them.
            partial: whether searches and counts leave out a server that is away, and say so in the
                log only; else they fail.
            clock: what tells which epoch it is; the machine's clock unless told otherwise.

        Raises:
            StoreError: a store or an epoch cannot be.
        """
        self._use(Servers(Fixed(stores, epochs), clock or SystemClock()), partial)

    @classmethod
    def from_source(cls, source: Source, *, partial: bool = False) -> Self:
        """Spread runs over the servers of a source, which may have more of them later."""
        store = cls.__new__(cls)
        store._use(Servers(source, SystemClock()), partial)
        return store

    def _use(self, servers: Servers, partial: bool) -> None:
        super().__init__()
        self._servers = servers
        self.is_partial = partial
        self._at_exit = weakref.finalize(self, servers.close)

    @property
    def part_names(self) -> list[str]:
        """The names of the servers, in the order of the epochs."""
        return [server.name for server in self._servers]

    def part(self, name: str) -> RunStore:
        from longterm.store.sharded._part import part_of

        return part_of(self, name)

    # -- the four methods, but for `create` ------------------------------------------------------

    def get(self, run_id: str) -> Run:
        return self._on(run_id, lambda store: store.get(run_id))

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        return self._on(run_id, lambda store: store.unsuspend(run_id, event_id))

    def update(self, run: Run) -> Run:
        return self._saved(run, lambda store: store.update(run))

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        return self._saved(run, lambda store: store.update_read(run, events, kept=kept))

    def _saved(self, run: Run, save: Callable[[ShardStore], Run]) -> Run:
        saved = self._on(run.id, save)
        if run.outgoing:
            self._note_origins(run.outgoing, self._place(run.id))
        return saved

    def confirm(self, run_id: str) -> Run:
        def confirm(store: ShardStore) -> Run:
            return store.confirm(run_id) if isinstance(store, Confirms) else store.get(run_id)

        return self._on(run_id, confirm)

    # -- claims ----------------------------------------------------------------------------------

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._on(run_id, lambda store: store.claim(run_id, event_id, now=now, until=until))

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        return self._on(
            run_id, lambda store: store.claim_for_key(run_id, event_id, key, now=now, until=until)
        )

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        return self._on(run_id, lambda store: store.digest_for_key(run_id, key))

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        return self._on(run_id, lambda store: store.renew(run_id, turn, until=until, claim=claim))

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._on(run_id, lambda store: store.revive(run_id, now=now, until=until))

    # -- events ----------------------------------------------------------------------------------

    def post(self, event: UnreadEvent, *, limit: int, revision: int | None = None) -> int | None:
        return self._on(
            event.run_id, lambda store: store.post(event, limit=limit, revision=revision)
        )

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = BEFORE_ALL,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        return self._on(
            run_id, lambda store: store.unread(run_id, events=events, after=after, limit=limit)
        )

    def refused(
        self, run_id: str, *, after: int = BEFORE_ALL, limit: int = 100
    ) -> list[UnreadEvent]:
        return self._on(run_id, lambda store: store.refused(run_id, after=after, limit=limit))

    def forget_refused(self, run_id: str, number: int) -> bool:
        return self._on(run_id, lambda store: store.forget_refused(run_id, number))

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        return self._on(event.run_id, lambda store: store.rewrite_unread(event))

    # -- what else a run has ---------------------------------------------------------------------

    def note_progress(self, run_id: str, turn: int, note: str) -> bool:
        return self._on(run_id, lambda store: store.note_progress(run_id, turn, note))

    def progress(self, run_id: str) -> str | None:
        return self._on(run_id, lambda store: store.progress(run_id))

    def entries(self, run_id: str, *, after: Place = FIRST, limit: int = 100) -> list[HistoryEntry]:
        return self._on(run_id, lambda store: store.entries(run_id, after=after, limit=limit))

    def entry(self, run_id: str, place: Place) -> HistoryEntry | None:
        return self._on(run_id, lambda store: store.entry(run_id, place))

    def entry_at(self, run_id: str, revision: int) -> HistoryEntry | None:
        return self._on(run_id, lambda store: store.entry_at(run_id, revision))

    def rewrite_entry(self, was: HistoryEntry, entry: HistoryEntry) -> bool:
        return self._on(was.run_id, lambda store: store.rewrite_entry(was, entry))

    def rewrite(self, run: Run) -> bool:
        return self._on(run.id, lambda store: store.rewrite(run))

    def delete(self, run_id: str) -> bool:
        if self.get(run_id).state not in ENDED:
            return False
        self._forget_sent_to([run_id])
        return self._on(run_id, lambda store: store.delete(run_id))

    def _deleted(self, name: str, run_id: str) -> bool:
        """Delete a run that has ended, or a mark; tell whether it was a run, and is gone."""
        server = self._servers.at(name)
        try:
            was_mark = self._is_mark(server, run_id)
            return server.step(lambda store: store.delete(run_id)) and not was_mark
        except UnknownRun:  # somebody else was faster
            return False

    # -- the servers -----------------------------------------------------------------------------

    def migrate(self) -> int:
        """Migrate each server, and tell all of them of new epochs; return how many steps."""
        steps = 0
        for server in self._servers.newest():
            steps += server.step(_migrate)
        return steps + self._servers.announce()

    def migration_sql(self) -> str:
        """Return the SQL for each server under its name; new epochs are told by `migrate` only."""
        sql = {server.name: server.step(_migration_sql) for server in self._servers.newest()}
        return "\n".join(f"-- server {name}\n{text}" for name, text in sql.items() if text)

    def must_exist(self) -> None:
        """Make no schema at the first use; that there is none is an error then."""
        for server in self._servers:
            must_exist = getattr(server.store, "must_exist", None)
            if must_exist is not None:
                must_exist()

    def close(self) -> None:
        """End every session with every server. Closing twice is allowed."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every session."""
        self.close()


def _migrate(store: ShardStore) -> int:
    return store.migrate() if isinstance(store, Migrates) else 0


def _migration_sql(store: ShardStore) -> str:
    return store.migration_sql() if isinstance(store, Migrates) else ""
