"""One run over several real processes, one of which dies in a turn: its spans are one chain."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="NOT CHECKED: the SDK of OpenTelemetry is missing")

SHOP = Path(__file__).with_name("telemetry_shop.py")


def test_the_turns_of_a_run_are_one_chain_over_processes(tmp_path: Path) -> None:
    files = (str(tmp_path / "runs.db"), str(tmp_path / "spans.jsonl"))

    def process(*command: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, SHOP, *files, *command], capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        return done.stdout.strip()

    run_id = process("start")
    process("answer", run_id)
    process("send", run_id)
    process("dies", status=9)
    until = time.monotonic() + 20
    while process("work") != "2":  # until the claim has run out: its release, and the turn
        assert time.monotonic() < until
    process("answer", run_id)

    lines = Path(files[1]).read_text().splitlines()
    spans = [json.loads(line) for line in lines]
    turns = [span for span in spans if span["name"] == "turn telemetry_shop:sell"]
    outcomes = [turn["attributes"]["longterm.outcome"] for turn in turns]
    assert outcomes == ["suspended", "suspended", "suspended", "complete"]
    assert len({turn["context"]["trace_id"] for turn in turns}) == 4
    assert {turn["attributes"]["longterm.run"] for turn in turns} == {run_id}
    assert linked(turns[0], "before") == []
    for before, turn in pairwise(turns):
        assert linked(turn, "before") == [before["context"]["span_id"]]

    taken_over = turns[2]
    (sent,) = [span for span in spans if span["name"] == "send"]
    assert linked(taken_over, "sender") == [sent["context"]["span_id"]]
    assert taken_over["attributes"]["longterm.dead_turns"] == 1
    assert taken_over["attributes"]["longterm.turn"] == 4  # the dead one had been the third
    (step,) = [span for span in spans if span["name"] == "step telemetry_shop:charge"]
    assert step["parent_id"] == taken_over["context"]["span_id"]


def linked(span: dict[str, Any], kind: str) -> list[str]:
    found = [link for link in span["links"] if link["attributes"]["longterm.link"] == kind]
    return [link["context"]["span_id"] for link in found]
