"""How many runs wait where, and are in which state, in memory."""

from __future__ import annotations

from collections import Counter

from longterm._event_names import START
from longterm.run import Run, RunState
from longterm.store._step_lock import StepLock
from longterm.store.positions import PositionCount
from longterm.store.states import StateCount

_OVER = (RunState.COMPLETE, RunState.CANCELLED)


class MemoryCounts:
    """The part of the store that counts runs."""

    _lock: StepLock
    _runs: dict[str, Run]

    def count_positions(self) -> list[PositionCount]:
        with self._lock.alone():
            live = [run for run in self._runs.values() if run.state not in _OVER]
        counts: dict[tuple[str, str | None, bool], list[str]] = {}
        for run in live:
            key = run.flow, run.position, run.waiting_for == START
            counts.setdefault(key, []).append(run.id)
        found = sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2]))
        return [
            PositionCount(
                flow=flow, position=place, is_to_begin=begins, runs=len(ids), example=min(ids)
            )
            for (flow, place, begins), ids in found
        ]

    def count_states(self) -> list[StateCount]:
        with self._lock.alone():
            counts = Counter((run.flow, run.state) for run in self._runs.values())
        return [
            StateCount(flow=flow, state=state, runs=runs)
            for (flow, state), runs in sorted(counts.items())
        ]
