"""What a process counts in `test_signals`, whose steps on a store are interrupted at any moment.

`python -m tests.store.interrupted raise|use URL SECONDS` prints its counts as JSON.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import random
import signal
import sys
import time
from typing import Any

from longterm.errors import LongtermError
from longterm.run import RunState
from longterm.store import open_store
from longterm.testing._sample_runs import suspended_run


class Interrupt(BaseException):
    """What a handler raises, like `KeyboardInterrupt` or Celery's soft time limit."""


def main(kind: str, url: str, seconds: str) -> None:
    faulthandler.dump_traceback_later(float(seconds) + 40, exit=True)  # should it wait for ever
    store = open_store(url)
    store.create(suspended_run("there"))
    inside: list[str] = []
    counts = {"steps": 0, "raised": 0, "served": 0, "refused": 0, "failed": 0}

    def act(*_: object) -> None:
        if kind == "raise":
            if inside:
                counts["raised"] += 1
                raise Interrupt
            return
        try:
            store.get("there")
            take_turn(store, f"of a handler {counts['served']}")
            counts["served"] += 1
        except LongtermError as error:
            if "a signal handler cannot use the store" not in str(error):
                raise
            counts["refused"] += 1
        again()

    def again() -> None:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.01))

    signal.signal(signal.SIGALRM, act)
    begin = time.monotonic()
    end, latest = begin + float(seconds), begin + float(seconds) + 25
    # A busy machine needs longer until enough has happened.
    while (now := time.monotonic()) < end or (has_seen_little(kind, counts) and now < latest):
        try:
            inside.append("a step")
            again()
            take_turns(store, counts)
            inside.clear()
        except Interrupt:
            inside.clear()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    gc.collect()
    counts["lent"] = lent(store)
    begin = time.monotonic()
    child = os.fork()
    if not child:
        take_turn(store, "of a child") if "memory" not in url else None
        os._exit(0)
    counts["fork_milliseconds"] = round(1000 * (time.monotonic() - begin))
    assert os.waitpid(child, 0)[1] == 0
    take_turn(store, "the last")
    print(json.dumps(counts))


def has_seen_little(kind: str, counts: dict[str, int]) -> bool:
    """Tell whether a test cannot say much yet."""
    acted = counts["raised"] if kind == "raise" else counts["served"] + counts["refused"]
    return min(acted, counts["steps"]) <= 60 or (kind == "use" and not counts["served"])


def take_turns(store: Any, counts: dict[str, int]) -> None:
    for _ in range(100):
        counts["steps"] += 1
        try:
            take_turn(store, f"r{counts['steps']}")
        except LongtermError:
            counts["failed"] += 1


def take_turn(store: Any, run_id: str) -> None:
    store.create(suspended_run(run_id))
    claimed = store.unsuspend(run_id, "number")
    assert claimed is not None
    store.update(claimed.changed(state=RunState.COMPLETE))


def lent(store: Any) -> int:
    """Return how many connections the store takes for lent."""
    if hasattr(store, "_database"):
        pool = store._database._pool
        return len({id(place()) for place in pool._places} - {id(place) for place in pool._idle})
    if hasattr(store, "_pool"):
        return int(store._pool.lent())
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
