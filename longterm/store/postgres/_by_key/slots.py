"""Who was given a slot of a queue: a text in the queue's row, and what it says. Knows no database.

A slot is given in two writes, each of one row: into the queue's row, under the condition that
nobody has written it since it was read, and then into the run's, under the condition that the run
waits in the turn in which it was found. So there are never more slots given than the row says.
Nobody writes that a slot is given back: whoever reads the row sees by the runs which are over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from longterm.run import RunState

_PATIENCE: Final = timedelta(seconds=10)
"""How long somebody who was given a slot has to claim the run."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of a queue that was given out."""

    run_id: str
    turn: int
    """The turn in which the run was found; the claim begins the next one."""
    partition: str
    given_at: str
    """When it was given, as an ISO text."""

    def is_late(self, now: datetime) -> bool:
        """Whether it was given so long ago that a run that was not claimed will not be."""
        return abs(now - datetime.fromisoformat(self.given_at)) > _PATIENCE


@dataclass(slots=True)
class Holders:
    """The runs of a queue that hold a slot, or may still claim it; with their partitions."""

    partitions: dict[str, str]
    slots: list[Slot]
    """Those that stay in the queue's row."""
    late: list[Slot]
    """Those of them that nobody has claimed in time."""

    def count(self, partition: str | None = None) -> int:
        """Return how many there are, of a partition or at all."""
        return sum(partition in (None, each) for each in self.partitions.values())


def holders(queue: str, given: Iterable[Slot], rows: Iterable[tuple[Any, ...]]) -> Holders:
    """Return who holds a slot.

    Args:
        queue: its name.
        given: what its row says.
        rows: id, turn, state, slot and partition of these runs, and of all that hold one.
    """
    found = Holders({}, [], [])
    standing: dict[str, tuple[int, bool]] = {}
    for run_id, turn, state, slot, partition in rows:
        is_held = state == RunState.RUNNING and slot == queue
        standing[run_id] = (turn, is_held)
        if is_held:
            found.partitions[run_id] = partition or ""
    for each in given:
        turn, is_held = standing.get(each.run_id, (None, False))
        if turn == each.turn or (turn == each.turn + 1 and is_held):
            found.partitions[each.run_id] = each.partition
            found.slots.append(each)
            if turn == each.turn:
                found.late.append(each)
    return found


def written(slots: Iterable[Slot]) -> str:
    """Return slots as the text of the queue's row."""
    rows = [[slot.run_id, slot.turn, slot.partition, slot.given_at] for slot in slots]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> list[Slot]:
    """Return the slots of a text."""
    return [Slot(*row) for row in json.loads(text)]
