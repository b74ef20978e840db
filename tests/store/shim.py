"""Builds `shim.c`, a library for a process's `LD_PRELOAD`; its path comes out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def build_shim(folder: Path) -> Path:
    """Compile the library into a folder, or skip the test where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip(
            "FAILING DISKS AND WRONG CLOCKS NOT TESTED: no C compiler on Linux (install gcc)"
        )
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
