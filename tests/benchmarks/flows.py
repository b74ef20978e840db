"""The flows that are measured, one for each shape of state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from longterm import Engine, checkpoint, deflow, gather, respond, spawn, suspend

EVENT = {"n": 1}
PADDING = "x" * 400
"""Makes the state of a survey about 500 bytes, all of which stays alive."""


@deflow
def survey(padding: str) -> None:
    """Keep a running total: one small value in, one out, the same state at every event."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        respond({"total": total})


@deflow
async def async_survey(padding: str) -> None:
    """Do the same as an `async def`."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        respond({"total": total})


@deflow
def deep(frames: int) -> int:
    """Wait with so many frames on the stack, each with a local of its own."""
    if frames > 1:
        below = deep(frames - 1)
        return below + frames
    total = 0
    while total >= 0:
        event = suspend("number")
        total += event["n"]
    return total


@deflow
def wide(rows: list[Any]) -> list[Any]:
    """Wait with all that is given in one local."""
    total = 0
    while total >= 0:
        event = suspend("number")
        total += event["n"]
    return rows


@deflow
def polling(padding: str, times: int) -> None:
    """Look so many times at each event whether something else has come."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        for _ in range(times):
            suspend("another", expires=timedelta(0), default=None)


@deflow
def saving(padding: str, times: int) -> None:
    """Save so many times at each event."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        for _ in range(times):
            checkpoint()


@deflow
def spawning(padding: str, times: int) -> None:
    """Begin so many children at each event, one after the other, and wait for each."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        for _ in range(times):
            suspend(spawn(child, total))


@deflow
def gathering(padding: str, times: int) -> None:
    """Begin so many children at each event, and wait for all of them."""
    total = 0
    while padding:
        event = suspend("number")
        total += event["n"]
        gather(*[spawn(child, total) for _ in range(times)])


@deflow
def child(total: int) -> int:
    """Return at once."""
    return total


def rows_of_about(size: int) -> list[Any]:
    """Return plain nested data of about so many bytes when packed."""
    return [
        {
            "id": number,
            "name": f"customer {number}",
            "tags": ["a", "b", "c"][: number % 4],
            "total": number * 1.5,
            "is_open": True,
            "address": {"street": f"{number} High Street", "zip": number * 31},
        }
        for number in range(size // 97 + 1)
    ]


def events(engine: Engine, ids: list[str]) -> Callable[[int], object]:
    """Return what brings the next event to one run after the other."""

    def event(number: int) -> object:
        return engine.process_event(ids[number % len(ids)], "number", EVENT)

    return event
