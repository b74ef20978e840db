"""What has ended is moved out of the way of what goes on, in a store that keeps it by month."""

from __future__ import annotations

import logging
from typing import Final

from longterm.errors import StoreError
from longterm.store.base import ByMonth, RunStore

_log = logging.getLogger("longterm")

_AT_ONCE: Final = 1000
"""How many runs are moved in one round: what is left waits for the next one, and nobody for it."""


class Moving:
    """Moves the runs of one store that have ended."""

    def __init__(self, store: RunStore) -> None:
        """Move what ends in a store, if that keeps it by month."""
        self._store = store if isinstance(store, ByMonth) else None
        self._has_failed = False

    def move(self) -> None:
        """Move some runs that have ended.

        That it cannot be done is logged once, and ends no round: what goes on does not need it.
        """
        if self._store is None:
            return
        try:
            self._store.move_ended(limit=_AT_ONCE)
        except StoreError:
            if not self._has_failed:
                _log.exception("the worker could not move runs that have ended (it tries again)")
            self._has_failed = True
        else:
            self._has_failed = False
