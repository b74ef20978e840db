"""Who it is that sends, starts or cancels: a name that the caller has set for a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from longterm._names import actor_name

_actor: Final[ContextVar[str | None]] = ContextVar("longterm._actor", default=None)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Say who does what is done in this block, such as the user who is logged in.

        with acting_as("ada@example.com"):
            engine.process_event(run_id, "approve", True)

    The name is kept with each event that is sent, and in the history of its run where the engine
    keeps that. It holds for this task or thread, and what that calls; not for the turns of workers.

    Args:
        name: text of 1 to 500 characters.

    Raises:
        InvalidActor: it is none.
    """
    token = _actor.set(actor_name(name))
    try:
        yield
    finally:
        _actor.reset(token)


def acting() -> str | None:
    """Return who is acting; None: nobody has said."""
    return _actor.get()
