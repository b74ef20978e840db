"""The statements of the Postgres store: each is one step, and says all that it needs.

Those of a turn touch one row, by its key.
"""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store._rows import BYTES, CHANGING, COLUMNS

_NAMES: Final[LiteralString] = ", ".join(COLUMNS)
_QUALIFIED: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
_VALUES: Final[tuple[LiteralString, ...]] = tuple("%b" if c in BYTES else "%s" for c in COLUMNS)
_CHANGES: Final[LiteralString] = ", ".join(
    [name + " = " + ("%b" if name in BYTES else "%s") for name in CHANGING]
)

# Workers look at least every five minutes; of what is due later they need not be told. A run that
# is let go of keeps the time of its last save, so for this hint the server's own time counts too.
_WAKE_WORKERS: Final[LiteralString] = (
    "CASE WHEN state = 'suspended' AND"
    " deadline < greatest(updated_at, now()) + interval '5 minutes'"
    " THEN pg_notify('longterm', extract(epoch FROM deadline)::text) END"
)
CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({_NAMES}) VALUES ({', '.join(_VALUES)})"
    f" ON CONFLICT (id) DO NOTHING RETURNING turn, {_WAKE_WORKERS}"
)
GET: Final[LiteralString] = f"SELECT {_NAMES} FROM longterm.runs WHERE id = %s"
# Of a run that waits for several events, their names are lines of one text.
_AWAITS: Final[LiteralString] = (
    "strpos(E'\\n' || waiting_for || E'\\n', E'\\n' || %s || E'\\n') > 0"
)
# What a standby does not have yet can be read on its primary, so nothing is confirmed by reading: a
# commit waits until the standby has it, and with it all that was written before.
CONFIRM: Final[LiteralString] = (
    f"UPDATE longterm.runs SET turn = turn WHERE id = %s RETURNING {_NAMES}"
)
WRITE_SOMETHING: Final[LiteralString] = (
    "UPDATE longterm.migrations SET name = name WHERE version = 1 RETURNING version"
)
# A claim is as durable as a save. If it could be lost when the server crashes, its claimant would
# live on, and the next one would be given the same turn: only its number would tell the two apart.
UNSUSPEND: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claim = %s"
    f" WHERE id = %s AND {_AWAITS} AND state = 'suspended' RETURNING {_NAMES}"
)
SAVE: Final[LiteralString] = (
    f"UPDATE longterm.runs SET {_CHANGES}"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM %s AND state = 'running'"
    f" RETURNING turn, {_WAKE_WORKERS}"
)
CLAIM: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s,"
    " attempts = attempts + (state = 'running')::integer WHERE id = %s"
    f" AND {_AWAITS}"
    " AND (state = 'suspended' OR state = 'running' AND claimed_until < %s)"
    f" RETURNING {_NAMES}"
)
CLAIM_FOR_KEY: Final[LiteralString] = CLAIM.replace(
    " RETURNING",
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s) RETURNING",
)
SAVE_WITH_KEY: Final[LiteralString] = (
    f"WITH saved AS ({SAVE}), kept AS ("
    "INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved ON CONFLICT DO NOTHING) SELECT * FROM saved"
)
DIGEST: Final[LiteralString] = "SELECT digest FROM longterm.deliveries WHERE run = %s AND key = %s"
FORGET_KEYS: Final[LiteralString] = (
    "DELETE FROM longterm.deliveries WHERE taken_at < %s RETURNING true"
)
RENEW: Final[LiteralString] = (
    "UPDATE longterm.runs SET claimed_until = %s"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM coalesce(%s::bigint, claim)"
    " AND state = 'running' RETURNING turn"
)
REVIVE: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s,"
    f" attempts = 0 WHERE id = %s AND state = 'failed' RETURNING {_NAMES}"
)
STALE: Final[LiteralString] = (
    f"SELECT {_NAMES} FROM longterm.runs WHERE state = 'running' AND claimed_until < %s LIMIT %s"
)
# Rows that somebody has in hand are skipped: another worker lets go of them, or their holder renews
# or saves.
RELEASE: Final[LiteralString] = (
    "WITH dead AS MATERIALIZED (SELECT runs.id, wanted.* FROM longterm.runs JOIN"
    " unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::text[],"
    " %s::bigint[]) AS wanted (attempts, state, error, updated_at, checksum, run, turn)"
    " ON runs.id = wanted.run AND runs.turn = wanted.turn"
    " WHERE runs.state = 'running' AND runs.claimed_until < %s FOR UPDATE OF runs SKIP LOCKED)"
    " UPDATE longterm.runs SET claimed_until = NULL, attempts = dead.attempts, state = dead.state,"
    " error = dead.error, updated_at = dead.updated_at, checksum = dead.checksum"
    " FROM dead WHERE runs.id = dead.id RETURNING runs.id"
)
FAIL: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'failed', claimed_until = NULL, error = %s, updated_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)
# The index gives the order; a due run of another flow costs a look at its row (0.3 microseconds).
_DUE_OF_ANY: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE state = 'suspended' AND deadline <= %s"
)
_DUE_OF_FLOWS: Final[LiteralString] = f"{_DUE_OF_ANY} AND flow = ANY (%s)"
_LOCK_DUE: Final[LiteralString] = "ORDER BY deadline, id LIMIT %s FOR UPDATE SKIP LOCKED"
_CLAIM_FOUND: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s"
    f" FROM due WHERE runs.id = due.id RETURNING {_QUALIFIED}"
)
CLAIM_DUE_OF_ANY: Final[LiteralString] = (
    f"WITH due AS MATERIALIZED ({_DUE_OF_ANY} {_LOCK_DUE}) {_CLAIM_FOUND}"
)
CLAIM_DUE_OF_FLOWS: Final[LiteralString] = (
    f"WITH due AS MATERIALIZED ({_DUE_OF_FLOWS} {_LOCK_DUE}) {_CLAIM_FOUND}"
)
NEXT_DEADLINE: Final[LiteralString] = (
    "SELECT min(deadline), clock_timestamp() FROM longterm.runs"
    " WHERE state = 'suspended' AND deadline > %s"
)

CLOCK: Final[LiteralString] = "SELECT clock_timestamp()"

DELETE_ENDED: Final[LiteralString] = (
    "WITH ended AS MATERIALIZED (SELECT id FROM longterm.runs"
    " WHERE state NOT IN ('suspended', 'running') AND updated_at < %s"
    " LIMIT %s FOR UPDATE SKIP LOCKED)"
    " DELETE FROM longterm.runs USING ended WHERE runs.id = ended.id RETURNING turn"
)
DELETE: Final[LiteralString] = (
    "DELETE FROM longterm.runs WHERE id = %s AND state NOT IN ('suspended', 'running')"
    " RETURNING turn"
)
REWRITE: Final[LiteralString] = (
    "UPDATE longterm.runs SET error = %s, stack = %b, response = %b, result = %b, checksum = %s"
    " WHERE id = %s AND turn = %s AND state = %s"
    " AND created_at IS NOT DISTINCT FROM %s::timestamptz AND state <> 'running' RETURNING turn"
)
