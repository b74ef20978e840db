"""Stubs: what stands for the functions of steps while a test runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

from longterm._engine.events import exception_of
from longterm._flows.registry import flow_of
from longterm._flows.step_calls import Step
from longterm._flows.steps import step_behind
from longterm.errors import NotAFlow

__all__ = ["NOT_GIVEN", "Call", "Stub", "StubUsedUp", "put_stub"]

NOT_GIVEN: Final = object()
"""No result: `None` is one."""


class Call(NamedTuple):
    """A call of a stub."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class StubUsedUp(BaseException):
    """A stub was called more often than its sequence has answers. Not an `Exception`: it is the
    test that is wrong, so no `except` of a flow, and no other attempt, shall hide it."""


class Stub:
    """Stands for the function of a step; it is called where that would be."""

    def __init__(self, name: str, answer: Callable[..., Any]) -> None:
        """Answer calls of the step of a name."""
        self.name = name
        self.calls: list[Call] = []
        """The calls so far, each attempt one of them."""
        self.fault: StubUsedUp | None = None
        """What was wrong with the test at a call."""
        self._answer = answer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Note a call, and answer it."""
        self.calls.append(Call(args, kwargs))
        try:
            return self._answer(*args, **kwargs)
        except StubUsedUp as fault:
            self.fault = fault
            raise

    def __repr__(self) -> str:
        """Name the step, and say how often it was called."""
        return f"<stub of {self.name}, called {len(self.calls)} times>"


def put_stub(
    step: Callable[..., Any],
    result: Any = NOT_GIVEN,
    raises: Any = None,
    sequence: Iterable[Any] | None = None,
    function: Callable[..., Any] | None = None,
    *,
    until: ExitStack,
) -> Stub:
    """Put a stub in the place of a step's function, until a stack of contexts is closed.

    Raises:
        TypeError: it is no step, or there is more than one answer.
    """
    found = step_behind(step)
    if found is None:
        raise TypeError(_no_step(step))
    if (result is not NOT_GIVEN) + (raises is not None) + (sequence is not None) + (
        function is not None
    ) > 1:
        raise TypeError(
            f"a stub of {found.spoken} has one answer: a result, raises=, sequence= or function="
        )
    stub = Stub(found.spoken, _answer(found.spoken, result, raises, sequence, function))
    # A stub works in no database, so it is given no transaction.
    until.callback(_put, found, found.function, found.db)
    _put(found, _awaited(stub) if found.is_async else stub, None)
    return stub


def _put(step: Step, function: Callable[..., Any], db: Any) -> None:
    step.function, step.db = function, db


def _answer(
    name: str,
    result: Any,
    raises: Any,
    sequence: Iterable[Any] | None,
    function: Callable[..., Any] | None,
) -> Callable[..., Any]:
    """Return what answers the calls of a stub."""
    if function is not None:
        return function
    if sequence is not None:
        return _answer_in_turn(name, list(sequence))
    if raises is not None:
        exception_of(raises)  # what is none is told here, and not to the flow
        return lambda *_, **__: _given(raises)
    value = None if result is NOT_GIVEN else result
    return lambda *_, **__: value


def _answer_in_turn(name: str, answers: list[Any]) -> Callable[..., Any]:
    left = iter(answers)

    def answer(*_: Any, **__: Any) -> Any:
        for given in left:
            return _given(given)
        raise StubUsedUp(
            f"step {name} was called once more, and the sequence of its stub has {len(answers)} "
            "answers (give more, or function=)"
        )

    return answer


def _given(answer: Any) -> Any:
    """Return an answer, or raise it if it is an exception, or a class of them."""
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, type) and issubclass(answer, BaseException):
        raise answer()
    return answer


def _awaited(stub: Stub) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        value = stub(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    return call


def _no_step(given: object) -> str:
    try:
        name = flow_of(given).name
    except NotAFlow:
        return (
            f"{given!r} is no step, and only steps have stubs (put @step on the function; or "
            "replace it in the module that calls it, with monkeypatch)"
        )
    return (
        f"{name} is a flow, and only steps have stubs (answer its runs, as `run.children` shows "
        "them; or replace it in the module that calls it, with monkeypatch)"
    )
