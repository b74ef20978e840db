"""Other decorators around `@deflow`: harmless, or refused with what to do instead."""

from __future__ import annotations

import functools
import types

import pytest

from longterm import CannotSuspend, CompileError, Engine, NotAFlow, deflow, suspend
from longterm.testing import play

REGISTERED = []


def registered(function):
    REGISTERED.append(function)
    return function


def wrapping(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def hiding(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


def generating(function):
    namespace = {"function": function}
    exec("def f(*args): return function(*args)", namespace)
    return functools.wraps(function)(namespace["f"])


def rewriting(function):
    """Do as a type checker does that compiles the function anew, with checks in it."""
    code = function.__code__.replace(co_consts=(*function.__code__.co_consts, "checked"))
    again = types.FunctionType(code, function.__globals__, function.__name__)
    again.__qualname__, again.__module__ = function.__qualname__, function.__module__
    return again


def remade(function):
    return deflow(function)


@registered
@deflow
@registered
def plain(x):
    return suspend("e") + x


@remade
def by_another_name(x):
    return suspend("e") + x


def undecorated(x):
    return suspend("e") + x


@deflow
def retried(flow, *args):
    for _ in range(2):
        try:
            return flow(*args)
        except ValueError:
            pass
    return None


@pytest.mark.parametrize("flow", [plain, by_another_name, deflow(undecorated)])
def test_decorator_that_hands_the_function_on_does_no_harm(flow):
    assert play(flow, [1], [2]).result == 3


@pytest.mark.parametrize("decorator", [wrapping, hiding, generating, rewriting])
def test_decorator_below_deflow_that_makes_another_function_is_refused(decorator):
    words = r"@deflow at .*test_decorated\.py:\d+ was put on what another decorator made of .*def"

    with pytest.raises(CompileError, match=words):

        @deflow
        @decorator
        def flow(x):
            return suspend("e") + x


@wrapping
@deflow
def wrapped(x):
    return suspend("e") + x


@hiding
@deflow
def hidden(x):
    return suspend("e") + x


@rewriting
@deflow
def rewritten(x):
    return suspend("e") + x


@pytest.mark.parametrize(
    ("value", "name"), [(wrapped, "wrapped"), (hidden, "hidden"), (rewritten, "rewritten")]
)
def test_what_a_decorator_above_deflow_made_is_told_from_what_has_no_deflow(value, name):
    with pytest.raises(NotAFlow, match=rf"was made of the flow {name} \(.*no decorator above it"):
        Engine("memory://").start_flow(value, 1)


@deflow
def calling(wrapper):
    held = wrapper
    return [held(1)]


@deflow
def calling_by_name():
    first = wrapped(1)
    return first, hidden(2)


@pytest.mark.parametrize(
    ("flow", "args", "name"),
    [(calling, [wrapped], "wrapped"), (calling, [hidden], "hidden"),
     (calling, [rewritten], "rewritten"), (calling_by_name, [], "wrapped")],
)  # fmt: skip
def test_a_wrapper_between_flows_is_told_from_a_plain_function(flow, args, name):
    words = rf"is a wrapper of the flow {name}, as a decorator .*`@deflow def retried\(flow, \*args"
    with pytest.raises(CannotSuspend, match=words):
        Engine("memory://").start_flow(flow, *args)


def test_wrapper_with_the_name_of_its_flow_is_refused_and_the_remedy_works():
    def retry(function):
        @deflow
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    with pytest.raises(CompileError, match=r"has the name of the flow plain .*`@deflow def ret"):
        retry(plain)

    assert play(retried, [plain, 1], [2]).result == 3


def retry(function):
    @functools.wraps(function)
    @deflow
    def wrapper(*args):
        for _ in range(2):
            try:
                return function(*args)
            except ValueError:
                pass
        return None

    return wrapper


def test_wrapper_that_is_a_flow_and_keeps_another_is_refused():
    with pytest.raises(CannotSuspend, match=r"'function'.*`@deflow def retried\(function, "):
        Engine("memory://").start_flow(retry(plain), 1)
