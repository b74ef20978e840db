"""What is written down of a run's turns: the entries of its history, which are saved with it.

What came is noted when a turn begins, before the flow can change it. Decides nothing: a turn whose
history is kept goes as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from longterm._actor import acting
from longterm._codec import decode_text, encode_text
from longterm._event_names import CANCEL, CHECKPOINT, DEADLINE, RETRY, START, STEP, THROW
from longterm._turns.deliveries import encoded_value
from longterm.errors import Cancelled, CannotStore
from longterm.history import HistoryEntry, entry_context
from longterm.run import Run, context_of
from longterm.store.facts import exact_json, write_facts
from longterm.unread import UnreadEvent

LAST: Final = 2**31 - 1
"""The number of what ends a run in the middle of its turn: whatever that has read comes before."""

_GOING_ON: Final[Mapping[str | None, str]] = {name: name for name in (START, CHECKPOINT, STEP)}
"""What a run waits for that goes on by itself, for another reason than a deadline."""


class Recording:
    """Makes the entries of the histories of one engine's runs."""

    def __init__(self, now: Callable[[], datetime], *, with_frames: bool) -> None:
        """Take moments from a clock; keep the stack of before each turn, if asked to."""
        self._now = now
        self._with_frames = with_frames

    def of_event(self, run: Run, event: UnreadEvent) -> TurnRecord:
        """Return what notes a turn of a claimed run that begins by an event of its inbox."""
        return TurnRecord(_of_event(self._entry(run, run), event), {event.number})

    def of_arrival(
        self, run: Run, as_event: Callable[[datetime], UnreadEvent | None], name: str
    ) -> TurnRecord:
        """Return what notes a turn that begins by an event which comes now.

        Raises:
            CannotStore: its value cannot be stored.
        """
        event = as_event(self._now())
        if event is None:
            raise CannotStore(
                f"cannot keep the value of event {name!r} in the history of run {run.id!r}: it "
                'cannot be stored (send plain data, or use Engine(store, history="off"))'
            )
        return TurnRecord(_of_event(self._entry(run, run), event))

    def of_end(
        self, run: Run, error: BaseException | None, *, has_caller: bool, was_failed: bool
    ) -> TurnRecord:
        """Return what notes a turn that begins without an event.

        Args:
            run: the claimed run.
            error: what is raised where it waits; None: its wait is over.
            has_caller: whether somebody does that, who may have said who is acting.
            was_failed: whether it is retried.

        Raises:
            CannotStore: the exception cannot be stored.
        """
        value = None
        if error is None:
            name = RETRY if was_failed else _GOING_ON.get(run.waiting_for, DEADLINE)
        elif isinstance(error, Cancelled):
            name = CANCEL
        else:
            name, value = THROW, encoded_value(run.id, THROW, error)
        actor = acting() if has_caller else None
        first = replace(self._entry(run, run), event=name, encoded_value=value, actor=actor)
        return TurnRecord(first)

    def of_start(self, run: Run) -> TurnRecord:
        """Return what notes the first turn of a run that was created running."""
        return TurnRecord(replace(self._entry(run, run), event=START, actor=acting()))

    def noted(
        self,
        run: Run,
        name: str,
        found: Run | None = None,
        *,
        actor: str | None = None,
        value: bytes | None = None,
        number: int = 0,
    ) -> Run:
        """Return a run with an entry of what changes it without running its code.

        Args:
            run: the run as it is to be saved.
            name: what is done.
            found: the run as it was; None: it was not there, or is not kept.
            actor: who does it; None: whoever is acting.
            value: what it brings, as an inbox holds it.
            number: its place in the turn; `LAST` if that is of another holder's claim.
        """
        entry = replace(
            _outcome(self._entry(run, found), run),
            number=number,
            event=name,
            actor=actor or acting(),
            encoded_value=value,
        )
        return run.changed(entries=(entry,))

    def _entry(self, run: Run, found: Run | None) -> HistoryEntry:
        """Return an entry of a run at its present turn, and what it was found as."""
        now, was = self._now(), found or run
        is_new = was.waiting_for == START and was.saved_turn == was.turn
        # The call itself is kept in any case: it is what the starter has sent.
        has_stack = found is not None and found.stack is not None
        kept = found if has_stack and (self._with_frames or is_new) else None
        return HistoryEntry(
            run_id=run.id,
            turn=run.turn,
            event="",
            sent_at=now,
            saved_at=now,
            outcome=None,
            revision=0 if is_new else was.revision,
            before=None if kept is None else _before(kept),
            stack=None if kept is None else kept.stack,
        )


class TurnRecord:
    """Notes one turn."""

    def __init__(self, first: HistoryEntry, noted: Collection[int] = ()) -> None:
        """Begin with what began it; these events of the inbox are noted by that."""
        self._first = first
        self._count = 0  # of what was read besides
        self._noted = {*noted}

    def entries(self, run: Run, read: Sequence[UnreadEvent]) -> tuple[HistoryEntry, ...]:
        """Return what a save of the run adds to its history, after it has read some events."""
        first = replace(self._first, saved_at=run.updated_at or self._first.saved_at)
        bare = replace(first, before=None, stack=None)
        others = []
        for event in read:
            if event.number not in self._noted and event.encoded_refusal is None:
                self._noted.add(event.number)
                self._count += 1
                others.append(_of_event(replace(bare, number=self._count), event))
        return _outcome(first, run), *others


def _of_event(entry: HistoryEntry, event: UnreadEvent) -> HistoryEntry:
    return replace(
        entry,
        event=event.event_id,
        encoded_value=event.encoded_value,
        actor=event.actor,
        sent_at=event.sent_at,
    )


def _outcome(entry: HistoryEntry, run: Run) -> HistoryEntry:
    """Return an entry with what has become of the run, as it is to be saved."""
    error = run.encoded_error
    if error is not None:  # moved to its place in the history
        error = encode_text(
            decode_text(error, context_of(run, "error")), entry_context(entry, "error")
        )
    return replace(
        entry,
        outcome=run.state.value,
        waiting_for=run.waiting_for,
        encoded_response=run.encoded_response if run.saved_turn == run.turn else None,
        encoded_error=error,
    )


def _before(run: Run) -> str:
    """Return what a run is, but for its stack."""
    return exact_json(
        {
            "saved_turn": run.saved_turn,
            "waiting_for": run.waiting_for,
            "deadline": None if run.deadline is None else run.deadline.isoformat(),
            "wants": None if run.wants is None else dict(run.wants),
            "position": run.position,
            "queue": run.queue,
            "partition": run.partition,
            "children": run.children,
            "index": write_facts(run.index),
            "is_parked": run.encoded_error is not None,  # then the deadline is not the wait's
        }
    )
