"""The statements of inboxes, and of the keys by which a delivery is known again."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store._event_rows import READ as READ_EVENT_COLUMNS
from longterm.store.postgres._statements.columns import EVENT_NAMES, HAS_NEXT, IS_READY

_MAY_TAKE: Final[LiteralString] = (
    "%s = ANY (string_to_array("
    "waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n'))"
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
POST: Final[LiteralString] = (
    "WITH noted AS ("
    "UPDATE longterm.runs SET unread = unread || %s || E'\n', posted = posted + 1,"
    f" able_since = CASE WHEN state = 'running' OR state = 'suspended' AND {_MAY_TAKE}"
    " THEN coalesce(updated_at, '-infinity') ELSE able_since END"
    " WHERE id = %s AND state NOT IN ('complete', 'cancelled')"
    " AND length(unread) - length(replace(unread, E'\n', '')) < %s"
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s)"
    f" RETURNING posted, id, {IS_READY}),"
    f" put AS (INSERT INTO longterm.inbox ({EVENT_NAMES})"
    " SELECT id, posted, %s, %b, %s, %s, %s, %s, %s, %s FROM noted),"
    # Of two that come at once with one key, the second is undone here, and looks again.
    " kept AS (INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT id, %s, %s, %s FROM noted)"
    " SELECT * FROM noted"
)
POST_AT: Final[LiteralString] = POST.replace(
    " RETURNING posted",
    f" AND state = 'suspended' AND saved_turn = %s AND NOT ({HAS_NEXT}) RETURNING posted",
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
REWRITE_UNREAD: Final[LiteralString] = (
    "UPDATE longterm.inbox SET value = %b, refused = %s, checksum = %s"
    " WHERE run = %s AND number = %s AND (refused IS NULL) = %s RETURNING number"
)
