"""Where libcst is missing or too old, it is said what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOWS = """\
from longterm import deflow, suspend


@deflow
def greet():
    return f"Hello {suspend('name')}!"
"""
MISSING = "raise ModuleNotFoundError(\"No module named 'libcst'\", name='libcst')\n"
OLD = "LIBCST_VERSION = '0.3.23'\n"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), str(ROOT / "compiler")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=[MISSING, OLD], ids=["missing", "too old"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "libcst.py").write_text(request.param)
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


def test_application_is_told_what_to_install(folder: Path) -> None:
    done = run(folder, "-c", "import flows")

    last = done.stderr.splitlines()[-1]
    assert last.startswith("longterm.errors.CompileError: cannot compile ")
    assert "flows are compiled with libcst, and " in last
    assert "pip install 'libcst>=1.8'" in last
    assert "or compile elsewhere, with `longterm-compile --output`" in last

    (folder / "libcst.py").unlink()  # elsewhere
    written = run(folder, "-m", "longterm_compiler", "flows.py", "--output", "made")
    assert written.returncode == 0, written.stderr
    (folder / "flows.py").unlink()
    (folder / "made" / "libcst.py").write_text(OLD)
    done = run(folder / "made", "-c", "import flows")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["--check", "--points", "--cache"])
def test_command_line_is_told_what_to_install(option: str, folder: Path) -> None:
    done = run(folder, "-m", "longterm_compiler", "flows.py", option)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("longterm-compile: flows are compiled with libcst, and ")


def test_help_needs_no_libcst(folder: Path) -> None:
    assert run(folder, "-m", "longterm_compiler", "--help").returncode == 0
