"""The store contract about events that are sent before they are waited for: the inbox of a run.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from longterm._later import later
from longterm.run import Run

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

__all__ = ["BEFORE_ALL", "Inbox", "in_order_of_saves"]

BEFORE_ALL: Final = -(2**62)
"""A number below those of all events."""


@runtime_checkable
class Inbox(Protocol):
    """A store with leases, keys and deadlines that keeps events until their run reads them.

    Each run that the store returns has in `unread` the names of its unread events, oldest first;
    what `update` is given there counts for nothing. The names are a part of the run's own row, so
    that a claim or a save sees at once what was posted before it. Events are deleted with their
    run, and a run keeps the key of an unread event however old it is.

    A turn may have **refused** an event that it has read. That is kept in the inbox with the reason
    and its key, and is unread no more; `Keys.forget_keys` forgets it as it does keys.

    A run **can go on** by an event if it is suspended, waits for one that is unread, and has no
    error, or no deadline: one that has both could not be carried on by a worker, and waits for its
    deadline. An unread
    event `longterm.cancel` or `longterm.throw` counts as waited for, whatever the run waits for.
    """

    def post(self, event: UnreadEvent, *, limit: int, revision: int | None = None) -> int | None:
        """Store an event for a run, whatever the run does now, and return the number it got.

        In one atomic step, as durable as a save: the run keeps the event's key, as `Keys` says,
        with the digest and the moment `sent_at`; the event gets the next number of its run, and
        its name goes to the end of `unread`. Never waits for a turn to end.

        None, and nothing has changed, if the run is complete or cancelled, keeps the key already,
        or has `limit` unread events. With a revision, also unless the run is suspended, has this
        `saved_turn`, and no unread event that it waits for. A store that does not take `revision`
        works too, but for those who give one.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = BEFORE_ALL,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        """Return unread events of a run with a number above `after`, the oldest first.

        Only those with these names; None: with any. A run that is unknown has none.

        Raises:
            UnreadableRun: one of them is not what was posted.
        """
        ...

    def refused(
        self, run_id: str, *, after: int = BEFORE_ALL, limit: int = 100
    ) -> list[UnreadEvent]:
        """Return the events that a run has refused, like `unread`."""
        ...

    def forget_refused(self, run_id: str, number: int) -> bool:
        """Forget an event that was refused; False if there is none with this number."""
        ...

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        """Claim runs that can go on by an unread event, the longest unsaved first.

        Otherwise like `Deadlines.claim_due`.
        """
        ...

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        """Save a run like `update`, and in the same step take out events that its turn has read.

        Of these, one with an `encoded_refusal` stays in the inbox, with that, as refused.

        An event that is `kept`, since the turn that it began has failed, is put into the inbox in
        the same step, before all others: its number is 0, or below the lowest. The run keeps its
        key as `post` does.

        The delivery that `kept_key` names, or the event that is kept, may have been posted since
        the claim, with an equal digest: then it is taken out, or not put in again. So by `update`.

        `run.unread` is what the claimant has last seen there, and holds the name of each. More may
        have been posted since, which only adds to the end.
        """
        ...

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        """Replace what is encoded of an event in an inbox, and nothing else.

        False if it is there no more, or has been refused, or not, since it was read.
        """
        ...


def in_order_of_saves(runs: Iterable[Run]) -> list[Run]:
    """Sort runs, the longest unsaved first."""
    return sorted(runs, key=lambda run: (run.updated_at is not None, run.updated_at, run.id))
