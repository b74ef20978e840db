"""One server of several: its store, what it knows of the others, and whether it is away."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol, TypeVar

from longterm._fork import register_reset
from longterm.errors import LongtermError, StoreError
from longterm.store.base import (
    Clocked,
    Deadlines,
    Deletion,
    Erasure,
    Keys,
    Leases,
    Rewriting,
    RunStore,
    Search,
)
from longterm.store.history import History
from longterm.store.inbox import Inbox
from longterm.store.outbox import Outbox
from longterm.store.positions import Positions
from longterm.store.progress import Progress
from longterm.store.queues import Queues
from longterm.store.sharded._note import Note, read_note
from longterm.store.shards import Shard
from longterm.store.states import States
from longterm.store.versions import Versions

_log = logging.getLogger("longterm")

LOOK_SECONDS: Final = 60.0
"""How old the knowledge of a process may be of what a server has been told."""
_PAUSE_SECONDS: Final = 1.0
"""How long to wait before a server that is away is asked again."""

_T = TypeVar("_T")
_CAPABILITIES: Final = (
    *(RunStore, Leases, Deadlines, Keys, Inbox, Outbox, Queues, Search, Deletion, Erasure),
    *(Rewriting, Positions, States, Progress, Versions, History, Shard),
)


class ShardStore(
    Leases,
    Deadlines,
    Keys,
    Inbox,
    Outbox,
    Queues,
    Search,
    Deletion,
    Erasure,
    Rewriting,
    Positions,
    States,
    Progress,
    Versions,
    History,
    Shard,
    RunStore,
    Protocol,
):
    """What a store has to offer to be one of several."""


class Server:
    """One of the servers."""

    note: Note | None = None
    """What it has been told; None: nothing, or it was not asked yet."""
    ahead = timedelta(0)
    """How far this process's clock was ahead of its, when it was asked last."""
    error: StoreError | None = None
    """Why it is away, as far as the steps are concerned that ask all; None: it is not."""

    def __init__(self, name: str, store: RunStore) -> None:
        """Take a store.

        Raises:
            StoreError: it offers too little.
        """
        for capability in _CAPABILITIES:
            if not isinstance(store, capability):
                raise StoreError(
                    f"server {name!r}: {type(store).__name__} offers no {capability.__name__}, so "
                    "it cannot be one of several (use stores of longterm's own)"
                )
        self.name = name
        self.store: ShardStore = store  # type: ignore[assignment]
        self._next_look = 0.0
        self._is_closed = threading.Event()
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Ask a server that was away again: the thread that would have is the parent's."""
        self.error = None

    def step(self, step: Callable[[ShardStore], _T]) -> _T:
        """Take a step of its store; what goes wrong says which server it was.

        Raises:
            StoreError: it failed.
            LongtermError: the store has refused it.
        """
        try:
            return step(self.store)
        except StoreError as error:
            if type(error) is not StoreError:  # it says which run
                raise
            raise StoreError(f"server {self.name!r}: {error}") from error

    def needs_look(self) -> bool:
        """Tell whether what is known of its note is too old, or not known."""
        return monotonic() >= self._next_look

    def look(self) -> None:
        """Read what it has been told, and its clock.

        Raises:
            StoreError: it cannot be read, or is the note of another server.
        """
        looked_at = monotonic()  # what is written from now on may be missed
        text = self.step(lambda store: store.shard_note())
        note = None if text is None else self.step(lambda _: read_note(text))
        if note is not None and note.server != self.name:
            raise StoreError(
                f"server {self.name!r}: its URL leads to the database of server {note.server!r} "
                "(check the URLs)"
            )
        if isinstance(self.store, Clocked):
            self.ahead = self.store.clock_ahead()
        self.note = note
        self._next_look = looked_at + LOOK_SECONDS

    def look_soon(self) -> None:
        """Have what it has been told read before its next step."""
        self._next_look = 0.0

    def write(self, note: Note) -> None:
        """Write what it is told in place of what it was told.

        Raises:
            StoreError: somebody else has written it in between, or it cannot be written.
        """
        before = None if self.note is None else self.note.text()
        if note == self.note:
            return
        if self.step(lambda store: store.write_shard_note(before, note.text())):
            self.note = note
            return
        self.look()  # somebody else was faster, with the same most often
        if self.note is None or self.note.epochs != note.epochs or self.note.agreed < note.agreed:
            raise StoreError(
                f"server {self.name!r} is told of epochs by somebody else in this moment (try it "
                "again)"
            )

    def leave_out(self, error: StoreError) -> None:
        """Leave it out of the steps that ask all, until it answers again."""
        if self.error is None and not self._is_closed.is_set():
            self.error = error
            _log.warning("left out until it answers again: %s", error)
            target = (weakref.ref(self), self._is_closed)
            threading.Thread(target=_wait_for, args=target, daemon=True).start()

    def close(self) -> None:
        """Ask it no more, and end its sessions."""
        self._is_closed.set()
        close = getattr(self.store, "close", None)
        if close is not None:
            close()


def _wait_for(reference: weakref.ref[Server], is_closed: threading.Event) -> None:
    """Ask a server that is away until it answers; in a thread of its own, for it may be silent."""
    while not is_closed.wait(_PAUSE_SECONDS):
        server = reference()
        if server is None:
            return
        try:
            server.store.shard_note()
        except LongtermError:
            continue
        server.error = None
        _log.warning("server %r answers again", server.name)
        return
