"""Kills of steps: processes die before, in and after a step's function, and around each save.

`python -m tests.chaos.kill_steps sqlite|postgres [--kills N] [--seed N]`. A process takes a run on
and dies at a point; others bring the run to its end. With `--kills` process after process dies at a
point that is drawn; without, one dies at each point in turn. Then the diary of all calls must fit:
what was saved is done no more, one step is called at most once, one is committed exactly once, each
call of a step has the same key, and no attempt is made for nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import tempfile
from collections import Counter
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
)

_POINTS = 45
"""A process dies at the latest after so many."""
_DEATHS = 30
"""After so many the next process lives on."""


def kill_at_random(places: Places, most: int, draw: random.Random) -> Counter[str]:
    """Kill so many processes; return how many there were where."""
    killed: Counter[str] = Counter()
    tokens: list[str] = []
    while killed.total() < most:
        tokens.append(f"t{len(tokens) + 2}")
        killed += _bring_to_end(places, tokens[-1], draw)
    Process.points.value = -1
    judge_ledger(places, tokens)
    return killed


def kill_everywhere(places: Places) -> Counter[str]:
    """Kill a process at each point; return how many there were where."""
    killed: Counter[str] = Counter()
    tokens: list[str] = []
    is_over = False
    while not is_over:
        Process.points.value = len(tokens)
        tokens.append(f"t{len(tokens) + 2}")
        found = _bring_to_end(places, tokens[-1])
        killed += found
        is_over = not found
    Process.points.value = -1
    judge_ledger(places, tokens)
    return killed


def _bring_to_end(places: Places, token: str, draw: random.Random | None = None) -> Counter[str]:
    """Have process after process take a run on; return where they died.

    Each dies after a number of points that is drawn; if there is nothing to draw from, they have
    their points together.
    """
    deaths = 0
    for number in itertools.count():
        if draw is not None:
            Process.points.value = draw.randrange(_POINTS) if deaths < _DEATHS else -1
        _, status = os.waitpid(fork_and_take_on(places, token, number * LATER), 0)
        if status == signal.SIGKILL:
            deaths += 1
        elif os.waitstatus_to_exitcode(status) == DONE:
            break
        else:
            assert os.waitstatus_to_exitcode(status) == RESTS, f"a process of {token} failed"
    return judge(places, token, deaths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--kills", type=int, help="how many, at random; else one at each point")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, server):
        places = Places(url, Path(name), server.url() if server else f"{name}/ledger.db")
        places.prepare()
        if options.kills is None:
            killed = kill_everywhere(places)
        else:
            killed = kill_at_random(places, options.kills, random.Random(options.seed))
    print(json.dumps({"kill_steps": options.store, "kills": killed.total(), **killed}))


if __name__ == "__main__":
    main()
