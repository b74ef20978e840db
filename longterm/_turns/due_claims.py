"""The runs that workers take: due, able to read an event, or given a slot of their queue."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm.errors import NotSupported
from longterm.run import Run
from longterm.store.base import Deadlines, takes


class DueClaims:
    """Takes runs that can have a turn, some at once."""

    def __init__(self, claims: Claims) -> None:
        """Take them for an engine."""
        self._claims = claims
        self._inbox, self._queues = claims.inbox, claims.queues
        self._first = 0

    def take(
        self,
        limit: int,
        flows: Collection[str],
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Claim]:
        """Claim runs of some flows whose deadlines have passed, or that can have a turn otherwise.

        They can read an event, or have a slot of their queue. Which of these comes first changes
        each time: none can hold up the others. Those in some `queues` only, if any are given; those
        at positions that are left out do not come, where the store can tell.
        """
        asks = self._asks(queues, without)
        self._first += 1
        first = self._first % len(asks)
        taken: list[Claim] = []
        try:
            for ask in (*asks[first:], *asks[:first]):
                if len(taken) < limit:
                    found = [Claim(self._claims, run) for run in ask(limit - len(taken), flows)]
                    taken += found
                    for claim in found:
                        self._claims.keeper.hold(claim)
        except BaseException:
            self.close(taken)
            raise
        return taken

    def _asks(
        self, queues: Collection[str] | None, without: Collection[str]
    ) -> list[Callable[[int, Collection[str]], list[Run]]]:
        """Return what asks the store for runs."""
        if queues is not None:
            return [partial(self._claim_queued, queues=queues, without=without)]
        asks: list[Callable[[int, Collection[str]], list[Run]]] = [
            partial(self._claim_due, without=without)
        ]
        if self._inbox is not None:
            asks.append(partial(self._claim_unread, without=without))
        if self._queues is not None:
            asks.append(partial(self._claim_queued, queues=None, without=without))
        return asks

    def _claim_queued(
        self,
        limit: int,
        flows: Collection[str],
        queues: Collection[str] | None,
        without: Collection[str],
    ) -> list[Run]:
        if self._queues is None:
            raise NotSupported(self._claims.store, "queues")
        now = self._claims.now()
        return self._queues.claim_queued(
            now=now,
            until=now + self._claims.lease,
            limit=limit,
            flows=flows,
            queues=queues,
            without=without,
        )

    def _claim_due(self, limit: int, flows: Collection[str], without: Collection[str]) -> list[Run]:
        store = self._claims.store
        if not isinstance(store, Deadlines):
            raise NotSupported(store, "deadlines")
        now = self._claims.now()
        until = now + self._claims.lease
        claim = partial(store.claim_due, now=now, until=until, limit=limit)
        if takes(store.claim_due, "flows"):
            claim = partial(claim, flows=flows)
        if without and takes(store.claim_due, "without"):
            claim = partial(claim, without=without)
        return claim()

    def _claim_unread(
        self, limit: int, flows: Collection[str], without: Collection[str]
    ) -> list[Run]:
        assert self._inbox is not None
        now = self._claims.now()
        claim = partial(
            self._inbox.claim_unread,
            now=now,
            until=now + self._claims.lease,
            limit=limit,
            flows=flows,
        )
        if without and takes(self._inbox.claim_unread, "without"):
            claim = partial(claim, without=without)
        return claim()

    def close(self, claims: Collection[Claim]) -> None:
        """Give runs back; if the store is out of reach, the claims on them run out."""
        for claim in claims:
            self._claims.keeper.drop(claim)
        for claim in claims:
            claim.close()
