"""The short form of the kills of steps; the scripts beside this file do the same for hours."""

from __future__ import annotations

import pytest

from tests.chaos.test_chaos import counts_of
from tests.store.postgres_server import binaries_or_skip


@pytest.mark.parametrize(("kind", "options"), [("sqlite", []), ("postgres", ["--kills", "15"])])
def test_steps_keep_their_promises_wherever_their_process_dies(kind, options):
    if kind == "postgres":
        binaries_or_skip()

    counts = counts_of("tests.chaos.kill_steps", kind, *options)

    assert counts["kills"] >= 15, counts
    assert counts["before update"] + counts["in the function"] > 0, counts


def test_two_processes_in_one_step_leave_one_result():
    met = counts_of("tests.chaos.zombies", "sqlite", "--rounds", "1")

    assert met["pay, together"] == met["ledger, together"] == met["charge, overtaken"] == 1
