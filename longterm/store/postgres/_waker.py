"""What tells resting workers on Postgres that there is work: saved runs go in, few hints come out.

A NOTIFY takes a lock of the whole cluster until its transaction has committed, so as a part of a
save it would let no two saves commit at once. Hence it is a statement of its own: after the commit,
by a thread, at most one in 20 milliseconds, with the soonest moment of all that came meanwhile.
A hint that is lost costs no more than a worker's rest: workers look by themselves, too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import time
from typing import Final, Protocol

from longterm._fork import register_reset
from longterm.run import Run, RunState

NOW: Final = 0.0
"""The moment of what there is to be done at once."""

_PAUSE_SECONDS: Final = 0.02
_TOLD_SECONDS: Final = 300.0
"""Workers look at least every five minutes; of what is due later they need not be told."""
_CLOSE_SECONDS: Final = 2.0


class Tells(Protocol):
    """What a hint is given to."""

    def tell(self, at: float) -> None:
        """Say that there is work at a moment, in seconds since 1970."""
        ...


def moment_of_work(run: Run, *, is_ready: bool) -> float | None:
    """Return when there is work on a run that was just saved, if workers are to be told.

    Args:
        run: the run.
        is_ready: whether it can go on at once, by an event in its inbox or by its queue.
    """
    if run.state is not RunState.SUSPENDED:
        return None
    if is_ready:
        return NOW
    if run.deadline is None:
        return None
    deadline, now = run.deadline.timestamp(), time()
    if deadline < now:  # workers take it for one that they have seen
        return NOW
    # A clock that somebody has set for tests is that of the saved run.
    saved = now if run.updated_at is None else max(now, run.updated_at.timestamp())
    return deadline if deadline < saved + _TOLD_SECONDS else None


class Waker:
    """Sends hints to the workers of one store; its thread begins with the first."""

    def __init__(self, send: Callable[[str], object]) -> None:
        """Note how to send.

        Args:
            send: sends the text of one hint; whatever it raises loses that hint.
        """
        self._send = send
        self._is_closed = False
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Leave what is to be told to the parent process."""
        self._hints: deque[float] = deque()
        self._thread: threading.Thread | None = None
        # Locks of C alone, as `Keeper` has them: each is locked while there is nothing to be done.
        self._wanted, self._ended = threading.Lock(), threading.Lock()
        self._wanted.acquire()
        self._ended.acquire()

    def tell(self, at: float) -> None:
        """Have workers told of a moment, soon."""
        self._hints.append(at)
        if self._thread is None:
            self._start()
        _unlock(self._wanted)

    def close(self) -> None:
        """Send what is left, if it can be sent within two seconds."""
        self._is_closed = True
        _unlock(self._ended)
        _unlock(self._wanted)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)

    def _start(self) -> None:
        self._thread = thread = threading.Thread(
            target=self._keep_sending, name="longterm-waker", daemon=True
        )
        try:
            thread.start()
        except BaseException as error:
            self._thread = None
            self._hints.clear()
            if not isinstance(error, RuntimeError | MemoryError):  # "can't start new thread"
                raise

    def _keep_sending(self) -> None:
        while True:
            self._wanted.acquire()
            is_closed = self._is_closed
            self._send_soonest()
            if is_closed:
                return
            self._ended.acquire(timeout=_PAUSE_SECONDS)

    def _send_soonest(self) -> None:
        """Send one hint for all that came: who comes then finds what else there is."""
        hints: list[float] = []
        with suppress(IndexError):
            while True:
                hints.append(self._hints.popleft())
        if hints:
            with suppress(Exception):
                self._send(repr(min(hints)))


def _unlock(lock: threading.Lock) -> None:
    with suppress(RuntimeError):  # it is unlocked
        lock.release()
