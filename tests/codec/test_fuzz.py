"""Hostile bytes by the thousand: none runs anything, and none takes long.

`LONGTERM_PROFILE=long` searches for an hour; `python -m tests.codec.fuzz --minutes 5` as you like.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_hostile_bytes_run_nothing_and_take_no_time() -> None:
    """In processes of their own, since they are watched for good, and an input may end one."""
    is_long = os.environ.get("LONGTERM_PROFILE") == "long"
    much = ["--minutes", "60", "--names"] if is_long else ["--inputs", "200"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.codec.fuzz", *much],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 distinct findings" in done.stdout
