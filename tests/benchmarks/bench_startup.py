"""How long a fresh process takes: to its first event, to import longterm, and a module of 50 flows.

Run `python tests/benchmarks/bench_startup.py [--json]`. Every figure is a ratio of times from one
run, the variants interleaved; the median of the repeats, and their spread. What is compared with
what stands in `RATIOS`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 41
FLOWS = 50
ROOT = Path(__file__).resolve().parents[2]

# The least that any program must do which keeps its state in SQLite.
BARE = """\
import msgpack, sqlite3
db = sqlite3.connect("bare.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("BEGIN IMMEDIATE")
((data,),) = db.execute("SELECT data FROM runs WHERE id = ?", ("r1",)).fetchall()
run = msgpack.unpackb(data)
run["total"] += 1
db.execute("UPDATE runs SET data = ? WHERE id = ?", (msgpack.packb(run), "r1"))
db.execute("COMMIT")
"""
MAKE_BARE = """\
import msgpack, sqlite3
db = sqlite3.connect("bare.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, data BLOB)")
db.execute("INSERT INTO runs VALUES (?, ?)", ("r1", msgpack.packb({"total": 0, "rows": [1, 2]})))
"""
APP = """\
from longterm import deflow, suspend


@deflow
def count(rows):
    total = 0
    while True:
        total += suspend("one")
"""
START = """\
import app
from longterm import set_runstore, start_flow
set_runstore("sqlite:///runs.db")
print(start_flow(app.count, [1, 2]).id, end="")
"""
EVENT = """\
import app, sys
from longterm import process_event, set_runstore
set_runstore("sqlite:///runs.db")
assert process_event(sys.argv[1], "one", 1).state == "suspended"
"""
TIMED = """\
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""
_STEP = """\
    {name} = suspend("{name}")
    if {name} > {number}:
        items.append({name} + len(items))
    else:
        total -= {number}
"""

RATIOS = {
    "first event, warm": ("event warm", "bare script"),
    "first event, cold": ("event cold", "bare script"),
    "import longterm": ("import longterm", "bare script"),
    "50 flows, warm": ("flows warm", "flows undecorated"),
    "50 flows, cold": ("flows cold", "flows undecorated"),
}
"""What is divided by what. The last two are of the import alone, the others of whole processes."""


def flows(decorator: str) -> str:
    """Return a module of functions of 40 lines each."""
    steps = "".join(_STEP.format(name=f"x{n}", number=n) for n in range(7))
    body = f"    # {'-' * 40}\n    items = list(items)\n{steps}    return items, total\n"
    each = [f"\n\n{decorator}def flow{n}(items, total):\n{body}" for n in range(FLOWS)]
    return "from longterm import deflow, suspend\n" + "".join(each)


class Folder:
    """A folder with the programs, and how they are run in it."""

    def __init__(self, place: str) -> None:
        """Write the programs, and run each once, so that all byte code and caches are there."""
        self.place = place
        # Byte code is part of a warm start, for the bare script too.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LONGTERM"))}
        self.environment = {**kept, "PYTHONPATH": os.pathsep.join(self._paths())}
        for name, text in {
            "app.py": APP,
            "flows.py": flows("@deflow\n"),
            "plain.py": flows(""),
        }.items():
            Path(place, name).write_text(text)
        self.run(MAKE_BARE)
        run_id = self.run(START)
        flows_cold = {"LONGTERM_CACHE": "off"}
        self.programs = {
            "bare script": ([BARE], {}),
            "event warm": ([EVENT, run_id], {}),
            "event cold": ([EVENT, run_id], flows_cold),
            "import longterm": (["import longterm"], {}),
            "flows undecorated": ([TIMED.format(module="plain")], {}),
            "flows warm": ([TIMED.format(module="flows")], {}),
            "flows cold": ([TIMED.format(module="flows")], flows_cold),
        }

    def _paths(self) -> list[str]:
        return [str(ROOT), str(ROOT / "compiler")]

    def run(self, *arguments: str, **environment: str) -> str:
        """Run a program in a new process and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", *arguments],
            cwd=self.place,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def seconds(self, program: str) -> float:
        """Return the time that a program takes, or says that its import took."""
        arguments, environment = self.programs[program]
        start = time.perf_counter()
        printed = self.run(*arguments, **environment)
        return float(printed or time.perf_counter() - start)


def measure() -> dict[str, list[float]]:
    """Return the times of each program in seconds, one for each repeat."""
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(place)
        found: dict[str, list[float]] = {program: [] for program in folder.programs}
        for program in found:
            folder.seconds(program)
        for _ in range(REPEATS):
            for program, times in found.items():
                times.append(folder.seconds(program))
    return found


def compare(found: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return the ratios, each of two programs that ran one after the other."""
    table = {}
    for name, (program, base) in RATIOS.items():
        ratios = [a / b for a, b in zip(found[program], found[base], strict=True)]
        table[name] = {
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
            "ms": round(statistics.median(found[program]) * 1000, 1),
            "base_ms": round(statistics.median(found[base]) * 1000, 1),
        }
    cold = statistics.median(found["flows cold"]) - statistics.median(found["flows undecorated"])
    table["50 flows, cold"]["ms_per_flow"] = round(cold * 1000 / FLOWS, 2)
    return table


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    table = compare(measure())
    if options.json:
        print(json.dumps({"python": sys.version.split()[0], "ratios": table}, indent=2))
        return
    print(f"Python {sys.version.split()[0]}, {REPEATS} repeats")
    print(f"{'':20}{'ratio':>8}{'(min - max)':>16}{'ms':>9}{'to ms':>8}")
    for name, row in table.items():
        spread = f"{row['min']:.2f} - {row['max']:.2f}"
        print(f"{name:20}{row['median']:>8.2f}{spread:>16}{row['ms']:>9}{row['base_ms']:>8}")
    print(f"a flow compiled cold: {table['50 flows, cold']['ms_per_flow']} ms")


if __name__ == "__main__":
    main()
