"""A run is started in one process and goes on in others, killed or not, from a file on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = '''\
"""Flows of a small shop."""

from dataclasses import dataclass, field

from longterm import deflow, respond, suspend


@dataclass
class Order:
    number: int
    lines: list = field(default_factory=list)
    tags: set = field(default_factory=set)


@deflow
def ask(order, question):
    respond(f"{order.number}: {question}?")
    order.lines.append(question)
    answer = suspend(question)
    order.tags.add(answer)
    return answer


@deflow
def fulfil(number):
    order = Order(number)
    count = lambda: len(order.lines)
    answers = {}
    for question in ("size", "colour"):
        answers[question] = ask(order, question)
    try:
        note = suspend("note")
        if not note:
            raise ValueError("no note")
    except ValueError as error:
        note = f"{error} after {count()} questions"
    return answers, sorted(order.tags), note
'''

DRIVER = """\
import os, signal, sys
import shop_flows
from longterm import get_run, process_event, set_runstore, start_flow

set_runstore(sys.argv[1])
if sys.argv[2] == "start":
    run = start_flow(shop_flows.fulfil, 7)
else:
    run = process_event(sys.argv[2], sys.argv[3], eval(sys.argv[4]))
print(run.id, run.state, run.waiting_for, run.response, run.result, sep="|", flush=True)
if "kill" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def turn(tmp_path: Path):
    """Run one turn in a process of its own, with its own hash seed."""
    (tmp_path / "shop_flows.py").write_text(FLOWS)
    (tmp_path / "driver.py").write_text(DRIVER)
    seeds = iter(range(1, 100))
    root = Path(__file__).parents[2]

    def run(*args: str, cwd: Path = tmp_path) -> tuple[list[str], int]:
        path = os.pathsep.join([str(tmp_path), str(root), str(root / "compiler")])
        env = {**os.environ, "PYTHONHASHSEED": str(next(seeds)), "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, tmp_path / "driver.py", f"sqlite:///{tmp_path}/runs.db", *args],
            capture_output=True,
            text=True,
            env=env,
            cwd=cwd,
        )
        assert done.stderr == ""
        return done.stdout.strip().split("|"), done.returncode

    return run


def test_killed_processes_lose_nothing(turn):
    started, status = turn("start", "kill")
    assert status == -signal.SIGKILL
    run_id = started[0]
    assert started[1:] == ["suspended", "size", "['7: size?']", "None"]

    second, status = turn(run_id, "size", "'XL'", "kill")
    assert status == -signal.SIGKILL
    assert second[1:] == ["suspended", "colour", "['7: colour?']", "None"]

    third, status = turn(run_id, "colour", "'red'")
    assert status == 0
    assert third[1:] == ["suspended", "note", "[]", "None"]

    last, _ = turn(run_id, "note", "''")
    assert last[1:4] == ["complete", "None", "[]"]
    expected = (
        {"size": "XL", "colour": "red"},
        ["XL", "red"],
        "no note after 2 questions",
    )
    assert eval(last[4]) == expected
