"""What workers look for: runs that are due, claims that ran out, messages. Server by server.

One that is away is left out, so that it stops no other; see `Servers.working`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from longterm._later import later
from longterm.run import Run
from longterm.store._remembered import Remembered
from longterm.store._rows import in_order_of_deadlines
from longterm.store.inbox import in_order_of_saves
from longterm.store.sharded._server import Server, ShardStore
from longterm.store.sharded._servers import Servers

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")

_T = TypeVar("_T")


class Gathers(Protocol[_T]):
    """A step that finds at most so many things."""

    def __call__(self, store: ShardStore, /, most: int) -> list[_T]: ...


class Working:
    """The part of the store that finds work."""

    _servers: Servers

    def __init__(self) -> None:
        """Remember no messages yet."""
        self._origins = Remembered()
        """On which server a message is, by its id; of others each server is asked."""

    def _working(self) -> Iterator[Server]:
        """Yield the servers on which there may be work."""
        return self._servers.working()

    def _try_on(self, server: Server, step: Callable[[ShardStore], _T]) -> list[_T]:
        """Take a step on one of them; return what came of it, or nothing: it is away."""
        return self._servers.try_on(server, step)

    def _gather(self, limit: int, step: Gathers[_T]) -> list[_T]:
        """Take a step on each server until so many things are found."""
        found: list[_T] = []
        for server in self._working():
            most = limit - len(found)
            if most <= 0:
                break
            for came in self._try_on(server, partial(step, most=most)):
                found += came
        return found

    def release_stale(
        self, *, now: datetime, max_attempts: int, limit: int | None = None
    ) -> list[Run]:
        def release(store: ShardStore, most: int) -> list[Run]:
            return store.release_stale(
                now=now, max_attempts=max_attempts, limit=None if limit is None else most
            )

        return self._gather(limit or 1 << 30, release) if limit != 0 else []

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        found = self._gather(
            limit,
            lambda store, most: store.claim_due(
                now=now, until=until, limit=most, flows=flows, without=without
            ),
        )
        return in_order_of_deadlines(found)

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        found = self._gather(
            limit,
            lambda store, most: store.claim_unread(
                now=now, until=until, limit=most, flows=flows, without=without
            ),
        )
        return in_order_of_saves(found)

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        found: list[Message] = []
        for server in self._working():
            claim = partial(_claim_outgoing, now=now, until=until, limit=limit - len(found))
            for came in self._try_on(server, claim):
                self._note_origins(came, server.name)
                found += came
            if len(found) >= limit:
                break
        return sorted(found, key=lambda message: (message.due_at, message.sender, message.number))

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        return self._on_message(message_id, lambda store: store.put_off(message_id, until=until))

    def forget_outgoing(self, message_id: str) -> bool:
        return self._on_message(message_id, lambda store: store.forget_outgoing(message_id))

    def _note_origins(self, messages: Collection[Message], server: str) -> None:
        """Remember on which server messages are."""
        for message in messages:
            self._origins.note(message.id, server)

    def _on_message(self, message_id: str, change: Callable[[ShardStore], bool]) -> bool:
        origin = self._origins.pop(message_id, None)
        if origin is not None:
            return self._servers.at(origin).step(change)
        return any(self._servers.ask_each(change).values())

    def clock_ahead(self) -> timedelta:
        return self._servers.ahead


def _claim_outgoing(
    store: ShardStore, *, now: datetime, until: datetime, limit: int
) -> list[Message]:
    return store.claim_outgoing(now=now, until=until, limit=limit)
