"""Golden verdicts: what `longterm check` says of each kind of edit, as a user sees it.

A case in `fixtures/edits/` is the edit of a module, as a diff, and behind it what the command says
of runs that wait at each of the case's waits. Those in `roslyn/` are the kinds that Roslyn's Edit
and Continue calls rude, as far as Python has them (`RudeEditKind` in its source).

`--update-golden` writes the words anew.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

import pytest

from longterm import Engine
from longterm.cli.check import check_store
from longterm.errors import LongtermError
from longterm.run import RunState
from tests.runtime.deploying import deploying

EDITS = Path(__file__).resolve().parents[2] / "fixtures" / "edits"
CASES = sorted(EDITS.rglob("*.txt"))
IMPORTS = "from datetime import timedelta\nfrom longterm import deflow, respond, suspend\n\n\n"
COMMAND = "$ longterm check\n"
CART = ["a", "b"]


class Edit:
    """An edit of a module, and the events that its runs are sent."""

    def __init__(self, text: str) -> None:
        self.head, self.said = text.split(COMMAND)
        _, events, _, *changed = self.head.strip("\n").split("\n")
        self.events = events.removeprefix("# Events: ").split()
        self.old = IMPORTS + "\n".join(line[1:] for line in changed if line[:1] != "+") + "\n"
        self.new = IMPORTS + "\n".join(line[1:] for line in changed if line[:1] != "-") + "\n"


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Write the module, and import it as a process would that knows nothing of the one before."""
    with deploying("shop", tmp_path, monkeypatch) as write:
        yield write


async def waiting_runs(engine, flow, events):
    """Start a run for each of the waits, and bring it there."""
    runs = []
    for number in range(len(events)):
        run = await engine.astart_flow(flow, CART)
        for event in events[:number]:
            run = await engine.aprocess_event(run.id, event, event)
        assert run.waiting_for == events[number]
        runs.append(run)
    return runs


async def goes_on(engine, run):
    """Whether a run takes its event in the code that is here; if not, it is as it was."""
    try:
        await engine.aprocess_event(run.id, run.waiting_for, "a")
    except LongtermError:
        after = engine.get_run(run.id)
        assert (after.state, after.stack) == (RunState.SUSPENDED, run.stack)
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_check_says_of_an_edit_what_becomes_of_it(case, deploy, capsys, update_golden):
    edit, engine = Edit(case.read_text()), Engine("memory://")
    runs = asyncio.run(waiting_runs(engine, deploy(edit.old).sell, edit.events))
    deploy(edit.new)

    status = check_store(engine, argparse.Namespace(diff=False, values=False))

    printed = capsys.readouterr().out
    said = re.sub(r"([@+])[0-9a-f]{8}\b", r"\1xxxxxxxx", printed)
    if update_golden:
        case.write_text(f"{edit.head}{COMMAND}{said}$ echo $?\n{status}\n")
    else:
        assert edit.said == f"{said}$ echo $?\n{status}\n"
    for run in runs:
        (line,) = [line for line in printed.splitlines() if f" {run.position} " in line]
        assert asyncio.run(goes_on(engine, run)) == ("STAY" not in line)
