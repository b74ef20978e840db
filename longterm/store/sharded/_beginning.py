"""Where a run is, and how it begins: once, however many epochs and processes there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from longterm.errors import RunExists, StoreError, UnknownRun, UnreadableRun
from longterm.run import Run
from longterm.store._remembered import Remembered
from longterm.store.sharded._epochs import moment_of
from longterm.store.sharded._marks import SETTLED, is_mark, mark_of
from longterm.store.sharded._server import Server, ShardStore
from longterm.store.sharded._servers import Servers

_T = TypeVar("_T")


class Beginning:
    """The part of the store that knows where runs are."""

    _servers: Servers

    def __init__(self) -> None:
        """Know of no run yet."""
        super().__init__()
        self._found = Remembered()
        """The server of each run whose id does not say it, as it was found last."""

    def create(self, run: Run) -> Run:
        servers, epochs = self._servers, self._servers.epochs
        now, moment = servers.now(run.created_at), moment_of(run.id)
        number = epochs.number_at(now if moment is None else moment)
        server = servers.at(epochs.place(run.id, number))
        servers.check_may_begin(server, run.id, number, now)
        if servers.epochs is not epochs:  # the file was read again
            return self.create(run)
        if moment is None and len(epochs.all) > 1:
            return self._create_chosen(run, number, now)
        return server.step(lambda store: store.create(run))

    def _create_chosen(self, run: Run, number: int, now: int) -> Run:
        """Create a run whose id says no time: it may be there already, in an earlier place."""
        epochs = self._servers.epochs
        name = epochs.place(run.id, number)
        server = self._servers.at(name)
        self._servers.check_may_begin(server, run.id, number, now)
        for earlier in range(number):
            place = epochs.place(run.id, earlier)
            if place != name:
                is_settled = now > epochs.begin(earlier + 1) + SETTLED
                self._keep_out(place, run, is_settled=is_settled)
        try:
            created = server.step(lambda store: store.create(run))
        except RunExists:
            if number + 1 < len(epochs.all) and self._is_mark(server, run.id):
                # A process whose clock is ahead has begun the next epoch, and this run perhaps.
                return self._create_chosen(run, number + 1, now)
            raise
        self._found.note(run.id, name)
        return created

    def _keep_out(self, place: str, run: Run, *, is_settled: bool) -> None:
        """See to it that a run is not, and will not be, on the server of an earlier epoch.

        Raises:
            RunExists: it is there.
            StoreError: that cannot be told.
        """
        try:
            server = self._servers.at(place)
            if not is_settled and self._leave_mark(server, run):
                return
            if not self._is_mark(server, run.id):
                raise RunExists(run.id)
        except UnknownRun:
            if not is_settled:  # what was there has just been deleted
                self._keep_out(place, run, is_settled=is_settled)
        except StoreError as error:
            raise StoreError(
                f"cannot begin run {run.id!r}: it may be on a server of an earlier epoch that is "
                f"away (try again when that is back): {error}"
            ) from error

    def _leave_mark(self, server: Server, run: Run) -> bool:
        mark = mark_of(run, self._servers.clock.now())
        try:
            server.step(lambda store: store.create(mark))
        except RunExists:
            return False
        return True

    def _is_mark(self, server: Server, run_id: str) -> bool:
        """Tell whether a record is a mark.

        Raises:
            UnknownRun: there is none.
        """
        try:
            return is_mark(server.step(lambda store: store.get(run_id)))
        except UnreadableRun:
            return False

    def _on(self, run_id: str, step: Callable[[ShardStore], _T]) -> _T:
        """Take a step on the server that has a run.

        Raises:
            UnknownRun: none has it.
            StoreError: that cannot be told, since a server is away or knows of more.
        """
        name = self._place(run_id)
        server = self._servers.at(name)
        try:
            return server.step(step)
        except UnknownRun:
            self._servers.check_all_are_known(server)  # else it would be looked for elsewhere
            self._found.pop(run_id, None)
            place = self._place(run_id)
            if place == name:
                raise
        return self._servers.at(place).step(step)

    def _place(self, run_id: str) -> str:
        """Return the name of the server that has a run, or on which it would begin."""
        places = self._servers.epochs.places(run_id)
        if len(places) == 1:
            return places[0]
        return self._found.get(run_id) or self._search(run_id, places)

    def _search(self, run_id: str, places: list[str]) -> str:
        """Find a run in one of several places, the newest first.

        Raises:
            StoreError: it was not found, and a server is away.
        """
        away: StoreError | None = None
        for name in places:
            try:
                if self._is_mark(self._servers.at(name), run_id):
                    continue
            except UnknownRun:
                continue
            except StoreError as error:
                away = away or error
                continue
            self._found.note(run_id, name)
            return name
        if away is not None:
            raise away
        return places[0]
