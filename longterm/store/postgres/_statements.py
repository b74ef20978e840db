"""The statements of the Postgres store: each is one step, and says all that it needs.

Those of a turn touch one row, by its key.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final, LiteralString

from longterm.store._event_rows import COLUMNS as EVENT_COLUMNS
from longterm.store._event_rows import READ as READ_EVENT_COLUMNS
from longterm.store._history_rows import COLUMNS as HISTORY_COLUMNS
from longterm.store._history_rows import LISTED, REWRITTEN
from longterm.store._message_rows import COLUMNS as MESSAGE_COLUMNS
from longterm.store._rows import BYTES, CHANGING, COLUMNS

_NAMES: Final[LiteralString] = ", ".join(COLUMNS)
_EVENT_NAMES: Final[LiteralString] = ", ".join(EVENT_COLUMNS)
_MESSAGE_NAMES: Final[LiteralString] = ", ".join(MESSAGE_COLUMNS)
_HISTORY_NAMES: Final[LiteralString] = ", ".join(HISTORY_COLUMNS)
_QUALIFIED: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
_VALUES: Final[tuple[LiteralString, ...]] = tuple("%b" if c in BYTES else "%s" for c in COLUMNS)
_CHANGES: Final[LiteralString] = ", ".join(
    [name + " = " + ("%b" if name in BYTES else "%s") for name in CHANGING]
)

_HAS_NEXT: Final[LiteralString] = (
    "string_to_array(unread, E'\n')"
    " && string_to_array("
    "waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n')"
)
_MAY_TAKE: Final[LiteralString] = (
    "%s = ANY (string_to_array("
    "waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n'))"
)
CAN_GO_ON: Final[LiteralString] = (
    f"unread <> '' AND state = 'suspended' AND (error IS NULL OR deadline IS NULL) AND {_HAS_NEXT}"
)
# Of a run that goes on at once, workers are told; see `_waker`.
_IS_READY: Final[LiteralString] = (
    f"({CAN_GO_ON} OR state = 'suspended' AND queued_at IS NOT NULL) AS is_ready"
)
CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({_NAMES}, slot, ended, ended_at)"
    f" VALUES ({', '.join(_VALUES)}, %s, %s, %s)"
    f" ON CONFLICT (id) DO NOTHING RETURNING turn, {_IS_READY}"
)
CREATE_WITH_KEY: Final[LiteralString] = (
    f"WITH saved AS ({CREATE}), kept AS ("
    "INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved) SELECT * FROM saved"
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
# Each claim adds a row to those of the runs that are running.
_NOTED: Final[LiteralString] = (
    "noted AS (INSERT INTO longterm.claims SELECT claimed.id,"
    " coalesce(claimed.claimed_until, 'infinity') FROM claimed) SELECT * FROM claimed"
)
UNSUSPEND: Final[LiteralString] = (
    "WITH claimed AS (UPDATE longterm.runs SET state = 'running', turn = turn + 1, slot = queue,"
    f" claim = %s WHERE id = %s AND {_AWAITS} AND state = 'suspended' RETURNING {_NAMES}), {_NOTED}"
)
SAVE: Final[LiteralString] = (
    f"UPDATE longterm.runs SET {_CHANGES}"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM %s AND state = 'running'"
    f" RETURNING unread, {_IS_READY}"
)
CLAIM: Final[LiteralString] = (
    "WITH claimed AS (UPDATE longterm.runs"
    " SET state = 'running', turn = turn + 1, claim = %s, claimed_until = %s, slot = queue,"
    " attempts = attempts + (state = 'running')::integer WHERE id = %s"
    f" AND {_AWAITS}"
    " AND (state = 'suspended' OR state = 'running' AND claimed_until < %s)"
    f" RETURNING {_NAMES}), {_NOTED}"
)
CLAIM_FOR_KEY: Final[LiteralString] = CLAIM.replace(
    " RETURNING",
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s) RETURNING",
)
# One that keeps a key is taken only while the inbox is as its claimant has seen it: this very
# delivery may have been posted since. What another table has at that moment no statement sees that
# has waited for the row.
_AS_SEEN: Final[LiteralString] = "state = 'running' AND unread = %s"
_SAVE_AS_SEEN: Final[LiteralString] = SAVE.replace("state = 'running'", _AS_SEEN)
SAVE_WITH_KEY: Final[LiteralString] = (
    f"WITH saved AS ({_SAVE_AS_SEEN}), kept AS ("
    "INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved"
    " ON CONFLICT (run, key) DO UPDATE SET taken_at = excluded.taken_at) SELECT * FROM saved"
)
DIGEST: Final[LiteralString] = "SELECT digest FROM longterm.deliveries WHERE run = %s AND key = %s"
# One statement sees no row as another part of it leaves that: so what is refused counts as gone.
FORGET_KEYS: Final[LiteralString] = (
    "WITH gone AS (DELETE FROM longterm.inbox WHERE refused IS NOT NULL AND sent_at < %s)"
    " DELETE FROM longterm.deliveries AS kept WHERE taken_at < %s AND NOT EXISTS"
    " (SELECT FROM longterm.inbox WHERE inbox.run = kept.run AND inbox.key = kept.key"
    " AND NOT (refused IS NOT NULL AND sent_at < %s))"
    " RETURNING true"
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
    f" attempts = 0 WHERE id = %s AND state = 'failed' RETURNING {_NAMES}), {_NOTED}"
)
CLAIMED_UNTIL: Final[LiteralString] = (
    "SELECT run FROM longterm.claims WHERE until < %s ORDER BY until LIMIT %s"
)
STILL_CLAIMED: Final[LiteralString] = (
    f"SELECT {_NAMES} FROM longterm.runs WHERE id = ANY (%s) AND state = 'running'"
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
FAIL: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'failed', claimed_until = NULL, error = %s, updated_at = %s,"
    " slot = NULL, ended = 'failed', ended_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)

POST: Final[LiteralString] = (
    "WITH noted AS ("
    "UPDATE longterm.runs SET unread = unread || %s || E'\n', posted = posted + 1,"
    f" able_since = CASE WHEN state = 'running' OR state = 'suspended' AND {_MAY_TAKE}"
    " THEN coalesce(updated_at, '-infinity') ELSE able_since END"
    " WHERE id = %s AND state NOT IN ('complete', 'cancelled')"
    " AND length(unread) - length(replace(unread, E'\n', '')) < %s"
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s)"
    f" RETURNING posted, id, {_IS_READY}),"
    f" put AS (INSERT INTO longterm.inbox ({_EVENT_NAMES})"
    " SELECT id, posted, %s, %b, %s, %s, %s, %s, %s, %s FROM noted),"
    # Of two that come at once with one key, the second is undone here, and looks again.
    " kept AS (INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT id, %s, %s, %s FROM noted)"
    " SELECT * FROM noted"
)
POST_AT: Final[LiteralString] = POST.replace(
    " RETURNING posted",
    f" AND state = 'suspended' AND saved_turn = %s AND NOT ({_HAS_NEXT}) RETURNING posted",
)
_UNREAD: Final[LiteralString] = (
    f"SELECT {', '.join(READ_EVENT_COLUMNS)} FROM longterm.inbox"
    " WHERE run = %s AND number > %s AND refused IS NULL"
)
REFUSED: Final[LiteralString] = (
    f"{_UNREAD.replace(' IS NULL', ' IS NOT NULL')} ORDER BY number LIMIT %s"
)
FORGET_REFUSED: Final[LiteralString] = (
    "DELETE FROM longterm.inbox WHERE run = %s AND number = %s AND refused IS NOT NULL"
    " RETURNING number"
)
UNREAD_OF_ANY: Final[LiteralString] = f"{_UNREAD} ORDER BY number LIMIT %s"
UNREAD_NAMED: Final[LiteralString] = f"{_UNREAD} AND event = ANY (%s) ORDER BY number LIMIT %s"
# In the middle of a turn it gives the claim another number, so that it is not done twice if its
# answer is lost: it would take out the name of an event that has come in between.
SAVE_READ: Final[LiteralString] = (
    "WITH saved AS ("
    + SAVE.replace("SET ", "SET unread = %s || substr(unread, %s), claim = %s, ", 1)
    + "), gone AS (DELETE FROM longterm.inbox USING saved WHERE run = %s AND number = ANY (%s))"
    " SELECT * FROM saved"
)
_SAVE_READ_AS_SEEN: Final[LiteralString] = SAVE_READ.replace("state = 'running'", _AS_SEEN)
SAVE_READ_WITH_KEY: Final[LiteralString] = _SAVE_READ_AS_SEEN.replace(
    " SELECT * FROM saved",
    ", kept AS (INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved"
    " ON CONFLICT (run, key) DO UPDATE SET taken_at = excluded.taken_at) SELECT * FROM saved",
)
SAVE_AND_KEEP: Final[LiteralString] = _SAVE_READ_AS_SEEN.replace(
    " SELECT * FROM saved",
    f", put AS (INSERT INTO longterm.inbox ({_EVENT_NAMES}) SELECT %s,"
    " (SELECT least(1, min(number)) - 1 FROM longterm.inbox WHERE run = %s),"
    " %s, %b, %s, %s, %s, %s, %s, %s FROM saved),"
    " kept AS (INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved ON CONFLICT DO NOTHING) SELECT * FROM saved",
)
_KEPT_AS_REFUSED: Final[LiteralString] = (
    "refusals AS (UPDATE longterm.inbox SET refused = wanted.refused, checksum = wanted.checksum"
    " FROM saved, unnest(%s::bigint[], %s::text[], %s::bigint[])"
    " AS wanted (number, refused, checksum)"
    " WHERE run = %s AND inbox.number = wanted.number)"
)
_SENT: Final[LiteralString] = (
    f"sent AS (INSERT INTO longterm.outbox ({_MESSAGE_NAMES})"
    " SELECT message.* FROM saved, unnest(%s::text[], %s::text[], %s::bigint[], %s::text[],"
    " %s::text[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::timestamptz[],"
    f" %s::timestamptz[], %s::bigint[], %s::text[]) AS message ({_MESSAGE_NAMES})"
    # Of a save in the middle of a turn whose answer was lost, and which is taken again.
    " ON CONFLICT (id) DO NOTHING)"
)
_RECORDED: Final[LiteralString] = (
    f"recorded AS (INSERT INTO longterm.history ({_HISTORY_NAMES}) SELECT entry.* FROM saved,"
    " unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::text[],"
    " %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::bytea[], %s::text[],"
    " %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bytea[])"
    f" AS entry ({_HISTORY_NAMES})"
    " ON CONFLICT (run, turn, number) DO UPDATE SET "
    + ", ".join([name + " = excluded." + name for name in HISTORY_COLUMNS[3:]])
    + ")"
)
_CLAIMED: Final[LiteralString] = (
    "noted AS (INSERT INTO longterm.claims"
    " SELECT %s, coalesce(%s::timestamptz, 'infinity') FROM saved)"
)
# A row that was posted to since its claimant has seen it may be able to go on; whoever looks for
# such runs looks at it once more.
_ABLE: Final[LiteralString] = (
    "SET able_since = CASE WHEN unread = %s THEN %s::timestamptz"
    " ELSE coalesce(%s::timestamptz, '-infinity') END, "
)
_LET_GO: Final[LiteralString] = (
    "let_go AS (DELETE FROM longterm.claims WHERE run = %s AND EXISTS (SELECT FROM saved))"
)


@cache
def _and_also(step: LiteralString, more: LiteralString) -> LiteralString:
    """Return a statement that takes a step, which `more` calls saved, and in the same step more."""
    if not step.startswith("WITH "):
        return f"WITH saved AS ({step}), {more} SELECT * FROM saved"
    return f"{step.removesuffix(' SELECT * FROM saved')}, {more} SELECT * FROM saved"


def recording(save: LiteralString) -> LiteralString:
    """Return a statement that saves or creates a run, and what that adds to its history."""
    return _and_also(save, _RECORDED)


def sending(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run, and in the same step what its turn sends."""
    return _and_also(save, _SENT)


def refusing(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run which has read, and keeps what its turn has refused."""
    return _and_also(save, _KEPT_AS_REFUSED)


def claiming(create: LiteralString) -> LiteralString:
    """Return a statement that creates a run which is claimed at once."""
    return _and_also(create, _CLAIMED)


@cache
def letting_go(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run and ends the claim on it."""
    return _and_also(save.replace("SET ", "SET slot = NULL, ", 1), _LET_GO)


@cache
def going_on(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run in its turn; its slot goes before other parameters."""
    return save.replace("SET ", "SET slot = %s, ", 1)


@cache
def ending(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run which has ended; its two parameters go before others."""
    return save.replace("SET ", "SET ended = %s, ended_at = %s, ", 1)


@cache
def enabling(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run with unread events; its parameters go before others."""
    return save.replace("SET ", _ABLE, 1)


CLAIM_OUTGOING: Final[LiteralString] = (
    "WITH due AS MATERIALIZED (SELECT id, due_at AS was FROM longterm.outbox WHERE due_at <= %s"
    " ORDER BY due_at, sender, number LIMIT %s FOR UPDATE SKIP LOCKED)"
    " UPDATE longterm.outbox SET due_at = %s FROM due WHERE outbox.id = due.id"
    " RETURNING outbox.id, sender, number, receiver, kind, name, body, key, digest, sent_at,"
    " due.was, checksum, traceparent"
)
PUT_OFF: Final[LiteralString] = "UPDATE longterm.outbox SET due_at = %s WHERE id = %s RETURNING id"
FORGET_OUTGOING: Final[LiteralString] = "DELETE FROM longterm.outbox WHERE id = %s RETURNING id"
REWRITE_UNREAD: Final[LiteralString] = (
    "UPDATE longterm.inbox SET value = %b, refused = %s, checksum = %s"
    " WHERE run = %s AND number = %s AND (refused IS NULL) = %s RETURNING number"
)
# Those that a claim of many took when its answer was lost.
CLAIMED: Final[LiteralString] = (
    f"SELECT {_NAMES} FROM longterm.runs WHERE state = 'running' AND claim = %s"
)
_ABLE_OF_ANY: Final[LiteralString] = (
    f"SELECT id FROM longterm.runs WHERE able_since IS NOT NULL AND {CAN_GO_ON}"
)
# The index gives the order; a due run of another flow costs a look at its row (0.3 microseconds).
_DUE_OF_ANY: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE state = 'suspended' AND ended IS NULL AND deadline <= %s"
    " AND queue IS NULL"
)
_OF_FLOWS: Final[LiteralString] = " AND flow = ANY (%s)"
_NOT_AT: Final[LiteralString] = " AND (position IS NULL OR position <> ALL (%s))"
_LOCK_DUE: Final[LiteralString] = "ORDER BY deadline, id LIMIT %s FOR UPDATE SKIP LOCKED"
_CLAIM_FOUND: Final[LiteralString] = (
    "claimed AS (UPDATE longterm.runs"
    " SET state = 'running', turn = turn + 1, slot = queue, claim = %s, claimed_until = %s"
    f" FROM due WHERE runs.id = due.id RETURNING {_QUALIFIED}), {_NOTED}"
)
_LOCK_ABLE: Final[LiteralString] = "ORDER BY able_since, id LIMIT %s FOR UPDATE SKIP LOCKED"


def claim_unread(those: LiteralString) -> LiteralString:
    """Return the statement that claims runs which can go on by an unread event."""
    return f"WITH due AS MATERIALIZED ({_ABLE_OF_ANY}{those} {_LOCK_ABLE}), {_CLAIM_FOUND}"


def claim_due(those: LiteralString) -> LiteralString:
    """Return the statement that claims runs which are due."""
    return f"WITH due AS MATERIALIZED ({_DUE_OF_ANY}{those} {_LOCK_DUE}), {_CLAIM_FOUND}"


def those_to_claim(
    flows: Collection[str] | None, without: Collection[str]
) -> tuple[LiteralString, list[list[str]]]:
    """Return what a claim says of flows and of positions that it leaves out, and its parameters."""
    those: LiteralString = ""
    parameters: list[list[str]] = []
    if flows is not None:
        those += _OF_FLOWS
        parameters.append(list(flows))
    if without:
        those += _NOT_AT
        parameters.append(list(without))
    return those, parameters


CLAIM_QUEUED: Final[LiteralString] = (
    f"SELECT * FROM (SELECT {_NAMES}"
    " FROM longterm.claim_queued(%s, %s, %s, %s::text[], %s::text[], %s::text[], %s))"
    " AS claimed"
)
QUEUE_NAMES: Final[LiteralString] = "name, concurrency, per_partition, rate, rate_seconds"
# What it was is read in the same step; of two that declare a new queue at once, both see none.
DECLARE_QUEUE: Final[LiteralString] = (
    f"WITH known AS (SELECT {QUEUE_NAMES} FROM longterm.queues WHERE name = %s),"
    f" declared AS (INSERT INTO longterm.queues ({QUEUE_NAMES}) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency,"
    " per_partition = excluded.per_partition, rate = excluded.rate,"
    " rate_seconds = excluded.rate_seconds RETURNING name)"
    " SELECT * FROM (SELECT known.* FROM declared LEFT JOIN known USING (name)) AS before"
)
DECLARED_QUEUE: Final[LiteralString] = f"SELECT {QUEUE_NAMES} FROM longterm.queues WHERE name = %s"
QUEUE_STATUSES: Final[LiteralString] = (
    f"SELECT {QUEUE_NAMES}, coalesce(waiting, 0), coalesce(running, 0), oldest"
    " FROM longterm.queues LEFT JOIN (SELECT queue AS name, count(*) AS waiting,"
    " min(coalesce(queued_at, deadline)) AS oldest FROM longterm.runs WHERE state = 'suspended'"
    " AND queue IS NOT NULL AND (queued_at IS NOT NULL OR deadline <= %s) GROUP BY queue) AS those"
    " USING (name) LEFT JOIN (SELECT slot AS name, count(*) AS running FROM longterm.runs"
    " WHERE slot IS NOT NULL GROUP BY slot) AS held USING (name)"
    " ORDER BY name"
)
NEXT_DEADLINE: Final[LiteralString] = (
    "SELECT min(deadline), clock_timestamp() FROM longterm.runs"
    " WHERE state = 'suspended' AND ended IS NULL AND deadline > %s"
)

NOTIFY: Final[LiteralString] = "SELECT pg_notify('longterm', %s)"
# A hint may be lost, so its commit waits for no disk and no standby.
HINT: Final[LiteralString] = f"{NOTIFY}, set_config('synchronous_commit', 'off', true)"

# Two databases that were made for themselves have another moment here.
IDENTITY: Final[LiteralString] = (
    "SELECT current_database()::text, min(applied_at), count(*) FROM longterm.migrations"
)
CLOCK: Final[LiteralString] = "SELECT clock_timestamp()"

NOTE_PROGRESS: Final[LiteralString] = (
    "INSERT INTO longterm.progress (run, turn, note) SELECT id, turn, %s FROM longterm.runs"
    " WHERE id = %s AND turn = %s AND state = 'running'"
    " ON CONFLICT (run) DO UPDATE SET turn = excluded.turn, note = excluded.note RETURNING turn"
)
PROGRESS: Final[LiteralString] = (
    "SELECT note FROM longterm.progress JOIN longterm.runs"
    " ON runs.id = progress.run AND runs.turn = progress.turn"
    " WHERE runs.id = %s AND state = 'running'"
)
ENTRIES: Final[LiteralString] = (
    f"SELECT {', '.join(LISTED)} FROM longterm.history WHERE run = %s"
    " AND (turn, number) > (%s, %s) ORDER BY turn, number LIMIT %s"
)
ENTRY: Final[LiteralString] = (
    f"SELECT {_HISTORY_NAMES} FROM longterm.history WHERE run = %s AND turn = %s AND number = %s"
)
ENTRY_AT: Final[LiteralString] = (
    f"SELECT {_HISTORY_NAMES} FROM longterm.history WHERE run = %s AND revision = %s"
    " AND stack_checksum IS NOT NULL ORDER BY turn, number LIMIT 1"
)
REWRITE_ENTRY: Final[LiteralString] = (
    "UPDATE longterm.history SET "
    + ", ".join(
        [
            name + " = " + ("%b" if name in ("value", "response", "stack") else "%s")
            for name in REWRITTEN
        ]
    )
    + " WHERE run = %s AND turn = %s AND number = %s AND checksum = %s"
    " AND stack_checksum IS NOT DISTINCT FROM %s RETURNING turn"
)
KEEP_VERSION: Final[LiteralString] = (
    "INSERT INTO longterm.versions (version, source) VALUES (%s, %s)"
    " ON CONFLICT (version) DO NOTHING RETURNING version"
)
FIND_VERSION: Final[LiteralString] = "SELECT source FROM longterm.versions WHERE version = %s"
FIND_VERSIONS: Final[LiteralString] = (
    "SELECT version FROM longterm.versions WHERE starts_with(version, %s) ORDER BY version"
)
REWRITE_VERSION: Final[LiteralString] = (
    "UPDATE longterm.versions SET source = %s WHERE version = %s RETURNING version"
)
FORGET_ENTRIES: Final[LiteralString] = (
    "DELETE FROM longterm.history WHERE (run, turn, number) IN (SELECT run, turn, number"
    " FROM longterm.history WHERE saved_at < %s ORDER BY saved_at LIMIT %s FOR UPDATE SKIP LOCKED)"
    " RETURNING turn"
)
POSITIONS: Final[LiteralString] = (
    "SELECT flow, position, waiting_for IS NOT DISTINCT FROM %s, count(*), min(id)"
    " FROM longterm.runs WHERE state NOT IN ('complete', 'cancelled')"
    " GROUP BY 1, 2, 3 ORDER BY flow, coalesce(position, ''), 3"
)
STATES: Final[LiteralString] = (
    "SELECT flow, state, count(*) FROM longterm.runs GROUP BY 1, 2 ORDER BY 1, 2"
)
DELETE_ENDED: Final[LiteralString] = (
    "WITH ended AS MATERIALIZED (SELECT id FROM longterm.runs WHERE ended_at < %s"
    " LIMIT %s FOR UPDATE SKIP LOCKED),"
    # A message that begins one would begin it anew.
    " unsent AS (DELETE FROM longterm.outbox USING ended WHERE receiver = ended.id)"
    " DELETE FROM longterm.runs USING ended WHERE runs.id = ended.id RETURNING turn"
)
DELETE: Final[LiteralString] = (
    "WITH ended AS (DELETE FROM longterm.runs WHERE id = %s"
    " AND state NOT IN ('suspended', 'running') RETURNING id, turn),"
    " unsent AS (DELETE FROM longterm.outbox USING ended WHERE receiver = ended.id)"
    " SELECT turn FROM ended"
)
REWRITE: Final[LiteralString] = (
    "UPDATE longterm.runs SET error = %s, stack = %b, response = %b, result = %b, checksum = %s"
    " WHERE id = %s AND turn = %s AND state = %s"
    " AND created_at IS NOT DISTINCT FROM %s::timestamptz AND state <> 'running' RETURNING turn"
)
SHARD_NOTE: Final[LiteralString] = "SELECT note FROM longterm.shard"
FIRST_SHARD_NOTE: Final[LiteralString] = (
    "INSERT INTO longterm.shard (one, note) VALUES (1, %s) ON CONFLICT DO NOTHING RETURNING one"
)
NEXT_SHARD_NOTE: Final[LiteralString] = (
    "UPDATE longterm.shard SET note = %s WHERE note = %s RETURNING one"
)
FORGET_SENT_TO: Final[LiteralString] = (
    "DELETE FROM longterm.outbox WHERE receiver = ANY (%s) RETURNING id"
)
