"""The example with FastAPI prints what its page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("fastapi", reason="NOT TESTED: FastAPI is missing (pip install fastapi)")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing (pip install httpx)")


def test_it_prints_what_the_page_says(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "fixtures" / "expenses.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "paid to Ada" in done.stdout
    assert f"```text\n{done.stdout}```" in (ROOT / "docs" / "examples.md").read_text()
    assert "came to nothing" not in done.stderr
