"""How many machine instructions a turn in memory takes, and in which library, by callgrind.

A process takes few turns, another one many, and what they differ by is the turns' alone. Counts
hardly vary, so they show a change of one in a hundred, which no clock does on a busy machine.
LONGTERM_PYTHONS may name further interpreters in which longterm can be imported, as PATH does.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from tests.benchmarks.floors import packed
from tests.benchmarks.flows import PADDING, events, survey
from tests.benchmarks.held import HELD, INTEGERS, turns
from tests.benchmarks.measuring import Ratio, Row, Spread, skipped

Counts: TypeAlias = dict[str, Counter[str]]
"""For each case the instructions of one turn in each library."""

FLOOR, OURS = "bare msgpack in a dict", "longterm"
FEW, MANY = 50, 250
RUNS: Final = 20
ROOT: Final = Path(__file__).resolve().parents[2]
CALLGRIND: Final = ("valgrind", "--quiet", "--tool=callgrind")


def measure(quick: bool) -> list[Row]:
    """Return the instructions of a turn: bare, longterm's, and by what the flow holds."""
    if shutil.which("valgrind") is None:
        return skipped("a turn in memory", "valgrind is missing (apt install valgrind)")
    rows: list[Row] = []
    others = [] if quick else list(filter(None, _further_pythons().split(os.pathsep)))
    for python in (sys.executable, *others):
        counts = counted(python, [FLOOR, OURS, *HELD])
        called = f"Python {version(python)}, a turn in memory"
        rows += [
            _row(called, FLOOR, counts[FLOOR].total()),
            _row(called, OURS, counts[OURS].total(), FLOOR, counts[FLOOR].total()),
            *(shares(called, counts[OURS]) if python == sys.executable else []),
        ]
        called, base = f"{called}, of a flow with", counts[INTEGERS].total()
        rows += [
            _row(called, held, counts[held].total(), "" if held == INTEGERS else INTEGERS, base)
            for held in HELD
        ]
    return rows


def _further_pythons() -> str:
    return os.environ.get("LONGTERM_PYTHONS", "")


def version(python: str) -> str:
    """Return the version of an interpreter."""
    if python == sys.executable:
        return platform.python_version()
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def shares(group: str, libraries: Counter[str]) -> list[Row]:
    """Return a row for each library that counts."""
    whole = libraries.total()
    return [
        _row(group, f"of it in {library}", count, OURS, whole)
        for library, count in libraries.most_common()
        if count > whole / 200
    ]


def _row(group: str, name: str, count: float, of: str = "", base: float = 0) -> Row:
    ratios = (Ratio(of, Spread.of([count / base])),) if of else ()
    return Row(group=group, name=name, figure=Spread.of([count]), unit="", ratios=ratios)


def counted(python: str, cases: list[str]) -> Counts:
    """Return the instructions of a turn of each case."""
    with tempfile.TemporaryDirectory() as folder:
        program = [python, "-m", __name__]
        # Once without callgrind, so that byte code and compiled flows are there.
        _run([*program, *cases])
        said = _run([*CALLGRIND, f"--callgrind-out-file={folder}/%p", *program, *cases])
        profiles = [by_library(Path(folder, process).read_text()) for process in said.split()]
    few, many = profiles[::2], profiles[1::2]
    return {
        case: Counter({name: (after[name] - before[name]) // (MANY - FEW) for name in after})
        for case, before, after in zip(cases, few, many, strict=True)
    }


def _run(command: list[str]) -> str:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


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


def take_turns(cases: list[str]) -> None:
    """Take few turns of each case, and then many, in a process each; say which those are.

    They are copies of this one, since what takes longest under callgrind is to get this far.
    """
    for case in cases:
        for count in (FEW, MANY):
            process = os.fork()
            if process == 0:
                status = 1
                try:
                    turn = turn_of(case)
                    for number in range(count):
                        turn(number)
                    status = 0
                finally:
                    os._exit(status)
            if os.waitpid(process, 0)[1]:
                raise RuntimeError(f"turns of {case!r} failed")
            print(process, flush=True)


def turn_of(case: str) -> Callable[[int], object]:
    """Return what takes a turn of a case."""
    if case == FLOOR:
        return packed(runs=RUNS)
    if case in HELD:
        return turns(case, RUNS)
    from longterm import Engine

    engine = Engine("memory://")
    return events(engine, [engine.start_flow(survey, PADDING).id for _ in range(RUNS)])


if __name__ == "__main__":
    take_turns(sys.argv[1:])
