"""The statements of a distributed Postgres: a plain read of candidates, then a write for each.

Each write is of one row by its key, with what stands beside it, and says under which condition.
"""

from __future__ import annotations

from functools import cache
from typing import Final, LiteralString

from longterm.store.postgres._statements.claims import NOTED
from longterm.store.postgres._statements.columns import NAMES
from longterm.store.postgres._statements.due import ABLE_OF_ANY, DUE_OF_ANY

_THOSE: Final[LiteralString] = "SELECT id, turn FROM "


def due(those: LiteralString) -> LiteralString:
    """Return the statement that reads which runs are due."""
    found = DUE_OF_ANY.replace("SELECT id FROM ", _THOSE)
    return f"{found}{those} ORDER BY deadline, id LIMIT %s"


def able(those: LiteralString) -> LiteralString:
    """Return the statement that reads which runs can go on by an unread event."""
    found = ABLE_OF_ANY.replace("SELECT id FROM ", _THOSE)
    return f"{found}{those} ORDER BY able_since, id LIMIT %s"


# A run that is suspended in the same turn waits as it was found waiting.
CLAIM_AS_FOUND: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, slot = queue, claim = %s,"
    " claimed_until = %s WHERE id = %s AND turn = %s AND state = 'suspended'"
    f" RETURNING {NAMES}"
)
RENEW: Final[LiteralString] = (
    "UPDATE longterm.runs SET claimed_until = %s"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM coalesce(%s::bigint, claim)"
    " AND state = 'running' RETURNING turn"
)
CLAIMED_UNTIL: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE state = 'running' AND claimed_until < %s"
    " ORDER BY claimed_until LIMIT %s"
)
RELEASE: Final[LiteralString] = (
    "UPDATE longterm.runs SET claimed_until = NULL, attempts = %s, state = %s, error = %s,"
    " updated_at = %s, checksum = %s, slot = NULL, ended = %s, ended_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' AND claimed_until < %s RETURNING id"
)


@cache
def without_note(claim: LiteralString) -> LiteralString:
    """Return the statement of a claim that adds no row to those of the runs that are running.

    An index says which they are: Citus would take a step that also adds a row as two.
    """
    return claim.removeprefix("WITH claimed AS (").removesuffix(f"), {NOTED}")


# What triggers do elsewhere.
LOST_FACTS: Final[LiteralString] = (
    "lost AS (DELETE FROM longterm.facts USING saved WHERE run = %s AND fact <> ALL (%s::text[]))"
)
FACTS: Final[LiteralString] = (
    "won AS (INSERT INTO longterm.facts (fact, run) SELECT unnest(%s::text[]), %s FROM saved"
    " ON CONFLICT DO NOTHING)"
)
DELETE: Final[LiteralString] = (
    "WITH ended AS (DELETE FROM longterm.runs WHERE id = %s"
    " AND state NOT IN ('suspended', 'running') RETURNING turn),"
    " no_facts AS (DELETE FROM longterm.facts USING ended WHERE run = %s),"
    " no_deliveries AS (DELETE FROM longterm.deliveries USING ended WHERE run = %s),"
    " no_inbox AS (DELETE FROM longterm.inbox USING ended WHERE run = %s),"
    " no_progress AS (DELETE FROM longterm.progress USING ended WHERE run = %s),"
    " no_history AS (DELETE FROM longterm.history USING ended WHERE run = %s)"
    " SELECT turn FROM ended"
)
DELETE_BEFORE: Final[LiteralString] = DELETE.replace(
    " RETURNING turn", " AND ended_at < %s RETURNING turn"
)
IS_ENDED: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE id = %s AND state NOT IN ('suspended', 'running')"
)
ENDED_BEFORE: Final[LiteralString] = "SELECT id FROM longterm.runs WHERE ended_at < %s LIMIT %s"

STATES: Final[LiteralString] = (
    "SELECT flow, state, count(*) FROM longterm.runs GROUP BY 1, 2 ORDER BY 1, 2"
)

DUE_MESSAGES: Final[LiteralString] = (
    "SELECT id, sender, due_at FROM longterm.outbox WHERE due_at <= %s"
    " ORDER BY due_at, sender, number LIMIT %s"
)
CLAIM_MESSAGE: Final[LiteralString] = (
    "UPDATE longterm.outbox SET due_at = %s WHERE sender = %s AND id = %s AND due_at = %s"
    " RETURNING id, sender, number, receiver, kind, name, body, key, digest, sent_at,"
    " %s::timestamptz, checksum, traceparent"
)
SENDER: Final[LiteralString] = "SELECT sender FROM longterm.outbox WHERE id = %s"
PUT_OFF: Final[LiteralString] = (
    "UPDATE longterm.outbox SET due_at = %s WHERE sender = %s AND id = %s RETURNING id"
)
FORGET_MESSAGE: Final[LiteralString] = (
    "DELETE FROM longterm.outbox WHERE sender = %s AND id = %s RETURNING id"
)
SENT_TO: Final[LiteralString] = (
    "SELECT sender, id FROM longterm.outbox WHERE receiver = ANY (%s) AND kind = ANY (%s)"
)

_IS_OLD_KEY: Final[LiteralString] = (
    "taken_at < %s AND NOT EXISTS (SELECT FROM longterm.inbox WHERE inbox.run = kept.run"
    " AND inbox.key = kept.key AND NOT (refused IS NOT NULL AND sent_at < %s))"
)
RUNS_WITH_OLD_KEYS: Final[LiteralString] = (
    f"SELECT DISTINCT run FROM longterm.deliveries AS kept WHERE {_IS_OLD_KEY}"
)
RUNS_WITH_OLD_REFUSALS: Final[LiteralString] = (
    "SELECT DISTINCT run FROM longterm.inbox WHERE refused IS NOT NULL AND sent_at < %s"
)
FORGET_KEYS: Final[LiteralString] = (
    "WITH gone AS"
    " (DELETE FROM longterm.inbox WHERE run = %s AND refused IS NOT NULL AND sent_at < %s)"
    f" DELETE FROM longterm.deliveries AS kept WHERE run = %s AND {_IS_OLD_KEY} RETURNING true"
)
OLD_ENTRIES: Final[LiteralString] = (
    "SELECT run, turn, number FROM longterm.history WHERE saved_at < %s ORDER BY saved_at LIMIT %s"
)
FORGET_ENTRIES: Final[LiteralString] = (
    "DELETE FROM longterm.history WHERE run = %s AND saved_at < %s AND (turn, number) IN"
    " (SELECT * FROM unnest(%s::bigint[], %s::bigint[])) RETURNING turn"
)
