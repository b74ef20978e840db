"""A lock for one step of a store, which a signal handler cannot wait for.

A handler runs in the middle of what its thread does. If that is a step that holds the lock, the
step cannot end before the handler does, so whoever waited there would wait for ever.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from longterm.errors import StoreError


class StepLock:
    """Lets one thread in at a time; refuses the one that is in already."""

    def __init__(self) -> None:
        """Begin with nobody in."""
        self._lock = threading.RLock()

    def alone(self) -> AbstractContextManager[object]:
        """Return what to enter with `with`, which leaves the lock whatever interrupts the thread.

        It is the lock itself: code of our own there could be interrupted when it has just taken it.

        Raises:
            StoreError: this thread is in already, so this is a signal handler.
        """
        if self._lock._is_owned():  # type: ignore[attr-defined]
            raise interrupted_step()
        return self._lock


def interrupted_step() -> StoreError:
    """Return what a signal handler is told that interrupted a step of the same store."""
    return StoreError(
        "a signal handler cannot use the store while its thread is in the middle of a step of it "
        "(let the handler only note that the signal came, and act on it afterwards)"
    )
