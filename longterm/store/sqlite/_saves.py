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
_SAVE: Final = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE {_HELD}"
# What is returned takes as long as half of a claim.
_SAVE_NONE_UNREAD: Final = f"{_SAVE} AND unread = ''"
_SAVE_ANY: Final = f"{_SAVE} RETURNING unread"
_SAVED: Final = itemgetter(*map(COLUMNS.index, (*CHANGING, "id", "turn", "claim")))

_SET_PLAINLY: Final = (
    *("state", "claimed_until", "deadline", "delivery", "updated_at", "saved_turn"),
    *("stack", "response", "details", "position", "checksum"),
)
_PLAINLY: Final = ", ".join(f"{name} = ?" for name in _SET_PLAINLY)
_NOTHING_ELSE: Final = (
    f"attempts = ? AND facts = ? AND {_HELD}"
    " AND unread = '' AND error IS NULL AND result IS NULL AND queue IS NULL"
)
# Of a run that waits again, for the same event or another, and of which nothing else has changed.
# Each column that is set takes its time, even to the same value, and more with the indexes and
# triggers that name it. So these set the fewest. They match nothing, at little cost, if there is
# more to save.
_SAVE_AGAIN: Final = f"UPDATE runs SET {_PLAINLY} WHERE waiting_for = ? AND {_NOTHING_ELSE}"
_SAVE_NEXT: Final = f"UPDATE runs SET {_PLAINLY}, waiting_for = ? WHERE {_NOTHING_ELSE}"
_SAVED_PLAINLY: Final = itemgetter(
    *map(COLUMNS.index, (*_SET_PLAINLY, "waiting_for", "attempts", "facts", "id", "turn", "claim"))
)
_NONE_UNREAD: Final = [("",)]

_KEEP_KEY: Final = (
    "INSERT INTO deliveries (run, key, digest, taken_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET taken_at = excluded.taken_at"
)


def save_step(
    run: Run,
    row: Sequence[Any],
    read: Sequence[UnreadEvent],
    failed: UnreadEvent | None,
    *,
    waited_for: str | None,
) -> Callable[[Connection], list[tuple[str]]]:
    """Return the step that saves a run, given as a row too.

    It returns what the row then names as unread, in a row of its own; no row if the run is not
    running in the turn and under the claim that it has here. `waited_for` is what the run waited
    for when it was claimed, None if that is not known.
    """
    waits_plainly = (
        run.waiting_for is not None
        and run.queue is None
        and run.encoded_error is None
        and run.encoded_result is None
    )
    is_same = waited_for is None or waited_for == run.waiting_for
    plainly = _SAVE_AGAIN if is_same else _SAVE_NEXT

    def save(connection: Connection) -> list[tuple[str]]:
        if waits_plainly and connection.execute(plainly, _SAVED_PLAINLY(row)).rowcount:
            return _NONE_UNREAD
        saved = _SAVED(row)
        if connection.execute(_SAVE_NONE_UNREAD, saved).rowcount:
            return _NONE_UNREAD
        return connection.execute(_SAVE_ANY, saved).fetchall()

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
