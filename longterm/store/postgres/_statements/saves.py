"""The statements that save a run, and in the same step all that its turn did."""

from __future__ import annotations

from functools import cache
from typing import Final, LiteralString

from longterm.store._history_rows import COLUMNS as HISTORY_COLUMNS
from longterm.store._message_rows import COLUMNS as MESSAGE_COLUMNS
from longterm.store._rows import BYTES, CHANGING
from longterm.store.postgres._statements.columns import EVENT_NAMES, IS_READY
from longterm.store.postgres._statements.history import HISTORY_NAMES

_MESSAGE_NAMES: Final[LiteralString] = ", ".join(MESSAGE_COLUMNS)
_CHANGES: Final[LiteralString] = ", ".join(
    [name + " = " + ("%b" if name in BYTES else "%s") for name in CHANGING]
)
SAVE: Final[LiteralString] = (
    f"UPDATE longterm.runs SET {_CHANGES}"
    " WHERE id = %s AND turn = %s AND claim IS NOT DISTINCT FROM %s AND state = 'running'"
    f" RETURNING unread, {IS_READY}"
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
    f", put AS (INSERT INTO longterm.inbox ({EVENT_NAMES}) SELECT %s,"
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
    " ON CONFLICT DO NOTHING)"
)
_RECORDED: Final[LiteralString] = (
    f"recorded AS (INSERT INTO longterm.history ({HISTORY_NAMES}) SELECT entry.* FROM saved,"
    " unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::text[],"
    " %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::bytea[], %s::text[],"
    " %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bytea[])"
    f" AS entry ({HISTORY_NAMES})"
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
def and_also(step: LiteralString, more: LiteralString) -> LiteralString:
    """Return a statement that takes a step, which `more` calls saved, and in the same step more."""
    if not step.startswith("WITH "):
        return f"WITH saved AS ({step}), {more} SELECT * FROM saved"
    return f"{step.removesuffix(' SELECT * FROM saved')}, {more} SELECT * FROM saved"


def recording(save: LiteralString) -> LiteralString:
    """Return a statement that saves or creates a run, and what that adds to its history."""
    return and_also(save, _RECORDED)


def sending(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run, and in the same step what its turn sends."""
    return and_also(save, _SENT)


def refusing(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run which has read, and keeps what its turn has refused."""
    return and_also(save, _KEPT_AS_REFUSED)


def claiming(create: LiteralString) -> LiteralString:
    """Return a statement that creates a run which is claimed at once."""
    return and_also(create, _CLAIMED)


@cache
def letting_go(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run and ends the claim on it."""
    return and_also(resting(save), _LET_GO)


@cache
def resting(save: LiteralString) -> LiteralString:
    """Return a statement that saves a run which holds no slot any more."""
    return save.replace("SET ", "SET slot = NULL, ", 1)


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
