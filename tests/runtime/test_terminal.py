"""What the commands share: how they end, and what they print."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from longterm._terminal import own_name, paint, run_command, table, wants_colour

COMMANDS = {
    "longterm": ["-m", "longterm.cli", "--store", "sqlite:///runs.db", "migrate", "--sql"],
    "longterm demo": ["-m", "longterm.cli", "demo"],
    "longterm-compile": ["-m", "longterm_compiler", "--points", "longterm.demo.flows"],
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.skipif(os.name == "nt", reason="the end of a reader is told by a signal")
@pytest.mark.parametrize("command", COMMANDS)
def test_command_whose_reader_has_gone_ends_as_others_do(command: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [sys.executable, *COMMANDS[command]],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="a shell closes the output")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_command_whose_output_is_closed_does_its_work(
    command: str, closed: str, tmp_path: Path
) -> None:
    line = shlex.join([sys.executable, *COMMANDS[command]])

    done = subprocess.run(
        ["sh", "-c", f"{line} {closed}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_interrupted_command_ends_without_a_traceback() -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run_command(interrupted) == 130


def test_table_sets_texts_to_the_left_and_numbers_to_the_right() -> None:
    rows = [("turn", "state"), ("7", "suspended"), ("12", "")]

    assert table(rows, numbers=1) == ["turn  state", "   7  suspended", "  12"]


@pytest.mark.parametrize(
    ("environment", "when", "expected"),
    [
        ({}, "auto", True),
        ({"NO_COLOR": "1"}, "auto", False),
        ({"NO_COLOR": "1"}, "always", True),
        ({"TERM": "dumb"}, "auto", False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, "auto", True),
        ({}, "never", False),
    ],
)
def test_terminal_has_colours_unless_its_user_says_otherwise(
    environment: dict[str, str], when: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)

    assert wants_colour(Terminal(), when) is expected


def test_text_without_letters_has_no_colour() -> None:
    assert paint("", "1") == ""
    assert paint("x", "1") == "\x1b[1mx\x1b[0m"


def test_command_outside_of_the_path_is_named_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my tools" / "longterm"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", "")

    assert own_name() == f"'{script}'"

    monkeypatch.setenv("PATH", str(script.parent))
    assert own_name() == "longterm"
