"""What an ordinary turn may take of Python: counted, not timed, so that no turn grows unseen.

A call or an instruction more at a time is nothing that anybody feels, and hundreds of them are.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from longterm import Engine
from longterm.store.base import RunStore
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks.flows import PADDING, events, survey

BUDGETS = {"memory": (128, 3_500), "SQLite": (162, 5_150)}
"""Calls of Python functions, and instructions of byte code, of one event: some 5 % more than what
was found when it was written down. Whoever makes a turn cheaper writes it down anew."""

ADVICE = """

An ordinary turn takes more of Python than it did: {calls} calls of {budget[0]}, and {instructions}
instructions of {budget[1]}. Is what is new needed in each turn? Move it to where it is needed, or
to what is done once. Else raise the budget here, and say why in the commit's message. To see what
it costs: `python -m tests.benchmarks turn instructions`. The functions that take the most:

{functions}"""


def counted(turn: Callable[[int], object]) -> tuple[Counter[CodeType], Counter[CodeType]]:
    """Return how often each function is called in a turn, and how many instructions it runs."""
    calls, instructions = Counter[CodeType](), Counter[CodeType]()

    def each_instruction(frame: FrameType, event: str, argument: object) -> Any:
        if event == "opcode":
            instructions[frame.f_code] += 1
        return each_instruction

    def each_call(frame: FrameType, event: str, argument: object) -> Any:
        calls[frame.f_code] += 1
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return each_instruction

    before = sys.gettrace()
    gc.disable()  # it would run the finalizers of whatever else is there
    try:
        sys.settrace(each_call)
        turn(0)
    finally:
        sys.settrace(before)
        gc.enable()
    return calls, instructions


def shown(calls: Counter[CodeType], instructions: Counter[CodeType]) -> str:
    """Return what a turn takes, function by function."""
    return "\n".join(
        f"{count:6} in {calls[code]:2} calls of {code.co_qualname}, {Path(code.co_filename).name}"
        for code, count in instructions.most_common(25)
    )


def store_of(kind: str, folder: Path) -> RunStore:
    if kind == "memory":
        return MemoryStore()
    return SQLiteStore(folder / "runs.db", synchronous="NORMAL")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="counted on 3.11: others count other")
@pytest.mark.parametrize("kind", BUDGETS)
def test_an_ordinary_turn_keeps_its_budget(kind: str, tmp_path: Path) -> None:
    engine = Engine(store_of(kind, tmp_path))
    turn = events(engine, [engine.start_flow(survey, PADDING).id])
    for number in range(3):  # what is done once is done by then
        turn(number)

    # The least of some: one turn in many does what others leave to it.
    calls, instructions = min((counted(turn) for _ in range(3)), key=lambda each: each[1].total())

    found, budget = (calls.total(), instructions.total()), BUDGETS[kind]
    assert all(count <= most for count, most in zip(found, budget, strict=True)), ADVICE.format(
        calls=found[0],
        instructions=found[1],
        budget=budget,
        functions=shown(calls, instructions),
    )
    assert found > (30, 600), "this counts less than a turn can take: is it traced at all?"
