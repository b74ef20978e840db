"""`longterm-compile --fix`: what it makes of a file, and that the flow then does what was meant.

A case in `fixtures/fixes` holds flows that are refused, and plays of them; `.fixed.txt` beside it
is the text that comes out. A name with `.unsafe` says that only unsafe fixes mend it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import longterm
from longterm_compiler import ModuleNames, SourceFile, Verdict, check_file
from longterm_compiler.fixes.table import FIXES, Fixed, fix_text
from longterm_compiler.rules import RULES
from tests.property.oracle import Program, check, compare, file_of, module_of, run_plain

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "fixtures" / "fixes"
CASES = sorted(path for path in FOLDER.glob("*/*.py") if path.parent.name != "left")
LEFT = sorted((FOLDER / "left").glob("*.py"))
NEEDS = re.compile(r"# needs Python (\d+)\.(\d+)\n")


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def names_of(text: str) -> ModuleNames:
    return ModuleNames(SourceFile.parse("case.py", text), "case", "", lambda *_: Verdict.MAY)


def text_of(case: Path) -> str:
    text = case.read_text("utf-8")
    needs = NEEDS.match(text)
    if needs and sys.version_info < (int(needs[1]), int(needs[2])):
        pytest.skip("its syntax is newer than this Python")
    return text


def fixed(text: str, *, with_unsafe: bool = False) -> Fixed:
    return fix_text(names_of(text), with_unsafe=with_unsafe)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_text_that_comes_out_stands_beside_the_case(case: Path, update_golden: bool) -> None:
    text = text_of(case)
    assert {each.rule for each in check_file(names_of(text))} == {case.parent.name}

    found = fixed(text, with_unsafe=case.stem.endswith(".unsafe"))

    expected = case.with_suffix(".fixed.txt")
    if update_golden:
        expected.write_text(found.text, "utf-8")
    assert found.text == expected.read_text("utf-8")
    assert found.left == ()
    assert check_file(names_of(found.text)) == ()


@pytest.mark.parametrize(
    "case", [each for each in CASES if each.stem.endswith(".unsafe")], ids=named
)
def test_unsafe_fixes_are_only_offered(case: Path) -> None:
    text = text_of(case)

    found = fixed(text)

    assert found.text == text
    assert set(found.unsafe) == set(found.left) == set(check_file(names_of(text)))


def plays() -> Iterator[Any]:
    for case in CASES:
        text = case.read_text("utf-8")
        needs = NEEDS.match(text)
        if needs and sys.version_info < (int(needs[1]), int(needs[2])):
            continue
        program = Program(text)
        with (
            file_of(program),
            patch.object(longterm, "deflow", lambda function: function),
            module_of(program) as module,
        ):
            for number, play in enumerate(module.PLAYS):
                yield pytest.param(case, play, id=f"{named(case)}-{number}")


@pytest.mark.parametrize(("case", "play"), list(plays()))
def test_fixed_flow_does_what_the_undecorated_function_does(case: Path, play: Any) -> None:
    entry, args, events = play
    before = Program(text_of(case), entry, tuple(args), tuple(events))
    after = Program(
        case.with_suffix(".fixed.txt").read_text("utf-8"), entry, tuple(args), tuple(events)
    )

    with file_of(before):
        meant = run_plain(before)
    done = check(after)  # as plain, as compiled, and as stored at every suspend

    for each in (meant, done):
        each.tracebacks.clear()  # the lines are others
    compare(after, meant, done, "fixed")


@pytest.mark.parametrize("case", LEFT, ids=named)
def test_what_would_be_wrong_is_left_as_it_is(case: Path) -> None:
    text = case.read_text("utf-8")

    found = fixed(text, with_unsafe=True)

    assert found.text == text
    assert found.left == check_file(names_of(text)) != ()
    assert found.mended == found.unsafe == ()


def test_every_fix_has_a_rule_and_a_case() -> None:
    assert set(FIXES) <= set(RULES)
    assert {case.parent.name for case in CASES} == set(FIXES)


def test_page_of_rules_says_which_have_a_fix() -> None:
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    told = {
        match[1]: match[2]
        for match in re.finditer(r"^\| \[([\w-]+)\]\(errors/.*\| (\S+) \|$", page, re.MULTILINE)
    }
    levels: dict[str, set[str]] = {}
    for case in CASES:
        level = "unsafe" if case.stem.endswith(".unsafe") else "safe"
        levels.setdefault(case.parent.name, set()).add(level)

    assert set(told) == set(RULES)
    for rule, level in told.items():
        assert set(level.split("/")) == levels.get(rule, {"no"}), rule


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "longterm_compiler", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])},
        capture_output=True,
        text=True,
    )


BROKEN = """\
from longterm import deflow, suspend


@deflow
def ask(names):  # é
    ask_one = lambda name: suspend(name)
    total = prod(suspend(name) for name in names)
    none = lambda: suspend("none")
    return none, enumerate(suspend(n) for n in names), total
"""


@pytest.mark.parametrize("arguments", ["", "(also='old_shop:ask')"])
def test_command_mends_the_file_and_tells_what_is_left(tmp_path: Path, arguments: str) -> None:
    broken = BROKEN.replace("@deflow", f"@deflow{arguments}")
    (tmp_path / "shop.py").write_text(broken, "utf-8")

    done = run("--fix", "shop.py", folder=tmp_path)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "shop.py:6:28: fixed suspend-in-lambda",
        "shop.py:8:20: fixed suspend-in-lambda",
    ]
    assert done.stderr.endswith("2 problems left; --unsafe-fixes would mend 1 of them\n")
    assert "    @deflow\n    def ask_one(name):\n" in (tmp_path / "shop.py").read_text("utf-8")


def test_diff_shows_the_change_and_makes_none(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(BROKEN, "utf-8")

    done = run("--diff", "shop.py", folder=tmp_path)

    assert done.returncode == 1
    assert "\n+    def ask_one(name):\n" in done.stdout
    assert (tmp_path / "shop.py").read_text("utf-8") == BROKEN
    applied = subprocess.run(
        ["git", "apply", "-p0"], input=done.stdout, cwd=tmp_path, capture_output=True, text=True
    )
    assert applied.returncode == 0, applied.stderr
    run("--fix", "shop.py", folder=tmp_path)
    assert run("--diff", "shop.py", folder=tmp_path).stdout == ""


def test_folder_without_problems_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(BROKEN.replace("enumerate", "deque"))
    (tmp_path / "plain.py").write_text("x = 1\n")

    done = run("--fix", "--unsafe-fixes", ".", folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "plain.py").read_text() == "x = 1\n"
    assert run("--check", "shop.py", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("encoding", "end"),
    [("utf-8", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\n"), ("latin-1", "\r\n")],
)
def test_encoding_line_ends_and_permissions_are_kept(
    tmp_path: Path, encoding: str, end: str
) -> None:
    head = "# coding: latin-1\n" if encoding == "latin-1" else ""
    content = (head + BROKEN.replace("enumerate", "deque")).replace("\n", end).encode(encoding)
    file = tmp_path / "kept" / "shop.py"
    file.parent.mkdir()
    file.write_bytes(content)
    file.chmod(0o640)
    (tmp_path / "shop.py").symlink_to(file)

    done = run("--fix", "--unsafe-fixes", "shop.py", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    text = file.read_bytes().decode(encoding)
    assert "# é" in text
    assert text.count("\n") == text.count(end)
    assert file.read_bytes()[:3] == content[:3]
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "shop.py").is_symlink()


def test_layout_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    text = BROKEN.replace("\n\n\n@deflow", "\n\n\n\f@deflow")
    (tmp_path / "shop.py").write_text(text, "utf-8")

    done = run("--fix", "shop.py", folder=tmp_path)

    assert done.returncode == 2
    assert "take form feeds out of it" in done.stderr
    assert (tmp_path / "shop.py").read_text("utf-8") == text

    (tmp_path / "shop.py").write_text(text.replace("\f", ""), "utf-8")

    assert "fixed suspend-in-lambda" in run("--fix", "shop.py", folder=tmp_path).stdout


def test_one_flow_of_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(BROKEN, "utf-8")

    done = run("--fix", "shop.py:ask", folder=tmp_path)

    assert done.returncode == 2
    assert "this is done to whole files (name shop.py)" in done.stderr


def test_fixes_alone_import_libcst(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("x = 1\n")
    code = (
        "import sys; from longterm_compiler.cli import main; "
        "main(['--check', 'shop.py']); sys.exit('libcst' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)

    assert done.returncode == 0
