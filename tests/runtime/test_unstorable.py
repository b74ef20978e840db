"""The refusal of a suspended flow names what holds the value, in words that make sense."""

from __future__ import annotations

import threading
from asyncio import Lock

import pytest

from longterm import CannotStore, Engine, deflow, suspend


@deflow
def captures():
    lock = threading.Lock()

    def inner():
        return lock

    suspend("go")
    return inner()


@deflow
def defaults():
    def inner(lock=threading.Lock()):  # noqa: B008
        return lock

    suspend("go")
    return inner()


@deflow
def holds(value):
    suspend("go")
    return value


@deflow
def local_class():
    class Local:
        pass

    suspend("go")
    return Local()


@pytest.mark.parametrize(
    ("flow", "args", "words"),
    [
        (captures, [], ": inner.<variable lock> is a _thread.lock, "),
        (defaults, [], ": inner.__defaults__[0] is a _thread.lock, "),
        (holds, [object()], ": value is an object, "),
        (holds, [[Lock()]], ": value[0] is an asyncio.locks.Lock, "),
        (local_class, [], "; define it at the top of a module, or del Local before the suspend)"),
    ],
)
def test_refusal_reads_well(flow, args, words):
    with pytest.raises(CannotStore) as caught:
        Engine("memory://").start_flow(flow, *args)

    assert words in str(caught.value)
