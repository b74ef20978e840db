"""A delivery that is repeated is acknowledged once what came of it is safe, not when it is read."""

from __future__ import annotations

from longterm import Engine, RunState, deflow, suspend
from longterm.run import Run
from longterm.store.memory import MemoryStore

answers: list[object] = []


@deflow
def ask() -> object:
    answer = suspend("answer")
    answers.append(answer)
    return answer


class LaggingStore(MemoryStore):
    """A store that can be put back to what its standby has."""

    confirmed = 0

    def confirm(self, run_id: str) -> Run:
        self.confirmed += 1
        if self.standby:
            self._runs.update(self.standby)
            self._keys.clear()
        return self.get(run_id)

    def __init__(self) -> None:
        super().__init__()
        self.standby: dict[str, Run] = {}


def test_a_repeated_delivery_is_confirmed() -> None:
    store = LaggingStore()
    engine = Engine(store)
    run = engine.start_flow(ask)
    engine.process_event(run.id, "answer", 1, key="click 1")
    assert store.confirmed == 0

    again = engine.process_event(run.id, "answer", 1, key="click 1")

    assert (again.state, again.result, store.confirmed) == (RunState.COMPLETE, 1, 1)


def test_a_delivery_that_a_failover_undid_is_taken_again() -> None:
    store = LaggingStore()
    engine = Engine(store)
    run = engine.start_flow(ask)
    before = store.get(run.id)
    engine.process_event(run.id, "answer", 1, key="click 1")
    store.standby = {run.id: before}
    answers.clear()

    again = engine.process_event(run.id, "answer", 1, key="click 1")

    assert (again.state, again.result, again.is_duplicate) == (RunState.COMPLETE, 1, False)
    assert answers == [1]
