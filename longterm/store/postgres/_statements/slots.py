"""The statements by which a distributed Postgres gives out the slots of queues."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store.postgres._statements.queues import QUEUE_NAMES

QUEUES: Final[LiteralString] = f"SELECT {QUEUE_NAMES} FROM longterm.queues"
_LEDGER: Final[LiteralString] = "next_partition, served_at, window_began, window_taken"
LEDGERS: Final[LiteralString] = "SELECT queue, served_at FROM longterm.slots"
LEDGER: Final[LiteralString] = (
    f"SELECT version, held, {_LEDGER} FROM longterm.slots WHERE queue = %s"
)
FIRST_LEDGER: Final[LiteralString] = (
    f"INSERT INTO longterm.slots (version, held, {_LEDGER}, queue)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (queue) DO NOTHING RETURNING version"
)
NEXT_LEDGER: Final[LiteralString] = (
    "UPDATE longterm.slots SET version = %s, held = %s, next_partition = %s, served_at = %s,"
    " window_began = %s, window_taken = %s WHERE queue = %s AND version = %s RETURNING version"
)
# Those that hold a slot, whoever gave it to them, and those that were given one.
HOLDERS: Final[LiteralString] = (
    "SELECT id, turn, state, slot, partition FROM longterm.runs"
    " WHERE slot = %s OR id = ANY (%s::text[])"
)
# Whoever was given a slot of this run and has not claimed it yet cannot claim it any more.
TURN_AWAY: Final[LiteralString] = (
    "UPDATE longterm.runs SET turn = turn + 1 WHERE id = %s AND turn = %s AND state = 'suspended'"
    " RETURNING id"
)
DELAYED: Final[LiteralString] = (
    "SELECT id, turn FROM longterm.runs WHERE state = 'suspended' AND ended IS NULL"
    " AND queue IS NOT NULL AND deadline <= %s ORDER BY deadline LIMIT %s"
)
BEGIN_TO_WAIT: Final[LiteralString] = (
    "UPDATE longterm.runs SET queued_at = deadline, deadline = NULL WHERE id = %s AND turn = %s"
    " AND state = 'suspended' AND deadline <= %s RETURNING id"
)
_WAITING: Final[LiteralString] = (
    "FROM longterm.runs WHERE state = 'suspended' AND queued_at IS NOT NULL AND ended IS NULL"
    " AND queue = %s"
)
NEXT_PARTITION: Final[LiteralString] = (
    f"SELECT partition {_WAITING} AND partition >= %s ORDER BY partition LIMIT 1"
)


def oldest(those: LiteralString) -> LiteralString:
    """Return the statement that reads which runs of a partition have waited the longest."""
    return f"SELECT id, turn {_WAITING} AND partition = %s{those} ORDER BY queued_at LIMIT %s"
