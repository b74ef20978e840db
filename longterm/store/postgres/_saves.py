"""The statements that create and save a run, with all that belongs to the step; and parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeAlias

from longterm._event_names import unread_in, written_unread
from longterm._later import later
from longterm.run import ENDED, Run, RunState
from longterm.store._event_rows import checksum_of
from longterm.store._rows import changing, unread_after
from longterm.store.base import kept_key
from longterm.store.postgres._history import columns_of_entries
from longterm.store.postgres._inbox import columns_of_refused
from longterm.store.postgres._outbox import columns_of_messages
from longterm.store.postgres._statements import runs
from longterm.store.postgres._statements import saves as sql

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")


Statement: TypeAlias = tuple[LiteralString, tuple[object, ...]]
"""A statement and its parameters."""
Creates: TypeAlias = Callable[[Sequence[Any], Run], Statement]
Saves: TypeAlias = Callable[
    [Sequence[Any], Run, int | None, Sequence["UnreadEvent"], "UnreadEvent | None"], Statement
]

_SUSPENDED: Final = RunState.SUSPENDED
_SAVE_AT_REST: Final = sql.letting_go(sql.SAVE)


def create_statement(row: Sequence[Any], run: Run, *, notes_claims: bool = True) -> Statement:
    """Return the statement that creates a run, and its parameters.

    Args:
        row: what is written of the run.
        run: the run.
        notes_claims: whether the runs that are running are in a table of their own.
    """
    kept = kept_key(run)
    statement = runs.CREATE if kept is None else runs.CREATE_WITH_KEY
    ended = (run.state.value, run.updated_at) if run.state in ENDED else (None, None)
    is_running = run.state is RunState.RUNNING
    slot = run.queue if is_running else None
    parameters: tuple[object, ...] = (*row, slot, *ended, *(kept or ()))
    if is_running and notes_claims:
        statement = sql.claiming(statement)
        parameters = (*parameters, run.id, run.claimed_until)
    if run.entries:
        statement = sql.recording(statement)
        parameters = (*parameters, *columns_of_entries(run))
    return statement, parameters


def save_statement(
    row: Sequence[Any],
    run: Run,
    claim: int | None,
    read: Sequence[UnreadEvent],
    failed: UnreadEvent | None,
    *,
    notes_claims: bool = True,
) -> Statement:
    """Return the statement that saves a run, and its parameters.

    Args:
        row: what is written of the run.
        run: the run; its `unread` is what the statement takes to be in the inbox.
        claim: the number of the claim from then on, where the turn goes on and has read.
        read: the events of the inbox that the turn has read.
        failed: the event that is put back, since its turn has failed.
        notes_claims: whether the runs that are running are in a table of their own.
    """
    kept = None if failed is not None else kept_key(run)
    parameters: tuple[object, ...] = (*changing(row), run.id, run.turn, run.claim)
    has_more = kept or read or failed or run.unread or run.outgoing or run.entries
    if notes_claims and not has_more and run.state is _SUSPENDED:  # as most turns end
        return _SAVE_AT_REST, (*parameters, run.id)
    if kept is not None or failed is not None:
        parameters = (*parameters, written_unread(run.unread))
    refused = [event for event in read if event.encoded_refusal is not None]
    numbers = [event.number for event in read if event.encoded_refusal is None]
    if failed is not None:
        statement = sql.SAVE_AND_KEEP
        key = (failed.key, failed.digest, failed.sent_at)
        parameters = (
            *(*unread_after(run, read, failed), claim, *parameters, run.id, numbers),
            *(run.id, run.id, failed.event_id, failed.encoded_value, *key, checksum_of(failed)),
            *(failed.actor, failed.traceparent, run.id, *key),
        )
    elif read:
        statement = sql.SAVE_READ if kept is None else sql.SAVE_READ_WITH_KEY
        parameters = (*unread_after(run, read), claim, *parameters, run.id, numbers)
    else:
        statement = sql.SAVE if kept is None else sql.SAVE_WITH_KEY
    parameters = (*parameters, *(kept or ()))
    if run.state is RunState.RUNNING:
        statement, parameters = sql.going_on(statement), (run.queue, *parameters)
    elif notes_claims:
        statement, parameters = sql.letting_go(statement), (*parameters, run.id)
    else:
        statement = sql.resting(statement)
    if run.unread or failed is not None:
        statement = sql.enabling(statement)
        parameters = (*_able_since(run, read, failed), *parameters)
    if run.state in ENDED:
        statement = sql.ending(statement)
        parameters = (run.state.value, run.updated_at, *parameters)
    if refused:
        statement = sql.refusing(statement)
        parameters = (*parameters, *columns_of_refused(refused), run.id)
    if run.outgoing:
        statement = sql.sending(statement)
        parameters = (*parameters, *columns_of_messages(run))
    if run.entries:
        statement = sql.recording(statement)
        parameters = (*parameters, *columns_of_entries(run))
    return statement, parameters


def _able_since(
    run: Run, read: Sequence[UnreadEvent], failed: UnreadEvent | None
) -> tuple[object, ...]:
    """Return what is written of whether a run can go on, and the unread events that it goes by."""
    left, _ = unread_after(run, read, failed)
    is_able = run.changed(unread=unread_in(left)).next_unread is not None
    since = run.updated_at or datetime.min.replace(tzinfo=UTC)
    return written_unread(run.unread), since if is_able else None, run.updated_at
