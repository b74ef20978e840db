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
    """Why it is away; None: it is not, as far as is known."""

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
        self.error, self._is_watched = None, False

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
            self._watch()
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

    def check_is_there(self) -> None:
        """Make sure that it is not known to be away: each caller would wait as long as the first.

        Raises:
            StoreError: it is.
        """
        error = self.error
        if error is not None:
            raise StoreError(str(error))  # one of its own for each caller

    def leave_out(self, error: StoreError) -> None:
        """Leave it alone until it answers again."""
        if self.error is None and not self._is_closed.is_set():
            self.error = error
            _log.warning("left out until it answers again: %s", error)
            self._watch()

    def _watch(self) -> None:
        """Find out whether it is away; and if so, when it is back."""
        if not self._is_watched:
            self._is_watched = True
            target = (weakref.ref(self), self._is_closed)
            threading.Thread(target=_ask_until_it_answers, args=target, daemon=True).start()

    def close(self) -> None:
        """Ask it no more, and end its sessions."""
        self._is_closed.set()
        close = getattr(self.store, "close", None)
        if close is not None:
            close()


def _ask_until_it_answers(reference: weakref.ref[Server], is_closed: threading.Event) -> None:
    """Ask a server, in a thread of its own, for it may be silent; away is one that fails."""
    while (server := reference()) is not None:
        try:
            server.store.shard_note()
        except LongtermError as error:
            server.leave_out(StoreError(f"server {server.name!r}: {error}"))
        else:
            if server.error is not None:
                _log.warning("server %r answers again", server.name)
            server.error, server._is_watched = None, False
            return
        del server
        if is_closed.wait(_PAUSE_SECONDS):
            return
