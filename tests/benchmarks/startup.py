"""How long a fresh process takes: to its first event, to import longterm, and a module of 50 flows.

Whole processes, but for the modules, whose import alone is timed, beside that of the same module
undecorated. The floor is the least program that keeps its state in SQLite. Warm: compiled flows are
in the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measuring import Row, Samples, in_turn, rows_of

FLOWS = 50
FLOOR, PLAIN = "bare msgpack and SQLite", "undecorated"
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
            FLOOR: ([BARE], {}),
            "its first event, warm": ([EVENT, run_id], {}),
            "its first event, cold": ([EVENT, run_id], flows_cold),
            "import longterm": (["import longterm"], {}),
            PLAIN: ([TIMED.format(module="plain")], {}),
            "50 flows, warm": ([TIMED.format(module="flows")], {}),
            "50 flows, cold": ([TIMED.format(module="flows")], flows_cold),
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


def measure(quick: bool) -> list[Row]:
    """Return the rows of the processes, then those of the imports."""
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(place)
        samples: Samples = {program: [] for program in folder.programs}
        for repeat in range(2 if quick else 42):
            for program in in_turn(list(samples), repeat):
                seconds = folder.seconds(program)
                if repeat:
                    samples[program].append(seconds)
    imports = {name: samples.pop(name) for name in (PLAIN, "50 flows, warm", "50 flows, cold")}
    return [
        *rows_of("a whole process", samples, bases=[FLOOR], unit="ms"),
        *rows_of(f"importing {FLOWS} flows", imports, bases=[PLAIN], unit="ms"),
    ]
