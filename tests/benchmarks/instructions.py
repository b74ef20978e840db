"""How many machine instructions a turn in memory takes, and in which library, by callgrind.

A program runs with two numbers of turns, and what they differ by is the turns' alone. Counts hardly
vary, so they show a change of one in a hundred, which no clock does on a busy machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.benchmarks.held import HELD, INTEGERS
from tests.benchmarks.measuring import Ratio, Row, Spread, skipped

GROUP = "instructions of a turn in memory"
FEW, MANY = 100, 600
ROOT = Path(__file__).resolve().parents[2]
CALLGRIND = ["valgrind", "--quiet", "--tool=callgrind"]
PROGRAM = """\
import sys
from tests.benchmarks.floors import packed
from tests.benchmarks.flows import PADDING, events, survey
from tests.benchmarks.held import HELD, turns
from longterm import Engine
if sys.argv[1] == "floor":
    turn = packed(runs=20)
elif sys.argv[1] in HELD:
    turn = turns(sys.argv[1])
else:
    engine = Engine("memory://")
    turn = events(engine, [engine.start_flow(survey, PADDING).id for _ in range(20)])
for number in range(int(sys.argv[2])):
    turn(number)
"""


def measure() -> list[Row]:
    """Return the instructions of a bare turn, of longterm's, and of each library in it."""
    if shutil.which("valgrind") is None:
        return skipped(GROUP, "valgrind is missing (apt install valgrind)")
    with tempfile.TemporaryDirectory() as folder:
        floor = counted("floor", Path(folder))
        ours = counted("longterm", Path(folder))
    whole, bare = sum(ours.values()), sum(floor.values())
    shares = [
        _row(f"of it in {library}", count, "longterm", whole)
        for library, count in sorted(ours.items(), key=lambda each: -each[1])
        if count > whole / 200
    ]
    return [
        _row("bare msgpack in a dict", bare),
        _row("longterm", whole, "bare msgpack in a dict", bare),
        *shares,
    ]


def measure_held() -> list[Row]:
    """Return the instructions of a turn by what the flow holds."""
    group = f"{GROUP}, of a flow with"
    if shutil.which("valgrind") is None:
        return skipped(group, "valgrind is missing (apt install valgrind)")
    with tempfile.TemporaryDirectory() as folder:
        counts = {held: sum(counted(held, Path(folder)).values()) for held in HELD}
    base = counts[INTEGERS]
    return [
        _row(held, count, "" if held == INTEGERS else INTEGERS, base, group=group)
        for held, count in counts.items()
    ]


def _row(name: str, count: float, of: str = "", base: float = 0, group: str = GROUP) -> Row:
    ratios = (Ratio(of, Spread.of([count / base])),) if of else ()
    return Row(group=group, name=name, figure=Spread.of([count]), unit="", ratios=ratios)


def counted(what: str, folder: Path) -> dict[str, float]:
    """Return the instructions of one turn in each library."""
    profiles = {turns: folder / f"{what.replace(' ', '-')}.{turns}" for turns in (FEW, MANY)}
    # Once without callgrind, so that byte code and compiled flows are there for both.
    warming = start([sys.executable], what, 1).wait()
    children = [
        start([*CALLGRIND, f"--callgrind-out-file={profile}", sys.executable], what, turns)
        for turns, profile in profiles.items()
    ]
    if any([warming, *(child.wait() for child in children)]):
        raise RuntimeError(f"the program that counts {what} failed")
    few, many = (by_library(profiles[turns].read_text()) for turns in (FEW, MANY))
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def start(python: list[str], what: str, turns: int) -> subprocess.Popen[bytes]:
    """Start the program."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    return subprocess.Popen(
        [*python, "-c", PROGRAM, what, str(turns)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def by_library(profile: str) -> Counter[str]:
    """Read a profile: the instructions of each library's own code.

    A line of cost belongs to the last `ob=`; the one after `calls=` counts the callee once more.
    """
    names: dict[str, str] = {}
    found: Counter[str] = Counter()
    library = ""
    is_call = False
    for line in profile.splitlines():
        if named := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?", line):
            is_callee, key, path = named.groups()
            if path:
                names[key] = Path(path).name.split(".")[0]
            library = library if is_callee else names[key]
        elif line.startswith("calls="):
            is_call = True
        elif re.match(r"[-+*\d]", line):
            found[library] += 0 if is_call else int(line.split()[1])
            is_call = False
    return found
