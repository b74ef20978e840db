"""The short form of the chaos tests; the scripts beside this file do the same for hours."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from longterm import Engine, LongtermError, RunState
from longterm.store import open_store
from tests.chaos.chaos import opened
from tests.chaos.races import count, race_events
from tests.store.postgres_server import binaries_or_skip

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    """The URL of a new store, and its server if it has one."""
    if request.param == "postgres":
        binaries_or_skip()
    with opened(request.param, tmp_path) as found:
        yield found


def counts_of(script, *arguments):
    """Run a script and return what it has counted.

    In a process of its own, since this one may have threads, and its forks would be warned of.
    """
    done = subprocess.run(
        [sys.executable, "-m", script, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "bare"])
def test_killed_processes_and_servers_break_no_promise(kind):
    if kind != "sqlite":
        binaries_or_skip()
    options = ["--minutes", "0.06", "--processes", "4", "--runs", "10"]

    counts = counts_of("tests.chaos.chaos", kind, *options)

    assert counts["events_acknowledged"] > 0, counts
    assert counts["orders_acknowledged"] > 0, counts
    assert counts["kills_at_random"] + counts["kills_at_a_call"] > 0, counts


@pytest.mark.parametrize(
    ("kind", "callers"),
    [("sqlite", ["process_event", "aprocess_event"]), ("postgres", ["process_event", "worker"])],
)
def test_a_process_that_dies_at_any_call_has_lost_and_doubled_nothing(kind, callers):
    if kind == "postgres":
        binaries_or_skip()

    counts = counts_of("tests.chaos.kill_matrix", kind, "--quick", "--callers", *callers)

    assert all(counts[caller] > 30 for caller in callers), counts


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sqlite", ["--callers", "process_event", "worker"]),
        ("postgres", ["--callers", "aprocess_event"]),
        ("sqlite", ["--own", "--callers", "aprocess_event"]),
        ("postgres", ["--own", "--callers", "process_event"]),
    ],
)
def test_a_process_that_dies_in_a_step_has_done_it_once(kind, options):
    if kind == "postgres":
        binaries_or_skip()

    counts = counts_of("tests.chaos.step_kills", kind, *options)

    assert all(count > 8 for count in list(counts.values())[1:]), counts


def test_two_deployments_with_different_code_share_a_store():
    binaries_or_skip()
    options = ["--deployments", "2", "--seconds", "0.3", "--processes", "1"]

    counts = counts_of("tests.chaos.blue_green", "postgres", *options)

    assert counts["went_on_in_the_other_colour"] > 0, counts
    assert counts["refused"]["FlowChanged"] > 0, counts
    assert counts["events"] > 20, counts


def test_a_standby_takes_over_in_the_middle_of_chaos_and_nothing_is_lost():
    binaries_or_skip()
    options = ["--minutes", "0.03", "--processes", "2", "--runs", "5", "--faults", "killed"]

    counts = counts_of("tests.chaos.failover", "pair", *options)

    assert counts["faults"]["killed"] > 0, counts
    assert counts["pulse_acknowledged"] > 0, counts
    assert counts["longest_gaps"]["killed"] > 0.1, counts  # so it was used
    assert (counts["pulse_lost"], counts["pulse_twice"]) == (0, 0)


def test_races_have_one_winner(store):
    stores = [open_store(store[0]) for _ in range(4)]

    counts = race_events(stores, rounds=40)

    assert counts["Run"] == counts["rounds"] == 40
    for each in stores:
        each.close()


def test_a_claimant_that_was_paused_past_its_lease_cannot_save(store, tmp_path):
    url, _ = store
    engine = Engine(url)
    run = engine.start_flow(count)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.paused", url, run.id],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "in the turn\n"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        done = _take_over(engine, run.id)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    said, _ = process.communicate("go on\n", timeout=30)

    assert said == "ClaimLost\n"
    assert done.response == [5]
    stored = engine.get_run(run.id)
    assert (stored.state, stored.response, stored.turn) == (RunState.SUSPENDED, [5], 3)
    engine.store.close()


def _take_over(engine, run_id):
    """Deliver the event as soon as the lease of the paused process has run out."""
    end = time.monotonic() + 30
    while True:
        try:
            return engine.process_event(run_id, "number 0", 5)
        except LongtermError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_many_turns_leave_no_more_than_few(store, tmp_path):
    url, server = store
    engine = Engine(url if server else f"{url}?synchronous=NORMAL")
    runs = [engine.start_flow(count) for _ in range(10)]
    sizes = []

    for turn in range(60):
        for run in runs:
            engine.process_event(run.id, f"number {turn}", 1)
        if turn % 10 == 9:
            sizes.append(_size(tmp_path, server))

    # At first a file grows by the room that turns need; then that is used again.
    assert sizes[-1] <= sizes[2] * 1.1, sizes
    assert len(engine.find_runs()) == len(runs)
    assert len(engine.get_run(runs[0].id).stack) < 1000
    engine.store.close()


def _size(folder, server):
    """Return how many bytes the runs take when the database has tidied up."""
    if server is None:
        with closing(sqlite3.connect(folder / "runs.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (folder / "runs.db").stat().st_size
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("VACUUM longterm.runs")
        return connection.execute("SELECT pg_total_relation_size('longterm.runs')").fetchone()[0]
