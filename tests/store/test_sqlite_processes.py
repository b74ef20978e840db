"""SQLite stores in several real processes: raced, killed at any moment, forked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store.sqlite import SQLiteStore
from longterm.testing._sample_runs import plain, suspended_run

SCRIPT = Path(__file__).with_name("sqlite_process.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@contextmanager
def process(command: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a process of `sqlite_process.py`; whatever happens, it is gone afterwards."""
    line = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(SCRIPT), command]
    with subprocess.Popen(
        [*line, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        # A process that hangs is a failure too, and must not become a test that hangs.
        watchdog = threading.Timer(60, one.kill)
        watchdog.start()
        try:
            yield one
        finally:
            watchdog.cancel()
            one.kill()


def hear(one: subprocess.Popen[str]) -> str:
    assert one.stdout is not None
    return one.stdout.readline().rstrip("\n")


def begin(*processes: subprocess.Popen[str]) -> None:
    """Let processes begin at the same moment, once each is ready."""
    for one in processes:
        assert hear(one) == "ready"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()


def assert_sound(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def test_processes_that_open_a_new_file_at_once_make_one_store(path: Path) -> None:
    names = ["a", "b", "c", "d"]
    with (
        process("create", path, "a") as a,
        process("create", path, "b") as b,
        process("create", path, "c") as c,
        process("create", path, "d") as d,
    ):
        begin(a, b, c, d)
        outcomes = sorted(hear(one) for one in (a, b, c, d))

    assert outcomes == ["lost", "lost", "lost", "won"]
    with SQLiteStore(path) as store:
        assert [store.get(name).id for name in names] == names


def test_processes_never_take_the_same_turn_and_lose_none(path: Path) -> None:
    turns = 10
    with SQLiteStore(path) as store:
        for number in range(10):
            store.create(suspended_run(f"r{number}"))
            claimed = store.unsuspend(f"r{number}", "number")
            assert claimed is not None
            store.update(replace(claimed, state=RunState.SUSPENDED, stack=b"0"))

    with (
        process("hammer", path, turns) as a,
        process("hammer", path, turns) as b,
        process("hammer", path, turns) as c,
    ):
        begin(a, b, c)
        won = sum(int(hear(one)) for one in (a, b, c))

    assert won == 10 * turns - 10
    with SQLiteStore(path) as store:
        for number in range(10):
            run = store.get(f"r{number}")
            assert (run.state, run.turn) == (RunState.COMPLETE, turns + 1)
            assert run.stack == b"%d" % (turns - 1)
    assert_sound(path)


@pytest.mark.parametrize("turns_heard", [0, 1, 2, 3, 5, 8])
def test_a_killed_process_leaves_its_run_as_before_or_as_after_a_turn(
    path: Path, turns_heard: int
) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
    with process("turns", path, "r1") as one:
        begin(one)
        for _ in range(turns_heard):
            hear(one)
        one.kill()
        assert one.stdout is not None
        saved = 1 + turns_heard + len(one.stdout.read().split())

    with SQLiteStore(path) as store:
        run = store.get("r1")
    # All that was reported is there; of what was not, at most one step more.
    if run.state is RunState.RUNNING:
        assert run.turn == saved + 1
        last = saved
    else:
        assert run.turn in (saved, saved + 1)
        last = run.turn
    expected = suspended_run().stack if last == 1 else b"%d " % last * 20_000
    assert run.stack == expected
    assert_sound(path)


def test_a_transaction_of_a_killed_process_is_undone(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        with process("hold", path) as holder:
            assert hear(holder) == "ready"
            holder.kill()
            holder.wait()

            assert plain(store.get("r1")) == plain(suspended_run())
            assert store.unsuspend("r1", "number") is not None


def test_a_step_waits_while_another_process_writes(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        with process("hold", path) as holder:
            begin(holder)  # it rolls back as soon as it hears this

            assert store.unsuspend("r1", "number") is not None


def test_a_step_that_waits_too_long_says_so_and_changes_nothing(path: Path) -> None:
    with SQLiteStore(path, busy_seconds=0.05) as store:
        store.create(suspended_run())
        with process("hold", path) as holder:
            assert hear(holder) == "ready"
            with pytest.raises(StoreError, match=r"cannot claim run 'r1' in .*runs\.db: another"):
                store.unsuspend("r1", "number")
            assert plain(store.get("r1")) == plain(suspended_run())


def test_a_fork_in_the_middle_of_use_harms_neither_side(path: Path) -> None:
    with process("fork", path) as one:
        assert hear(one) == "[0, 0, 0, 0, 0]"

    with SQLiteStore(path) as store:
        for name in ("a", "b", *(f"child {number}" for number in range(5))):
            run = store.get(name)
            assert run.state is RunState.SUSPENDED
            assert run.stack == b"%d" % (run.turn - 1)
        assert store.get("child 4").turn == 2
    assert_sound(path)


def test_a_child_still_saves_after_its_parent_closed_the_store(path: Path) -> None:
    with process("outlive", path) as one:
        assert hear(one) == "0"

    with SQLiteStore(path) as store:
        assert store.get("r1").encoded_result == b"late"
    assert_sound(path)
