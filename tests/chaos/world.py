"""What the steps of a store say about runs: the ground truth that a model test compares with.

Only steps that have taken effect are noted, each at a moment of its own, whoever asked for them and
whether or not he has heard the answer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from longterm._codec import decode_frames
from longterm._event_names import RESERVED, child_of
from longterm.run import Run, RunState, context_of
from tests.chaos.scripted import witness

MOST_UNREAD = 4
"""How many events a run may have that it has not read."""


@dataclass
class Sent:
    """An event from outside of all runs."""

    run_id: str
    name: str
    number: int
    key: str | None
    moment: int
    revision: int | None = None
    fate: str = "unknown"
    """`taken`: its sender was told that the run has it; `refused`: that it never will."""


class World:
    """What has happened to the runs of one store."""

    def __init__(self) -> None:
        self.moment = 0
        """How many steps the store has taken."""
        self.records: dict[str, list[Any]] = {}
        """Of each run what it had seen when it was saved last, also once it is deleted."""
        self.rests: dict[tuple[str, int | None], int] = {}
        """How much a run had seen when it was saved to wait, by its revision."""
        self.arrivals: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)
        """Of each run the events that were put into its inbox: when, and their names."""
        self.sent: dict[int, Sent] = {}
        self.own: dict[str, list[Any]] = {}
        """What is started under ids of our own."""
        self.begun: set[str] = set()
        """The runs that messages have begun."""
        self.deleted: set[str] = set()
        self.doubled: set[str] = set()
        """Runs that a message has begun anew after they were deleted."""
        self.forced: set[str] = set()
        """Runs that were ended without their code."""
        self.disturbed: set[str] = set()
        """Runs that somebody has thrown something into, or ended a wait of."""
        self.cancelled: set[str] = set()
        """Runs whose cancel was acknowledged."""
        self.forcing: str | None = None
        witness.__init__()  # type: ignore[misc]

    def living(self) -> list[str]:
        """Return the ids of the runs that were created and not deleted, oldest first."""
        return [
            run_id for run_id in self.records if run_id not in self.deleted and "," not in run_id
        ]

    def note(self, name: str, args: Any, kwargs: Any, outcome: Any) -> None:
        """Take a step of the store that has been taken."""
        self.moment += 1
        match name:
            case "create":
                self._created(outcome)
            case "claim" | "claim_for_key" | "revive" if outcome is not None:
                witness.turns[outcome.id] = self.moment
            case "claim_due" | "claim_unread":
                witness.turns.update((run.id, self.moment) for run in outcome)
            case "update" | "update_read":
                self._saved(outcome)
            case "post" if outcome is not None:
                self._arrived(args[0])
            case "delete" if outcome:
                self.deleted.add(args[0])

    def _created(self, run: Run) -> None:
        if run.id in self.deleted and run.id not in self.own:
            self.doubled.add(run.id)
        if run.state is RunState.RUNNING:
            witness.turns[run.id] = self.moment
        elif run.id not in self.own:
            self.begun.add(run.id)
        if run.id in self.records:  # under an id of our own
            self.records[f"{run.id}, deleted at {self.moment}"] = self.records[run.id]
        self.records[run.id] = []
        self.rests[run.id, run.saved_turn] = 0

    def _arrived(self, event: Any) -> None:
        if child_of(event.event_id) is None and not event.event_id.startswith(RESERVED):
            arrived = self.moment, event.event_id
            assert self.arrivals[event.run_id].setdefault(event.value, arrived) == arrived

    def _saved(self, run: Run) -> None:
        before, after = self.records[run.id], self._record(run)
        assert after[: len(before)] == before, "what was saved has changed"
        self.records[run.id] = after
        if run.state is RunState.SUSPENDED:
            self.rests[run.id, run.saved_turn] = len(after)

    def _record(self, run: Run) -> list[Any]:
        record: list[Any]
        if run.state is RunState.COMPLETE:
            record = run.result
        elif run.state is RunState.CANCELLED and self.forcing == run.id:
            self.forced.add(run.id)
            record = self.records[run.id]
        elif run.state is RunState.CANCELLED:
            # One that is cancelled before its first line has said nothing.
            record = witness.last_words.get(run.id, [])
        elif run.stack is None:
            record = []
        else:
            frame = decode_frames(run.stack, context_of(run, "stack"))[0]
            record = frame.slots["record"] if frame.point else []  # type: ignore[assignment]
        return record
