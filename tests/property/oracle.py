"""Runs a program in three ways, and tells where they differ.

- *plain*: the author's code as Python runs it, `suspend` returning the next event;
- *unstopped*: compiled, with events that are there at once;
- *stored*: compiled, and stored and loaded again at every suspend;
- *dying*, if it has steps: stored, and each turn ends with its process at the save of a step.
"""

from __future__ import annotations

import atexit
import linecache
import os
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import longterm
from longterm._event_names import SLEEP, names_in
from longterm._flows import call_sites as site
from longterm._flows import closures as inner
from longterm._flows import flow, registry, resolve
from longterm._flows import loader as loading
from longterm._flows.context import current
from longterm._flows.loader import FlowLoader
from longterm._turns import claim, steps, threads, turns
from longterm._turns.claim import Claim
from longterm._turns.keeper import Keeper
from longterm.engine import Engine
from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore
from longterm.testing import Throw
from longterm.testing._awaited import given_to
from longterm.wait import Wait, value_of_first
from tests.property import world
from tests.property.held import held_generators, plainly
from tests.property.shapes import Shape, error_shape, shape_of, tracebacks
from tests.property.stand_in import copying

MODULE = "longterm_generated_program"
_OVER = object()
"""What comes after the last event. A `StopIteration` may be the flow's own."""


@dataclass(frozen=True)
class Program:
    """A module's text, the flow to start, and the script of its events."""

    source: str
    entry: str = "main"
    args: tuple[Any, ...] = ()
    events: tuple[Any, ...] = ()


@dataclass
class Outcome:
    """All that can be seen of one run of a program."""

    result: Shape = None
    error: Shape = None
    responses: list[Shape] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    log: list[Shape] = field(default_factory=list)
    state: Shape = None
    """The module's own variables at the end."""
    halted: bool = False
    steps: int = 0
    """How often the run was saved at a step."""
    tracebacks: list[list[tuple[str, int]]] = field(default_factory=list)
    """Where the error and its contexts came from."""


class Mismatch(AssertionError):
    """Two ways of running a program differ."""


def check(program: Program, *, copied: bool = False) -> Outcome:
    """Run a program in all three ways.

    Args:
        program: what to run.
        copied: whether frames are copied instead of encoded, to tell the codec from the rest.

    Raises:
        Mismatch: they differ; the message shows what, and the program.
    """
    with file_of(program):
        plain = run_plain(program)
        compare(program, plain, run_unstopped(program), "unstopped")
        stored = run_stored(program, copied=copied)
        compare(program, plain, stored, "stored")
        if stored.steps:
            compare(program, plain, run_stored(program, copied=copied, dies=True), "dying")
    return plain


def compare(program: Program, plain: Outcome, other: Outcome, way: str) -> None:
    """Tell two outcomes apart."""
    names = ["log", "asked", "responses", "halted"]
    if not plain.halted:
        names += ["error", "result", "state"]
    for name in names:
        left, right = getattr(plain, name), getattr(other, name)
        if left != right:
            ends = f"\nends: {plain.error!r}\nends: {other.error!r}"
            raise Mismatch(_difference(program, way, name, left, right) + ends)
    if plain.halted:
        return
    left, right = plain.tracebacks, other.tracebacks
    if way != "unstopped":
        left, right = _by_short_names(left), _by_short_names(right)
    if left != right:
        raise Mismatch(_difference(program, way, "tracebacks", left, right))


def _by_short_names(tracebacks: list[list[tuple[str, int]]]) -> list[list[tuple[str, int]]]:
    """Return tracebacks as they are stored, with the mere name of each function."""
    return [[(name.rpartition(".")[2], line) for name, line in each] for each in tracebacks]


def _difference(program: Program, way: str, name: str, left: object, right: object) -> str:
    if isinstance(left, list) and isinstance(right, list):
        at = next(
            (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
            min(len(left), len(right)),
        )
        left, right = left[max(at - 1, 0) : at + 3], right[max(at - 1, 0) : at + 3]
        name = f"{name} from {max(at - 1, 0)}"
    return (
        f"{way} differs in {name}\n"
        f"--- {program.entry}{program.args} events {program.events}\n{program.source}\n"
        f"---\nplain: {left!r}\n{way}: {right!r}"
    )


def run_plain(program: Program) -> Outcome:
    """Run the author's own code."""
    with (
        held_generators() as held,
        patch.object(longterm, "deflow", plainly(held)),
        module_of(program) as module,
    ):
        return _scripted(program, module)


def run_unstopped(program: Program) -> Outcome:
    """Run the compiled code with events that are there at once."""
    with held_generators(), module_of(program) as module:
        return _scripted(program, module)


def run_stored(program: Program, *, copied: bool = False, dies: bool = False) -> Outcome:
    """Run the compiled code, stored and loaded at every suspend, and at every step if it dies."""
    saves = 0

    def save_on(claim: Claim, run: Run) -> Run:
        nonlocal saves
        saves += 1
        saved = _save_on(claim, run)
        if dies:
            raise _Died(saved)
        return saved

    with (
        held_generators(),
        module_of(program) as module,
        copying() if copied else nullcontext(),
        patch.object(Claim, "save_on", save_on),
    ):
        entry = getattr(module, program.entry)
        engine = engine_for(entry)
        outcome = played(
            module,
            engine,
            lambda: engine.start_flow(entry, *deepcopy(program.args)),
            map(deepcopy, program.events),
        )
    outcome.steps = saves
    return outcome


def engine_for(entry: Callable[..., Any]) -> Engine | Driven:
    """Return what runs a flow, on a store of its own."""
    engine = Engine("memory://")
    return Driven(engine) if iscoroutinefunction(entry) else engine


def played(
    module: types.ModuleType,
    engine: Engine | Driven,
    begin: Callable[[], Run],
    script: Iterator[Any],
    note: Callable[[Run], object] = lambda run: None,
) -> Outcome:
    """Run what a module's flow does from one run on, by a script of events.

    Args:
        module: the module.
        engine: what has the run.
        begin: returns the run as it first waits.
        script: the events, in order.
        note: is told of the run each time that it waits.
    """
    record = world.start_record()
    outcome = Outcome(log=record.entries)
    said: list[Any] = []

    def lived(turn: Callable[..., Run], *args: Any) -> Run:
        """Take a turn to its end, by as many processes as that takes."""
        said.clear()
        while True:
            run, has_died = _as_far_as_it_lives(turn, *args)
            said.extend(run.response)
            if not has_died:
                return run
            turn, args = engine.expire, (run.id,)

    try:
        run = lived(begin)
        while not record.halted and run.state is RunState.SUSPENDED:
            assert run.waiting_for is not None
            outcome.responses.append(shape_of(said))
            outcome.asked.append(run.waiting_for)
            note(run)
            value = next(script, _OVER)
            if value is _OVER:
                raise world.halt()
            if isinstance(value, Throw):
                run = lived(engine.throw, run.id, value.error)
            elif run.waiting_for == SLEEP:
                run = lived(engine.expire, run.id)
            else:
                name = _chosen(run.awaits, outcome)
                run = lived(engine.process_event, run.id, name, value)
        outcome.responses.append(shape_of(said))
        _ended(outcome, module, run.result)
    except world.Halted:
        record.halted = True
    except Exception as error:
        outcome.responses.append(shape_of([]))
        _failed(outcome, module, error)
    if record.halted:
        del outcome.responses[len(outcome.asked) :]
    outcome.halted = record.halted
    return outcome


class _Died(BaseException):
    """Ends a process; the run is as it was saved last."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(run.id)


def _as_far_as_it_lives(turn: Callable[..., Run], *args: Any) -> tuple[Run, bool]:
    """Return the run as a turn has left it, and whether its process has died."""
    try:
        return turn(*args), False
    except _Died as death:
        return death.run, True


_save_on = Claim.save_on


class Driven:
    """The asynchronous half of an engine, called as the other half is; nothing runs in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def store(self) -> RunStore:
        """The engine's store."""
        return self._engine.store

    def start_flow(self, *args: Any) -> Run:
        return self._do(self._engine.astart_flow, *args)

    def process_event(self, *args: Any) -> Run:
        return self._do(self._engine.aprocess_event, *args)

    def throw(self, *args: Any) -> Run:
        return self._do(self._engine.athrow, *args)

    def expire(self, *args: Any) -> Run:
        return self._do(self._engine.aexpire, *args)

    @staticmethod
    def _do(method: Callable[..., Any], *args: Any) -> Run:
        with (
            patch.object(threads, "in_thread", _at_once),
            patch.object(turns, "in_thread", _at_once),
            patch.object(steps, "in_thread", _at_once),
            patch.object(claim, "in_thread", _at_once),
        ):
            run = driven(method(*args))
        assert isinstance(run, Run)
        return run


async def _at_once(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def driven(result: object) -> object:
    """Return the result of a coroutine, whose awaits need no event loop; or what is none."""
    if not isinstance(result, Coroutine):
        return result
    try:
        while True:
            result.send(None)
    except StopIteration as stop:
        return stop.value


def _ended(outcome: Outcome, module: types.ModuleType, result: object) -> None:
    outcome.result = shape_of(result)
    outcome.state = _state(module)


def _failed(outcome: Outcome, module: types.ModuleType, error: Exception) -> None:
    outcome.error = error_shape(error)
    outcome.tracebacks = tracebacks(error, str(_path))
    outcome.state = _state(module)


def _state(module: types.ModuleType) -> Shape:
    return shape_of({k: v for k, v in vars(module).items() if k.startswith("G_")})


class _ScriptedTurn:
    has_steps = False

    def __init__(self, outcome: Outcome, script: Iterator[Any]) -> None:
        self.run = Run(id="scripted", flow=MODULE, state=RunState.RUNNING)
        self.index: dict[str, Fact] = {}
        self.responses: list[Any] = []
        self._outcome = outcome
        self._script = script

    def now(self) -> datetime:
        return datetime.now(UTC)

    def respond(self, values: tuple[Any, ...]) -> None:
        self.responses.extend(values)

    def suspend(self, wait: Wait) -> Any:
        return given_to(sys._getframe(2), self._next(wait))

    def _next(self, wait: Wait) -> Any:
        if world.record.halted:
            raise world.halt()
        self.finish()
        self._outcome.asked.append(wait.event_id)
        for value in self._script:
            if isinstance(value, Throw):
                raise value.error
            if wait.event_id == SLEEP:
                return None
            name = _chosen(names_in(wait.event_id), self._outcome)
            return value_of_first(wait.events, name, value) if wait.events else value
        raise world.halt()

    def finish(self) -> None:
        self._outcome.responses.append(shape_of(self.responses))
        self.responses = []


def _chosen(names: tuple[str, ...], outcome: Outcome) -> str:
    """Return which of the events that are waited for comes: the next in turn."""
    return names[len(outcome.asked) % len(names)]


def _scripted(program: Program, module: types.ModuleType) -> Outcome:
    record = world.start_record()
    outcome = Outcome(log=record.entries)
    turn = _ScriptedTurn(outcome, map(deepcopy, program.events))
    token = current.set(turn)
    try:
        result = driven(getattr(module, program.entry)(*deepcopy(program.args)))
        turn.finish()
        _ended(outcome, module, result)
    except world.Halted:
        pass
    except Exception as error:
        turn.responses = []
        turn.finish()
        _failed(outcome, module, error)
    finally:
        current.reset(token)
    if record.halted:
        del outcome.responses[len(outcome.asked) :]
    outcome.halted = record.halted
    return outcome


@contextmanager
def module_of(program: Program) -> Iterator[types.ModuleType]:
    """Make a program a module for a while; afterwards the process knows none of its flows."""
    module = types.ModuleType(MODULE)
    module.__file__ = str(_path)
    around = sys.modules.get(MODULE)
    sys.modules[MODULE] = module
    try:
        with ExitStack() as stack:
            flows = (registry._flows, registry._by_original, flow._bodies, resolve.flow_codes)
            for table in (*flows, site._sites):
                stack.enter_context(kept(table))
            for codes in (inner._names, inner._scanned):
                stack.enter_context(kept(codes))
            with warnings.catch_warnings(action="ignore"):
                code = compile(program.source, str(_path), "exec", dont_inherit=True)
            exec(code, vars(module))
            yield module
    finally:
        del sys.modules[MODULE]
        if around is not None:
            sys.modules[MODULE] = around


@contextmanager
def kept(known: dict[Any, Any] | set[int]) -> Iterator[None]:
    """Put a table back as it was, afterwards."""
    before: Any = known.copy()
    try:
        yield
    finally:
        known.clear()
        known.update(before)


def _compile_once() -> Callable[[FlowLoader], Any]:
    compiled: dict[tuple[str, str], Any] = {}
    compile_flow = FlowLoader._compile

    def compile_once(loader: FlowLoader) -> Any:
        key = loader.module.path, loader._name
        if key not in compiled:
            compiled[key] = compile_flow(loader)
        return compiled[key]

    return compile_once


_folder = tempfile.TemporaryDirectory(prefix="longterm-programs-")
_numbers = count()
_path = Path(_folder.name, "none.py")


@contextmanager
def file_of(program: Program) -> Iterator[None]:
    """Write a program to a file, from which it is compiled once for all the ways of running it."""
    global _path
    around, path = _path, Path(_folder.name, f"{next(_numbers)}.py")
    path.write_text(program.source)
    _path = path
    with (
        patch.dict(os.environ, LONGTERM_CACHE="off"),
        patch.object(FlowLoader, "_compile", _compile_once()),
        # No turn is so long that its claim had to be renewed, and a thread takes its time to start.
        patch.object(Keeper, "_start", lambda keeper: None),
        kept(loading._modules),
    ):
        yield
        if str(path) in loading._modules:
            atexit.unregister(loading._modules[str(path)][1].cache.write)
    linecache.cache.pop(str(path), None)
    path.unlink()
    _path = around
