"""The inboxes of runs in one SQLite file: events go in, and come out in their order.

SQLite has one writer at a time, so each step sees all that was posted before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from longterm._later import later
from longterm.run import Run
from longterm.store._event_rows import COLUMNS, READ, checksum_of, event_of
from longterm.store._rows import COLUMNS as RUN_COLUMNS
from longterm.store._rows import json_text, moment_text, unread_after
from longterm.store._same_delivery import sent_too
from longterm.store._unreadable import Unreadable
from longterm.store.base import kept_key, new_claim
from longterm.store.inbox import BEFORE_ALL, in_order_of_saves
from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._writer import Writer

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

_NAMES: Final = ", ".join(COLUMNS)
_NOTE: Final = (
    "UPDATE runs SET unread = unread || ? || char(10), posted = posted + 1"
    " WHERE id = ? AND state NOT IN ('complete', 'cancelled')"
    " AND length(unread) - length(replace(unread, char(10), '')) < ?"
    " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE run = runs.id AND key = ?) RETURNING posted"
)
_NOTE_AT: Final = _NOTE.replace(
    " RETURNING",
    " AND state = 'suspended' AND saved_turn = ? AND NOT EXISTS (SELECT 1 FROM inbox"
    " WHERE run = runs.id AND refused IS NULL AND (substr(event, 1, 9) = 'longterm.'"
    " OR instr(char(10) || waiting_for || char(10), char(10) || event || char(10)) > 0))"
    " RETURNING",
)
_PUT: Final = f"INSERT INTO inbox ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)})"
_PUT_FIRST: Final = _PUT.replace(
    "VALUES (?, ?",
    "VALUES (?, (SELECT min(1, coalesce(min(number), 1)) - 1 FROM inbox WHERE run = ?)",
)
_KEEP_KEY: Final = "INSERT INTO deliveries (run, key, digest, taken_at) VALUES (?, ?, ?, ?)"
_UNREAD: Final = (
    f"SELECT {', '.join(READ)} FROM inbox WHERE run = ? AND number > ? AND refused IS NULL{{named}}"
    " ORDER BY number LIMIT ?"
)
_REFUSED: Final = _UNREAD.format(named="").replace("refused IS NULL", "refused IS NOT NULL")
_UNREAD_OF_ANY: Final = _UNREAD.format(named="")
_UNREAD_NAMED: Final = _UNREAD.format(named=" AND event IN (SELECT value FROM json_each(?))")
_TAKE_OUT: Final = "DELETE FROM inbox WHERE run = ? AND number = ?"
_REFUSE: Final = "UPDATE inbox SET refused = ?, checksum = ? WHERE run = ? AND number = ?"
_FORGET_REFUSED: Final = "DELETE FROM inbox WHERE run = ? AND number = ? AND refused IS NOT NULL"
_FORGET_OLD_REFUSED: Final = "DELETE FROM inbox WHERE refused IS NOT NULL AND sent_at < ?"
_UNNOTE: Final = "UPDATE runs SET unread = ? || substr(unread, ?) WHERE id = ? RETURNING unread"
# As the condition of the index, word for word; then for those that wait for several events.
_CAN_GO_ON: Final = (
    "SELECT id FROM runs INDEXED BY runs_unread"
    " WHERE unread <> '' AND state = 'suspended' AND (error IS NULL OR deadline IS NULL)"
    " AND (instr(waiting_for, char(10)) > 0"
    " OR instr(char(10) || unread, char(10) || waiting_for || char(10)) > 0"
    " OR instr(char(10) || unread, char(10) || 'longterm.') > 0)"
    " AND (instr(waiting_for, char(10)) = 0"
    " OR instr(char(10) || unread, char(10) || 'longterm.') > 0"
    " OR EXISTS (SELECT 1 FROM inbox WHERE run = runs.id AND refused IS NULL"
    " AND instr(char(10) || waiting_for || char(10), char(10) || event || char(10)) > 0))"
)
_CLAIM: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?, claimed_until = ?"
    f" WHERE id IN ({_CAN_GO_ON}{{those}} ORDER BY updated_at, id LIMIT ?)"
    f" RETURNING {', '.join(RUN_COLUMNS)}"
)
_OF_FLOWS: Final = " AND flow IN (SELECT value FROM json_each(?))"
_NOT_AT: Final = " AND coalesce(position, '') NOT IN (SELECT value FROM json_each(?))"
_FORGET_KEYS: Final = (
    "DELETE FROM deliveries WHERE taken_at < ? AND NOT EXISTS"
    " (SELECT 1 FROM inbox WHERE inbox.run = deliveries.run AND inbox.key = deliveries.key)"
)
_REWRITE: Final = (
    "UPDATE inbox SET value = ?, refused = ?, checksum = ? WHERE run = ? AND number = ?"
    " AND (refused IS NULL) = ?"
)


class SQLiteInbox:
    """The part of the store that keeps events until they are read, and those that are refused."""

    _writer: Writer
    _unreadable: Unreadable

    def get(self, run_id: str) -> Run:
        """Return a run; the store has it."""
        raise NotImplementedError

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def post(self, event: UnreadEvent, *, limit: int, revision: int | None = None) -> int | None:
        sent_at = moment_text(event.sent_at)
        note = _NOTE if revision is None else _NOTE_AT
        at = () if revision is None else (revision,)

        def put(connection: Connection) -> int | None:
            noted = connection.execute(
                note, (event.event_id, event.run_id, limit, event.key, *at)
            ).fetchall()
            if not noted:
                return None
            ((number,),) = noted
            kept = (event.key, event.digest, sent_at)
            value = (event.event_id, event.encoded_value)
            sent = (*kept, checksum_of(event), event.actor, event.traceparent)
            connection.execute(_PUT, (event.run_id, number, *value, *sent))
            connection.execute(_KEEP_KEY, (event.run_id, *kept))
            return int(number)

        number = self._writer.write(whole(put), f"send an event to run {event.run_id!r}")
        if number is None:
            self.get(event.run_id)  # raises if there is no such run
        return number

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = BEFORE_ALL,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        named = [] if events is None else [json_text(list(events))]
        statement = _UNREAD_OF_ANY if events is None else _UNREAD_NAMED
        operation = f"read the inbox of run {run_id!r}"
        return [
            event_of(row)
            for row in self._read(statement, (run_id, after, *named, limit), operation)
        ]

    def refused(
        self, run_id: str, *, after: int = BEFORE_ALL, limit: int = 100
    ) -> list[UnreadEvent]:
        operation = f"read what run {run_id!r} has refused"
        return [event_of(row) for row in self._read(_REFUSED, (run_id, after, limit), operation)]

    def forget_refused(self, run_id: str, number: int) -> bool:
        def forget(connection: Connection) -> int:
            return connection.execute(_FORGET_REFUSED, (run_id, number)).rowcount

        return bool(self._writer.write(forget, f"forget an event of run {run_id!r}"))

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        those, named = those_to_claim(flows, without)
        statement = _CLAIM.format(those=those)
        parameters = (new_claim(), moment_text(until), *named, limit)

        def claim(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.ask_leniently(statement, parameters)

        rows = self._writer.write(claim, "claim runs with unread events", is_durable=False)
        return in_order_of_saves(self._unreadable.claimed(rows, now))

    def forget_keys(self, *, taken_before: datetime) -> int:
        parameters = (moment_text(taken_before),)

        def forget(connection: Connection) -> int:
            connection.execute(_FORGET_OLD_REFUSED, parameters)
            return connection.execute(_FORGET_KEYS, parameters).rowcount

        return self._writer.write(whole(forget), "forget old keys")

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        parameters = (
            *(event.encoded_value, event.encoded_refusal, checksum_of(event)),
            *(event.run_id, event.number, event.encoded_refusal is None),
        )

        def rewrite(connection: Connection) -> int:
            return connection.execute(_REWRITE, parameters).rowcount

        return bool(self._writer.write(rewrite, f"rewrite an event of run {event.run_id!r}"))


def take_out(
    connection: Connection, run: Run, read: Sequence[UnreadEvent], kept: UnreadEvent | None
) -> list[tuple[str]]:
    """Take events that were read out of a run's inbox; return the names that are unread then.

    One that was refused stays. One that is kept after its turn has failed is put before all others.
    """
    if kept is not None or kept_key(run) is not None:
        rows = connection.execute(_UNREAD_OF_ANY, (run.id, BEFORE_ALL, -1)).fetchall()
        read, kept = sent_too(run, read, kept, map(event_of, rows))
    for event in read:
        if event.encoded_refusal is None:
            connection.execute(_TAKE_OUT, (run.id, event.number))
        else:
            refused = (event.encoded_refusal, checksum_of(event))
            connection.execute(_REFUSE, (*refused, run.id, event.number))
    if kept is not None:
        key = (kept.key, kept.digest, moment_text(kept.sent_at))
        value = (kept.event_id, kept.encoded_value)
        sent = (*key, checksum_of(kept), kept.actor, kept.traceparent)
        connection.execute(_PUT_FIRST, (run.id, run.id, *value, *sent))
        connection.execute(f"{_KEEP_KEY} ON CONFLICT DO NOTHING", (run.id, *key))
    return connection.execute(_UNNOTE, (*unread_after(run, read, kept), run.id)).fetchall()


def those_to_claim(
    flows: Collection[str] | None, without: Collection[str]
) -> tuple[str, list[str]]:
    """Return what a claim says of flows and of positions that it leaves out, and its parameters."""
    those = ("" if flows is None else _OF_FLOWS) + (_NOT_AT if without else "")
    named = [names for names in (flows, without or None) if names is not None]
    return those, [json_text(list(names)) for names in named]
