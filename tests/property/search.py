"""Searches for a program that behaves differently when it is compiled.

The programs of a seed are the same in every process, so that several can share a long search:

    python -m tests.property.search --seed night --first 0 --count 100000
"""

from __future__ import annotations

import argparse
import collections
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tests.property.oracle import Mismatch, check
from tests.property.programs import seeded_program

MOST_SECONDS = 20


def main() -> int:
    """Check the programs of a seed; return how many differ, 1 at most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.monotonic()
    ends: collections.Counter[str] = collections.Counter()
    number = options.first
    for number in range(options.first, options.first + options.count):
        if time.monotonic() - start > options.minutes * 60:
            break
        _try(f"{options.seed}:{number}", ends)
        if number % 500 == 499:
            print(_summary(number + 1 - options.first, start, ends), flush=True)
    print(_summary(number + 1 - options.first, start, ends))
    return 1 if ends["different"] or ends["endless"] else 0


class Endless(BaseException):
    """A program that does not end: the plain function does not, or flows do what it does not."""


def _give_up(*_: object) -> None:
    raise Endless


@contextmanager
def limited(seconds: float = MOST_SECONDS) -> Iterator[None]:
    """End what takes too much of the processor's time, by `Endless`."""
    before = signal.signal(signal.SIGPROF, _give_up)
    # Again and again, since the program may catch it.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _try(seed: str, ends: collections.Counter[str]) -> None:
    program = seeded_program(seed)
    try:
        with limited():
            outcome = check(program)
    except Endless:
        ends["endless"] += 1
        print(f"seed {seed}: it did not end in {MOST_SECONDS} s of CPU time", flush=True)
        return
    except Mismatch as mismatch:
        ends["different"] += 1
        print(f"seed {seed}: {str(mismatch).splitlines()[0]}", flush=True)
        return
    except Exception as error:
        ends["different"] += 1
        print(f"seed {seed}: {type(error).__name__}: {str(error).splitlines()[:1]}", flush=True)
        return
    ends["suspends"] += len(outcome.asked)
    ends["halted" if outcome.halted else "raised" if outcome.error else "returned"] += 1


def _summary(count: int, start: float, ends: collections.Counter[str]) -> str:
    parts = ", ".join(f"{ends[name]} {name}" for name in sorted(ends))
    version = ".".join(map(str, sys.version_info[:3]))
    return f"Python {version}: {count} programs in {time.monotonic() - start:.0f} s: {parts}"


if __name__ == "__main__":
    raise SystemExit(main())
