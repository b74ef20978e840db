"""A flow reached through anything but flows is resumed exactly right, or refused by name."""

from __future__ import annotations

import codecs
import functools
from types import SimpleNamespace

import pytest

from longterm import CannotSuspend, Engine, call, deflow, suspend
from longterm.testing import interpret, play


@deflow
def ask(x):
    return suspend("ask") + x


class Asker:
    def __init__(self, more):
        self.more = more
        self.table = {"ask": ask}

    @deflow
    def ask(self, x):
        return suspend("ask") + x + self.more

    def plain(self, x):
        return self.ask(x)

    @deflow
    def __call__(self, x):
        return suspend("ask") * x

    @deflow
    def __add__(self, other):
        return suspend("ask") + other

    @property
    def handler(self):
        return ask


class MadeByAFlow:
    @deflow
    def __init__(self, x):
        self.x = suspend("ask") + x


def helper(x):
    return ask(x)


@deflow
def through_plain_function(x):
    y = helper(x)
    return y


@deflow
def through_sorted(x):
    return sorted([x, x], key=ask)


@deflow
def through_map(x):
    return list(map(ask, [x]))


@deflow
def through_alias_of_sorted(x):
    in_order = sorted
    y = in_order([x, 1], key=ask)
    return y


@deflow
def through_operator(x):
    y = Asker(x) + x
    return y


@deflow
def through_operator_that_ends_with_a_call(x):
    y = Asker(x) + ask(x)
    return y


@deflow
def through_class(x):
    y = MadeByAFlow(x)
    return y.x


@deflow
def through_generator(x, f=ask):
    y = sum(f(each) for each in [x])
    return y


@deflow
def through_lambda(x, f=ask):
    y = (lambda: f(x))()
    return y


@deflow
def through_plain_method(x):
    y = Asker(x).plain(x)
    return y


@deflow
def through_nested_unknown(x):
    here = SimpleNamespace(asked=ask)
    return 1 + here.asked(x)


@deflow
def through_property(x):
    asker = Asker(x)
    y = asker.handler(x)
    return y


@deflow
def through_cache(x):
    cached = functools.lru_cache(ask)
    y = cached(x)
    return y


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (through_plain_function, "helper .*is a plain function"),
        (through_sorted, "through_sorted .*reaches the flow ask"),
        (through_map, "through_map .*reaches the flow ask"),
        (through_alias_of_sorted, "reaches the flow ask through sorted"),
        (through_operator, "reaches the flow Asker.__add__"),
        (through_class, r"the flow MadeByAFlow.__init__ .*Python calls a special method"),
        (through_generator, "<genexpr> .*is a generator expression"),
        (through_lambda, "<lambda> .*is a lambda"),
        (through_plain_method, "Asker.plain .*is a plain function"),
        (through_nested_unknown, r"no resume point .*call\(here.asked, …\)"),
        (through_property, "reaches the flow ask through"),
        (through_cache, "reaches the flow ask through"),
    ],
)
def test_refused_by_name_and_line(flow, words):
    engine = Engine("memory://")

    with pytest.raises(CannotSuspend, match=words) as caught:
        engine.start_flow(flow, 1)

    assert "test_stack.py:" in str(caught.value)


def test_operator_that_ends_where_a_call_ends_is_told_apart():
    engine = Engine("memory://")
    run = engine.start_flow(through_operator_that_ends_with_a_call, 1)

    with pytest.raises(CannotSuspend, match=r"reaches the flow Asker.__add__"):
        engine.process_event(run.id, "ask", 1)

    assert engine.get_run(run.id).waiting_for == "ask"


@deflow
def swallows_by_helper(x):
    try_to(x)
    return "went on"


def try_to(x):
    try:
        ask(x)
    except BaseException:
        return None


def test_suspension_that_a_plain_function_swallows_is_refused():
    with pytest.raises(CannotSuspend, match="was caught by try_to"):
        Engine("memory://").start_flow(swallows_by_helper, 1)


def caught(x):
    try:
        ask(x)
    except BaseException as suspension:
        return suspension.with_traceback(None)


@deflow
def raises_anew(x):
    suspension = caught(x)
    raise suspension


@deflow
def raises_anew_in_c(x):
    suspension = caught(x)
    return codecs.strict_errors(suspension)


@deflow
def raises_anew_by_call(x):
    suspension = caught(x)
    return call(codecs.strict_errors, suspension)


@pytest.mark.parametrize("flow", [raises_anew, raises_anew_in_c, raises_anew_by_call])
def test_suspension_that_is_raised_anew_without_its_traceback_is_refused(flow):
    engine = Engine("memory://")

    with pytest.raises(CannotSuspend, match=f"was caught by {flow.__name__} .*test_stack.py:"):
        engine.start_flow(flow, 1)

    assert engine.find_runs() == []


@deflow
def by_call_of_call_of_cache(x):
    return call(call, functools.lru_cache(ask), x)


def test_each_of_nested_calls_is_proven():
    with pytest.raises(CannotSuspend, match=r"by_call_of_call_of_cache .*through"):
        Engine("memory://").start_flow(by_call_of_call_of_cache, 1)


@deflow
def by_call_of_call(x):
    return call(call, ask, x)


@deflow
def by_call(x):
    return [1, call(ask, x), call(Asker(10).ask, x)]


@deflow
def by_partial(x):
    f = functools.partial(ask, x)
    y = f()
    return y + call(functools.partial(f))


@deflow
def by_table(x):
    table = {"ask": ask}
    y = table["ask"](x)
    return y


@deflow
def by_parameter(f, x):
    return f(x) * 2


@deflow
def by_callable_object(x):
    asker = Asker(1)
    y = asker(x)
    return y


@deflow
def by_bound_method(x):
    method = Asker(100).ask
    return method(x) + 1


@deflow
def by_instance_attribute(x):
    asker = Asker(0)
    y = asker.table["ask"](x)
    return y


@deflow
def by_default(x, f=ask):
    y = f(x)
    return y


@deflow
def even(n):
    return True if n == 0 else odd(n - suspend("step"))


@deflow
def odd(n):
    return False if n == 0 else even(n - suspend("step"))


@deflow
def factorial(n):
    return suspend("one") if n <= 1 else n * factorial(n - 1)


@deflow
def later_defined(x):
    return defined_below(x) + 1


@deflow
def defined_below(x):
    return x * suspend("factor")


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [
        (by_call, [1], [5, 6]),
        (by_call_of_call, [1], [5]),
        (by_partial, [1], [5, 6]),
        (by_table, [1], [5]),
        (by_parameter, [ask, 1], [5]),
        (by_parameter, [Asker(3).ask, 1], [5]),
        (by_callable_object, [3], [5]),
        (by_bound_method, [1], [5]),
        (by_instance_attribute, [1], [5]),
        (by_default, [1], [5]),
        (even, [4], [1, 1, 1, 1]),
        (even, [3], [2, 1]),
        (factorial, [5], [1]),
        (later_defined, [2], [21]),
    ],
)
def test_resumed_exactly_right(flow, args, events):
    played = play(flow, args, events)

    assert played.error is None
    assert played == interpret(flow, args, events)
