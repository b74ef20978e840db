"""How many events a second several servers take, each held to a small part of a core.

Servers without a limit share the cores of one machine with their clients, and show nothing of how
they would do on machines of their own. The limit is that of a control group (Linux's version 1, as
root): `python -m tests.benchmarks.shards`.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from longterm import Engine, deflow, suspend
from longterm.store import open_store
from longterm.store.sharded import Sharded
from tests.store.postgres_server import PostgresServer, find_binaries

GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD = 50_000
"""Microseconds."""
WARM_UP = 3.0
"""Seconds for sessions to begin, without a limit: each costs as much as a hundred events."""
SETTLE = 2.0
"""Seconds with the limit that are not counted."""
PROCESSES, THREADS = 3, 2
"""Threads for each server: more than a limited server can use, and no crowd that holds it up."""


@deflow
def counts() -> int:
    number = 0
    while suspend("next"):
        number += 1
    return number


class Limit:
    """A part of a core, for a server and its sessions."""

    def __init__(self, name: str, part: float) -> None:
        self._group = GROUPS / f"longterm_{os.getpid()}_{name}"
        self._group.mkdir()
        (self._group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (self._group / "cpu.cfs_quota_us").write_text(str(int(PERIOD * part)))

    def hold(self, server: PostgresServer) -> None:
        """Hold a server; sessions that begin later are in its group, too."""
        for pid in server.processes():
            (self._group / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        for pid in (self._group / "cgroup.procs").read_text().split():
            (GROUPS / "cgroup.procs").write_text(pid)
        self._group.rmdir()


def send(url: str, ids: list[str], seconds: float, is_limited: Any, results: Any) -> None:
    """Send events to runs; each thread, as a worker does, to those of one server."""
    store = open_store(url)
    assert isinstance(store, Sharded)
    engine = Engine(store, versions="off")
    names = store.part_names
    begin = [float("inf")]
    done = [0] * THREADS * len(names)

    def work(number: int) -> None:
        name = names[number % len(names)]
        there = [run_id for run_id in ids if store._place(run_id) == name]
        mine = itertools.cycle(there[number // len(names) :: THREADS])
        while (now := time.monotonic()) < begin[0] + seconds:
            engine.process_event(next(mine), "next", True)
            done[number] += now >= begin[0]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(done))]
    for worker in workers:
        worker.start()
    is_limited.wait()
    begin[0] = time.monotonic() + SETTLE
    for worker in workers:
        worker.join()
    store.close()
    results.put(sum(done))


def measure(count: int, part: float, seconds: float) -> float:
    """Return the events a second of so many servers."""
    binaries = find_binaries()
    assert binaries is not None
    processes = multiprocessing.get_context("spawn")
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        servers = {f"s{number}": PostgresServer(binaries) for number in range(count)}
        for server in servers.values():
            stack.callback(server.remove)
        url = f"postgresql+sharded://{_file_of(Path(folder), servers)}?max_connections=16"
        store = open_store(url)
        assert isinstance(store, Sharded)
        with store:
            ids = [Engine(store).start_flow(counts).id for _ in range(count * 60)]
        results: Any = processes.SimpleQueue()
        is_limited = processes.Event()
        clients = [
            processes.Process(
                target=send, args=(url, ids[number::PROCESSES], seconds, is_limited, results)
            )
            for number in range(PROCESSES)
        ]
        for client in clients:
            client.start()
        time.sleep(2 * WARM_UP)  # also for their Pythons to start
        for name, server in servers.items():
            limit = Limit(name, part)
            stack.callback(limit.remove)
            limit.hold(server)
        is_limited.set()
        total = sum(results.get() for _ in clients)
        for client in clients:
            client.join()
    return float(total / seconds)


def _file_of(folder: Path, servers: dict[str, PostgresServer]) -> Path:
    file = folder / "shards.toml"
    urls = "".join(f'{name} = "{server.url()}"\n' for name, server in servers.items())
    epoch = f"since = 2026-01-01T00:00:00Z\nservers = {list(servers)!r}\n".replace("'", '"')
    file.write_text(f"[servers]\n{urls}\n[[epochs]]\n{epoch}")
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=float, default=0.05, help="of a core, for each server")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[int, list[float]] = {1: [], 2: [], 4: []}
    for _ in range(options.rounds):
        for count, rates in found.items():
            rates.append(measure(count, options.part, options.seconds))
            print(f"{count} servers: {rates[-1]:.0f} events a second", flush=True)
    for count, rates in found.items():
        ratios = [rate / one for rate, one in zip(rates, found[1], strict=True)]
        print(f"{count} servers: x{min(ratios):.2f} to x{max(ratios):.2f}")


if __name__ == "__main__":
    main()
