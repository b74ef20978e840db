"""Every case of `fixtures/flows`: its compiled text is the expected one, is what runs, and runs."""

from __future__ import annotations

import ast
import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longterm._flows.registry import flow_of
from longterm.testing import interpret, play
from longterm_compiler.cli import main
from longterm_compiler.cli.targets import find_target
from longterm_compiler.pipeline import compile_flow
from tests.compiler.golden import CASES, ROOT, golden_of, name_of, plays_of
from tests.compiler.trees import assert_text_is_what_runs

each_case = pytest.mark.parametrize("case", CASES, ids=name_of)


@each_case
def test_compiled_text_is_the_expected_one(
    case: Path,
    update_golden: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)

    assert main([case.relative_to(ROOT).as_posix(), "--color=never"]) == 0

    text, golden = capsys.readouterr().out, golden_of(case)
    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text


@each_case
def test_compiled_text_is_what_runs(case: Path) -> None:
    target = find_target(str(case))

    for definition in target.flows:
        assert_text_is_what_runs(compile_flow(definition, target.names))


@each_case
def test_command_line_and_application_agree_on_the_version(case: Path) -> None:
    target = find_target(str(case))
    shown = {d.qualname: compile_flow(d, target.names).version for d in target.flows}

    for flow, _, _ in plays_of(case):
        known = flow_of(flow)
        assert shown[known.name.partition(":")[2]] == known.version


@each_case
def test_compiled_flow_does_what_the_author_wrote(case: Path) -> None:
    plays = plays_of(case)

    assert plays
    for flow, args, events in plays:
        expected = interpret(flow, copy.deepcopy(args), events)
        assert play(flow, copy.deepcopy(args), events) == expected
        assert expected.waiting_for is None
        assert len(expected.asked) == len(events)


def test_every_golden_file_has_its_case() -> None:
    golden = set((ROOT / "fixtures/flows").rglob("*.compiled.py"))

    assert golden == {golden_of(case) for case in CASES}


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_text_is_the_same_under_any_hash_seed(seed: str) -> None:
    cases = [case.relative_to(ROOT).as_posix() for case in CASES]

    done = subprocess.run(
        [sys.executable, "-m", "longterm_compiler", "--color=never", *cases],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'compiler'}"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    expected = "\n\n".join(golden_of(case).read_text(encoding="utf-8") for case in CASES)
    assert done.stdout == expected


@each_case
def test_every_comment_of_the_author_is_kept(case: Path) -> None:
    written = case.read_text(encoding="utf-8")
    golden = golden_of(case).read_text(encoding="utf-8")

    for node in ast.parse(written).body:
        if isinstance(node, ast.FunctionDef):
            lines = written.splitlines()[node.lineno - 1 : node.end_lineno]
            comments = [line.partition("#")[2] for line in lines if "#" in line]
            assert [each for each in comments if each not in golden] == []
