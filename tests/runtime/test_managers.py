"""Context managers across suspends: neither exited nor entered again, unless they ask to let go."""

from __future__ import annotations

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
