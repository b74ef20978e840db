"""Flows for the tests of several servers; as a program, one process that dies or works.

`python sharded_flows.py URL begin` starts a parent whose children are begun elsewhere, and dies by
SIGKILL when the turn is saved and nothing is delivered. `python sharded_flows.py URL work` runs
workers for all servers until nothing is left to do, at most so many seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from typing import Any

from longterm import Engine, deflow, gather, spawn, suspend
from longterm._turns.delivering import Delivering
from longterm.store import open_store
from longterm.store.sharded import Sharded
from longterm.worker import Worker

LEASE = timedelta(seconds=2)
CHILDREN = 12


@deflow
def child(number: int) -> int:
    return number


@deflow
def parent() -> int:
    suspend("go")
    children = [spawn(child, number) for number in range(CHILDREN)]
    return sum(gather(*children))


def begin(url: str) -> None:
    """Start the parent, and die between the commit of its second turn and the delivery."""
    engine = Engine(url, lease=LEASE)
    run = engine.start_flow(parent)
    print(run.id, flush=True)

    def die(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    Delivering.deliver = die  # type: ignore[method-assign]
    engine.process_event(run.id, "go")


def work(url: str, seconds: float) -> None:
    """Do what there is to do on all servers."""
    store = open_store(url)
    assert isinstance(store, Sharded)
    workers = [Worker(Engine(store.part(name), lease=LEASE)) for name in store.part_names]
    end = time.monotonic() + seconds
    while time.monotonic() < end and Engine(store).find_runs(state="suspended"):
        for worker in workers:
            worker.run_once()
        time.sleep(0.1)
    store.close()


if __name__ == "__main__":
    if sys.argv[2] == "begin":
        begin(sys.argv[1])
    else:
        work(sys.argv[1], float(sys.argv[3]))
