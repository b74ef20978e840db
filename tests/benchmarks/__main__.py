"""The command: run benchmarks, print their tables, and write them down if asked."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import page
from tests.benchmarks.machine import is_busy, machine
from tests.benchmarks.measuring import Row
from tests.benchmarks.tables import as_text

DEFAULT = [
    *("turn", "instructions", "shapes", "events", "waits", "callers", "frames", "memory"),
    *("startup", "bodies", "codec", "compile"),
]
BY_NAME_ONLY = ["million", "neighbours", "steps"]
"""What takes long, or wants something installed, so that it must be asked for."""
COUNTED = {"instructions"}
"""What takes no time, but counts, and so may be written down on a busy machine."""


def main(arguments: list[str]) -> int:
    """Run the benchmarks that are named, or all that do not take long."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(DEFAULT)} (all these unless named); {', '.join(BY_NAME_ONLY)}",
    )
    parser.add_argument("--quick", action="store_true", help="few repeats, for trying")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument(
        "--write-docs", action="store_true", help="write tables and charts into docs/"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {*DEFAULT, *BY_NAME_ONLY}:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    facts = machine() | ({"repeats": "few (--quick)"} if options.quick else {})
    print("  ".join(f"{name}: {fact}" for name, fact in facts.items()))
    if is_busy() and set(options.names) != COUNTED:
        if options.write_docs:
            parser.error(
                "the machine is busy, so its figures are for trying only and docs/ stays as it is "
                "(wait until the load of the last minute is under a quarter of the cores)"
            )
        print("The machine is busy: these figures are for trying only.")
    found: dict[str, list[Row]] = {}
    # Written after each, so that what comes later cannot lose it.
    for name in options.names or DEFAULT:
        found[name] = measured(name, options.quick)
        if options.write_docs:
            page.write(facts, name, found[name])
        if options.json:
            options.json.write_text(as_json(facts, found))
    return 0


def measured(name: str, quick: bool) -> list[Row]:
    """Run one benchmark and print its table."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    start = time.monotonic()
    rows: list[Row] = module.measure(quick)
    title = (module.__doc__ or "").splitlines()[0]
    print(f"\n{name}: {title}\n\n{as_text(rows)}\n({time.monotonic() - start:.0f} s)", flush=True)
    return rows


def as_json(facts: dict[str, str], found: dict[str, list[Row]]) -> str:
    """Return all that was found."""
    figures = {name: [asdict(row) for row in rows] for name, rows in found.items()}
    return (
        json.dumps({"machine": facts, "benchmarks": figures}, indent=2, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
