"""Many callers on one Postgres server: events a second, and the client's processor time of each.

Bare psycopg beside longterm, in processes of their own that all wait while another one has its
turn. Every thread has a session of its own. `python -m tests.benchmarks.postgres_callers SIDE
THREADS URL` is one such process.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from tests.benchmarks.floors import BarePostgres
from tests.benchmarks.measuring import Row, Samples, in_turn, rows_of, skipped
from tests.store.postgres_server import PostgresServer, find_binaries

HAND, SAME = "bare, claim and save", "bare, longterm's statements"
SIDES = {"hand": HAND, "same": SAME, "longterm": "longterm"}
SETTINGS = {
    "one caller": (1, 1),
    "16 threads": (1, 16),
    "4 processes of 4 threads": (4, 4),
}
"""Processes, and threads of each."""
CALLERS = {
    **{f"{number} threads": ("longterm", number) for number in (1, 4, 16)},
    **{f"asyncio, {number} tasks": ("tasks", number) for number in (1, 16, 500)},
}
"""What one process does side by side: threads for a plain flow, or tasks for an `async def`."""
SESSIONS = 16
"""As many as tasks share; each thread has one."""
QUICK, FULL = (3, 160), (11, 480)
"""How many repeats, and events in each."""
RUNS_OF_A_THREAD = 60

Event: TypeAlias = Callable[[int, int], object]
"""Takes one event: the number of the thread, and that of its event."""


def measure(quick: bool) -> list[Row]:
    """Return the rates and the processor times of all settings."""
    binaries = find_binaries()
    if binaries is None:
        return skipped(
            "Postgres, many callers",
            "its binaries are missing (pip install '.[postgres]' --group test-postgres)",
        )
    repeats, count = QUICK if quick else FULL
    server = PostgresServer(binaries, fsync="on")
    try:
        return [
            row
            for setting, (processes, threads) in SETTINGS.items()
            for row in measured(server.url(), setting, processes, threads, repeats, count)
        ] + threads_and_tasks(server.url(), repeats, count)
    finally:
        server.remove()


def measured(
    url: str, setting: str, processes: int, threads: int, repeats: int, count: int
) -> list[Row]:
    """Let the sides take turns in one setting; return their rates and processor times."""
    rates: Samples = {name: [] for name in SIDES.values()}
    times: Samples = {name: [] for name in SIDES.values()}
    with ExitStack() as opened:
        crowds = {
            name: opened.enter_context(crowd(side, processes, threads, url))
            for side, name in SIDES.items()
        }
        for repeat in range(repeats + 1):
            for name in in_turn(list(crowds), repeat):
                start = time.perf_counter()
                seconds = all_together(crowds[name], count // processes)
                if repeat:
                    rates[name].append(count / (time.perf_counter() - start))
                    times[name].append(seconds / count)
    return [
        *rows_of(
            f"Postgres, {setting}: events a second", rates, bases=(HAND, SAME), unit="/s", scale=1
        ),
        *rows_of(f"Postgres, {setting}: the client's processor time", times, bases=(HAND, SAME)),
    ]


def threads_and_tasks(url: str, repeats: int, count: int) -> list[Row]:
    """Let threads and tasks of one process take turns; return their rates and processor times."""
    rates: Samples = {name: [] for name in CALLERS}
    times: Samples = {name: [] for name in CALLERS}
    with ExitStack() as opened:
        crowds = {
            name: opened.enter_context(crowd(side, 1, callers, url))
            for name, (side, callers) in CALLERS.items()
        }
        for repeat in range(repeats + 1):
            for name in in_turn(list(crowds), repeat):
                callers = CALLERS[name][1]
                taken = callers * max(1, count // callers)
                start = time.perf_counter()
                seconds = all_together(crowds[name], taken)
                if repeat:
                    rates[name].append(taken / (time.perf_counter() - start))
                    times[name].append(seconds / taken)
    what, bases = "Postgres, threads and tasks", ("4 threads", "16 threads")
    return [
        *rows_of(f"{what}: events a second", rates, bases=bases, unit="/s", scale=1),
        *rows_of(f"{what}: the client's processor time", times, bases=bases),
    ]


@contextmanager
def crowd(
    side: str, processes: int, threads: int, url: str
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the processes of one side, which wait to be told how many events to take."""
    command = [sys.executable, "-m", "tests.benchmarks.postgres_callers", side, str(threads), url]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children: list[subprocess.Popen[str]] = []
    try:
        for _ in range(processes):
            children.append(subprocess.Popen(command, **pipes))
            said(children[-1])  # one after the other: the first one makes the tables
        yield children
    finally:
        for child in children:
            child.communicate()


def all_together(children: list[subprocess.Popen[str]], count: int) -> float:
    """Have each process take so many events; return the processor time of all."""
    for child in children:
        assert child.stdin is not None
        print(count, file=child.stdin, flush=True)
    return sum(float(said(child)) for child in children)


def said(child: subprocess.Popen[str]) -> str:
    """Return the next line of a process."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the benchmark failed with status {child.wait()}")
    return line


def work(side: str, threads: int, url: str) -> None:
    """Take as many events as each line says, shared among threads; say what they took."""
    if side == "tasks":
        asyncio.run(work_in_tasks(url, threads))
        return
    event = {"hand": by_hand, "same": by_the_same_statements, "longterm": by_longterm}[side](
        url, threads
    )
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.process_time()
        in_threads(event, threads, int(line))
        print(time.process_time() - start, flush=True)


async def work_in_tasks(url: str, tasks: int) -> None:
    """Take as many events as each line says, shared among tasks of one loop; say what they took."""
    from longterm import Engine
    from longterm.store.postgres import PostgresStore
    from tests.benchmarks.flows import EVENT, PADDING, async_survey

    engine = Engine(PostgresStore(url, max_connections=SESSIONS))
    each = max(2, SESSIONS * RUNS_OF_A_THREAD // tasks)
    starts = (engine.astart_flow(async_survey, PADDING) for _ in range(tasks * each))
    ids = [run.id for run in await asyncio.gather(*starts)]

    async def take(task: int, count: int) -> None:
        for number in range(count):
            await engine.aprocess_event(ids[task * each + number % each], "number", EVENT)

    print("ready", flush=True)
    for line in sys.stdin:
        start, count = time.process_time(), int(line) // tasks
        await asyncio.gather(*(take(task, count) for task in range(tasks)))
        print(time.process_time() - start, flush=True)


def in_threads(event: Event, threads: int, count: int) -> None:
    """Share the events among threads; one thread is this one."""

    def take(thread: int) -> None:
        for number in range(count // threads):
            event(thread, number)

    if threads == 1:
        take(0)
        return
    others = [threading.Thread(target=take, args=(thread,)) for thread in range(threads)]
    for other in others:
        other.start()
    for other in others:
        other.join()


def by_hand(url: str, threads: int) -> Event:
    """Return an event on a table with a key and nothing else."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        bare = BarePostgres(connection, f"bare_{time.time_ns()}", runs=threads * RUNS_OF_A_THREAD)
    turns = [bare.turn(psycopg.connect(url, autocommit=True)) for _ in range(threads)]
    return lambda thread, number: turns[thread](place_of(thread, number))


def by_the_same_statements(url: str, threads: int) -> Event:
    """Return an event by longterm's own two statements on its tables, sent by psycopg's cursors.

    The state is not read, and what is saved is what was saved before.
    """
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._saves import save_statement
    from longterm.store.postgres._statements.claims import CLAIM
    from longterm.store.postgres._store import _ROWS

    with PostgresStore(url) as store:
        ids = started(store, threads)
        run = store.get(ids[0])
        statement, parameters = save_statement(_ROWS.row_of(run), run, None, (), None)
        claim, save = store._schema.sql(CLAIM), store._schema.sql(statement)
    before, after = parameters[:-4], parameters[-1:]
    assert parameters[-4:] == (run.id, run.turn, run.claim, *after)
    connections = [psycopg.connect(url, autocommit=True) for _ in range(threads)]

    def event(thread: int, number: int) -> None:
        connection, run_id = connections[thread], ids[place_of(thread, number)]
        now = datetime.now(UTC)
        wanted = (number, now + timedelta(minutes=1), run_id, "number", now)
        ((turn, *_),) = connection.execute(claim, wanted, binary=True).fetchall()
        kept = (*before, run_id, turn, number, run_id)
        assert connection.execute(save, kept, binary=True).fetchall()

    return event


def by_longterm(url: str, threads: int) -> Event:
    """Return an event by longterm."""
    from longterm import Engine
    from longterm.store.postgres import PostgresStore
    from tests.benchmarks.flows import EVENT

    store = PostgresStore(url, max_connections=threads)
    engine, ids = Engine(store), started(store, threads)
    return lambda thread, number: engine.process_event(
        ids[place_of(thread, number)], "number", EVENT
    )


def started(store: Any, threads: int) -> list[str]:
    """Return the ids of runs that wait, some for each thread."""
    from longterm import Engine
    from tests.benchmarks.flows import PADDING, survey

    engine = Engine(store)
    return [engine.start_flow(survey, PADDING).id for _ in range(threads * RUNS_OF_A_THREAD)]


def place_of(thread: int, number: int) -> int:
    """Return which run an event is for: each thread has runs of its own."""
    return thread * RUNS_OF_A_THREAD + number % RUNS_OF_A_THREAD


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), sys.argv[3])
