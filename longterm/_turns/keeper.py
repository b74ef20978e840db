"""A thread that renews claims while their turns take long."""

from __future__ import annotations

import threading
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from longterm._fork import register_reset
from longterm.clock import Clock
from longterm.run import Run
from longterm.store.base import Leases
from longterm.store.progress import Progress

if TYPE_CHECKING:
    from longterm._flows.context import LiveTurn

_RENEWALS: Final = 3
"""How many times a claim is renewed in the time for which it would hold."""


class Held(Protocol):
    """What has a claimed run in hand."""

    run: Run | None
    turn: LiveTurn | None


class Keeper:
    """Renews the claims of one engine, each while somebody has it in hand.

    It knows them by weak references: whatever becomes of a turn, a claim that nobody has is not
    renewed, so it runs out.
    """

    def __init__(self, leases: Leases | None, clock: Clock, lease: timedelta) -> None:
        """Renew claims on a store, if it has leases."""
        self._leases = leases
        self._clock = clock
        self._lease = lease
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Hold no claim; none is kept alive by a thread."""
        self._held: set[weakref.ref[Held]] = set()
        self._thread: threading.Thread | None = None
        self._has_warned = False

    def hold(self, claim: Held) -> None:
        """Keep a claim alive while somebody has it in hand, until it is dropped."""
        self._held.add(weakref.ref(claim))
        if self._thread is None:
            self._start()

    def drop(self, claim: Held) -> None:
        """Leave a claim to run out."""
        self._held.discard(weakref.ref(claim))

    def renew(self) -> None:
        """Renew every claim that is held; one that was lost meanwhile is dropped."""
        claims = list(self._held)
        failures = [error for held in claims if (error := self._renew(held))]
        if failures:
            warn(
                "cannot renew %d of %d claims (%s): they are tried again; if one runs out before, "
                "another process may take the run up, and this turn of it is not saved then",
                len(failures),
                len(claims),
                type(failures[-1]).__name__,
            )

    def _renew(self, held: weakref.ref[Held]) -> Exception | None:
        """Renew a claim; return why it could not be done."""
        claim = held()
        run = None if claim is None else claim.run
        if run is None or self._leases is None:
            self._held.discard(held)
            return None
        try:
            until = self._clock.now() + self._lease
            # A store that draws no numbers need not take one.
            number = {} if run.claim is None else {"claim": run.claim}
            is_renewed = self._leases.renew(run.id, run.turn, until=until, **number)
            # A save in the middle of the turn may have given it another number meanwhile.
            is_same = held in self._held and claim is not None and claim.run is run
            if not is_renewed and is_same:
                self._held.discard(held)
                warn("run %s: the claim for turn %d was lost, so it is not saved", run.id, run.turn)
            if is_renewed and claim is not None and claim.turn is not None:
                self._note(run, claim.turn)
        except Exception as error:
            return error
        return None

    def _note(self, run: Run, turn: LiveTurn) -> None:
        """Keep for people what a long turn is at."""
        says, store = turn.progress, self._leases
        if says is not None and isinstance(store, Progress):
            store.note_progress(run.id, run.turn, says())

    def _start(self) -> None:
        """Start the thread that renews; it ends when the claims are garbage.

        If it cannot be started, the claims hold for their time all the same, and the next one tries
        again.
        """
        # No Event: it is set where garbage is collected, be it in a process that was forked while a
        # thread held what locks an Event inside. A lock of C alone is released at any place.
        until_end = threading.Lock()
        until_end.acquire()
        keeper = threading.Thread(
            target=_keep,
            args=(weakref.ref(self), self._lease.total_seconds() / _RENEWALS, until_end),
            name="longterm-leases",
            daemon=True,
        )
        self._thread = keeper
        try:
            keeper.start()
            weakref.finalize(self, until_end.release)
        except (RuntimeError, MemoryError) as error:  # "can't start new thread"
            self._thread = None
            if not self._has_warned:
                self._has_warned = True
                warn(
                    "claims are not renewed for now (%s: %s); a turn of more than %g s may be "
                    "taken up by another process",
                    type(error).__name__,
                    error,
                    self._lease.total_seconds(),
                )
        except BaseException:
            self._thread = None
            raise

    def runs_in(self, thread: threading.Thread) -> bool:
        """Tell whether this thread is the one that renews."""
        return self._thread is thread


def _keep(keeper: weakref.ref[Keeper], pause: float, until_end: threading.Lock) -> None:
    while not until_end.acquire(timeout=pause):
        alive = keeper()
        if alive is None or not alive.runs_in(threading.current_thread()):
            return
        alive.renew()
        del alive


def warn(message: str, *values: object) -> None:
    """Log a line for those who run the application."""
    import logging  # not loaded until it is needed

    logging.getLogger("longterm").warning(message, *values)
