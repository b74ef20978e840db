"""How far this machine's clock is from the server's: what it said when asked goes in.

A claim holds until a moment that its process wrote and that other machines compare with their own
clocks. So a clock that is far ahead takes live turns from others, and one that is behind loses its
own. Knows nothing of leases.
"""

from __future__ import annotations

import logging
import math
from datetime import timedelta
from time import monotonic, time
from typing import Final

from longterm.store.postgres._connection import Reading

_log = logging.getLogger("longterm")

_WARN_SECONDS: Final = 1.0
_KNOWN_SECONDS: Final = 3600.0
_SET_SECONDS: Final = 0.5
"""By so much this machine's clock must move against its monotonic one to have been set anew."""


class ServerClock:
    """What is known of the server's clock."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ahead = 0.0
        self.ahead = timedelta(0)
        """How far this machine's clock was ahead when last measured; negative: behind."""
        self._measured_at = -math.inf
        self._base = 0.0
        self._warned = 0.0

    def note(self, reading: Reading) -> None:
        """Take note of what the server's clock said; warn when it is another time than here.

        The server looked at its clock between two moments of ours, so that is how exactly the
        difference is known: what the way there and back may explain is none.
        """
        server = reading.server.timestamp()
        least, most = reading.asked_at - server, reading.heard_at - server
        self._ahead = least if least > 0 else min(most, 0.0)
        self.ahead = timedelta(seconds=self._ahead)
        self._measured_at = monotonic()
        self._base = time() - self._measured_at
        if abs(self._ahead - self._warned) > _WARN_SECONDS:
            self._warned = self._ahead
            if abs(self._ahead) > _WARN_SECONDS:
                _log.warning(
                    "the clock of this machine is %.1f seconds %s the database's: deadlines and "
                    "leases are off by as much (set both by NTP)",
                    abs(self._ahead),
                    "ahead of" if self._ahead > 0 else "behind",
                )

    @property
    def is_known(self) -> bool:
        """Whether the difference was measured lately, and this machine's clock not set since.

        One that is large is never known: somebody may just have set the server's clock right.
        """
        now = monotonic()
        return (
            abs(self._ahead) < _WARN_SECONDS
            and now - self._measured_at < _KNOWN_SECONDS
            and abs(time() - now - self._base) < _SET_SECONDS
        )
