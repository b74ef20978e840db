"""The law of changed code: where the rest is the same, a run does what it would have done.

A program runs to each of its waits, and is edited. Then each run goes on in two ways:

- *pinned*: its frames in the code that they were saved from, all else as it is now;
- *moved*: in the edited program, if longterm says that the rest is the same.

Both must do the same: results, errors, responses, effects in their order.

Where the rest is another, but the same is under way, the run goes on as if its author had accepted
that. It must never read a name that was not stored; and where both can be told, they must agree.

    python -m tests.property.deploys --seed night --first 0 --count 5000
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import time
import types
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

from longterm._abi import RESERVED_PREFIX
from longterm._codec import decode_frames
from longterm._flows import closures, continuation, registry, upgrades
from longterm._flows.flow import Flow
from longterm._flows.same_rest import in_present_code
from longterm._flows.under_way import NotMatched, live_names, matched
from longterm._flows.upgrades import Upgrade
from longterm.errors import CompileError, FlowChanged, LongtermError
from longterm.frame import Frame
from longterm.run import Run, context_of
from longterm_compiler import pipeline
from longterm_compiler.pipeline import CompiledFlow
from tests.property import world
from tests.property.choices import Seeded
from tests.property.edits import edited
from tests.property.oracle import (
    Mismatch,
    Outcome,
    Program,
    engine_for,
    file_of,
    kept,
    module_of,
    played,
)
from tests.property.programs import seeded_program
from tests.property.search import Endless, limited

_EDITS_EACH = 6
_WAITS_EACH = 10
_LONGEST_PLAY = 5
"""Seconds of the processor's time. A loop without an end that appends to a list takes gigabytes."""


@dataclass
class _Waiting:
    """A run as it waits, and what its program had done by then."""

    run: Run
    number: int
    """How many waits came before."""
    state: dict[str, Any]
    """The module's own variables."""
    logged: int
    """The entries of the log."""


@dataclass
class _Played:
    """A program that ran from its begin, each time that it waited, and how it ended."""

    program: Program
    waiting: list[_Waiting]
    outcome: Outcome


def check_deploys(seed: str, counts: Counter[str]) -> None:
    """Edit the program of a seed a few times, and let its runs go on in both ways.

    An edit may take a loop its counter. Then the program never ends, and nothing is compared.

    Raises:
        Endless: a program does not end.
        Mismatch: they do not do the same; the message shows both programs.
    """
    program = seeded_program(seed)
    program = replace(program, source=ast.unparse(ast.parse(program.source)))
    choices = Seeded(f"edits of {seed}")
    with _without_text(), file_of(program), module_of(program) as module:
        with limited():
            old = _play(program, module)
        pinned = {(flow.name, flow.version): flow for flow in registry._flows.values()}
        for _ in range(_EDITS_EACH if old.waiting else 0):
            change = edited(program.source, choices)
            if change is None:
                continue
            if choices.below(3) == 0:  # two at once, now and then
                change = edited(change[0], choices) or change
            numbers = {choices.below(len(old.waiting)) for _ in range(_WAITS_EACH)}
            _check_edit(old, change, sorted(numbers), pinned, counts)


@contextmanager
def _without_text() -> Iterator[None]:
    """Compile the plans themselves, which is quicker: that their text means the same is proven."""

    def code(flow: CompiledFlow) -> types.CodeType:
        with flow._room():
            return flow._compiled(flow.fresh_plan, flow.free)

    def resume_code(flow: CompiledFlow, number: int, unbound: Iterable[str] = ()) -> types.CodeType:
        with flow._room():
            return flow._compiled(flow.resume_plan(number, unbound), flow.resume(number).cells)

    fresh = cached_property(code)
    fresh.__set_name__(CompiledFlow, "code")
    with (
        patch.object(pipeline, "_compile_what_may_fail", lambda flow: flow.code),
        patch.object(CompiledFlow, "code", fresh),
        patch.object(CompiledFlow, "resume_code", resume_code),
    ):
        yield


def _play(program: Program, module: types.ModuleType) -> _Played:
    entry, waiting = getattr(module, program.entry), list[_Waiting]()
    engine = engine_for(entry)

    def note(run: Run) -> None:
        logged = len(world.record.entries)
        waiting.append(_Waiting(run, len(waiting), _state(module), logged))

    outcome = played(
        module,
        engine,
        lambda: engine.start_flow(entry, *deepcopy(program.args)),
        map(deepcopy, program.events),
        note,
    )
    return _Played(program, waiting, outcome)


def _state(module: types.ModuleType) -> dict[str, Any]:
    return {k: deepcopy(v) for k, v in vars(module).items() if k.startswith("G_")}


def _check_edit(
    old: _Played,
    change: tuple[str, str],
    numbers: list[int],
    pinned: dict[tuple[str, str], Flow],
    counts: Counter[str],
) -> None:
    source, edit = change
    new = replace(old.program, source=source)
    with file_of(new), kept(registry._flows):
        registry._flows.clear()
        try:
            module = module_of(new)
            with module as present:
                whole = _ending(new, present)
                if whole is None:
                    counts["endless edits"] += 1
                    return
                for number in numbers:
                    with limited():
                        is_same = _check_wait(old, number, new, present, pinned, counts)
                    is_harmless = _is_harmless(old, whole, number)
                    counts["pairs"] += 1
                    counts["same" if is_same else "other"] += 1
                    if is_harmless:
                        counts[f"harmless, {'same' if is_same else 'other'}"] += 1
                        counts[f"harmless {edit}, {'same' if is_same else 'other'}"] += 1
        except Mismatch as mismatch:
            raise Mismatch(f"{mismatch}\n--- edit {edit!r} of\n{old.program.source}") from None
        except (CompileError, SyntaxError, NameError, AttributeError):
            counts["not importable"] += 1


def _ending(program: Program, module: types.ModuleType) -> _Played | None:
    """Return what a program does; None if it does not end."""
    try:
        with limited(_LONGEST_PLAY):
            return _play(program, module)
    except Endless:
        return None


def _is_harmless(old: _Played, new: _Played, number: int) -> bool:
    """Tell whether an edit changes nothing that can be seen after a wait, in these runs."""
    if number >= len(new.waiting):
        return False
    left, right = _rest_of(old, number), _rest_of(new, number)
    return left == right


def _rest_of(played: _Played, number: int) -> tuple[object, ...]:
    outcome = played.outcome
    logged = outcome.log[played.waiting[number].logged :]
    asked, responses = outcome.asked[number + 1 :], outcome.responses[number + 1 :]
    return (logged, asked, responses, outcome.result, outcome.error, outcome.halted)


def _check_wait(
    old: _Played,
    number: int,
    new: Program,
    module: types.ModuleType,
    pinned: dict[tuple[str, str], Flow],
    counts: Counter[str],
) -> bool:
    """Let a run go on in both ways; return whether longterm takes the rest for the same."""
    waiting = old.waiting[number]
    script = old.program.events[number:]
    with _tables_kept():
        is_same_rest = _is_same_rest(waiting.run)
        if _is_matched(waiting.run):
            counts["matched, same" if is_same_rest else "matched, other"] += 1
            if not is_same_rest:
                _check_accepted(new, module, waiting, script)
        if not is_same_rest:
            return False
        moved = _go_on(new, module, waiting, script)
    with _tables_kept(), _pinning(pinned, module):
        stayed = _go_on(new, module, waiting, script)
    if "CannotSuspend" in repr(stayed.error):
        # The old caller is compiled for callees that never wait, and the edit made one wait.
        return True
    for name in ("asked", "responses", "log", "halted", "error", "result", "state"):
        left, right = (_text(getattr(outcome, name)) for outcome in (stayed, moved))
        if left != right:
            raise Mismatch(
                f"{name} differs at wait {number}, events {script}\n"
                f"pinned: {left}\nmoved:  {right}\n--- new\n{new.source}"
            )
    return True


_UNBOUND = r"'(?:NameError|UnboundLocalError)'"
_UNBOUND_TEMPORARY = re.compile(f"(name|variable) '{RESERVED_PREFIX}")
_ERROR = re.compile(rf"(\({_UNBOUND}), \[[^\]]*\]")
_LOGGED = re.compile(rf"""(\('str', "{_UNBOUND}"\)), \('list', \[[^\]]*\]\)""")


def _text(shape: object) -> str:
    """Return a shape as text, without the names of variables that have no value."""
    return _LOGGED.sub(r"\1", _ERROR.sub(r"\1", repr(shape)))


def _is_same_rest(run: Run) -> bool:
    assert run.stack is not None
    try:
        for frame in decode_frames(run.stack, context_of(run, "stack")):
            in_present_code(frame)
    except LongtermError:
        return False
    return True


def _is_matched(run: Run) -> bool:
    """Tell whether all frames of a run go on if the author accepts that the same is under way.

    Raises:
        Mismatch: a name that is read was not stored, or what is the same rest, too, is elsewhere.
    """
    assert run.stack is not None
    try:
        for frame in decode_frames(run.stack, context_of(run, "stack")):
            _check_matched(frame)
    except (LongtermError, NotMatched):
        return False
    return True


def _check_matched(frame: Frame) -> None:
    flow = registry.flow_named(frame.flow)
    moved = matched(frame, flow)
    needed, stored = flow.resume(moved.point).slots, {*moved.slots, *live_names(moved)}
    if not stored.issuperset(needed):
        raise Mismatch(f"{moved} is matched without {set(needed) - stored}")
    try:
        _, same = in_present_code(frame)
    except FlowChanged:
        return
    held = [name for name in needed if name.startswith(RESERVED_PREFIX)]
    if (same.version, same.point) == (frame.version, frame.point) or same.point != moved.point:
        return
    if any(same.slots.get(name) is not moved.slots.get(name) for name in held):
        raise Mismatch(f"{frame} has the same rest as {same}, but what is under way as {moved}")


def _check_accepted(
    program: Program, module: types.ModuleType, waiting: _Waiting, script: tuple[Any, ...]
) -> None:
    """Let a run go on where the same is under way.

    Raises:
        Mismatch: it could not begin, or one of the compiler's own names has no value.
    """
    accepted = Upgrade(_check_accepted.__code__, "", "here")
    with patch.object(upgrades, "upgrade_since", lambda flow, version: accepted):
        outcome = _go_on(program, module, waiting, script)
    said = f"{outcome.error} {outcome.halted}"
    if _UNBOUND_TEMPORARY.search(said) or "FlowChanged" in said or "CorruptData" in said:
        raise Mismatch(f"accepted at wait, events {script}: {said}\n--- new\n{program.source}")


def _go_on(
    program: Program, module: types.ModuleType, waiting: _Waiting, script: tuple[Any, ...]
) -> Outcome:
    for name in [name for name in vars(module) if name.startswith("G_")]:
        delattr(module, name)
    vars(module).update(deepcopy(waiting.state))
    engine, run = engine_for(getattr(module, program.entry)), waiting.run
    engine.store._runs[run.id] = run  # type: ignore[attr-defined]
    return played(module, engine, lambda: run, map(deepcopy, script))


@contextmanager
def _tables_kept() -> Iterator[None]:
    with kept(registry._flows), kept(registry._by_original):
        yield


@contextmanager
def _pinning(pinned: dict[tuple[str, str], Flow], module: types.ModuleType) -> Iterator[None]:
    """Let each frame go on in the very code that it was saved from, in the module of today."""

    def flow_of(name: str, version: str) -> Flow | None:
        known = [flow for flow in registry._by_original.values() if flow.name == name]
        flow = pinned.get((name, version))
        flow = flow or next((flow for flow in known if flow.version == version), None)
        if flow is not None:
            flow.globals = vars(module)
        return flow

    def own_code(frame: Frame) -> tuple[Flow, Frame]:
        flow = flow_of(frame.flow, frame.version)
        return in_present_code(frame) if flow is None else (flow, frame)

    find = closures.FlowCode.find

    def own_find(table: Any, name: tuple[str, str, str]) -> Any:
        flow = flow_of(*name[:2])
        if flow is None:
            return find(table, name)
        code = flow.fresh.inner[name[2]] if name[2] else flow.fresh.code
        return code, vars(module)

    with (
        patch.object(continuation, "upgraded", own_code),
        patch.object(closures.FlowCode, "find", own_find),
    ):
        yield


def main() -> int:
    """Check the programs of a seed; return 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start, counts = time.monotonic(), Counter[str]()
    for number in range(options.first, options.first + options.count):
        if time.monotonic() - start > options.minutes * 60:
            break
        seed = f"{options.seed}:{number}"
        try:
            check_deploys(seed, counts)
        except (Endless, Exception) as error:
            counts["endless" if isinstance(error, Endless) else "different"] += 1
            print(f"seed {seed}: {type(error).__name__}: {str(error)[:400]}", flush=True)
        if number % 200 == 199:
            _print(counts, start)
    _print(counts, start)
    return 1 if counts["different"] else 0


def _print(counts: Counter[str], start: float) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    said = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    print(f"Python {version}: {time.monotonic() - start:.0f} s: {said}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
