"""The command `longterm` over several servers, here files; and processes that die in between."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longterm import Engine, RunState, deflow, sleep
from longterm.cli import main
from longterm.store import open_store
from longterm.store.base import Query
from longterm.store.sharded import Sharded
from tests.advice import ROOT, is_told, printed
from tests.store import sharded_flows
from tests.store.sharded_flows import CHILDREN, parent

PROGRAM = str(Path(sharded_flows.__file__))
NAMES = ("a", "b", "c")


@deflow
def rests() -> str:
    sleep(timedelta(seconds=1))
    return "rested"


@pytest.fixture
def url(tmp_path: Path) -> str:
    urls = "".join(f'{name} = "sqlite:///{tmp_path}/{name}.db"\n' for name in NAMES)
    epoch = '[[epochs]]\nsince = 2026-01-01T00:00:00Z\nservers = ["a", "b", "c"]\n'
    (tmp_path / "shards.toml").write_text(f"[servers]\n{urls}\n{epoch}")
    return f"postgresql+sharded://{tmp_path}/shards.toml"


def command(url: str, *line: str) -> int:
    return main(["--store", url, "--app", "tests.store.sharded_flows", *line])


def started(url: str, count: int) -> list[str]:
    with open_sharded(url) as store:
        return [Engine(store).start_flow(parent).id for _ in range(count)]


def open_sharded(url: str) -> Sharded:
    store = open_store(url)
    assert isinstance(store, Sharded)
    return store


def test_commands_work_over_all_servers(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(url, "migrate") == 0
    assert re.search(r"migrated by \d+ steps", capsys.readouterr().out)
    assert command(url, "migrate", "--sql") == 0
    assert "up to date" in capsys.readouterr().out
    ids = started(url, 20)

    assert command(url, "runs", "--json", "--limit", "99") == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == sorted(ids)
    assert command(url, "show", ids[3]) == 0
    assert "suspend(" in capsys.readouterr().out
    assert command(url, "check") == 0
    assert " 20 " in capsys.readouterr().out.replace("20  ", " 20  ")
    assert command(url, "send", ids[0], "go") == 0
    with open_sharded(url) as store:
        assert store.get(ids[0]).state is RunState.COMPLETE
    assert command(url, "cancel", ids[1]) == 0
    assert command(url, "prune", "--older-than", "0") == 0
    assert f"deleted {CHILDREN + 2} runs" in capsys.readouterr().out


def test_a_url_without_a_file() -> None:
    with printed(
        "write the whole path after three slashes: postgresql+sharded:///etc/longterm/shards.toml"
    ):
        open_store("postgresql+sharded://shards.toml")


def test_a_part_of_one_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(f"sqlite:///{tmp_path}/runs.db", "worker", "--part", "a") == 2

    assert is_told("leave it out", capsys.readouterr().err)


@pytest.mark.parametrize("part", [None, "b"])
def test_a_worker_carries_on_the_runs_of_its_parts(url: str, part: str | None) -> None:
    with open_sharded(url) as store:
        engine = Engine(store)
        ids = [engine.start_flow(rests).id for _ in range(12)]
    line = ["--store", url, "--app", __name__, "worker", "--poll", "0.1"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "longterm.cli", *line, *(["--part", part] if part else [])],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        with open_sharded(url) as store:
            here = {run_id for run_id in ids if part in (None, store._place(run_id))}
            wait_until(lambda: done(store) == here)
            assert 0 < len(here) <= len(ids)
            assert {store.get(run_id).state for run_id in set(ids) - here} <= {RunState.SUSPENDED}
    finally:
        worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def done(store: Sharded) -> set[str]:
    return {run.id for run in store.find(Query(state=RunState.COMPLETE, limit=99))}


def wait_until(is_so: object, seconds: float = 20) -> None:
    assert callable(is_so)
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_dead_process_has_sent_reaches_runs_on_other_servers_once(url: str) -> None:
    """It is killed between the commit of the turn and the delivery of what that sends."""
    begun = process(url, "begin")
    run_id = begun.communicate(timeout=60)[0].decode().strip()
    assert begun.returncode == -signal.SIGKILL
    with open_sharded(url) as store:
        assert [run.id for run in store.find(Query(limit=99))] == [run_id]

        workers = [process(url, "work", "20") for _ in range(2)]
        assert [worker.communicate(timeout=60) for worker in workers] == [(b"", None)] * 2

        run = store.get(run_id)
        assert (run.state, run.result) == (RunState.COMPLETE, sum(range(CHILDREN)))
        children = [each for each in store.find(Query(limit=99)) if each.parent == run_id]
        assert len(children) == CHILDREN
        assert {each.turn for each in children} == {2}
        assert len({store._place(each.id) for each in children}) > 1
        now = datetime.now(UTC) + timedelta(days=1)
        assert store.claim_outgoing(now=now, until=now, limit=9) == []


def process(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a process of `sharded_flows.py`."""
    return subprocess.Popen(
        [sys.executable, PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])},
    )
