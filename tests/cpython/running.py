"""Runs the tests of a converted file, as they are and stored at every wait, and compares."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import tempfile
import unittest
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import longterm
from longterm.engine import Engine
from longterm.errors import CannotSuspend, NotAFlow
from longterm.run import RunState
from longterm_compiler.cli.targets import find_target
from longterm_compiler.problems import check_file
from tests.cpython.conversion import converted, function_at
from tests.cpython.waiting import MOST_WAITS, connect, waits
from tests.property.search import Endless, limited

_MOST_SECONDS = 30
_SAID = {
    "ExceptionTests.testWithTraceback": "a traceback is another object after a wait",
    "ExceptionTests.test_recursion_in_except_handler": "the process has no room left to wait",
    "FinalizationTest.test_refcycle": "a generator that a wait lets go of is not closed",
    "GeneratorTest.test_ag_frame_f_back": "a generator of a flow shows no frame",
    "GeneratorTest.test_gi_frame_f_back": "a generator of a flow shows no frame",
    "GeneratorTest.test_name": "a generator of a flow has no name",
    "SignalAndYieldFromTest.test_raise_and_yield_from": "C code wants a generator of Python's own",
    "TestPatma.test_patma_144": "two names of one number are two objects after a wait",
}
"""The tests that tell a flow from the function, as `docs/language.md` says."""


@dataclass(frozen=True)
class Result:
    """What became of one test."""

    test: str
    outcome: str
    """One of `OUTCOMES`; or skipped, if it fails as it is."""
    kind: str = ""
    """Which rule, what kind of value, or which error."""
    detail: str = ""
    waits: int = 0


def results_of(name: str) -> Iterator[Result]:
    """Run the tests of a file of the `test` package, such as `test_with`.

    Raises:
        LookupError: this Python has no such file.
    """
    connect()
    text = _text_of(name)
    with tempfile.TemporaryDirectory(prefix="longterm-cpython-") as folder:
        sys.path.insert(0, folder)
        os.chdir(folder)  # where tests write files
        with patch.object(longterm, "deflow", lambda function: function):
            Path(folder, f"plain_{name}.py").write_text(converted(text))
            plain = importlib.import_module(f"plain_{name}")
        refused, module = _compiled(text, Path(folder, f"waiting_{name}.py"))
        for cls, test in _tests(plain):
            yield _result(plain, module, f"{cls}.{test}", refused)


def _text_of(name: str) -> str:
    try:
        spec = importlib.util.find_spec(f"test.{name}")
    except ModuleNotFoundError:
        raise LookupError(
            f"the `test` package is not part of {sys.executable} (some systems have it in a "
            "package of its own, such as libpython3-testsuite)"
        ) from None
    if spec is None or spec.origin is None:
        raise LookupError(f"the `test` package of {sys.executable} has no {name}")
    return Path(spec.origin).read_text(encoding="utf-8")


def _compiled(text: str, path: Path) -> tuple[dict[str, str], ModuleType]:
    """Return the module of a converted file, and which functions the compiler refuses, by rule."""
    refused: dict[str, str] = {}
    while True:
        waiting = converted(text, refused)
        path.write_text(waiting)
        target = find_target(str(path))
        found = check_file(target.names, target.flows)
        if not found:
            return refused, importlib.import_module(path.stem)
        for each in found:
            refused[function_at(waiting, each.span.line)] = each.rule


def _tests(module: ModuleType) -> list[tuple[str, str]]:
    return [
        (name, test)
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase)
        for test in unittest.defaultTestLoader.getTestCaseNames(cls)
        if cls.__module__ == module.__name__
    ]


def _result(plain: ModuleType, module: ModuleType, name: str, refused: dict[str, str]) -> Result:
    error = _outcome(plain, name, lambda cls, test, case: getattr(case, test)(), 0)
    if error is not None:
        return Result(name, "skipped", type(error).__name__, _line(error))
    cls, _, test = name.rpartition(".")
    names = [f"{each.__name__}.{test}" for each in getattr(module, cls).__mro__]
    rule = next((refused[each] for each in names if each in refused), "")
    if rule:
        return Result(name, "refused by rule", rule)
    error = _outcome(module, name, _stored, MOST_WAITS)
    waited = MOST_WAITS - waits.left
    if error is None:
        return Result(name, "passed", waits=waited)
    if isinstance(error, CannotSuspend | NotAFlow):
        return Result(name, "refused at a wait", _kind(error), _line(error), waited)
    if name in _SAID:
        return Result(name, "differed as said", _SAID[name], _line(error), waited)
    return Result(name, "differed", type(error).__name__, _line(error), waited)


def _stored(cls: type, test: str, case: unittest.TestCase) -> None:
    engine = Engine("memory://")
    run = engine.start_flow(getattr(cls, test), case)
    while run.state is RunState.SUSPENDED:
        run = engine.process_event(run.id, "on")


def _outcome(
    module: ModuleType,
    name: str,
    play: Callable[[type, str, unittest.TestCase], object],
    limit: int,
) -> BaseException | None:
    """Run one test; return what it raised."""
    cls, _, test = name.rpartition(".")
    kind, recursion_limit = getattr(module, cls), sys.getrecursionlimit()
    try:
        with limited(_MOST_SECONDS), _quietly(), _set_up(kind, test) as case:
            waits.begin(case, limit)
            play(kind, test, case)
    except (Exception, Endless) as error:
        return error
    finally:
        sys.setrecursionlimit(recursion_limit)  # what a test set may be too little for the next
    return None


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _set_up(cls: type[unittest.TestCase], test: str) -> Iterator[unittest.TestCase]:
    case = cls(test)
    cls.setUpClass()
    case.setUp()
    try:
        yield case
        if errors := getattr(case, "_outcome", None):
            raise AssertionError(errors)
    finally:
        case.tearDown()
        case.doCleanups()
        cls.tearDownClass()
        cls.doClassCleanups()


def _line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else ""


_KINDS = {
    "cannot be imported by its name": "a class inside a function",
    "neither at the top of a module nor part of a flow": "a function inside no flow",
    "among what stored bytes may name": "what stored bytes may not name of the standard library",
    "generator's": "a generator that is no flow",
    "is not a flow": "a decorator that wraps",
    "belongs to a process": "what belongs to a process",
}
"""Words of a refusal, and what they say in general."""


def _kind(error: BaseException) -> str:
    """Return what a refusal is about, without the names that the test gives things."""
    text = _line(error)
    for words, kind in _KINDS.items():
        if words in text:
            return kind
    found = re.search(r" is an? ([\w.<>]+)(, [^(]*)?", text)
    return found.group(0).strip() if found else text[:100]
