"""Races: many deliveries of one event at the same moment, on stores of their own, have one winner.

`python -m tests.chaos.races memory|sqlite|postgres [--rounds N]` lets 2 to 32 callers start from a
barrier in each round, and counts. A loser must be told so, and have changed nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from longterm import Engine, Run, RunNotSuspended, RunState, WrongEvent, deflow, respond, suspend
from longterm.store import open_store
from longterm.store.base import RunStore
from tests.chaos.chaos import opened

MOST = 32
STORES = 8
"""How many stores the callers share: each has connections of its own."""


@deflow
def count():
    """Add up whatever comes."""
    total = turns = 0
    while True:
        total += suspend(f"number {turns}")
        turns += 1
        respond(total)


def race_events(stores: list[RunStore], rounds: int, seed: int = 1) -> dict[str, int]:
    """Let callers race for one event after another; return what came of it."""
    draw = random.Random(seed)
    engines = [Engine(stores[number % len(stores)]) for number in range(MOST)]
    run = engines[0].start_flow(count)
    outcomes: list[Run | Exception] = []
    start, finish = threading.Barrier(MOST + 1), threading.Barrier(MOST + 1)
    task: tuple[int, str] | None = (0, "")

    def call(number: int) -> None:
        while True:
            start.wait()
            if task is None:
                return
            callers, event_id = task
            if number < callers:
                try:
                    outcomes.append(engines[number].process_event(run.id, event_id, number + 1))
                except Exception as error:
                    outcomes.append(error)
            finish.wait()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(MOST)]
    for thread in threads:
        thread.start()
    counts: Counter[str] = Counter()
    total = 0
    try:
        for turn in range(rounds):
            outcomes.clear()
            task = (draw.randint(2, MOST), f"number {turn}")
            start.wait()
            finish.wait()
            total = _judge(outcomes, task, total, engines[0].get_run(run.id))
            counts["deliveries"] += task[0]
            counts.update(type(each).__name__ for each in outcomes)
    finally:
        task = None
        start.wait()
        for thread in threads:
            thread.join()
    return {"rounds": rounds, **counts}


def _judge(outcomes: list[Run | Exception], task: tuple[int, str], total: int, stored: Run) -> int:
    """Check a round; return the new total."""
    callers, event_id = task
    assert len(outcomes) == callers
    winners = [each for each in outcomes if isinstance(each, Run)]
    assert len(winners) == 1, f"{len(winners)} winners of {event_id}: {outcomes}"
    (said,) = winners[0].response
    assert total < said <= total + callers
    assert stored.state is RunState.SUSPENDED
    assert (stored.response, stored.turn) == ([said], winners[0].turn)
    for each in outcomes:
        assert isinstance(each, (Run, RunNotSuspended, WrongEvent)), repr(each)
    return int(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["memory", "sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=10_000)
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if options.store == "memory":
            counts = race_events([open_store("memory://")], options.rounds)
        else:
            with opened(options.store, Path(folder)) as (url, _):
                stores = [open_store(url) for _ in range(STORES)]
                counts = race_events(stores, options.rounds)
                for store in stores:
                    store.close()  # type: ignore[attr-defined]
    minutes = round((time.monotonic() - begin) / 60, 1)
    print(json.dumps({"races": options.store, "minutes": minutes, **counts}))


if __name__ == "__main__":
    main()
