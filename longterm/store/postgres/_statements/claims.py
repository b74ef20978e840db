"""The statements that give a turn of a run to somebody, and take it back."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store.postgres._statements.columns import AWAITS, NAMES

# A claim is as durable as a save. If it could be lost when the server crashes, its claimant would
# live on, and the next one would be given the same turn: only its number would tell the two apart.
# Each claim adds a row to those of the runs that are running.
NOTED: Final[LiteralString] = (
    "noted AS (INSERT INTO longterm.claims SELECT claimed.id,"
    " coalesce(claimed.claimed_until, 'infinity') FROM claimed) SELECT * FROM claimed"
)
UNSUSPEND: Final[LiteralString] = (
    "WITH claimed AS (UPDATE longterm.runs SET state = 'running', turn = turn + 1, slot = queue,"
    f" claim = %s WHERE id = %s AND {AWAITS} AND state = 'suspended' RETURNING {NAMES}), {NOTED}"
)
CLAIM: Final[LiteralString] = (
    "WITH claimed AS (UPDATE longterm.runs"
    " SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s, slot = queue,"
    " attempts = attempts + (state = 'running')::integer WHERE id = %s"
    f" AND {AWAITS}"
    " AND (state = 'suspended' OR state = 'running' AND claimed_until < %s)"
    f" RETURNING {NAMES}), {NOTED}"
)
CLAIM_FOR_KEY: Final[LiteralString] = CLAIM.replace(
    " RETURNING",
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s) RETURNING",
)
RENEW: Final[LiteralString] = (
    "WITH saved AS (UPDATE longterm.runs SET claimed_until = %s"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM coalesce(%s::bigint, claim)"
    " AND state = 'running' RETURNING turn), noted AS (UPDATE longterm.claims SET until = %s"
    " WHERE run = %s AND EXISTS (SELECT FROM saved)) SELECT * FROM saved"
)
REVIVE: Final[LiteralString] = (
    "WITH claimed AS (UPDATE longterm.runs"
    " SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s, slot = queue,"
    " ended = NULL, ended_at = NULL,"
    f" attempts = 0 WHERE id = %s AND state = 'failed' RETURNING {NAMES}), {NOTED}"
)
CLAIMED_UNTIL: Final[LiteralString] = (
    "SELECT run FROM longterm.claims WHERE until < %s ORDER BY until LIMIT %s"
)
STILL_CLAIMED: Final[LiteralString] = (
    f"SELECT {NAMES} FROM longterm.runs WHERE id = ANY (%s) AND state = 'running'"
    " AND claimed_until < %s"
)
# Whoever sees a row of a claim in one moment and not that the run is running sees what is over: the
# next claim adds a row of its own.
FORGET_CLAIMS: Final[LiteralString] = (
    "DELETE FROM longterm.claims WHERE run = ANY (%s) AND NOT EXISTS"
    " (SELECT FROM longterm.runs WHERE id = claims.run AND state = 'running') RETURNING run"
)
# Rows that somebody has in hand are skipped: another worker lets go of them, or their holder renews
# or saves.
RELEASE: Final[LiteralString] = (
    "WITH dead AS MATERIALIZED (SELECT runs.id, wanted.* FROM longterm.runs JOIN"
    " unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::text[],"
    " %s::bigint[]) AS wanted (attempts, state, error, updated_at, checksum, run, turn)"
    " ON runs.id = wanted.run AND runs.turn = wanted.turn"
    " WHERE runs.state = 'running' AND runs.claimed_until < %s FOR UPDATE OF runs SKIP LOCKED)"
    ", saved AS ("
    "UPDATE longterm.runs SET claimed_until = NULL, attempts = dead.attempts, state = dead.state,"
    " error = dead.error, updated_at = dead.updated_at, checksum = dead.checksum, slot = NULL,"
    " ended = nullif(dead.state, 'suspended'),"
    " ended_at = CASE WHEN dead.state <> 'suspended' THEN dead.updated_at END"
    " FROM dead WHERE runs.id = dead.id RETURNING runs.id), let_go AS ("
    "DELETE FROM longterm.claims USING saved WHERE run = saved.id) SELECT * FROM saved"
)
# Those that a claim of many took when its answer was lost.
CLAIMED: Final[LiteralString] = (
    f"SELECT {NAMES} FROM longterm.runs WHERE state = 'running' AND claim = %s"
)
