"""Two processes in one step: the claim of the first has run out, and a second has taken the run.

`python -m tests.chaos.zombies sqlite|postgres [--rounds N]`. Both go on at the same moment, or the
first one when the second is over. One result is saved, the ledger has one booking, and a step that
is to be called at most once is called once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.chaos.chaos import opened
from tests.chaos.step_flows import Process
from tests.chaos.step_runs import (
    DONE,
    LATER,
    RESTS,
    Places,
    fork_and_take_on,
    judge,
    judge_ledger,
    take_on,
)

_forks = multiprocessing.get_context("fork")
_PATIENCE_SECONDS = 30
SCENES = [("pay", "together"), ("ledger", "together")] + [
    (step, "overtaken") for step in ("pay", "charge", "insist", "come_back", "ledger")
]
"""Where the two meet, and whether they go on together."""


def meet(places: Places, rounds: int) -> Counter[str]:
    """Let pairs of processes meet in steps; return how many there were where."""
    met: Counter[str] = Counter()
    tokens: list[str] = []
    for _ in range(rounds):
        for step, how in SCENES:
            tokens.append(f"t{len(tokens) + 2}")
            _meet(places, tokens[-1], step, is_together=how == "together")
            met[f"{step}, {how}"] += 1
    judge_ledger(places, tokens)
    return met


def _meet(places: Places, token: str, step: str, *, is_together: bool) -> None:
    """Have a run taken on by one process, and by another while the first is in a step."""
    is_there, may_go = _forks.Event(), _forks.Event()
    barrier = _forks.Barrier(2)

    def first() -> None:
        is_there.set()
        if is_together:
            barrier.wait(_PATIENCE_SECONDS)
        else:
            assert may_go.wait(_PATIENCE_SECONDS)

    def second() -> None:
        if is_together:
            barrier.wait(_PATIENCE_SECONDS)

    Process.pause = _once_at(step, first)
    # At a later step the run is there only after its pause.
    if step == "ledger":
        assert not take_on(places, token, timedelta(0))
    zombie = fork_and_take_on(places, token, LATER)
    assert is_there.wait(_PATIENCE_SECONDS), f"{token} does not come to {step}"
    Process.pause = _once_at(step, second)
    heir = fork_and_take_on(places, token, 2 * LATER)
    _end(heir, token)
    may_go.set()
    _end(zombie, token)
    Process.pause = str
    for later in (3, 4):
        take_on(places, token, later * LATER)
    judge(places, token, zombies=1)


def _once_at(step: str, pause: Callable[[], None]) -> Callable[[str], None]:
    """Return what pauses a process when it first comes to a step."""
    has_paused = False

    def come_to(name: str) -> None:
        nonlocal has_paused
        if name == step and not has_paused:
            has_paused = True
            pause()

    return come_to


def _end(pid: int, token: str) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (DONE, RESTS), f"a process of {token} failed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, server):
        places = Places(url, Path(name), server.url() if server else f"{name}/ledger.db")
        places.prepare()
        met = meet(places, options.rounds)
    print(json.dumps({"zombies": options.store, **met}))


if __name__ == "__main__":
    main()
