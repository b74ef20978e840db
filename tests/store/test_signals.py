"""Signals at any moment of a step: nothing stays lent or locked, and no handler waits for ever.

In a process of its own, on its main thread, where Python runs signal handlers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 30.0 if os.environ.get("LONGTERM_PROFILE") == "long" else 0.5
"""At least; it goes on until enough has happened."""


@pytest.fixture(params=["memory", "sqlite", "normal", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "postgres":
        pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
        server = request.getfixturevalue("server")
        database = request.getfixturevalue("fresh_database")()
        return f"{server.url(database)}?max_connections=3&wait_seconds=20"
    option = "?synchronous=NORMAL" if request.param == "normal" else ""
    return f"sqlite:///{tmp_path / 'runs.db'}{option}"


def counts_of(kind: str, url: str) -> dict[str, int]:
    """Return what a process counted that was interrupted again and again."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.store.interrupted", kind, url, str(SECONDS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])},
        capture_output=True,
        text=True,
        timeout=SECONDS + 60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "Warning" not in done.stderr  # such as of a connection that nobody closed
    counts: dict[str, int] = json.loads(done.stdout)
    print(kind, url.partition(":")[0], counts)
    return counts


def test_an_exception_of_a_signal_leaves_nothing_lent_or_locked(url: str) -> None:
    counts = counts_of("raise", url)

    assert counts["raised"] > 50
    assert counts["steps"] > 50
    assert counts["lent"] == 0
    assert counts["fork_milliseconds"] < 5_000


def test_a_handler_that_uses_the_store_is_served_or_refused(url: str) -> None:
    counts = counts_of("use", url)

    assert counts["served"] > 0
    assert counts["served"] + counts["refused"] > 50
    assert counts["steps"] > 50
    assert counts["lent"] == 0
