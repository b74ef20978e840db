"""A call reaches a flow that the text does not show: it is resumed, or the remedy named works."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from longterm import CannotSuspend, Engine, call, deflow, suspend
from longterm.testing import interpret, play


class Report:
    """A template method whose hooks are plain, abstract or private."""

    def title(self):
        return "plain"

    def body(self):
        raise NotImplementedError

    @classmethod
    def footer(cls):
        return "plain"

    def __sign(self):
        return "signed"

    @deflow
    def write(self):
        title = self.title()
        parts = []
        for _ in range(2):
            parts.append(title)
            self.body()
        sign = self.__sign()
        return self.end(sign, parts)

    @deflow
    def end(self, sign, parts):
        return [*parts, sign, suspend("end")]

    @classmethod
    @deflow
    def close(cls, words):
        footer = cls.footer()
        return words + footer


class Interview(Report):
    @deflow
    def title(self):
        return suspend("title")

    @deflow
    def body(self):
        return suspend("body")

    @classmethod
    @deflow
    def footer(cls):
        return suspend("footer")


class Client:
    def __init__(self, sign="?"):
        self.sign = sign

    @deflow
    def ask(self, question):
        return suspend(question) + self.sign


@dataclass(slots=True)
class Shop:
    client: Client

    @deflow
    def order(self):
        reply = self.client.ask("item")
        return reply + reply


class Lazy:
    """An object whose client is computed when it is asked for."""

    @property
    def client(self):
        return Client("!")

    def __getattr__(self, name):
        if name == "other":
            return Client("!")
        raise AttributeError(name)

    @deflow
    def by_property(self):
        reply = self.client.ask("item")
        return reply

    @deflow
    def by_property_called(self):
        reply = call(self.client.ask, "item")
        return reply

    @deflow
    def by_getattr(self):
        reply = self.other.ask("item")
        return reply

    @deflow
    def by_getattr_called(self):
        reply = call(self.other.ask, "item")
        return reply


def hook(x):
    return x


def set_hook(function):
    global hook
    hook = function


@deflow
def ask(x):
    return suspend("ask") + x


def price(x):
    return x


@deflow
def uses_hook(x):
    return 1 + hook(x)


@deflow
def uses_price(x):
    y = price(x)
    return y


@deflow
def uses_price_called(x):
    y = call(price, x)
    return y


class Elsewhere:
    """Its flow is in no class that the text shows to be one."""


Elsewhere.seek = ask


@deflow
def in_an_expression(x, place):
    return 1 + place.seek(x)


@deflow
def in_an_expression_called(x, place):
    return 1 + call(place.seek, x)


@deflow
def in_a_comprehension(x, f):
    return [f(each) for each in [x]]


@deflow
def in_a_comprehension_called(x, f):
    return [call(f, each) for each in [x]]


@deflow
def in_a_generator_expression(x, f):
    return tuple(f(each) for each in [x])


def asked(x, f):
    yield f(x)


@deflow
def in_a_generator(x, f):
    return list(asked(x, f))


@deflow
def by_sorted(x, f):
    return sorted([x], key=f)


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [
        (Interview().write, [], ["t", "b", "c", "e"]),
        (Report().end, ["s", []], ["e"]),
        (Interview.close, ["w"], ["f"]),
        (Report.close, ["w"], []),
        (Shop(Client()).order, [], ["tea"]),
        (Lazy().by_property_called, [], ["tea"]),
        (Lazy().by_getattr_called, [], ["tea"]),
        (in_an_expression_called, [1, Elsewhere], [5]),
        (in_a_comprehension_called, [1, ask], [5]),
    ],
)
def test_is_resumed_exactly_right(flow, args, events):
    played = play(flow, args, events)

    assert played.error is None
    assert played == interpret(flow, args, events)


def test_function_of_the_module_that_another_one_sets_may_be_a_flow(monkeypatch):
    monkeypatch.setitem(globals(), "hook", hook)
    set_hook(ask)

    assert play(uses_hook, [1], [5]).result == 7


def test_function_that_is_replaced_from_outside_is_reached_by_the_remedy(monkeypatch):
    monkeypatch.setitem(globals(), "price", ask)

    assert play(uses_price_called, [1], [5]).result == 6
    with pytest.raises(CannotSuspend, match=r"no resume point \(write `call\(price, …\)`"):
        Engine("memory://").start_flow(uses_price, 1)


@pytest.mark.parametrize(
    ("flow", "args", "words"),
    [
        (Lazy().by_property, [], r"through self\.client, .*`call\(self\.client\.ask, …\)`"),
        (Lazy().by_getattr, [], r"through self\.other, .*`call\(self\.other\.ask, …\)`"),
        (in_an_expression, [1, Elsewhere], r"no resume point .*`call\(place\.seek, …\)`"),
        (in_a_comprehension, [1, ask], r"in_a_comprehension.*`call\(f, "),
        (in_a_generator_expression, [1, ask], r"list comprehension, with `call\(f, x\)` in it"),
        (in_a_generator, [1, ask], r"asked .*is a generator.* that returns a list, with @deflow"),
        (by_sorted, [1, ask], r"reaches the flow ask through sorted"),
    ],
)
def test_is_refused_with_a_remedy(flow, args, words):
    with pytest.raises(CannotSuspend, match=words):
        Engine("memory://").start_flow(flow, *args)
