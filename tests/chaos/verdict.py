"""What must be true of all runs once nothing is left to do: the promises about events and children.

Reads what a `World` has noted, and what the store still has. Knows nothing of how engines work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from longterm import Engine
from longterm._event_names import START, child_of
from longterm.run import ENDED, Run, RunState
from tests.chaos.world import MOST_UNREAD, World

OVER = (RunState.COMPLETE, RunState.CANCELLED)


class Verdict:
    """Compares what has happened with what was promised."""

    def __init__(self, world: World, engine: Engine) -> None:
        self.world = world
        self.runs = {run.id: run for run in all_runs(engine)}
        self.left = {
            run_id: [
                event.value
                for event in engine.unread_events(run_id, limit=1000)
                if type(event.value) is int
            ]
            for run_id in self.runs
        }
        self.posts = self._posts()

    def check_rest(self) -> None:
        """Check that nobody waits for what is there, and all else that must always be so."""
        for run in self.runs.values():
            assert run.state is not RunState.RUNNING, "a run is in nobody's hands"
            if run.state is RunState.SUSPENDED:
                self._check_waiting(run)
            self._check_reads(run.id)
        assert not self.world.doubled, "a run has come back after its deletion"
        self._check_events()
        self._check_order_of_turns()
        self._check_families()
        self._check_cancels()

    def _check_waiting(self, run: Run) -> None:
        assert run.waiting_for != START, "a run was never begun"
        assert run.encoded_error is None, run.error
        assert run.next_unread is None, "a run sleeps beside its event"
        assert run.deadline is None, "a wait has not ended"
        for child in filter(None, map(child_of, run.awaits)):
            assert child in self.runs or child in self.world.deleted, "a child was never begun"
            assert child not in self.runs or self.runs[child].state not in ENDED, (
                "a parent waits for a child that has ended"
            )

    def _check_reads(self, run_id: str) -> None:
        """Check that a run has read events in their order, each once."""
        arrivals = self.world.arrivals.get(run_id, {})
        read: set[int] = set()
        for place, (names, number, turn) in enumerate(map(reading, self.world.records[run_id])):
            if number is None:  # its deadline came first, or its turn looked and found nothing
                until = 0 if run_id in self.world.disturbed else turn
            else:
                until = self._moment(run_id, number)
                assert number not in read, "an event was read twice"
                read.add(number)
                sent = self.world.sent.get(number)
                if sent and sent.revision is not None:
                    assert place >= self.world.rests[run_id, sent.revision]
            older = {
                number
                for number, (moment, name) in arrivals.items()
                if moment < until and name in names
            }
            assert older <= read, "an event was overtaken"

    def _moment(self, run_id: str, number: int) -> int:
        if number in self.world.arrivals.get(run_id, {}):
            return self.world.arrivals[run_id][number][0]
        return self.world.sent[number].moment

    def _check_events(self) -> None:
        """Check that each event is in one place, if it was taken, and in none if it was refused."""
        found = Counter(
            (run_id, number)
            for run_id in self.world.records
            for number in [*numbers_in(self.world.records[run_id]), *self.left.get(run_id, [])]
        )
        assert all(count == 1 for count in found.values()), "an event is there twice"
        for run_id, number in found:
            sent = self.world.sent.get(number)
            assert sent is None or sent.fate != "refused", "a refused event was taken"
            receiver = sent.run_id if sent else self.posts.get(number)
            assert receiver == run_id, "an event of a turn that was not saved has come"
        for sent in self.world.sent.values():
            if sent.fate == "taken" and sent.run_id not in self.world.deleted:
                assert (sent.run_id, sent.number) in found, "an event is lost"
        for number, run_id in self.posts.items():
            run = self.runs.get(run_id)
            is_same = run_id not in self.world.deleted
            if run is not None and run.state not in OVER and is_same:
                is_full = len(run.unread) >= MOST_UNREAD  # then it is tried for ever
                assert is_full or (run_id, number) in found, "a message is lost"

    def _posts(self) -> dict[int, str]:
        """Return what flows have sent, by the records that were saved: to which runs."""
        posts: dict[int, str] = {}
        for record in self.world.records.values():
            for step, outcome, _ in record:
                if step[0] in ("send", "tell") and type(outcome) is str:
                    number = step[3]
                    assert number not in posts, "a step was done twice"
                    posts[number] = outcome
        return posts

    def _check_order_of_turns(self) -> None:
        """Check that what a turn has sent to one run came there in its order."""
        for record in self.world.records.values():
            part, last = 0, {}
            for step, outcome, turn in record:
                part += step[0] == "checkpoint"
                if step[0] in ("send", "tell") and type(outcome) is str:
                    moment = self.world.arrivals.get(outcome, {}).get(step[3], (0,))[0]
                    if moment:
                        assert last.get((turn, part, outcome), 0) < moment, "messages overtook"
                        last[turn, part, outcome] = moment

    def _check_families(self) -> None:
        """Check that each run was begun by a turn that was saved, and none outlives its parent."""
        begun: set[str] = set()
        for run_id, record in self.world.records.items():
            for step, outcome, _ in record:
                if step[0] in ("spawn", "start") and type(outcome) is str:
                    assert outcome in self.world.records, "a run was never begun"
                    begun.add(outcome)
                    child = self.runs.get(outcome)
                    if child is not None:
                        assert child.parent == (run_id if step[0] == "spawn" else None)
            self._check_ends(run_id, record)
        assert self.world.begun <= begun, "a run was begun by a turn that was not saved"
        for run in self.runs.values():
            parent = self.runs.get(run.parent or "")
            if parent is not None and (
                parent.state in OVER or (parent.parent and parent.state in ENDED)
            ):
                assert run.state in ENDED, "a child was orphaned"

    def _check_ends(self, run_id: str, record: list[Any]) -> None:
        """Check what a run was told of its children: what they have returned, and once."""
        told: list[str] = []
        for step, outcome, _ in record:
            if outcome is None or len(outcome) != 2:
                continue
            if step[0] == "wait" or (step[0] == "race" and outcome[0] != step[2]):
                told.append(outcome[0])
                self._check_end(*outcome)
            elif step[0] == "gather" and type(outcome[0]) is list:
                for child, result in zip(*outcome, strict=True):
                    told.append(child)
                    self._check_end(child, result)
        told = [child for child in told if child in self.world.records]
        assert len(set(told)) == len(told), "the end of a child was read twice"

    def _check_end(self, child_id: str, result: Any) -> None:
        if child_id in self.runs:
            assert self.runs[child_id].state is RunState.COMPLETE
            assert result == self.world.records[child_id]

    def _check_cancels(self) -> None:
        for run_id in self.world.cancelled:
            run = self.runs.get(run_id)
            if run is not None and run.state not in ENDED and run_id not in self.world.deleted:
                outcomes = [outcome for _, outcome, _ in self.world.records[run_id]]
                assert ["Cancelled"] in outcomes, "a cancel is lost"


def reading(entry: list[Any]) -> tuple[list[str], int | None, int]:
    """Return the events of which a step takes one, its number or None, and the turn.

    There are no names if the step takes none, or has ended in another way.
    """
    step, outcome, turn = entry
    names = {"read": step[1:2], "expires": [step[1:2]], "race": [step[2:]]}.get(step[0], [[]])[0]
    match outcome:
        case [None, None]:
            return names, None, turn
        case [str(name), int(number)] if name in names:
            return names, number, turn
    return [], None, turn


def numbers_in(record: list[Any]) -> list[int]:
    """Return the numbers of the events that a run has read."""
    return [number for _, number, _ in map(reading, record) if number is not None]


def all_runs(engine: Engine) -> Iterator[Run]:
    after = None
    while page := engine.find_runs(limit=500, after=after):
        yield from page
        after = page[-1].id
