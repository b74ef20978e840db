"""What the methods of an engine have in common: its store, and what runs turns on that."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from longterm._codec import check_keys
from longterm._flows.flow import IS_COROUTINE
from longterm._later import later
from longterm._records import Records
from longterm._turns.arrivals import Arrivals
from longterm._turns.claims import Claims
from longterm._turns.kept_sources import KeptSources
from longterm._turns.turns import Turns
from longterm.clock import Clock, SystemClock
from longterm.errors import NotSupported, StoreError
from longterm.run import Run, RunState
from longterm.store import open_store
from longterm.store.base import RunStore

if TYPE_CHECKING:
    from longterm._observer import Observer
    from longterm._turns.due import DueTurns
    from longterm._turns.going_on import GoingOn
    from longterm._turns.recording import Recording
    from longterm._turns.sending import Sending
    from longterm.links import Links
else:
    Observer = later("longterm._observer", "Observer")
    Links = later("longterm.links", "Links")

MAX_ATTEMPTS: Final = 5
"""How many turns of a run may die in a row, unless an engine is told otherwise."""
MAX_BYTES: Final = 64 * 2**20
"""What a stack, the responses or a result may take, unless an engine is told otherwise."""
MAX_EVENT_BYTES: Final = 16 * 2**20
"""What the value of an event may take, unless an engine is told otherwise."""
HISTORIES: Final = ("off", "events", "frames")
"""What an engine may keep of each turn."""
MAX_UNREAD: Final = 1000
"""How many events a run may have that it has not read, unless an engine is told otherwise."""


class Parts(Records):
    """An engine without its methods."""

    def __init__(
        self,
        store: RunStore | str,
        *,
        clock: Clock | None = None,
        lease: timedelta = timedelta(seconds=60),
        max_attempts: int = MAX_ATTEMPTS,
        max_bytes: int = MAX_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_unread: int = MAX_UNREAD,
        on_turn: Callable[[Run], object] | None = None,
        inline: bool = True,
        history: str = "off",
        versions: Literal["on", "off"] = "on",
        observer: Observer | None = None,
        links: Links | None = None,
    ) -> None:
        """Use a store, or open the store of a URL such as `sqlite:///runs.db`.

        Args:
            store: where the runs are.
            clock: where all stored times come from; the machine's unless told otherwise.
            lease: how long a claim holds when its process dies, on stores that have leases. While
                the process lives it renews its claims, however long a turn takes.
            max_attempts: after how many turns in a row that died with their process a run is
                failed instead of taken up once more; a worker of this engine keeps to it too.
            max_bytes: how many bytes the stack, the responses or the result of a run may take,
                each. A turn that would leave more is refused; a stack that has more is not read.
            max_event_bytes: how many bytes the value of an event may take, as it would be stored.
            max_unread: how many events a run may have been sent that it has not read.
            on_turn: called with the saved run after each turn that ends in a wait or an end, in
                the thread of the turn, a worker's too. What it raises is logged, and changes
                nothing. It is not called if the process dies just then.
            inline: whether a call runs what its turn causes before it returns: the first turns of
                the runs that it begins, and the turns of those that it sends events. If not,
                workers do.
            history: `events`: keep what comes to each run, who sent it, and what its turns made of
                it; `frames`: keep its frames before each turn too, so that it can be forked from
                there and put back (docs/history.md). Give all processes of a store the same.
            versions: whether the source of each version of a flow that runs wait in is kept in the
                store, once, so that old lines are shown and compared. It is never executed.
            observer: who is told of the turns and of their steps: a `longterm.telemetry.Telemetry`.
            links: a `longterm.links.Links`, which signs what `link` returns.

        Raises:
            ValueError: the lease is no time at all, a number allows nothing, `on_turn` is no
                plain function, or `history` or `versions` is none of these.
            NotSupported: the store keeps no histories, and is to.
            StoreError: the URL names no store.
            InvalidKey: a key in `LONGTERM_KEY` is too short, or not random.
        """
        check_keys()
        _check_callback(on_turn)
        _check_limits(lease, max_attempts, max_bytes, max_event_bytes, max_unread)
        if versions not in ("on", "off"):
            raise ValueError(f"versions={versions!r} is neither 'on' nor 'off'")
        opened: RunStore = open_store(store) if isinstance(store, str) else store
        super().__init__(opened, clock or SystemClock())
        self._claims = Claims(self.store, self.clock, lease, max_attempts, observer)
        if history != "off":
            self._claims.recording = recording_of(self.store, self.clock, history)
        self._turns = Turns(
            *(self.store, self.clock, self._claims),
            max_bytes=max_bytes,
            max_event_bytes=max_event_bytes,
            on_turn=on_turn,
            sources=KeptSources(self.store) if versions == "on" else None,
        )
        running = self._turns.running
        running.on_failure, running.aon_failure = self._gone_on, self._agone_on
        self._inline, self.links = inline, links
        self._arrivals = Arrivals(self._turns, self._claims, max_event_bytes=max_event_bytes)
        self._max_bytes = max_bytes
        self._max_event_bytes, self._max_unread = max_event_bytes, max_unread

    @cached_property
    def _due(self) -> DueTurns:
        """What workers find due runs by."""
        from longterm._turns.due import DueTurns

        due = DueTurns(self._turns, self._claims, self.clock)
        due.on_end = lambda run: self._going_on.deliver(run)
        return due

    @cached_property
    def _sending(self) -> Sending:
        """What sends events."""
        from longterm._turns.sending import Sending

        return Sending(
            self._claims,
            self.clock,
            max_event_bytes=self._max_event_bytes,
            max_unread=self._max_unread,
        )

    @cached_property
    def _going_on(self) -> GoingOn:
        """What does what turns have caused."""
        from longterm._turns.going_on import GoingOn

        return GoingOn(self._due, self._sending, is_inline=self._inline)

    def _gone_on(self, run: Run) -> Run:
        """Return a run once all is done that its turn has caused, and can be done now."""
        return self._going_on.go_on(run) if _has_caused(run) else run

    async def _agone_on(self, run: Run) -> Run:
        return await self._going_on.ago_on(run) if _has_caused(run) else run


def _has_caused(run: Run) -> bool:
    """Whether a turn has left anything to do; a run that has failed reads nothing."""
    if run.is_duplicate or not (run.unread or run.outgoing):
        return False
    return bool(run.outgoing) or run.state is RunState.SUSPENDED


def history_wanted() -> str:
    """Return what the environment says is to be kept of each turn.

    Raises:
        StoreError: it says something else.
    """
    wanted = os.environ.get("LONGTERM_HISTORY") or "off"
    if wanted not in HISTORIES:
        raise StoreError(f"LONGTERM_HISTORY={wanted!r} is none (set off, events or frames)")
    return wanted


def versions_wanted() -> Literal["on", "off"]:
    """Return whether the environment says that the source of versions is to be kept.

    Raises:
        StoreError: it says something else.
    """
    match os.environ.get("LONGTERM_VERSIONS") or "on":
        case "on":
            return "on"
        case "off":
            return "off"
        case wanted:
            raise StoreError(f"LONGTERM_VERSIONS={wanted!r} is neither (set on or off)")


def recording_of(store: RunStore, clock: Clock, history: str) -> Recording:
    """Return what makes the entries of histories of a kind.

    Raises:
        ValueError: there is no such kind.
        NotSupported: the store keeps no histories.
    """
    from longterm._turns.recording import Recording  # for few
    from longterm.store.history import History

    if history not in HISTORIES:
        raise ValueError(f"history={history!r} is none (choose 'off', 'events' or 'frames')")
    if not isinstance(store, History):
        raise NotSupported(store, "histories of runs")
    return Recording(clock.now, with_frames=history == "frames")


def _check_callback(on_turn: object) -> None:
    code = getattr(on_turn, "__code__", None)
    if on_turn is not None and (not callable(on_turn) or (code and code.co_flags & IS_COROUTINE)):
        raise ValueError(f"on_turn={on_turn!r} is no plain function (give a `def`, no `async def`)")


def _check_limits(
    lease: timedelta, max_attempts: int, max_bytes: int, max_event_bytes: int, max_unread: int
) -> None:
    if lease <= timedelta(0):
        raise ValueError(f"lease={lease!r} is no time (give timedelta(seconds=60))")
    if max_attempts < 1:
        raise ValueError(f"max_attempts={max_attempts} allows nothing (give {MAX_ATTEMPTS})")
    if max_bytes < 1:
        raise ValueError(f"max_bytes={max_bytes} allows nothing (give {MAX_BYTES}, 64 MiB)")
    if max_unread < 1:
        raise ValueError(f"max_unread={max_unread} allows nothing (give {MAX_UNREAD})")
    if max_event_bytes < 1:
        raise ValueError(
            f"max_event_bytes={max_event_bytes} allows nothing (give {MAX_EVENT_BYTES}, 16 MiB)"
        )
