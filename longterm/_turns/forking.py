"""How a run is forked, and put back: another run, or the run itself, goes on from a revision.

Runs no code of the flow, and needs none. What was is read from the run's own row, or from its
history.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from longterm._codec import encode, rewrap
from longterm._event_names import CHECKPOINT, FORK, REWIND, SCHEDULE, START, STEP
from longterm._turns.attempts import unparked
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.recording import Recording
from longterm._turns.transitions import refusal
from longterm.errors import (
    CannotFork,
    CannotRewind,
    NotSupported,
    UnknownRevision,
)
from longterm.history import HistoryEntry
from longterm.run import Run, RunState, context_of
from longterm.store.base import RunStore
from longterm.store.facts import read_facts
from longterm.store.history import History
from longterm.unread import inbox_context

_OVER = (RunState.COMPLETE, RunState.CANCELLED)


def fork(claims: Claims, run_id: str, at: int | None, new_id: str, now: datetime) -> Run:
    """Create a run that is what another is, or was at a revision.

    Raises:
        CannotFork: it is, or was then, what no other can go on from.
        RunBusy: it is in the middle of a turn, and no revision is given.
        UnknownRevision: its history does not hold the revision.
        RunExists: the id of the new run is taken.
    """
    source = claims.store.get(run_id)
    found = _unparked(source, claims.store) if at is None else _at(claims.store, source, at)
    _check_forkable(found)
    revision = max(found.revision, 1)
    forked = _moved(
        found.changed(
            id=new_id,
            turn=revision,
            saved_turn=revision,
            claimed_until=None,
            attempts=0,
            delivery=None,
            parent=None,
            unread=(),
            created_at=now,
            updated_at=now,
        ),
        found,
    )
    if found.encoded_error is not None:
        forked = forked.with_error(found.error or "")
    if claims.recording is not None:
        value = encode([source.id, found.revision], inbox_context(new_id, FORK))
        forked = claims.recording.noted(forked, FORK, value=value)
    return claims.store.create(forked)


def _check_forkable(found: Run) -> None:
    if found.state is RunState.RUNNING:
        raise refusal(found, "")
    if found.state in _OVER:
        hint = f"give an earlier revision: `longterm history {found.id}` lists them"
        raise CannotFork(found.id, f"it is {found.state}", hint)
    if found.waiting_for == SCHEDULE:
        raise CannotFork(found.id, "it is a schedule", "declare another one by `schedule`")
    if found.children:
        hint = "fork it before it has begun them, or once it has read how they ended"
        raise CannotFork(found.id, "its children tell how they end to itself alone", hint)
    if found.stack is None:
        raise CannotFork(found.id, "the call that began it could not be stored", "start it anew")


def rewind(claims: Claims, claim: Claim, run_id: str, to: int, now: Callable[[], datetime]) -> Run:
    """Put a run back to what it was at a revision; it is suspended then, at a new revision.

    Raises:
        CannotRewind: it has ended, or what happened since cannot be taken back.
        RunBusy: it is in the middle of a turn.
        UnknownRevision: its history does not hold the revision.
    """
    stored = claims.store.get(run_id)
    if stored.state in _OVER:
        hint = f"fork it instead: fork({run_id!r}, at={to})"
        raise CannotRewind(run_id, f"it is {stored.state}, and others may know", hint)
    _at(claims.store, stored, to)  # refused before anything is claimed
    if stored.state is RunState.FAILED:
        claim.take_failed(run_id)
    else:
        claim.take_waiting(run_id)
    run = claim.run
    assert run is not None
    found = _at(claims.store, run.changed(state=stored.state), to)
    _check_same_family(run, found)
    back = _moved(
        found.changed(
            state=RunState.SUSPENDED,
            turn=run.turn,
            saved_turn=run.turn,
            claimed_until=None,
            attempts=0,
            delivery=None,
            encoded_error=None,
            updated_at=now(),
        ),
        found,
    )
    recording = claims.recording or Recording(now, with_frames=True)
    value = encode(to, inbox_context(run_id, REWIND))
    return claim.save(recording.noted(back, REWIND, run, value=value))


def _check_same_family(run: Run, found: Run) -> None:
    if found.waiting_for == SCHEDULE:
        raise CannotRewind(run.id, "it is a schedule", "declare it anew by `schedule`")
    if run.children != found.children:
        reason = "it has begun children since, or has read how they ended"
        raise CannotRewind(run.id, reason, f"fork it instead: fork({run.id!r}, at=...)")
    if run.parent is not None and run.waiting_for is None:
        raise CannotRewind(run.id, "its parent has been told that it failed", "fork it instead")


def _at(store: RunStore, run: Run, revision: int) -> Run:
    """Return a run as it waited at a revision.

    Raises:
        UnknownRevision: that is not kept.
    """
    is_waiting = run.state in (RunState.SUSPENDED, RunState.FAILED)
    if revision == run.revision and is_waiting and run.stack is not None:
        return _unparked(run, store).changed(state=RunState.SUSPENDED, encoded_error=None)
    if not isinstance(store, History):
        raise NotSupported(store, "histories of runs")
    entry = store.entry_at(run.id, revision)
    if entry is None:
        raise UnknownRevision(run.id, revision)
    found = _as_it_was(run, entry).changed(encoded_response=_said(store, run.id, revision))
    return _as_not_parked(found, store) if entry.state_before.get("is_parked") else found


def _unparked(run: Run, store: RunStore) -> Run:
    """Return a run that is to have the deadline of its wait, if it is parked."""
    is_parked = run.state is RunState.SUSPENDED and run.encoded_error is not None
    return _as_not_parked(run, store) if is_parked else run


def _as_not_parked(run: Run, store: RunStore) -> Run:
    # Its own deadline is that of the next try, which would end a wait for an event that is not
    # there: a fork has no inbox.
    if run.waiting_for in (START, CHECKPOINT, STEP):
        return run.changed(encoded_error=None)
    return unparked(run, store)


def _as_it_was(run: Run, entry: HistoryEntry) -> Run:
    state = entry.state_before
    deadline = state["deadline"]
    fields: dict[str, Any] = {
        **{name: state[name] for name in ("saved_turn", "waiting_for", "wants", "position")},
        **{name: state[name] for name in ("queue", "partition")},
        "children": tuple(state["children"]),
        "index": read_facts(state["index"]),
        "deadline": None if deadline is None else datetime.fromisoformat(deadline),
        "stack": entry.stack,
        "state": RunState.SUSPENDED,
        "encoded_result": None,
        "encoded_error": None,
    }
    return run.changed(**fields)


def _said(store: History, run_id: str, revision: int) -> bytes | None:
    """Return what the turn said that was saved as a revision, if its history is kept."""
    entry = store.entry(run_id, (revision, 0))
    return None if entry is None else entry.encoded_response


def _moved(run: Run, found: Run) -> Run:
    """Return a run with the bytes that were found elsewhere, sealed for their new place."""
    columns = {"stack": "stack", "encoded_response": "response"}
    moved: dict[str, bytes] = {}
    for field, column in columns.items():
        data: bytes | None = getattr(found, field)
        if data is not None:
            moved[field] = rewrap(data, context_of(found, column), context_of(run, column))
    return run.changed(**moved)
