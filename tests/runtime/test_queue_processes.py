"""Processes on one Postgres database: no queue ever has more runs than it allows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from longterm import Engine
from longterm.store import open_store

ROOT = Path(__file__).parents[2]
PROCESSES = 4
"""Of two threads each."""
FLOWS = '''\
"""A flow that notes when it runs, in a file of its process."""

import os
import time
from longterm import deflow


@deflow
def work(queue, tenant):
    begin = time.monotonic()
    time.sleep(0.02)
    with open(f"{os.getpid()}.log", "a") as log:
        log.write(f"{queue} {tenant} {begin} {time.monotonic()}\\n")
'''
WORKER = """
import sys
import threading
from datetime import timedelta
from longterm import Engine
from longterm.worker import Worker
import queued_work

worker = Worker(Engine(sys.argv[1]), threads=2, poll=timedelta(seconds=0.05))
print("ready", flush=True)
sys.stdin.readline()  # until all are
threading.Thread(target=lambda: (sys.stdin.read(), worker.stop()), daemon=True).start()
worker.run()
"""


def test_processes_share_the_slots_of_queues(server, fresh_database, tmp_path, monkeypatch):
    url = server.url(fresh_database())
    (tmp_path / "queued_work.py").write_text(FLOWS)
    monkeypatch.syspath_prepend(tmp_path)
    import queued_work

    with closing(open_store(url)) as store:
        engine = Engine(store)
        engine.queue("few", concurrency=3)
        engine.queue("each", per_partition=1)
        for number in range(30):
            tenant = f"t{number % 4}" if number % 2 else "big"
            for queue in ("few", "each"):
                engine.start(queued_work.work, (queue, tenant), queue=queue, partition=tenant)
        workers = [_begun(url, tmp_path) for _ in range(PROCESSES)]
        try:
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            _until_empty(engine)
        finally:
            for worker in workers:
                worker.stdin.close()
            for worker in workers:
                worker.wait(timeout=30)
                worker.stdout.close()

    lines = [
        line.split() for log in tmp_path.glob("*.log") for line in log.read_text().splitlines()
    ]
    turns = [(queue, tenant, float(begin), float(end)) for queue, tenant, begin, end in lines]
    assert len(turns) == 60
    few = [turn for turn in turns if turn[0] == "few"]
    each = [turn for turn in turns if turn[0] == "each"]
    assert 2 <= _most_at_once(few) <= 3
    assert all(
        _most_at_once([turn for turn in each if turn[1] == tenant]) == 1
        for tenant in {turn[1] for turn in each}
    )
    first = Counter(turn[1] for turn in sorted(few, key=lambda turn: turn[2])[:8])
    assert len(first) >= 3  # no tenant waits for all of another


def _begun(url: str, folder: Path) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, url],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}:{ROOT / 'compiler'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def _until_empty(engine: Engine) -> None:
    end = time.monotonic() + 60
    while any(status.waiting or status.running for status in engine.queues()):
        assert time.monotonic() < end
        time.sleep(0.05)


def _most_at_once(turns: list[tuple[str, str, float, float]]) -> int:
    """Return how many turns were under way at once; one machine has one monotonic clock."""
    edges = sorted([(begin, 1) for *_, begin, _ in turns] + [(end, -1) for *_, end in turns])
    now = most = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most
