"""The flows of the chaos tests: they keep what they were told, and say it back."""

from __future__ import annotations

from datetime import timedelta

from longterm import (
    checkpoint,
    deflow,
    respond,
    send,
    set_index,
    spawn,
    start_flow,
    suspend,
)

EXPIRED = "expired"
EVENTS = 20
"""How many events a run takes."""


@deflow
def collect(patience):
    """Wait for some events, every fourth for a short time only; return their values in order."""
    seen = []
    while len(seen) < EVENTS:
        set_index(seen=len(seen))
        expires = timedelta(seconds=patience) if len(seen) % 4 == 3 else None
        if expires is None:
            value = suspend(f"event {len(seen)}")
        else:
            value = suspend(f"event {len(seen)}", expires=expires, default=EXPIRED)
        seen.append(value)
        respond(f"event {len(seen) - 1}: {value}")
    return seen


@deflow
def letterbox():
    """Read letters until it is told to close; return them in order."""
    letters = []
    while True:
        name, letter = suspend("letter", "close")
        if name == "close":
            return letters
        letters.append(letter)


@deflow
def errand(token):
    """Do nothing, as a run of its own; say for whom."""
    return f"done for {token}"


@deflow
def idle(token):
    """Wait until somebody cancels it."""
    suspend("never")


@deflow
def messenger(box):
    """Read an event; send letters and begin three runs around a checkpoint."""
    what = suspend("go")
    send(box, "letter", what)
    child = spawn(errand, "child")
    spawn(idle, "left open")
    start_flow(errand, "nobody's child")
    checkpoint()
    send(box, "letter", "two")
    return suspend(child)
