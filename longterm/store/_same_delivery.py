"""A delivery that comes by both doors at once, in a turn and in the inbox, is there once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from longterm._later import later
from longterm.run import Run

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")


def sent_too(
    run: Run,
    read: Sequence[UnreadEvent],
    kept: UnreadEvent | None,
    unread: Iterable[UnreadEvent],
) -> tuple[Sequence[UnreadEvent], UnreadEvent | None]:
    """Return what a save takes out of an inbox and puts in: its own delivery only once.

    The same delivery can have been posted during the turn that it began: it is read with that, and
    one that is kept, since the turn has failed, is there already.

    Args:
        run: the run as its turn leaves it.
        read, kept: what the claimant says of that.
        unread: the events that are in the inbox now.
    """
    own = (run.delivery, run.delivery_digest) if kept is None else (kept.key, kept.digest)
    known = {event.number for event in read}
    again = [e for e in unread if (e.key, e.digest) == own and e.number not in known]
    if not again:
        return read, kept
    return ((*read, *again), None) if kept is None else (read, None)
