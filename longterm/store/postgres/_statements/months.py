"""The statements about runs that have ended and were moved to the table of their month.

No run is there unless the store keeps them so, and none goes back.
"""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store.postgres._statements import runs
from longterm.store.postgres._statements.columns import NAMES

GET: Final[LiteralString] = f"SELECT {NAMES} FROM longterm.ended_runs WHERE id = %s"
CONFIRM: Final[LiteralString] = (
    f"UPDATE longterm.ended_runs SET turn = turn WHERE id = %s RETURNING {NAMES}"
)
REWRITE: Final[LiteralString] = runs.REWRITE.replace("longterm.runs", "longterm.ended_runs")
DELETE: Final[LiteralString] = runs.DELETE.replace("longterm.runs", "longterm.ended_runs")

MOVE: Final[LiteralString] = "SELECT longterm.move_ended(%s)"
MONTHS_BEFORE: Final[LiteralString] = "SELECT longterm.months_before(%s)"
# What belongs to the runs of a month, some at a time, in the order of their ids.
EMPTY: Final[LiteralString] = (
    "WITH those AS MATERIALIZED (SELECT id FROM longterm.ended_runs"
    " WHERE ended_at >= %s AND ended_at < %s AND id > %s ORDER BY id LIMIT %s),"
    " keys AS (DELETE FROM longterm.deliveries USING those WHERE run = those.id),"
    " events AS (DELETE FROM longterm.inbox USING those WHERE run = those.id),"
    " notes AS (DELETE FROM longterm.progress USING those WHERE run = those.id),"
    " entries AS (DELETE FROM longterm.history USING those WHERE run = those.id),"
    # A message that begins one would begin it anew.
    " unsent AS (DELETE FROM longterm.outbox USING those WHERE receiver = those.id)"
    " SELECT count(*), max(id) FROM those"
)
DROP: Final[LiteralString] = "SELECT longterm.drop_month(%s, %s)"
DELETE_REST: Final[LiteralString] = (
    "WITH ended AS MATERIALIZED (SELECT id, ended_at FROM longterm.ended_runs WHERE ended_at < %s"
    " LIMIT %s FOR UPDATE SKIP LOCKED),"
    " unsent AS (DELETE FROM longterm.outbox USING ended WHERE receiver = ended.id)"
    " DELETE FROM longterm.ended_runs AS old USING ended"
    " WHERE old.id = ended.id AND old.ended_at = ended.ended_at RETURNING turn"
)
