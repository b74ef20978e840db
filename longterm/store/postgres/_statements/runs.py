"""The statements of one run as a whole: created, read, repaired and deleted."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store._rows import BYTES, COLUMNS
from longterm.store.postgres._statements.columns import IS_READY, NAMES

_VALUES: Final[tuple[LiteralString, ...]] = tuple("%b" if c in BYTES else "%s" for c in COLUMNS)
CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({NAMES}, slot, ended, ended_at)"
    f" VALUES ({', '.join(_VALUES)}, %s, %s, %s)"
    f" ON CONFLICT (id) DO NOTHING RETURNING turn, {IS_READY}"
)
CREATE_WITH_KEY: Final[LiteralString] = (
    f"WITH saved AS ({CREATE}), kept AS ("
    "INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved) SELECT * FROM saved"
)
GET: Final[LiteralString] = f"SELECT {NAMES} FROM longterm.runs WHERE id = %s"
# What a standby does not have yet can be read on its primary, so nothing is confirmed by reading: a
# commit waits until the standby has it, and with it all that was written before.
CONFIRM: Final[LiteralString] = (
    f"UPDATE longterm.runs SET turn = turn WHERE id = %s RETURNING {NAMES}"
)
WRITE_SOMETHING: Final[LiteralString] = (
    "UPDATE longterm.migrations SET name = name WHERE version = 1 RETURNING version"
)
# Two databases that were made for themselves have another moment here.
IDENTITY: Final[LiteralString] = (
    "SELECT current_database()::text, min(applied_at), count(*) FROM longterm.migrations"
)
FAIL: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'failed', claimed_until = NULL, error = %s, updated_at = %s,"
    " slot = NULL, ended = 'failed', ended_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)
REWRITE: Final[LiteralString] = (
    "UPDATE longterm.runs SET error = %s, stack = %b, response = %b, result = %b, checksum = %s"
    " WHERE id = %s AND turn = %s AND state = %s"
    " AND created_at IS NOT DISTINCT FROM %s::timestamptz AND state <> 'running' RETURNING turn"
)
DELETE: Final[LiteralString] = (
    "WITH ended AS (DELETE FROM longterm.runs WHERE id = %s"
    " AND state NOT IN ('suspended', 'running') RETURNING id, turn),"
    " unsent AS (DELETE FROM longterm.outbox USING ended WHERE receiver = ended.id)"
    " SELECT turn FROM ended"
)
DELETE_ENDED: Final[LiteralString] = (
    "WITH ended AS MATERIALIZED (SELECT id FROM longterm.runs WHERE ended_at < %s"
    " LIMIT %s FOR UPDATE SKIP LOCKED),"
    # A message that begins one would begin it anew.
    " unsent AS (DELETE FROM longterm.outbox USING ended WHERE receiver = ended.id)"
    " DELETE FROM longterm.runs USING ended WHERE runs.id = ended.id RETURNING turn"
)
