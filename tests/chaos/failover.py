"""Chaos with standbys: one takes over again and again, while processes deliver and are killed.

`python -m tests.chaos.failover pair|patroni [--minutes N] [--processes N] [--faults a,b]`. The
database is a primary with a synchronous standby, or three servers under Patroni with its etcd;
they break as `--faults` says, one after the other. The judge of `tests.chaos.chaos` looks
afterwards whether an acknowledged event was lost, or one came twice: then this ends with an error.
Printed is what was acknowledged, and the longest time without an acknowledged turn.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from longterm import RunState
from longterm.errors import StoreError
from longterm.store import open_store
from longterm.store.postgres import PostgresStore
from longterm.testing._sample_runs import claim, suspended_run
from tests.chaos.chaos import chaos

WAIT_SECONDS = {"pair": 15, "patroni": 60}


class Cluster(Protocol):
    """Servers of which one is the primary."""

    hosts: str
    faults: dict[str, Callable[[], None]]
    """What breaks it, and waits until a standby follows again; by name."""

    def remove(self) -> None:
        """End all servers."""
        ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cluster", choices=["pair", "patroni"])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--faults", help="comma-separated; all there are, unless told otherwise")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    # In a process of its own: it has threads and waits for servers, while this one forks.
    operator = multiprocessing.Process(
        target=operate, args=(options.cluster, options.faults, theirs)
    )
    operator.start()
    theirs.close()
    try:
        counts = run(ours, options)
    finally:
        with suppress(BrokenPipeError):
            ours.send("remove")
        operator.join()
    print(json.dumps({"failover": options.cluster, **counts}))


def run(operator: Connection, options: argparse.Namespace) -> dict[str, Any]:
    """Make chaos while the operator breaks servers; return the counts."""
    url = operator.recv()
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    with store:
        store.migrate()  # before anything breaks: who makes a schema does not try again
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory() as name:
        pulse = Pulse(url, Path(name, "pulse"))
        try:
            operator.send(seconds)
            counts = chaos(
                url, Path(name), seconds=seconds, processes=options.processes, runs=options.runs
            )
            times = operator.recv()
            assert isinstance(times, dict), times
        finally:
            pulse.end()
        return {**counts, **pulse.judged(times)}


def operate(kind: str, names: str | None, caller: Connection) -> None:
    """Break a cluster in each way in turn, for as long as the caller says."""
    cluster: Cluster
    if kind == "pair":
        from tests.chaos.pair import PairOfServers

        cluster = PairOfServers()
    else:
        from tests.chaos.patroni import PatroniCluster

        cluster = PatroniCluster()
    try:
        caller.send(
            f"postgresql://postgres@{cluster.hosts}/postgres"
            f"?max_connections=2&wait_seconds={WAIT_SECONDS[kind]}"
        )
        end = time.monotonic() + caller.recv()
        chosen = names.split(",") if names else list(cluster.faults)
        times: dict[str, list[tuple[float, float]]] = {}
        for name in itertools.cycle(chosen):
            # Each fault once, and then for as long as there is time.
            if time.monotonic() > end and len(times) == len(chosen):
                break
            time.sleep(1)
            begin = time.monotonic()
            cluster.faults[name]()
            times.setdefault(name, []).append((begin, time.monotonic()))
        caller.send(times)
        caller.recv()
    except EOFError:  # the caller has failed
        pass
    except BaseException:
        caller.send(traceback.format_exc())
        raise
    finally:
        cluster.remove()


def _longest(gaps: list[tuple[float, float]], begin: float, end: float) -> float:
    """Return how long the longest gap took of those that began in a time."""
    those = [after - before for before, after in gaps if begin - 0.5 < before < end]
    return round(max(those, default=float("nan")), 2)


class Pulse:
    """A process that takes turns all the time, in a schema of its own, and notes when."""

    def __init__(self, url: str, file: Path) -> None:
        self._file = file
        self._url = f"{url}&application_name=pulse"
        self._pid = os.fork()
        if not self._pid:
            try:
                self._beat()
            finally:
                os._exit(1)

    def end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def judged(self, times: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
        """Compare what was acknowledged with what is stored; return the counts.

        Args:
            times: of each fault when it began, and when the cluster was whole again.
        """
        beats = [line.split("|") for line in self._file.read_text().splitlines()]
        moments = [float(moment) for _, moment in beats]
        acknowledged = Counter(run_id for run_id, _ in beats)
        lost = twice = 0
        with self._store() as store:
            for run_id, number in acknowledged.items():
                counted = int(store.get(run_id).stack or b"")
                lost += max(0, number - counted)
                twice += max(0, counted - number - 1)  # the last one may have failed, or not
        gaps = list(itertools.pairwise(moments))
        assert lost == twice == 0, (lost, twice)
        return {
            "pulse_acknowledged": len(beats),
            "pulse_lost": lost,
            "pulse_twice": twice,
            "faults": {name: len(each) for name, each in times.items()},
            "longest_gaps": {
                name: max(_longest(gaps, begin, end) for begin, end in each)
                for name, each in times.items()
            },
        }

    def _store(self) -> PostgresStore:
        store = open_store(f"{self._url}&schema=pulse")
        assert isinstance(store, PostgresStore)
        return store

    def _beat(self) -> None:
        log = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with self._store() as store:
            for number in itertools.count():
                with suppress(StoreError):  # nobody knows what became of that turn
                    self._count(store, f"run {number}", log)
                time.sleep(0.02)

    def _count(self, store: PostgresStore, run_id: str, log: int) -> None:
        store.create(replace(suspended_run(run_id), stack=b"0"))
        while True:
            claimed = claim(store, run_id)
            counted = b"%d" % (int(claimed.stack or b"") + 1)
            store.update(replace(claimed, state=RunState.SUSPENDED, stack=counted))
            os.write(log, f"{run_id}|{time.monotonic()}\n".encode())
            time.sleep(0.02)


if __name__ == "__main__":
    main()
