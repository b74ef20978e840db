"""The script behind the two commands of the README: what it says when it cannot do its work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script and the file that it reads, and no environment."""
    for name in ("dev.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def dev(checkout: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script, after a statement that changes the Python it finds."""
    code = f"import runpy, sys\n{before}\nrunpy.run_path('dev.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_command_it_lists_them(checkout: Path) -> None:
    shown = dev(checkout)

    assert shown.returncode == 2
    assert shown.stdout.startswith("usage: python3 dev.py COMMAND")


def test_an_unknown_command_is_named(checkout: Path) -> None:
    shown = dev(checkout, "tset")

    assert shown.returncode == 2
    assert shown.stderr.startswith("dev.py has no command 'tset'")


def test_an_old_python_is_told_which_one_is_needed(checkout: Path) -> None:
    shown = dev(checkout, "demo", before="sys.version_info = (3, 9, 2, 'final', 0)")

    assert shown.returncode == 1
    assert shown.stderr.startswith("longterm needs Python 3.11 or newer, and this is Python 3.9")


def test_a_python_without_ensurepip_is_told_what_to_install(checkout: Path) -> None:
    hide = (
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'ensurepip' else find(name)\n"
    )

    shown = dev(checkout, "demo", before=hide)

    assert shown.returncode == 1
    assert "venv or ensurepip is missing" in shown.stderr
    assert not (checkout / ".venv").exists()


def test_an_environment_of_somebody_else_is_left_alone(checkout: Path) -> None:
    precious = checkout / ".venv" / "precious"
    precious.parent.mkdir()
    precious.touch()

    shown = dev(checkout, "demo")

    assert shown.returncode == 1
    assert "was not made by dev.py" in shown.stderr
    assert precious.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a shell script")
def test_a_ready_environment_is_used_as_it_is(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    probe = (
        "import dev, json\n"
        "stamp = dev.Stamp(dev.wanted_digest(), dev.python_name(), ['test'], True)\n"
        "dev.write_stamp(stamp)\n"
    )
    subprocess.run([sys.executable, "-c", probe], cwd=checkout, check=True)

    shown = dev(checkout, "test", "-k", "some thing")

    assert shown.stdout == "-m pytest -k some thing\n", shown.stderr
    assert json.loads((checkout / ".venv" / "made-by-dev.json").read_text())["extras"] == ["test"]
