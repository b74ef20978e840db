"""One run over several real processes, one of which dies in a turn: its spans are one chain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="NOT CHECKED: the SDK of OpenTelemetry is missing")

ROOT = Path(__file__).parents[2]
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


APPLICATION = """\
import telemetry_shop  # its flows
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

exporter = ConsoleSpanExporter(formatter=lambda span: f"span {span.name}\\n")
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
"""


def test_commands_tell_of_turns_if_asked_to(tmp_path: Path) -> None:
    (tmp_path / "observed.py").write_text(APPLICATION)
    files = (str(tmp_path / "runs.db"), str(tmp_path / "spans.jsonl"))
    started = subprocess.run([sys.executable, SHOP, *files, "start"], capture_output=True)
    run_id = started.stdout.decode().strip()

    command = [sys.executable, "-m", "longterm.cli", "--store", f"sqlite:///{files[0]}"]
    command += ["--app", "observed", "--telemetry", "send", run_id, "buyer", "5"]
    path = os.pathsep.join([str(SHOP.parent), str(ROOT), str(ROOT / "compiler")])
    shown = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "span turn telemetry_shop:sell" in shown.stdout.splitlines()
    assert "not set up" not in shown.stderr
