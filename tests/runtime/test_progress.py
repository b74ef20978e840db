"""What a long turn is at can be seen while it lasts: which step, which attempt, since when."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from longterm import Engine, deflow, step, suspend
from longterm.cli import main
from longterm.store.sqlite import SQLiteStore

begun = threading.Event()
may_end = threading.Event()
failures: list[Exception] = []


@step(max_attempts=3, backoff=lambda attempt: timedelta(0))
def ships(order: str) -> str:
    if failures:
        raise failures.pop()
    begun.set()
    assert may_end.wait(20)
    return f"shipped {order}"


@deflow
def sells(order: str) -> str:
    shipped = ships(order)
    suspend("paid")
    return shipped


@deflow
async def sells_soon(order: str) -> str:
    shipped = ships(order)
    suspend("paid")
    return shipped


@pytest.mark.parametrize("flow", [sells, sells_soon])
def test_a_step_under_way_is_shown(flow: Any, tmp_path: Any, capsys: Any) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url, lease=timedelta(seconds=0.3))
    failures.append(OSError("no truck"))
    begun.clear()
    may_end.clear()

    def start() -> None:
        if flow is sells:
            engine.start_flow(flow, "tea")
        else:
            asyncio.run(engine.astart_flow(flow, "tea"))

    thread = threading.Thread(target=start)
    thread.start()
    assert begun.wait(20)
    (run,) = engine.find_runs()
    said = ""
    end = time.monotonic() + 20
    while "in step:" not in said and time.monotonic() < end:
        assert main(["--store", url, "show", run.id]) == 0
        said = capsys.readouterr().out
        time.sleep(0.02)
    assert main(["--store", url, "show", "--json", run.id]) == 0
    shown = json.loads(capsys.readouterr().out)
    may_end.set()
    thread.join()

    name = f"{__name__}:ships"
    assert f"in step:       {name}, attempt 2 of 3 is under way, begun 20" in said
    assert shown["progress"]["name"] == name
    assert main(["--store", url, "show", run.id]) == 0
    assert "in step" not in capsys.readouterr().out
    assert isinstance(engine.store, SQLiteStore)
    engine.store.close()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        assert connection.execute("SELECT count(*) FROM progress").fetchone() == (1,)


def test_a_short_step_leaves_no_note(tmp_path: Any) -> None:
    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    may_end.set()

    engine.start_flow(sells, "tea")

    assert isinstance(engine.store, SQLiteStore)
    engine.store.close()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        assert connection.execute("SELECT count(*) FROM progress").fetchone() == (0,)
