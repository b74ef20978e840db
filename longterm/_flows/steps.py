"""`@step`: a plain function whose call inside a run is a wait that longterm itself ends.

    @step(max_attempts=5, retry_on=(ConnectionError,))
    def charge(order): ...

What a step becomes is a plain function too. Outside of a run it calls the author's; in a flow it
unwinds the stack as `suspend` does, with the call as what is waited for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from types import CodeType
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, overload

from longterm._codec.names import look_up
from longterm._codec.trust import own
from longterm._flows.context import current
from longterm._flows.resolve import flow_codes, function_behind
from longterm._flows.step_calls import (
    Backoff,
    Errors,
    HasTransactions,
    Partition,
    Step,
    StepCall,
    StepWait,
)
from longterm._main import import_name
from longterm._names import partition_name, queue_name
from longterm.errors import NotAllowed, NotAStep, NotInStep, StepGone

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")

_IS_COROUTINE: Final = 0x80
_IS_GENERATOR: Final = 0x20 | 0x200
"""Flags of code objects (`inspect` has them too, and takes long to import)."""


def step_key() -> str:
    """Return a text that is the same at each attempt of the step under way, and else nowhere.

    For services that take a request with a key only once, such as by a header `Idempotency-Key`.
    Outside of a run it is a new one each time.

    Raises:
        NotInStep: a flow calls it, outside of its steps.
    """
    turn = current.get()
    if turn is None:
        return os.urandom(16).hex()
    key = turn.step_key
    if key is None:
        raise NotInStep
    return key


DECLARED: Final[set[str]] = set()
"""The names of the steps that modules have made of functions of their own."""


class _Decorator(Protocol):
    def __call__(self, function: F, /) -> F: ...


class _GivingTransactions(Protocol):
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Callable[P, R]: ...


@overload
def step(
    function: F,
    /,
    *,
    max_attempts: int = ...,
    retry_on: Errors = ...,
    backoff: Backoff | None = ...,
    timeout: timedelta | None = ...,
    at_most_once: bool = ...,
    queue: str | None = ...,
    partition: Partition = ...,
) -> F: ...
@overload
def step(
    *,
    max_attempts: int = ...,
    retry_on: Errors = ...,
    backoff: Backoff | None = ...,
    timeout: timedelta | None = ...,
    at_most_once: bool = ...,
    queue: str | None = ...,
    partition: Partition = ...,
) -> _Decorator: ...
@overload
def step(
    *,
    db: HasTransactions,
    max_attempts: int = ...,
    retry_on: Errors = ...,
    backoff: Backoff | None = ...,
    timeout: timedelta | None = ...,
    queue: str | None = ...,
    partition: Partition = ...,
) -> _GivingTransactions: ...
@overload
def step(
    function: Callable[Concatenate[Any, P], R],
    /,
    *,
    db: HasTransactions,
    max_attempts: int = ...,
    retry_on: Errors = ...,
    backoff: Backoff | None = ...,
    timeout: timedelta | None = ...,
    queue: str | None = ...,
    partition: Partition = ...,
) -> Callable[P, R]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    max_attempts: int = 1,
    retry_on: Errors = Exception,
    backoff: Backoff | None = None,
    timeout: timedelta | None = None,
    at_most_once: bool = False,
    db: HasTransactions | None = None,
    queue: str | None = None,
    partition: Partition = None,
) -> Any:
    """Make a function a step: in a flow, what a call of it returns is saved, and not done again.

    Outside of a run it is the plain function, and so it is inside of another step. In a flow the
    call is a resume point: the flow's variables must be storable there. Should the process die
    before the result is saved, the call is made again.

    Args:
        function: the function, `async def` or not; it can be someone else's:
            `step(requests.get, max_attempts=3)(url)`.
        max_attempts: how many times to call it before its exception is raised in the flow.
        retry_on: the exceptions after which it is called again, a class or a tuple of classes.
        backoff: returns how long to wait after an attempt, whose number it is given, from 1 on; if
            none, 1, 2, 4 seconds and so on, one hour at most, each longer or shorter by up to a
            fifth. Up to 5 seconds are waited in the turn; for longer ones the run rests.
        timeout: how long an attempt of an `async def` may take; then it fails by a `TimeoutError`.
        at_most_once: never call it a second time: where its process has died, `StepUnknown` is
            raised in the flow. That takes a second save.
        db: a `Database`. The function is given a transaction of it before its other arguments, and
            what it does there is committed exactly once, together with a key or with the run.
        queue: the name of a queue: the run waits there until a worker has a slot for the step, and
            gives it back when the step has ended. See docs/queues.md.
        partition: whose share of the queue it takes: text, or a function that returns it, called
            with the arguments of the step.

    Raises:
        NotAStep: the function cannot be one, or not with these arguments.
        InvalidQueue: the queue, or the partition, is no name.
    """
    caller = sys._getframe(1).f_globals.get("__name__")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        made = make_step(
            function,
            max_attempts=max_attempts,
            retry_on=retry_on,
            backoff=backoff,
            timeout=timeout,
            at_most_once=at_most_once,
            db=db,
            queue=queue,
            partition=partition,
        )
        if caller == getattr(function, "__module__", None):
            own(made.name.partition(":")[0])
            DECLARED.add(made.name)
        call = (_async_call if made.is_async else _plain_call)(made)
        vars(call)["__longterm_step__"] = made
        made.call = call
        return call

    return decorate if function is None else decorate(function)


def make_step(function: Any, **options: Any) -> Step:
    """Return a function as a step with some options.

    Raises:
        NotAStep: it cannot be one, or not with these.
    """
    made = replace(_step_of(function), **options)
    _check(made)
    return made


def _plain_call(step: Step) -> Callable[..., Any]:
    @wraps(step.function)
    def call(*args: Any, **kwargs: Any) -> Any:
        turn = current.get()
        if turn is None or not turn.has_steps:
            if (db := step.db) is not None:
                return db.call(lambda tx: step.function(tx, *args, **kwargs))
            return step.function(*args, **kwargs)  # a test may have put a stub there
        return turn.suspend(StepWait(StepCall(step, args, kwargs)))

    return call


def _async_call(step: Step) -> Callable[..., Any]:
    @wraps(step.function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        turn = current.get()
        if turn is None or not turn.has_steps:
            if (db := step.db) is not None:
                return await db.acall(lambda tx: step.function(tx, *args, **kwargs))
            return await step.function(*args, **kwargs)
        return turn.suspend(StepWait(StepCall(step, args, kwargs)))

    return call


STEP_CODES: Final[dict[int, bool]] = {
    id(code): bool(code.co_flags & _IS_COROUTINE)
    for make in (_plain_call, _async_call)
    for code in make.__code__.co_consts
    if isinstance(code, CodeType)
}
"""What flows call of steps: by the identity of its code, which all of a kind share, whether it is
asynchronous."""


def step_behind(value: object) -> Step | None:
    """Return the step that calling a value runs, with nothing in between; None if it runs none."""
    function = function_behind(value)
    if function is None or id(function.__code__) not in STEP_CODES:
        return None
    found: Step = vars(function)["__longterm_step__"]
    return found


def step_named(name: str) -> Step:
    """Return the step that a stored name leads to.

    Raises:
        StepGone: it leads to none in this process.
    """
    try:
        found = step_behind(look_up(name))
    except NotAllowed as error:
        raise StepGone(name, str(error)) from None
    if found is None:
        raise StepGone(name, "what the name leads to is no step (put @step on it)")
    return found


def _step_of(function: Any) -> Step:
    """Return a function as a step, without its options.

    Raises:
        NotAStep: it cannot be one.
    """
    if isinstance(function, staticmethod | classmethod):
        kind = type(function).__name__
        raise NotAStep(repr(function), f"it is a {kind}", f"write @{kind} above @step, not below")
    module = getattr(function, "__module__", None) or "builtins"
    qualname = getattr(function, "__qualname__", type(function).__qualname__)
    name = f"{import_name(module)}:{qualname}"
    if not callable(function):
        raise NotAStep(repr(function), "it cannot be called", "put @step on a function")
    behind = function_behind(function)
    flags = 0 if behind is None else behind.__code__.co_flags
    if flags & _IS_GENERATOR:
        raise NotAStep(
            name, "it is a generator, which runs when it is gone through", "return a list"
        )
    if behind is not None and id(behind.__code__) in flow_codes:
        cause = "it is a flow, or waits" if id(behind.__code__) not in STEP_CODES else "it is one"
        raise NotAStep(name, cause, "put @step on a plain function")
    return Step(function, name, bool(flags & _IS_COROUTINE))


def _check(step: Step) -> None:
    """Refuse options that cannot be.

    Raises:
        NotAStep: one of them is.
    """
    cause, hint = "", ""
    attempts, timeout = step.max_attempts, step.timeout
    if type(attempts) is not int or attempts < 1:
        cause, hint = f"max_attempts={attempts!r} allows nothing", "give 1 or more"
    elif not _are_errors(step.retry_on):
        cause = f"retry_on={step.retry_on!r} is no exception"
        hint = "give a class such as ConnectionError, or a tuple of classes"
    elif step.backoff is not None and not callable(step.backoff):
        cause = f"backoff={step.backoff!r} cannot be called"
        hint = "give a function: `lambda attempt: timedelta(seconds=10)`"
    elif timeout is not None and not (isinstance(timeout, timedelta) and timeout > timedelta(0)):
        cause, hint = f"timeout={timeout!r} is no time", "give timedelta(seconds=30)"
    elif timeout is not None and not step.is_async:
        cause = "a timeout cannot be kept: Python ends no function that is no `async def`"
        hint = "make it an `async def`, or give a timeout to what it calls"
    elif step.at_most_once and attempts > 1:
        cause = "at_most_once=True and more than one attempt contradict each other"
        hint = "leave one of them out"
    elif step.partition is not None and step.queue is None:
        cause, hint = "there is a partition and no queue", "give the queue, too: queue='mail'"
    elif step.db is not None:
        cause, hint = _fault_of_database(step, step.db)
    if cause:
        raise NotAStep(step.spoken, cause, hint)
    if step.queue is not None:
        queue_name(step.queue)
        if not callable(step.partition):
            partition_name(step.partition)


def _fault_of_database(step: Step, db: HasTransactions) -> tuple[str, str]:
    """Return why a step cannot work in a database, and what to do; nothing if it can."""
    if not callable(getattr(db, "once", None)):
        return f"db={db!r} is no Database", "give longterm.database.Database(what opens it)"
    if step.at_most_once:
        return "db= does it exactly once, which is more than at_most_once", "leave that out"
    if step.is_async and not db.takes_async:
        return f"it is an `async def`, and {db!r} is not asynchronous", "write `def`"
    if not step.is_async and not db.takes_sync:
        return f"it is no `async def`, and {db!r} is asynchronous", "write `async def`"
    return "", ""


def _are_errors(value: object) -> bool:
    classes = value if isinstance(value, tuple) else (value,)
    return all(isinstance(one, type) and issubclass(one, Exception) for one in classes)
