"""How what a turn made of a run is saved in one SQLite file, with all that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from longterm._later import later
from longterm.run import Run
from longterm.store._rows import CHANGING, COLUMNS, as_saved, moment_text
from longterm.store.base import kept_key
from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._history import put_entries
from longterm.store.sqlite._inbox import take_out
from longterm.store.sqlite._outbox import put_messages

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

_HELD: Final = "id = ? AND turn = ? AND claim IS ? AND state = 'running'"
_SAVE: Final = (
    f"UPDATE runs SET {', '.join(f'{name} = ?' for name in CHANGING)}"
    f" WHERE {_HELD} RETURNING unread"
)
_SAVED: Final = itemgetter(*map(COLUMNS.index, (*CHANGING, "id", "turn", "claim")))

_SET_AGAIN: Final = (
    *("state", "claimed_until", "deadline", "delivery", "updated_at", "saved_turn"),
    *("stack", "response", "details", "position", "checksum"),
)
# Of a run that waits for the same event again. Each column that is set takes its time, even to the
# same value, with the indexes and triggers that name it; and what is returned takes as long as half
# of a claim. So this sets the fewest, and matches nothing, at little cost, if another has changed
# or if anything is unread.
_SAVE_AGAIN: Final = (
    f"UPDATE runs SET {', '.join(f'{name} = ?' for name in _SET_AGAIN)}"
    f" WHERE attempts = ? AND facts = ? AND waiting_for = ? AND {_HELD}"
    " AND unread = '' AND error IS NULL AND result IS NULL AND queue IS NULL"
)
_SAVED_AGAIN: Final = itemgetter(
    *map(COLUMNS.index, (*_SET_AGAIN, "attempts", "facts", "waiting_for", "id", "turn", "claim"))
)
_NONE_UNREAD: Final = [("",)]

_KEEP_KEY: Final = (
    "INSERT INTO deliveries (run, key, digest, taken_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET taken_at = excluded.taken_at"
)


def save_step(
    run: Run, row: Sequence[Any], read: Sequence[UnreadEvent], failed: UnreadEvent | None
) -> Callable[[Connection], list[tuple[str]]]:
    """Return the step that saves a run, given as a row too.

    It returns what the row then names as unread, in a row of its own; no row if the run is not
    running in the turn and under the claim that it has here.
    """
    waits_plainly = (
        run.waiting_for is not None
        and run.queue is None
        and run.encoded_error is None
        and run.encoded_result is None
    )
    again = _SAVED_AGAIN(row) if waits_plainly else None

    def save(connection: Connection) -> list[tuple[str]]:
        if again is not None and connection.execute(_SAVE_AGAIN, again).rowcount:
            return _NONE_UNREAD
        return connection.execute(_SAVE, _SAVED(row)).fetchall()

    kept = kept_key(run)
    if kept is None and not (read or failed or run.outgoing or run.entries):
        return save

    def save_with_more(connection: Connection) -> list[tuple[str]]:
        saved = save(connection)
        if saved and kept is not None:
            keep_key(connection, kept)
        if saved and run.outgoing:
            put_messages(connection, run)
        if saved and run.entries:
            put_entries(connection, run)
        if not saved or not (read or failed or (kept and saved[0][0])):
            return saved
        return take_out(connection, as_saved(run, saved[0][0]), read, failed)

    return whole(save_with_more)


def keep_key(connection: Connection, kept: tuple[str, str, str, datetime]) -> None:
    """Keep the key of a delivery, in the transaction that saves its run."""
    run_id, key, digest, taken_at = kept
    connection.execute(_KEEP_KEY, (run_id, key, digest, moment_text(taken_at)))
