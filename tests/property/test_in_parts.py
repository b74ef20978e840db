"""A stack that goes on part by part does what plain Python does, and one entered as a whole.

The stored bytes are the same too, at every suspend.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from longterm import Engine
from longterm._flows import in_parts
from longterm.run import RunState
from tests.property.recursion import recursive_program

_PROGRAMS = 600 if os.environ.get("LONGTERM_PROFILE") == "long" else 60
_EVENTS = [1, 0, 2, 1, 1, 3, 0, 1, 2, 1, 1, 1, 4, 2]
_ALL = 10**9


class Over(BaseException):
    """There are no more events, after so many words of the program."""


def loaded(name: str, text: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shape(error: BaseException, module: ModuleType) -> Any:
    """Return an error, where it came from in a module, and its contexts; those may be stored."""
    places, contexts, entry, before = [], [], error.__traceback__, error.__context__
    while entry is not None:
        code = entry.tb_frame.f_code
        if code.co_filename == module.__file__ and code.co_name != "<listcomp>":  # of Python 3.11
            places.append((code.co_name, entry.tb_lineno))
        entry = entry.tb_next
    while before is not None:
        contexts.append(repr(before))
        before = before.__context__
    return repr(error), places, contexts


def ended(module: ModuleType, run: Callable[[], Any]) -> tuple[Any, ...]:
    """Run something; return how it ends, and what a program has said."""
    module.LOG.clear()
    said = None
    try:
        raise LookupError  # who brings an event may be handling an exception
    except LookupError:
        try:
            end: Any = run()
        except Over as over:
            end, said = "over", over.args[0]
        except Exception as error:
            end = shape(error, module)
    return end, module.LOG[:said]


def plainly(module: ModuleType, depth: int) -> tuple[Any, ...]:
    def take(events: Iterator[int]) -> int:
        for event in events:
            return event
        raise Over(len(module.LOG))

    events = iter(_EVENTS)
    module.suspend = lambda _: take(events)
    return ended(module, lambda: module.f0(depth, []))


def stored(module: ModuleType, depth: int, entered: int) -> tuple[tuple[Any, ...], list[Any]]:
    """Run a program, so many frames at once; return its end, and all that was stored."""
    kept = []

    def run() -> Any:
        engine = Engine("memory://")
        run = engine.start_flow(module.f0, depth, [])
        for event in _EVENTS:
            if run.state is RunState.COMPLETE:
                break
            kept.append((run.stack, run.position, [*module.LET_GO]))
            run = engine.process_event(run.id, "e", event)
        if run.state is not RunState.COMPLETE:
            raise Over(len(module.LOG))
        return run.result

    module.LET_GO.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_parts, "ENTERED", entered)
        return ended(module, run), kept


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Count how many frames were left alone, at each turn."""
    counted: Counter[int] = Counter()
    flows_left = in_parts.flows_left

    def counting(frames: list[Any]) -> list[Any]:
        found = flows_left(frames)
        counted[len(found)] += 1
        return found

    monkeypatch.setattr("longterm._flows.continuation.flows_left", counting)
    return counted


def test_recursive_programs_do_the_same_part_by_part(tmp_path: Path, parts: Counter[int]) -> None:
    ends: Counter[str] = Counter()
    for number in range(_PROGRAMS):
        name, depth = f"recursive_{number}", 4 + number % 6
        seed = f"parts:{number}"
        plain = loaded(f"{name}_plain", recursive_program(seed, plain=True), tmp_path)
        module = loaded(name, recursive_program(seed, plain=False), tmp_path)
        try:
            whole, bytes_of_whole = stored(module, depth, _ALL)
            assert whole == plainly(plain, depth), name
            for entered in (1, 3):
                end, kept = stored(module, depth, entered)
                assert end == whole, (name, entered)
                assert kept == bytes_of_whole, (name, entered)
            ends[type(whole[0]).__name__ if whole[0] != "over" else "over"] += 1
        finally:
            del sys.modules[name], sys.modules[plain.__name__]
    assert min(ends["int"], ends["tuple"], ends["over"]) > _PROGRAMS / 20, ends
    assert sum(count for left, count in parts.items() if left > 2) > _PROGRAMS, parts
