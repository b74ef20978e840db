"""Steps that write down each call of theirs, in a process that may die at many points of them.

`Process` says where the diary and the ledger are, and how many points the process outlives.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from longterm import Retry, StepUnknown, deflow, step, step_key
from longterm.database import Database


class Process:
    """What the steps of this process need to know of it."""

    diary = Path()
    ledger = ""
    points = RawValue("i", -1)
    """How many points this process and its forks outlive together; if negative, all."""
    pause: Callable[[str], object] = str
    """Called with the name of a step in its function, and with `ledger` before that is opened."""


def may_die(point: str) -> None:
    """Die here, if it is time; the diary says where."""
    if Process.points.value < 0:
        return
    Process.points.value -= 1
    if Process.points.value < 0:
        write("killed", point)
        os.kill(os.getpid(), signal.SIGKILL)


def write(*words: str) -> None:
    """Write a line into the diary, in one step."""
    with open(Process.diary, "ab", buffering=0) as file:
        file.write(("|".join(words) + "\n").encode())


def calls_of(name: str, token: str) -> int:
    """Return how often a step was called for a run, by all processes."""
    return Process.diary.read_text().count(f"called|{name}|{token}|")


def called(name: str, token: str) -> str:
    """Do what all steps do: write down that they are called, and return a value."""
    may_die("before the function")
    write("called", name, token, step_key())
    Process.pause(name)
    may_die("in the function")
    return f"{name} for {token}"


@step
def pay(token):
    return called("pay", token)


@step(at_most_once=True)
def charge(token):
    return called("charge", token)


@step(max_attempts=3, retry_on=(ConnectionError,), backoff=lambda attempt: timedelta(0))
def insist(token):
    made = called("insist", token)
    if calls_of("insist", token) < 3:
        raise ConnectionError("no answer")
    return made


@step(max_attempts=2)
def come_back(token):
    made = called("come_back", token)
    if calls_of("come_back", token) < 2:
        raise Retry(after=timedelta(minutes=1))  # the run rests
    return made


def open_ledger():
    """Connect to the ledger; the process may die at each statement, or before and after it."""
    Process.pause("ledger")
    may_die("before the ledger is opened")
    if Process.ledger.startswith("postgresql"):
        import psycopg

        class Watched(psycopg.Connection[Any]):
            def close(self) -> None:
                may_die("after the ledger's commit")
                super().close()

        return Watched.connect(Process.ledger)
    connection = sqlite3.connect(Process.ledger, timeout=30)
    connection.set_trace_callback(lambda statement: may_die(f"at the ledger's {statement[:6]}"))
    return connection


ledger = Database(open_ledger)


@step(db=ledger)
def book(tx, token):
    made = called("book", token)
    tx.execute(f"INSERT INTO bookings VALUES ('{token}')")
    may_die("in the function")
    return made


@deflow
def sale(token):
    """Do all steps, and return what came of them."""
    done = [pay(token)]
    try:
        done.append(charge(token))
    except StepUnknown:
        done.append("unknown")
    return [*done, insist(token), come_back(token), book(token), pay(token)]


@deflow
async def async_sale(token):
    """Do the same in an event loop."""
    done = [pay(token)]
    try:
        done.append(charge(token))
    except StepUnknown:
        done.append("unknown")
    return [*done, insist(token), come_back(token), book(token), pay(token)]
