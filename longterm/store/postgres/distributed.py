"""The store in a distributed Postgres: what belongs to a run stands on one node, and is one step.

Offers what the store in a Postgres database does. Each step writes one row by its key, or reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from longterm._later import later
from longterm.errors import StoreError
from longterm.run import Run
from longterm.store._remembered import Remembered
from longterm.store.postgres._by_key.claims import ByKeyClaims
from longterm.store.postgres._by_key.deletion import ByKeyDeletion
from longterm.store.postgres._by_key.months import ByKeyMonths
from longterm.store.postgres._by_key.outbox import ByKeyOutbox
from longterm.store.postgres._by_key.queues import ByKeyQueues
from longterm.store.postgres._by_key.saves import create_with_facts, save_with_facts
from longterm.store.postgres._by_key.search import find_by_state
from longterm.store.postgres._dialect import dialect_named
from longterm.store.postgres._statements import by_key
from longterm.store.postgres._store import PostgresStore
from longterm.store.postgres._within import PostgresWithin

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

__all__ = ["DistributedStore"]


class DistributedStore(
    ByKeyClaims, ByKeyDeletion, ByKeyMonths, ByKeyOutbox, ByKeyQueues, PostgresStore
):
    """A store in a schema of a database whose tables are spread over several nodes."""

    _find_statement = staticmethod(find_by_state)
    _create_statement = staticmethod(create_with_facts)
    _save_statement = staticmethod(save_with_facts)

    def __init__(self, conninfo: str | None = None, *, dialect: str, **options: Any) -> None:
        """Note where the runs are; the server is asked when they are first needed.

        Args:
            conninfo: as `PostgresStore` has it.
            dialect: what the server is: `citus`; or `bare`, see `_dialect`.
            options: as `PostgresStore` has them.

        Raises:
            StoreError: as `PostgresStore` raises it; or there is no such dialect, or it has not
                what an option is for.
        """
        self._dialect = dialect_named(dialect)
        if options.get("synchronous_commit") is not None and not self._dialect.settles_commits:
            raise StoreError(
                f"synchronous_commit= does not reach each node of {self._dialect.name} (set it "
                "there, by ALTER SYSTEM SET synchronous_commit, and leave it out here)"
            )
        self._senders = Remembered()
        super().__init__(conninfo, **options)

    def _claim_one(
        self, statement: LiteralString, parameters: tuple[object, ...], run_id: str, now: datetime
    ) -> Run | None:
        return super()._claim_one(by_key.without_note(statement), parameters, run_id, now)

    def _save(
        self, run: Run, read: Sequence[UnreadEvent] = (), failed: UnreadEvent | None = None
    ) -> Run:
        for message in run.outgoing:
            self._senders.note(message.id, message.sender)
        return super()._save(run, read, failed)

    def within(self, connection: object, *, is_known: bool = False) -> PostgresStore:
        return _DistributedWithin(self, connection, is_known=is_known)


class _DistributedWithin(PostgresWithin, DistributedStore):
    """A view of a store, whose steps are part of a transaction."""

    def __init__(self, store: DistributedStore, theirs: object, *, is_known: bool = False) -> None:
        """Do as `PostgresWithin` does, in the dialect of the store."""
        self._dialect, self._senders = store._dialect, store._senders
        super().__init__(store, theirs, is_known=is_known)
