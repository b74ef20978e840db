"""Runs tests of CPython's own, stored at every wait: `python -m tests.cpython [test_with …]`.

Each file runs in a process of its own. The table says of each how many tests pass, how many the
compiler refuses, how many are refused at a wait, and how many behave differently; then, why. Tests
that fail already when nothing waits, since they look at their own text, say, are not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict

from tests.cpython.running import Result, results_of

FILES = [
    "test_augassign", "test_contextlib", "test_exceptions", "test_generators", "test_grammar",
    "test_iter", "test_listcomps", "test_patma", "test_scope", "test_super", "test_unpack",
    "test_with",
]  # fmt: skip
OUTCOMES = ["passed", "refused by rule", "refused at a wait", "differed as said", "differed"]
_MOST_SECONDS = 900


def main() -> int:
    """Print the table; return 1 if a test behaves differently."""
    parser = argparse.ArgumentParser(prog="python -m tests.cpython", description=__doc__)
    parser.add_argument("files", nargs="*", default=FILES, help="such as test_with")
    parser.add_argument("--json", action="store_true", help="print each result of one file")
    parser.add_argument("--every", action="store_true", help="list all tests that do not pass")
    options = parser.parse_args()
    if options.json:
        for each in results_of(options.files[0]):
            print(json.dumps(asdict(each)), flush=True)
        return 0
    try:
        results = {name: in_own_process(name) for name in options.files}
    except LookupError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(results))
    print(reasons(results, every=options.every))
    return int(any(each.outcome == "differed" for found in results.values() for each in found))


def in_own_process(name: str) -> list[Result]:
    """Return the results of a file.

    Raises:
        LookupError: this Python has no such file, or its process has died.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.cpython", "--json", name],
        capture_output=True, text=True, timeout=_MOST_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise LookupError(last.removeprefix("LookupError: ") or f"{name}: {done.returncode}")
    lines = [each for each in done.stdout.splitlines() if each.startswith('{"test": ')]
    return [Result(**json.loads(each)) for each in lines]


def table(results: dict[str, list[Result]]) -> str:
    """Return the counts of each file, and of all."""
    everything = [each for found in results.values() for each in found]
    lines = [f"{'file':20}{'tests':>8}" + "".join(f"{each:>20}" for each in OUTCOMES)]
    for name, found in [*results.items(), ("all", everything)]:
        counts = Counter(each.outcome for each in found)
        number = sum(counts[each] for each in OUTCOMES)
        lines.append(f"{name:20}{number:8}" + "".join(f"{counts[each]:20}" for each in OUTCOMES))
    skipped = sum(each.outcome == "skipped" for each in everything)
    number = sum(each.waits for each in everything)
    version = ".".join(map(str, sys.version_info[:3]))
    lines.append(f"Python {version}: {number} waits; {skipped} more do not run as they are")
    return "\n".join(lines)


def reasons(results: dict[str, list[Result]], *, every: bool) -> str:
    """Return why tests do not pass, most frequent first; or each of them."""
    left = [each for found in results.values() for each in found]
    left = [each for each in left if each.outcome in OUTCOMES[1:]]
    if every:
        return "\n".join(f"{e.outcome}: {e.test}: {e.kind}: {e.detail}" for e in left)
    kinds = Counter(f"{each.outcome}: {each.kind}" for each in left)
    return "\n".join(f"{count:4}  {kind}" for kind, count in kinds.most_common())


if __name__ == "__main__":
    raise SystemExit(main())
