"""How turns change a run's record: plain functions from a run to a run. No store and no I/O."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from longterm._abi import STEPS
from longterm._codec import encode
from longterm._codec.introspect import is_a
from longterm._codec.types.functions import written
from longterm._flows.context import LiveTurn
from longterm._flows.run_turn import Completed, Outcome
from longterm._signals import is_of_signal
from longterm._turns.position import position_of
from longterm._turns.waits import keep_wait
from longterm.errors import (
    Cancelled,
    CannotStore,
    CannotSuspend,
    NotStorable,
    NotSupported,
    RunBusy,
    RunComplete,
    RunNotSuspended,
    StaleEvent,
    ValueTooLarge,
    WrongEvent,
)
from longterm.frame import Frame
from longterm.run import Run, RunState

if TYPE_CHECKING:
    from longterm._codec.seal import Context
    from longterm.unread import UnreadEvent

_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))
_OURS: Final = tuple(os.path.join(_PACKAGE, part, "") for part in ("_turns", "_flows"))
"""The folders of the code that runs turns."""
_LONGEST_ERROR = 100_000
"""How many characters of an exception and its traceback are kept."""
_ATTRIBUTE = BaseException.__getattribute__
"""Reads what Python keeps in every exception: a `__getattribute__` of the author's may raise."""


def after_turn(
    run: Run,
    turn: LiveTurn,
    outcome: Outcome,
    now: datetime,
    max_bytes: int,
    *,
    is_on: bool = False,
) -> Run:
    """Return a run as its turn has left it, or as it is in the middle of one that is still on.

    Raises:
        CannotStore: the flow holds, said or returned a value that cannot be stored, or one that
            takes more than `max_bytes` (`ValueTooLarge`).
    """
    response = None
    if turn.responses:
        context = ("response", run.id, run.turn, "")
        response = _encoded(turn.responses, context, f"a response of {run.flow}", max_bytes)
    run = with_facts(run, turn)
    if isinstance(outcome, Completed):
        context = ("result", run.id, run.turn, "")
        result = _encoded(outcome.result, context, f"the result of {run.flow}", max_bytes)
        ended = ended_run(run, RunState.COMPLETE, now)
        return ended.changed(encoded_response=response, encoded_result=result, saved_turn=run.turn)
    wait, frames = outcome.wait, outcome.frames
    deadline = wait.deadline(now)
    keep_wait(frames, wait, deadline)
    if turn.steps:
        frames[0].slots[STEPS] = turn.steps
    written.inner = set()
    stack = _encoded_frames(frames, ("stack", run.id, run.turn, wait.event_id), max_bytes)
    return run.changed(
        state=RunState.RUNNING if is_on else RunState.SUSPENDED,
        waiting_for=wait.event_id,
        deadline=deadline,
        wants=wait.wants,
        stack=stack,
        position=position_of(frames, written.inner),
        encoded_response=response,
        saved_turn=run.turn,
        encoded_error=None,
        claimed_until=None,
        attempts=0,
        updated_at=now,
        queue=run.queue if is_on else wait.queue,  # the slot is the turn's
        partition=run.partition if is_on else wait.partition,
    )


def with_facts(run: Run, turn: LiveTurn) -> Run:
    """Return a run with the facts that its flow has set in a turn, whatever becomes of that."""
    return run.changed(index={**run.index, **turn.index}) if turn.index else run


def ended_run(run: Run, state: RunState, now: datetime) -> Run:
    """Return a run that has reached its end in a state."""
    return run.changed(
        state=state,
        waiting_for=None,
        deadline=None,
        wants=None,
        stack=None,
        position=None,
        encoded_response=None,
        encoded_error=None,
        claimed_until=None,
        attempts=0,
        updated_at=now,
        queue=None,
    )


def released_run(run: Run, state: RunState = RunState.SUSPENDED) -> Run:
    """Return a claimed run as it was before its turn; `state` is the one that it had."""
    return run.changed(state=state, claimed_until=None)


def refused_start(run: Run, error: BaseException | None, now: datetime) -> Run:
    """Return a run whose start was refused or interrupted, of a store that cannot forget it."""
    why = "its start was interrupted" if error is None else _reason(error)
    failed = run.changed(state=RunState.FAILED, claimed_until=None, updated_at=now)
    return failed.with_error(why)


def after_error(
    run: Run, error: BaseException, asked: BaseException | None, frames: list[Frame], now: datetime
) -> Run | None:
    """Return a run as an exception that ended its turn leaves it; None if the turn is undone.

    A run is cancelled if its flow lets out the `Cancelled` that was `asked` for, in this turn or in
    one before, and failed if the author's code raised. A turn that was refused or interrupted
    (Ctrl-C, a cancelled task) is undone, since that is nobody's failure.
    """
    # A `finally` may wait, and the exception that it lets pass then is a copy of what was asked.
    if is_a(error, Cancelled) and (error is asked or _run_of(error) == run.id):
        return ended_run(run, RunState.CANCELLED, now)
    if not is_a(error, Exception) or is_a(error, CannotSuspend):
        return None
    return failed_run(run, error, frames, now)


def _run_of(error: BaseException) -> object:
    """Return the id of the run that was cancelled, whatever class of the author's the error has."""
    return _ATTRIBUTE(error, "__dict__").get("run_id")


def parked_run(run: Run, error: BaseException) -> Run:
    """Return a claimed run as it was before its turn, with the reason why it cannot go on here."""
    return released_run(run).with_error(_reason(error))


def refused_event(event: UnreadEvent, error: BaseException) -> UnreadEvent:
    """Return an event of an inbox that a turn has read and refused, with the reason."""
    return event.with_refusal(_reason(error))


def _reason(error: BaseException) -> str:
    return _storable(_shortened(str(error) or type(error).__name__))


def failed_run(run: Run, error: BaseException, frames: list[Frame], now: datetime) -> Run:
    """Return a run whose flow let an exception out; the exception gets notes that say so."""
    add_note(error, f"longterm: run {run.id} of flow {run.flow} failed in turn {run.turn}")
    if frames and frames[-1].point and run.updated_at is not None:
        age = _age(now - run.updated_at)
        at = frames[-1]
        where = f"{at.flow.replace(':', '.')}, line {at.line}"
        add_note(error, f"longterm: it was suspended {age} at {where}")
    return run.changed(
        state=RunState.FAILED,
        encoded_response=None,
        claimed_until=None,
        updated_at=now,
        queue=None,
    ).with_error(_storable(_shortened(_shown(error))))


def add_note(error: BaseException, note: str) -> None:
    """Add a note, unless the author's class has other use for the place of notes."""
    # Not by `add_note`: it may be the author's, and calls the author's `__setattr__`.
    if not hasattr(type(error), "__notes__"):
        notes = _ATTRIBUTE(error, "__dict__").setdefault("__notes__", [])
        if isinstance(notes, list):
            notes.append(note)


def _shown(error: BaseException) -> str:
    """Return an exception as Python prints it, with the author's own lines only."""
    import traceback

    first = _ATTRIBUTE(error, "__traceback__")
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, first))
    except Exception as reason:  # such as of notes that are a property
        if is_of_signal(reason):
            raise
        lines = "".join(traceback.format_tb(first))
        kind, why = type(error).__qualname__, type(reason).__qualname__
        return f"Traceback (most recent call last):\n{lines}{kind}: <it raises {why} when shown>\n"


def _shortened(text: str) -> str:
    """Leave out the middle of a text that is too long for people: its ends say the most."""
    left_out = len(text) - _LONGEST_ERROR
    if left_out <= 0:
        return text
    half = _LONGEST_ERROR // 2
    return f"{text[:half]}\n... {left_out:,} characters left out ...\n{text[-half:]}"


def _storable(text: str) -> str:
    """Write out what no store can hold as text, as Python's `repr` does."""
    import re

    return re.sub("[\0\ud800-\udfff]", lambda found: ascii(found[0])[1:-1], text)


def refusal(run: Run, event_id: str) -> Exception:
    """Return why a run takes no such event now."""
    if run.state is RunState.COMPLETE:
        return RunComplete(run.id)
    if run.state is RunState.RUNNING:
        return RunBusy(run.id)
    if run.state is not RunState.SUSPENDED:
        return RunNotSuspended(run.id, run.state)
    if event_id == run.waiting_for or event_id in run.awaits:
        # Another turn was under way when it was asked for, and has ended since.
        return RunBusy(run.id)
    return WrongEvent(run.id, event_id, run.waiting_for)


def check_revision(run: Run, revision: int | None, store: object) -> None:
    """Make sure that a run is at a revision, if one is meant.

    Raises:
        StaleEvent: it is at another.
        NotSupported: the store does not keep the revisions of runs.
    """
    if revision is None:
        return
    if run.saved_turn is None:
        raise NotSupported(store, "revisions of runs (`saved_turn`)")
    if run.saved_turn != revision:
        raise StaleEvent(run.id, revision, run.saved_turn)


def _encoded(value: Any, context: Context, what: str, max_bytes: int) -> bytes:
    try:
        encoded = encode(value, context)
    except NotStorable as error:
        raise CannotStore(f"cannot store {what}: {error}") from error
    if len(encoded) > max_bytes:
        raise ValueTooLarge(what, len(encoded), max_bytes)
    return encoded


def _encoded_frames(frames: list[Frame], context: Context, max_bytes: int) -> bytes:
    try:
        encoded = encode(frames, context)
    except NotStorable as error:
        from longterm._turns.unstorable import cannot_store_frames

        raise cannot_store_frames(frames, error) from error
    if len(encoded) > max_bytes:
        from longterm._turns.unstorable import frames_too_large

        raise frames_too_large(frames, len(encoded), max_bytes)
    return encoded


def _age(duration: timedelta) -> str:
    """Return a duration in its largest unit: `92 days`, `1 hour`."""
    seconds = max(0, int(duration.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= length or unit == "second":
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable")
