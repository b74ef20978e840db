"""Flows that wait in very many calls inside each other go on, or are refused and wait on.

Each case has a process of its own: what goes wrong here would end it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = """
import asyncio
import sys
from longterm import aprocess_event, astart_flow, get_run, process_event, start_flow
from longterm import deflow, suspend

@deflow
def plain(n):
    return suspend("a") if not n else plain(n - 1) + 1

@deflow
def guarded(n):
    if not n:
        return suspend("a")
    with Held():
        try:
            for each in [n - 1]:
                below = guarded(each)
        finally:
            n = 0
    return below + 1

@deflow
async def awaited(n):
    return suspend("a") if not n else await awaited(n - 1) + 1

@deflow
def raising(n):
    if not n:
        suspend("a")
        raise ValueError("deep")
    return raising(n - 1)

class Held:
    def __enter__(self):
        pass
    def __exit__(self, *exception):
        pass
"""

TURNS = {
    "plain": "print(process_event(start_flow(plain, {depth}).id, 'a', 1).result)",
    "guarded": "print(process_event(start_flow(guarded, {depth}).id, 'a', 1).result)",
    "awaited": """
async def main():
    run = await astart_flow(awaited, {depth})
    print((await aprocess_event(run.id, "a", 1)).result)
asyncio.run(main())
""",
    "raising": """
run = start_flow(raising, {depth})
try:
    process_event(run.id, "a", 1)
except ValueError as error:
    entry, count = error.__traceback__, 0
    while entry is not None:
        count += entry.tb_frame.f_code.co_name == "raising"
        entry = entry.tb_next
    print(count)
""",
}


def printed(text: str, folder: Path) -> str:
    (folder / "deep.py").write_text(FLOWS)
    done = subprocess.run(
        [sys.executable, "-c", f"from deep import *\n{text}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("depth", [800, 6_000, 12_000])
def test_a_deep_stack_goes_on(name: str, depth: int, tmp_path: Path) -> None:
    text = f"sys.setrecursionlimit(1_000_000)\n{TURNS[name].format(depth=depth)}"
    assert printed(text, tmp_path) == f"{depth + 1}\n"


def test_a_stack_that_is_too_deep_for_a_process_is_refused_and_waits_on(tmp_path: Path) -> None:
    text = """
from longterm import StackTooDeep
sys.setrecursionlimit(5_000)
run = start_flow(plain, 2_000)
sys.setrecursionlimit(1_000)
try:
    process_event(run.id, "a", 1)
except StackTooDeep as error:
    print(error.frames, get_run(run.id).state, error)
    remedy = str(error).rpartition("(raise that where the application starts: ")[2][:-1]
print(remedy)
exec(remedy)
print(process_event(run.id, "a", 1).result)
"""
    first, remedy, result = printed(text, tmp_path).splitlines()
    assert first.startswith("2001 suspended flow deep:plain waits in 2,001 calls")
    assert re.fullmatch(r"sys\.setrecursionlimit\(\d+\)", remedy)
    assert result == "2001"
