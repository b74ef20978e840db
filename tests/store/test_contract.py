"""The contract suite finds what it is there to find: each broken store fails it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.store.broken_stores import BROKEN

ROOT = Path(__file__).parents[2]


def test_a_store_that_breaks_a_promise_fails_the_contract() -> None:
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "tests/store/broken_stores.py"),
            *("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-rf"),
            *("-p", "tests.store.first_failures"),  # it is enough to know that one does
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )

    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    failed = set(re.findall(r"^FAILED \S+::Test(\w+)::", outcome.stdout, re.M))
    assert failed == {broken.__name__ for broken in BROKEN}
