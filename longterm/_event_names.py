"""The names of the events that a run waits for, as one text: a name a line.

So a wait for several needs no more of a store than a wait for one, and can be read in its table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

RESERVED: Final = "longterm."
"""How the names begin of what a run waits for that nobody can send."""
START: Final = "longterm.start"
"""What a run waits for until its first turn has ended; it is due at once."""
SLEEP: Final = "longterm.sleep"
"""What a run waits for that sleeps: the end of that."""
CHECKPOINT: Final = "longterm.checkpoint"
"""What a run waits for whose turn has died after a checkpoint; it is due at once."""
STEP: Final = "longterm.step"
"""What a run waits for that is in a step, or rests until the next attempt at one."""
SCHEDULE: Final = "longterm.schedule"
"""What a run waits for that is a schedule: its next time."""
CANCEL: Final = "longterm.cancel"
"""The event in the inbox of a run that cancels it."""
THROW: Final = "longterm.throw"
"""The event in the inbox of a run that raises an exception where it waits: its value."""

# Of what comes to a run and is no event of an inbox, in its history:
DEADLINE: Final = "longterm.deadline"
RETRY: Final = "longterm.retry"
DISCARD: Final = "longterm.discard"
FORK: Final = "longterm.fork"
REWIND: Final = "longterm.rewind"


def is_control(name: str) -> bool:
    """Whether an event is read before all others, whatever its run waits for."""
    return name.startswith(RESERVED)


def next_of(unread: Sequence[str], names: Collection[str]) -> str | None:
    """Return the name of the unread event that a wait for some names takes; None: there is none."""
    control = next(filter(is_control, unread), None)
    return control or next((name for name in unread if name in names), None)


CHILD: Final = "run:"
"""How the name of the event begins that a run is sent when its child has ended; then comes the id.
Nobody else can send it."""


def event_of_child(run_id: str) -> str:
    """Return the name of the event that the end of a child is."""
    return CHILD + run_id


def child_of(event_id: str) -> str | None:
    """Return the id of the child whose end an event is; None: it is another event."""
    return event_id[len(CHILD) :] if event_id.startswith(CHILD) else None


def joined(names: Iterable[str]) -> str:
    """Return names, none of which has a line break, as one text."""
    return "\n".join(names)


def names_in(waiting_for: str | None) -> tuple[str, ...]:
    """Return the names of the events that a run waits for; of what nobody sends, none."""
    if waiting_for is None or waiting_for.startswith(RESERVED):
        return ()
    return tuple(waiting_for.split("\n"))


def unread_in(written: str) -> tuple[str, ...]:
    """Return the names of unread events, of which each is a line with its end."""
    return tuple(written.split("\n")[:-1]) if written else ()


def written_unread(names: Iterable[str]) -> str:
    """Return the names of unread events as one text."""
    return "".join([f"{name}\n" for name in names])


def spoken(waiting_for: str | None) -> str:
    """Return what a run waits for as part of a sentence: `'approve' or 'reject'`."""
    if waiting_for == SLEEP:
        return "the end of a sleep"
    if waiting_for == CHECKPOINT:
        return "a checkpoint"
    if waiting_for == STEP:
        return "a step"
    if waiting_for == SCHEDULE:
        return "the next time of a schedule"
    if waiting_for is None:
        return "nothing"
    return " or ".join(map(_spoken, waiting_for.split("\n")))


def _spoken(name: str) -> str:
    child = child_of(name)
    return repr(name) if child is None else f"the end of run {child}"
