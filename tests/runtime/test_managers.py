"""Context managers across suspends: neither exited nor entered again, unless they ask to let go."""

from __future__ import annotations

import contextlib
import functools
import threading

import pytest

from longterm import CannotStore, Engine, deflow, suspend
from longterm.testing import Throw, interpret, play


class Logged:
    """Notes what happens to it, and can swallow an exception."""

    def __init__(self, name, log, swallows=()):
        self.name, self.log, self.swallows = name, log, swallows

    def __enter__(self):
        self.log.append(f"enter {self.name}")
        return self

    def __exit__(self, kind, error, traceback):
        self.log.append(f"exit {self.name} {kind.__name__ if kind else None}")
        return kind is not None and issubclass(kind, tuple(self.swallows))


class Handle(Logged):
    """Holds a file while it is entered, and lets go of it while its flow waits."""

    def __enter__(self):
        self.file = open(__file__)
        return super().__enter__()

    def __exit__(self, *exception):
        self.file.close()
        return super().__exit__(*exception)

    def __suspend__(self):
        self.log.append(f"let go {self.name}")
        self.file.close()
        del self.file

    def __resume__(self):
        self.log.append(f"take up {self.name}")
        self.file = open(__file__)  # noqa: SIM115


@deflow
def two_managers(log, swallows):
    with Logged("a", log, swallows) as a, Logged("b", log) as b:
        log.append(suspend("inside"))
        if suspend("leave"):
            return a.name + b.name, log
    return "after", log


@deflow
def lets_go(log):
    with Handle("outer", log) as outer, Handle("inner", log):
        answer = suspend("first")
        log.append(outer.file.closed)
        suspend("second")
    return answer, log


@deflow
def unstorable_manager():
    with threading.Lock():
        suspend("inside")


class Inherits(Logged):
    """Has its methods from a base."""


class OfTheClass:
    """Enters by a class method."""

    @classmethod
    def __enter__(cls):
        return cls.__name__

    @classmethod
    def __exit__(cls, *exception):
        return exception[0] is KeyError


class OfNobody:
    """Enters by a static method."""

    @staticmethod
    def __enter__(*given):
        return len(given)

    @staticmethod
    def __exit__(*exception):
        return len(exception) == 3 and exception[0] is KeyError


class Whistle:
    """Can be called, but is no function, so that no instance is bound to it."""

    def __call__(self, *given):
        return given[0] is KeyError if given else "whistle"


class ByCallables:
    """Enters by objects that can be called."""

    __enter__ = Whistle()
    __exit__ = Whistle()


class ByParts:
    """Enters by descriptors of the standard library."""

    __enter__ = functools.partialmethod(lambda self, value: (type(self).__name__, value), "part")
    __exit__ = property(lambda self: Whistle())


class Overshadowed(Logged):
    """An instance has attributes under the names that `with` looks up on its type."""

    def __init__(self):
        super().__init__("overshadowed", [])
        self.__enter__ = self.__exit__ = "not looked at"


class EntersOnly:
    """Has no way out."""

    def __enter__(self):
        raise AssertionError("entered without a way out")


class ExitsOnly:
    """Has no way in."""

    def __exit__(self, *exception):
        raise AssertionError("left without having entered")


@deflow
def enters(manager, waits, fails):
    with manager as entered:
        answer = suspend("inside") if waits else None
        if fails:
            raise KeyError(answer)
    return repr(entered).partition(" at ")[0], answer


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize(
    ("make", "waits"),
    [
        (lambda: Logged("plain", []), True),
        (lambda: Inherits("inherits", [], (KeyError,)), True),
        (OfTheClass, True),
        (OfNobody, True),
        (ByCallables, True),
        (ByParts, True),
        (Overshadowed, True),
        (EntersOnly, True),
        (ExitsOnly, True),
        (lambda: "no manager", True),
        (lambda: contextlib.suppress(KeyError), True),
        (lambda: contextlib.nullcontext(["given"]), True),
        (lambda: memoryview(b"left"), False),
    ],
)
def test_methods_are_found_as_a_plain_with_finds_them(make, waits, fails):
    for each in {waits, False}:
        played = play(enters, [make(), each, fails], ["here"])

        assert played == interpret(enters, [make(), each, fails], ["here"])


@pytest.mark.parametrize("leave", [True, False])
def test_suspension_neither_exits_nor_enters_again(leave):
    played = play(two_managers, [[], ()], ["here", leave])

    assert played.result[1] == ["enter a", "enter b", "here", "exit b None", "exit a None"]
    assert played == interpret(two_managers, [[], ()], ["here", leave])


@pytest.mark.parametrize("swallows", [(), (KeyError,), (ValueError,)])
def test_exception_at_a_suspend_goes_through_the_exits(swallows):
    events = ["here", Throw(KeyError("thrown"))]

    played = play(two_managers, [[], swallows], events)

    assert played == interpret(two_managers, [[], swallows], events)
    assert (played.error is None) is (swallows == (KeyError,))


def test_manager_that_knows_how_lets_go_and_comes_back():
    played = play(lets_go, [[]], ["a", "b"])

    assert played.result == (
        "a",
        [
            *("enter outer", "enter inner", "let go inner", "let go outer"),
            *("take up outer", "take up inner", False, "let go inner", "let go outer"),
            *("take up outer", "take up inner", "exit inner None", "exit outer None"),
        ],
    )


def test_manager_that_cannot_be_stored_is_refused_by_name():
    with pytest.raises(CannotStore, match=r"the context manager of .*it is a _thread.lock"):
        Engine("memory://").start_flow(unstorable_manager)
