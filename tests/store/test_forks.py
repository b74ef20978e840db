"""A forked process can use the store in memory, whatever a thread did with it at that moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_lock_that_a_thread_of_the_parent_held_is_free() -> None:
    script = (
        "import os, signal\n"
        "from longterm.store.memory import MemoryStore\n"
        "from longterm.testing._sample_runs import suspended_run\n"
        "store = MemoryStore()\n"
        "run = store.create(suspended_run())\n"
        "with store._lock.alone():\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        signal.alarm(20)\n"
        "        os._exit(0 if store.get(run.id) == run else 1)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])

    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert said.stdout == "0\n"
