"""A process that claims a run, stays in the turn until it is told to go on, and tries to save.

`python -m tests.chaos.paused URL RUN` says what came of it. Its lease is short.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from longterm import Engine, LongtermError
from tests.chaos.races import count


class Hesitant:
    """A value of an event whose addition takes as long as the test wants."""

    def __radd__(self, other: int) -> int:
        print("in the turn", flush=True)
        sys.stdin.readline()
        return other + 999


def main() -> None:
    url, run_id = sys.argv[1:]
    engine = Engine(url, lease=timedelta(seconds=1))
    try:
        engine.process_event(run_id, "number 0", Hesitant())
    except LongtermError as error:
        print(type(error).__name__)
    else:
        print("saved")
    assert count


if __name__ == "__main__":
    main()
