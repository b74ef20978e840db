"""A flow that does what a script says, and keeps a record of what came of each step.

A step is a list: what to do, and with what. So hypothesis can draw a whole life of runs, and what a
run has seen stands in its own frames, saved with its turns.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from longterm import (
    AlreadyTaken,
    Cancelled,
    ChildCancelled,
    Expired,
    TooManyChildren,
    checkpoint,
    current_run,
    deflow,
    gather,
    send,
    spawn,
    start_flow,
    suspend,
)


class Broken(Exception):
    """What a flow lets out: its run fails."""


class Thrown(Exception):
    """What somebody throws into a run."""


class Witness:
    """What flows have seen and done outside of what is saved, in this process."""

    def __init__(self) -> None:
        self.turns: dict[str, int] = {}
        """Of each run the moment of its last claim: the number of the step of the store."""
        self.last_words: dict[str, list[Any]] = {}
        """What a run's flow had on record when it let out a `Cancelled`."""
        self.broken: set[int] = set()
        """What does not work now: a step that needs it fails."""


witness = Witness()


def turn() -> int:
    return witness.turns[current_run().id]


def say_last_words(record: list[Any]) -> None:
    witness.last_words[current_run().id] = list(record)


def need(what: int) -> None:
    if what in witness.broken:
        raise Broken(what)


def fail() -> None:
    raise Broken("for good")


OUTCOMES = (AlreadyTaken, Broken, ChildCancelled, Expired, Thrown, TooManyChildren)
"""Exceptions that are put on record. One of its own kind (`need`, `fail`) a flow lets out."""


@deflow
def acts(script, is_stubborn=False):
    """Do the steps of a script; return a record of each: the step, what came of it, its turn."""
    record, children = [], []
    for step in script:
        if step[0] == "need":
            need(step[1])
        if step[0] == "fail":
            fail()
        try:
            outcome = does(step, children)
        except OUTCOMES as error:
            outcome = [type(error).__name__, *error.args]
        except Cancelled:
            if not is_stubborn:
                say_last_words(record)
                raise
            is_stubborn, outcome = False, ["Cancelled"]
        record.append([step, outcome, turn()])
    return record


@deflow
def does(step, children):
    """Do one step; return what came of it."""
    match step:
        case ["checkpoint"]:
            checkpoint()
        case ["read", [name], None]:
            return [name, suspend(name)]
        case ["read", names, None]:
            return list(suspend(*names))
        case ["read", [name], seconds]:
            value = suspend(name, expires=timedelta(seconds=seconds), default=None)
            return [None if value is None else name, value]
        case ["read", names, seconds]:
            return list(suspend(*names, expires=timedelta(seconds=seconds), default=None))
        case ["expires", name, seconds]:
            return [name, suspend(name, expires=timedelta(seconds=seconds))]
        case ["spawn", script]:
            children.append(spawn(acts, script))
            return children[-1].run_id
        case ["start", script]:
            return start_flow(acts, script).id
        case ["send", run_id, name, number, key]:
            send(run_id, name, number, key=key)
            return run_id
        case ["tell", which, name, number] if children:
            child = children[which % len(children)]
            send(child.run_id, name, number)
            return child.run_id
        case ["kill", which] if children:
            child = children[which % len(children)]
            child.cancel()
            return child.run_id
        case ["wait", which] if children:
            child = children[which % len(children)]
            return [child.run_id, suspend(child)]
        case ["race", which, name] if children:
            what, value = suspend(children[which % len(children)], name)
            return [what if what == name else what.run_id, value]
        case ["gather", first] if children:
            chosen = children[first % len(children) :]
            return [[child.run_id for child in chosen], gather(*chosen)]
    return None
