"""All servers, and the map that they agree on: which may begin runs, which are asked.

A process reads what a server has been told before its first step there, and once a minute from then
on. So it never goes by a map that is older than the longest time until a new epoch begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, Protocol, TypeVar

from longterm._fork import register_reset
from longterm.clock import Clock
from longterm.errors import StoreError
from longterm.store.base import RunStore
from longterm.store.sharded._announcing import announce
from longterm.store.sharded._epochs import Epoch, Epochs, milliseconds, moment_of
from longterm.store.sharded._server import Server, ShardStore

_T = TypeVar("_T")

_AHEAD: Final = 60_000
"""Milliseconds by which an id may say a later time than this process's clock."""


class Source(Protocol):
    """Where the servers and epochs come from, so that new ones are found while a process runs."""

    def epochs(self) -> Sequence[Epoch]:
        """Return the epochs as they are now."""
        ...

    def open(self, name: str) -> RunStore:
        """Open the store of a server."""
        ...


class Servers:
    """The servers of one store."""

    def __init__(self, source: Source, clock: Clock) -> None:
        """Take the servers and epochs of a source, and open their stores.

        Raises:
            StoreError: there are none, or one cannot be.
        """
        self.clock = clock
        self._source = source
        self._servers: dict[str, Server] = {}
        self._turn = count()
        self.epochs = Epochs(source.epochs())
        register_reset(self)
        self._open()

    def reset_after_fork(self) -> None:
        """Wait for no thread of a parent process."""
        self._changing = threading.RLock()

    def __iter__(self) -> Iterator[Server]:
        """Return all servers, in the order of their epochs."""
        return iter([self._servers[name] for name in self.epochs.names()])

    def at(self, name: str) -> Server:
        """Return a server, whose knowledge of the others is known.

        Raises:
            StoreError: it cannot be reached, or is not what its name says.
        """
        server = self.named(name)
        server.check_is_there()
        if server.needs_look():
            self._look(server)
        return server

    def named(self, name: str) -> Server:
        """Return a server.

        Raises:
            StoreError: none has this name.
        """
        server = self._servers.get(name)
        if server is None:
            raise StoreError(
                f"no server has the name {name!r} (choose from {', '.join(self.epochs.names())})"
            )
        return server

    def told(self) -> list[Server]:
        """Return the servers that may have runs: those of the epochs that are agreed.

        Raises:
            StoreError: no server can be reached that could say so.
        """
        if not self._agreed():
            errors = []
            for server in self:
                try:
                    self.at(server.name)
                except StoreError as error:
                    errors.append(error)
                if self._agreed():
                    break
            else:
                raise errors[0]
        return [self._servers[name] for name in self.epochs.names(self._agreed())]

    def _agreed(self) -> int:
        """Return how many epochs are agreed, as far as this process knows."""
        notes = (server.note for server in self._servers.values())
        return max((note.agreed for note in notes if note is not None), default=0)

    def there(self) -> Iterator[Server]:
        """Yield the servers that are there, in order.

        One that is away is left out, and named in the log, until it answers again.
        """
        return (server for server in self.told() if server.error is None)

    def working(self) -> Iterator[Server]:
        """Yield the servers that are there, another one first each time."""
        servers = list(self.there())
        first = next(self._turn) % len(servers) if servers else 0
        return iter((*servers[first:], *servers[:first]))

    def try_on(self, server: Server, step: Callable[[ShardStore], _T]) -> list[_T]:
        """Take a step on a server; return what came of it, or nothing: it is away."""
        try:
            return [self._asked(server, step)]
        except StoreError as error:
            if type(error) is not StoreError:  # it says which run
                raise
            return []

    def _asked(self, server: Server, step: Callable[[ShardStore], _T]) -> _T:
        """Take a step on a server, which is left alone from now on if that fails."""
        try:
            return self.at(server.name).step(step)
        except StoreError as error:
            if type(error) is StoreError:
                server.leave_out(error)
            raise

    def try_each(self, step: Callable[[ShardStore], _T]) -> dict[str, _T]:
        """Take a step on each server that is there; return what came of it by their names."""
        done = {server.name: self.try_on(server, step) for server in self.there()}
        return {name: came for name, found in done.items() for came in found}

    def ask_each(self, ask: Callable[[ShardStore], _T]) -> dict[str, _T]:
        """Ask each server.

        Raises:
            StoreError: one of them is away, or this process does not know all of them.
        """
        for server in self.told():
            self._asked(server, lambda _: None)
            self.check_all_are_known(server)
        return {server.name: self._asked(server, ask) for server in self.told()}

    def newest(self) -> list[Server]:
        """Return the servers that the file names now."""
        self._load()
        return list(self)

    def check_may_begin(self, server: Server, run_id: str, number: int, now: int) -> None:
        """Make sure that all processes would look for a new run on this server.

        Args:
            server: where the run is to begin.
            run_id: its id.
            number: which epoch that is.
            now: the present moment, in milliseconds since 1970.

        Raises:
            StoreError: they would not.
        """
        moment = moment_of(run_id)
        if moment is not None and moment > now + _AHEAD:
            raise StoreError(
                f"cannot begin run {run_id!r}: its id says a time that has not come, so a new "
                "epoch could put it elsewhere (leave its id to longterm, or set the clock)"
            )
        self.check_all_are_known(server)
        if server.note is not None and server.note.agreed == 0:
            self.announce()  # whoever was the first to use the servers has not come to the end
        if server.note is None or number >= server.note.agreed:
            server.look_soon()
            since = self.epochs.all[number].since
            raise StoreError(
                f"cannot begin run {run_id!r}: not all servers have been told of the epoch since "
                f"{since:%Y-%m-%dT%H:%M:%SZ} (run `longterm migrate`)"
            )

    def check_all_are_known(self, server: Server) -> None:
        """Make sure that this process knows all epochs that a server has been told of.

        Raises:
            StoreError: it does not; nor does its file, which was read again.
        """
        note = server.note
        if note is None or note.epochs == self.epochs.all[: len(note.epochs)]:
            return
        self._load()
        if note.epochs != self.epochs.all[: len(note.epochs)]:
            raise StoreError(
                f"server {server.name!r} has been told of other epochs than this process has: its "
                "file is older, or was changed (give this machine the newest shards.toml)"
            )

    def announce(self) -> int:
        """Tell all servers of all epochs; return how many are new.

        Raises:
            StoreError: one of them cannot be told, or a new epoch begins too soon.
        """
        with self._changing:
            self._load()
            return announce(list(self), self.epochs, self.clock)

    def now(self, created_at: datetime | None = None) -> int:
        """Return the present moment in milliseconds since 1970; at least that of a creation."""
        now = milliseconds(self.clock.now())
        return now if created_at is None else max(now, milliseconds(created_at))

    @property
    def ahead(self) -> timedelta:
        """How far this process's clock is ahead of that server's which says the most."""
        return max((server.ahead for server in self._servers.values()), key=abs)

    def close(self) -> None:
        """End all sessions."""
        for server in self._servers.values():
            server.close()

    def _open(self) -> None:
        servers = dict(self._servers)  # others may be going through those of before
        for name in self.epochs.names():
            if name not in servers:
                servers[name] = Server(name, self._source.open(name))
        self._servers = servers

    def _load(self) -> None:
        """Read the file again."""
        with self._changing:
            epochs = Epochs(self._source.epochs())
            if epochs.all != self.epochs.all:
                before, self.epochs = self.epochs, epochs
                try:
                    self._open()
                except BaseException:
                    self.epochs = before
                    raise

    def _look(self, server: Server) -> None:
        server.look()
        if server.note is None:
            with self._changing:
                server.look()  # another thread may have told it meanwhile
                if server.note is None:
                    self._see_why_it_knows_nothing(server)

    def _see_why_it_knows_nothing(self, server: Server) -> None:
        """Tell all servers of the first epochs; or find out that a server is new, or is wrong.

        Raises:
            StoreError: another server says that this one has been told.
        """
        others = [other for other in self if other is not server]
        for other in others:
            other.look()
        notes = [other.note for other in others if other.note is not None]
        if not notes:
            announce(list(self), self.epochs, self.clock)
            return
        known = max(notes, key=lambda note: note.agreed)
        if server.name in Epochs(known.epochs).names(known.agreed):
            server.look_soon()
            raise StoreError(
                f"server {server.name!r} does not know that it is one of several: its database is "
                "new, or another one (check its URL, or restore it from a backup)"
            )


class Fixed:
    """Servers and epochs that do not change while a process runs."""

    def __init__(self, stores: Mapping[str, RunStore], epochs: Sequence[Epoch]) -> None:
        """Take stores by their names; without epochs there is one, over all of them."""
        first = Epoch(datetime(1970, 1, 1, tzinfo=UTC), tuple(stores))
        self._stores = stores
        self._epochs = tuple(epochs) or (first,) * bool(stores)

    def epochs(self) -> Sequence[Epoch]:
        """Return the epochs."""
        return self._epochs

    def open(self, name: str) -> RunStore:
        """Return a store."""
        if name not in self._stores:
            raise StoreError(f"an epoch names server {name!r}, which has no store (give one)")
        return self._stores[name]
