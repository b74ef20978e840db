"""Threads of one process that write to a SQLite file share transactions, and waits for the disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from errno import EIO
from pathlib import Path

import pytest

from longterm.errors import RunExists, StoreError
from longterm.run import Run, RunState
from longterm.store.sqlite import SQLiteStore
from longterm.store.sqlite import _pool as _sqlite_pool
from longterm.store.sqlite._group import Group, Step
from longterm.testing._sample_runs import claim, suspended_run

CALLERS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the calls by which the store waits for the disk, and let them through."""
    seen: list[int] = []
    sync = os.fdatasync

    def noted(descriptor: int) -> None:
        seen.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", noted)
    return seen


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep everybody else from writing to a file, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def claimed_by_callers(store: SQLiteStore) -> list[Run]:
    """Return a claimed run for each caller."""
    names = [f"r{number}" for number in range(CALLERS)]
    for name in names:
        store.create(suspended_run(name))
    return [claim(store, name) for name in names]


def queued(store: SQLiteStore, steps: list[Callable[[], Run]]) -> list[Future[Run]]:
    """Take steps in a thread each, and return when all but the first wait in the queue."""
    threads = ThreadPoolExecutor(len(steps))
    futures = []
    for number, step in enumerate(steps):
        futures.append(threads.submit(step))
        while not store._writer.lasting.is_led_with(waiting=number):
            time.sleep(0.001)
    threads.shutdown(wait=False)
    return futures


@pytest.mark.parametrize(("asked", "count"), [("FULL", 1), ("full", 1), ("NORMAL", 0)])
def test_a_save_waits_for_the_disk_as_asked_and_a_claim_never_does(
    path: Path, syncs: list[int], asked: str, count: int
) -> None:
    with SQLiteStore(path, synchronous=asked) as store:
        store.create(suspended_run())
        assert len(syncs) == count
        claimed = claim(store)
        assert len(syncs) == count
        store.update(claimed)
        assert len(syncs) == 2 * count


def test_those_who_wait_share_a_transaction_and_a_wait_for_the_disk(
    path: Path, syncs: list[int]
) -> None:
    with SQLiteStore(path) as store:
        claimed = claimed_by_callers(store)
        syncs.clear()

        with held(path):
            steps = [
                lambda run=run: store.update(run.changed(state=RunState.COMPLETE))  # type: ignore[misc]
                for run in claimed
            ]
            saves = queued(store, steps)

        assert [each.result().state for each in saves] == [RunState.COMPLETE] * CALLERS
        # The first has begun alone; the others came while it waited for the file.
        assert len(syncs) == 2
        for run in claimed:
            assert store.get(run.id).state is RunState.COMPLETE


def test_while_saves_wait_for_the_disk_claims_go_on_and_more_saves_gather(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SQLiteStore(path) as store:
        claimed = claimed_by_callers(store)
        store.create(suspended_run("claimed meanwhile"))
        reached, goes_on = threading.Event(), threading.Event()
        syncs = []

        def slow(descriptor: int) -> None:
            syncs.append(descriptor)
            reached.set()
            assert goes_on.wait(timeout=30)

        monkeypatch.setattr(os, "fdatasync", slow)
        steps = [
            lambda run=run: store.update(run.changed(state=RunState.COMPLETE))  # type: ignore[misc]
            for run in claimed
        ]
        saves = queued(store, steps)
        assert reached.wait(timeout=30)

        assert claim(store, "claimed meanwhile").state is RunState.RUNNING
        assert not any(each.done() for each in saves)
        goes_on.set()

        assert [each.result().state for each in saves] == [RunState.COMPLETE] * CALLERS
        assert len(syncs) == 2


def test_a_step_that_fails_fails_alone(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run("taken"))
        runs = [
            suspended_run("first"),
            suspended_run("good"),
            suspended_run("bad").changed(encoded_error="half a surrogate: \ud800"),
            suspended_run("taken"),
            suspended_run("good too"),
        ]

        with held(path):
            creations = queued(store, [lambda run=run: store.create(run) for run in runs])  # type: ignore[misc]

        first, good, bad, taken, good_too = creations
        assert [each.result().id for each in (first, good, good_too)] == [
            "first",
            "good",
            "good too",
        ]
        with pytest.raises(StoreError, match=r"cannot create run 'bad' in .* lone surrogates"):
            bad.result()
        with pytest.raises(RunExists):
            taken.result()
        assert store.get("good").id == "good"


def test_what_python_cannot_write_fails_alone_too(path: Path) -> None:
    with SQLiteStore(path) as store:
        runs = [suspended_run(name) for name in ("first", "good", "bad", "good too")]
        runs[2] = runs[2].changed(attempts=2**70)

        with held(path):
            creations = queued(store, [lambda run=run: store.create(run) for run in runs])  # type: ignore[misc]

        first, good, bad, good_too = creations
        assert [each.result().id for each in (first, good, good_too)] == [
            "first",
            "good",
            "good too",
        ]
        with pytest.raises(OverflowError):
            bad.result()


def test_what_an_interrupted_leader_leaves_the_next_one_takes() -> None:
    interrupted = threading.Event()

    def take(steps: list[Step]) -> None:
        if not interrupted.is_set():
            while not group.is_led_with(waiting=2):
                time.sleep(0.001)
            interrupted.set()
            raise KeyboardInterrupt
        for each in steps:
            each.take(each.action)

    group = Group(take)
    steps = [Step(lambda connection: None) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        taking = [threads.submit(group.take, each) for each in steps]
        assert isinstance(taking[0].exception(), KeyboardInterrupt)
        assert [each.exception() for each in taking[1:]] == [None, None]

    assert [each.is_taken for each in steps] == [False, True, True]
    assert [each.result for each in steps[1:]] == [each.action for each in steps[1:]]


def test_a_connection_comes_back_without_its_transaction(path: Path) -> None:
    with SQLiteStore(path) as store:
        with store._pool.loan() as loan:
            store._pool.lend(loan.held).execute("BEGIN IMMEDIATE")  # and then an interrupt

        store.create(suspended_run())
        with SQLiteStore(path) as other:
            assert other.get("r1") == suspended_run()


def test_a_store_that_a_link_names_waits_for_the_disk(path: Path, syncs: list[int]) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)

    with SQLiteStore(link) as store:
        store.create(suspended_run())

    assert len(syncs) == 1


def test_a_copy_with_another_journal_gets_the_log_that_is_waited_for(
    path: Path, syncs: list[int]
) -> None:
    copy = path.with_name("copy.db")
    with SQLiteStore(path) as store:
        store.create(suspended_run())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    syncs.clear()

    with SQLiteStore(copy) as store:
        store.update(claim(store))

    assert len(syncs) == 1


def test_all_who_wait_too_long_are_told_at_once(path: Path) -> None:
    with SQLiteStore(path, busy_seconds=0.5) as store:
        store.create(suspended_run("there"))

        with held(path):
            runs = [suspended_run(f"r{number}") for number in range(4)]
            began = time.monotonic()
            creations = queued(store, [lambda run=run: store.create(run) for run in runs])  # type: ignore[misc]
            errors = [each.exception() for each in creations]
            waited = time.monotonic() - began

        for number, error in enumerate(errors):
            assert str(error).startswith(
                f"cannot create run 'r{number}' in {path}: another process"
            )
        # Once for the first, once for the three that waited behind it.
        assert waited < 4 * 0.5
        assert store.create(runs[0]) == runs[0]


def test_a_disk_that_fails_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(EIO, os.strerror(EIO))

    with SQLiteStore(path) as store:
        store.create(suspended_run())
        run = claim(store)
        monkeypatch.setattr(os, "fdatasync", fail)

        with pytest.raises(
            StoreError, match=r"cannot save run 'r1' .* the disk failed \(Input/out"
        ):
            store.update(run.changed(state=RunState.COMPLETE))

        # What comes later can be lost too, though the disk says that it is there.
        monkeypatch.undo()
        with pytest.raises(StoreError, match=r"nothing more is written .* \(Input/out.*open the"):
            store.create(suspended_run("later"))
    with SQLiteStore(path) as store:
        assert store.create(suspended_run("later")).id == "later"


def test_a_store_that_is_made_while_a_process_forks_is_held_by_no_fork(path: Path) -> None:
    _sqlite_pool._before_fork()
    store = SQLiteStore(path)
    _sqlite_pool._after_fork_in_parent()

    with store:
        assert store.create(suspended_run()).id == "r1"


def test_closing_a_store_refuses_those_who_wait(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        with held(path):
            runs = [suspended_run(f"r{number}") for number in range(3)]
            creations = queued(store, [lambda run=run: store.create(run) for run in runs])  # type: ignore[misc]
            store.close()

        assert creations[0].result() == runs[0]
        for each in creations[1:]:
            with pytest.raises(StoreError, match="the store is closed"):
                each.result()


@pytest.mark.parametrize("leads", [True, False])
def test_an_interrupted_thread_stops_nobody_else(path: Path, leads: bool) -> None:
    program = textwrap.dedent("""
        import signal, sqlite3, sys, threading, time
        from longterm.store.sqlite import SQLiteStore
        from longterm.testing._sample_runs import suspended_run

        # Whoever started this process may have it ignore interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        path, leads = sys.argv[1], sys.argv[2] == "True"
        store = SQLiteStore(path)
        store.create(suspended_run("there"))
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        group = store._writer.lasting
        other = threading.Thread(target=store.create, args=[suspended_run("other")])

        def second():
            while not group.is_led_with(waiting=0):
                time.sleep(0.001)
            other.start()

        if leads:
            threading.Thread(target=second).start()
        else:
            other.start()
            while not group.is_led_with(waiting=0):
                time.sleep(0.001)

        def tell():
            while not group.is_led_with(waiting=1):
                time.sleep(0.001)
            print("waiting", flush=True)
            sys.stdin.readline()
            holder.execute("ROLLBACK")

        threading.Thread(target=tell).start()
        try:
            store.create(suspended_run("interrupted"))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        other.join()
        print(store.get("other").id, store.create(suspended_run("later")).id, flush=True)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, path, str(leads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.read() == "interrupted\nother later\n"


def test_callers_at_once_each_save_every_turn(path: Path) -> None:
    with SQLiteStore(path) as store:
        for number in range(CALLERS):
            store.create(suspended_run(f"r{number}"))

        def turns(run_id: str) -> None:
            for _ in range(50):
                run = store.unsuspend(run_id, "number")
                assert run is not None
                store.update(run.changed(state=RunState.SUSPENDED))

        threads = [threading.Thread(target=turns, args=[f"r{n}"]) for n in range(CALLERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        first = suspended_run().turn
        assert {store.get(f"r{number}").turn for number in range(CALLERS)} == {first + 50}
