"""Starts and events that are part of a transaction of the application's own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from longterm._engine.events import checked_event
from longterm._engine.starting import Starting, moment_of
from longterm._later import later
from longterm._turns.claims import Claims
from longterm._turns.sending import Sending
from longterm._turns.turns import Turns
from longterm.run import Fact, Run
from longterm.store.base import RunStore
from longterm.unread import Receipt

if TYPE_CHECKING:
    from uuid import UUID
else:
    UUID = later("uuid", "UUID")

T = TypeVar("T")


class Transaction:
    """What an engine does within one transaction; `Engine.within` makes it."""

    def __init__(self, engine: Starting, view: RunStore) -> None:
        """Start and send by a view of the engine's store."""
        self._engine = engine
        own = engine._claims
        claims = Claims(view, engine.clock, own.lease, own.max_attempts, own.observer)
        claims.recording = own.recording
        self._turns = Turns(
            *(view, engine.clock, claims),
            max_bytes=engine._max_bytes,
            max_event_bytes=engine._max_event_bytes,
        )
        self._sending = Sending(
            claims,
            engine.clock,
            max_event_bytes=engine._max_event_bytes,
            max_unread=engine._max_unread,
        )

    @overload
    def start(
        self,
        flow: Callable[..., Coroutine[Any, Any, T]],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    @overload
    def start(
        self,
        flow: Callable[..., T],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    def start(
        self,
        flow: Callable[..., Any],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run:
        """Create a run that waits for its start; a worker begins it after the commit.

        What is called must be storable (`CannotStore`). Otherwise like `Engine.start`.
        """
        now = self._engine.clock.now()
        start = self._engine._start_of(flow, args, kwargs, id, index, queue, partition)
        return self._turns.start_later(start, moment_of(at, now))

    def send(
        self,
        run_id: str | UUID,
        event_id: str,
        value: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Receipt:
        """Store an event for a run, which reads it after the commit; like `Engine.send`."""
        run_id, name, key = checked_event(run_id, event_id, value, key, revision)
        return self._sending.send(run_id, name, value, key, revision)
