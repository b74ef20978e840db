"""What waiting runs, and turns of large frames, take of a process's memory.

Each figure is of a process of its own: what the system counts as its own (`VmRSS` and `VmHWM`, so
Linux only), or the most that Python had allocated in the turn, by tracemalloc. The floor does the
same turn with bare msgpack and SQLite.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import Row, Samples, rows_of, skipped

ROOT = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")
FLOOR = "bare, one transaction"
MEGABYTES = (1, 10)
FEW, QUICK, MANY = 1_000, 3_000, 100_000

WAITING = """\
import gc, json, sys
from longterm import Engine
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks.flows import PADDING, survey
from tests.benchmarks.memory import system_counts
sizes = []
with SQLiteStore("waiting.db", synchronous="NORMAL") as store:
    engine = Engine(store)
    for more in map(int, sys.argv[1:]):
        for _ in range(more):
            engine.start_flow(survey, PADDING)
        gc.collect()
        sizes.append(system_counts("VmRSS"))
print(json.dumps(sizes))
"""
PREPARE = """\
import sys
from longterm import Engine
from longterm.store.sqlite import SQLiteStore
from pathlib import Path
from tests.benchmarks.floors import BareSQLite
from tests.benchmarks.flows import rows_of_about, wide
rows = rows_of_about(int(sys.argv[1]))
with BareSQLite(Path("bare.db"), "NORMAL", runs=1) as bare:
    bare.fill({"total": 0, "rows": rows})
with SQLiteStore("runs.db", synchronous="NORMAL") as store:
    run = Engine(store).start_flow(wide, rows)
print(run.id, len(run.stack))
"""
TURN = """\
import gc, sys, tracemalloc
from longterm import Engine
from longterm.store.sqlite import SQLiteStore
from pathlib import Path
from tests.benchmarks.floors import BareSQLite
from tests.benchmarks.flows import EVENT, survey, wide
from tests.benchmarks.memory import system_counts
what, how, run_id = sys.argv[1:]
if what == "longterm":
    engine = Engine(SQLiteStore("runs.db", synchronous="NORMAL"))
    engine.start_flow(survey, "")  # loads what a turn needs
    engine.get_run(run_id).state
    def turn():
        engine.process_event(run_id, "number", EVENT)
else:
    bare = BareSQLite(Path("bare.db"), "NORMAL", runs=1)
    def turn():
        bare.one(0)
gc.collect()
if how == "python":
    tracemalloc.start()
    turn()
    print(tracemalloc.get_traced_memory()[1])
else:
    before = system_counts("VmHWM")
    turn()
    print(system_counts("VmHWM") - before)
"""


def measure(quick: bool) -> list[Row]:
    """Return what waiting runs take, then what turns take."""
    if not STATUS.exists():
        return skipped("memory", "only Linux tells a process what it takes")
    rows = waiting(FEW, QUICK if quick else MANY)
    for size in MEGABYTES:
        rows += turns(size, repeats=1 if quick else 3)
    return rows


def waiting(few: int, many: int) -> list[Row]:
    """Return what a process takes that has started few runs, and then many."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = json.loads(python(folder, WAITING, 0, few, many - few))
    names = ("a process with the store open", f"{few:,} runs wait", f"{many:,} runs wait")
    samples = {name: [size] for name, size in zip(names, sizes, strict=True)}
    return rows_of("suspended runs in SQLite", samples, bases=names[1:2], unit="MB", scale=1e-6)


def turns(megabytes: int, repeats: int) -> list[Row]:
    """Return the peaks of a turn as multiples of its stored frame."""
    rows: list[Row] = []
    for how, group in {"python": "allocated by Python", "system": "resident"}.items():
        samples: Samples = {FLOOR: [], "longterm": []}
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                run_id, frame = python(folder, PREPARE, megabytes * 1_000_000).split()
                for name, peaks in samples.items():
                    peaks.append(int(python(folder, TURN, name, how, run_id)) / int(frame))
        title = f"the peak of a turn with {megabytes} MB in a local, {group}"
        rows += rows_of(title, samples, bases=[FLOOR], unit="frames", scale=1)
    return rows


def python(folder: str, program: str, *arguments: object) -> str:
    """Run a program in a new process and return what it prints."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def system_counts(what: str) -> int:
    """Return a figure of this process in bytes: `VmRSS` is what it takes, `VmHWM` took at most."""
    found = re.search(rf"{what}:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1]) * 1024
