"""The map: on which server a run is, told from its id alone. Knows no server and no file.

An id of longterm's begins with the time (decision 9), which says the epoch; a hash of the id says
the server in it. So nothing has to be looked up, and a new epoch moves nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from longterm.errors import StoreError

_TIMED: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")
"""A UUID of version 7 (RFC 9562, 5.7), as longterm writes one: it begins with milliseconds."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """From a moment on, new runs are spread over these servers, until the next epoch begins."""

    since: datetime
    servers: tuple[str, ...]
    """Their names. The order counts."""


class Epochs:
    """All epochs there are, the oldest first."""

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        """Take epochs.

        Raises:
            StoreError: there are none, or one cannot be.
        """
        self.all: Final = tuple(epochs)
        if not self.all:
            raise StoreError("there are no epochs (begin with one: since a time, over servers)")
        for epoch in self.all:
            _check(epoch)
        self._begins = [milliseconds(epoch.since) for epoch in self.all]
        for before, after in zip(self._begins, self._begins[1:], strict=False):
            if after <= before:
                raise StoreError("an epoch does not begin after the one before (put them in order)")

    def names(self, count: int | None = None) -> list[str]:
        """Return the names of the servers of all epochs, or of the first ones."""
        found = (name for epoch in self.all[:count] for name in epoch.servers)
        return list(dict.fromkeys(found))

    def number_at(self, moment: int) -> int:
        """Return which epoch it is at a moment, from 0 on; before the first it is the first.

        Args:
            moment: milliseconds since 1970.
        """
        return max(0, bisect_right(self._begins, moment) - 1)

    def begin(self, number: int) -> int:
        """Return when an epoch begins, in milliseconds since 1970."""
        return self._begins[number]

    def place(self, run_id: str, number: int) -> str:
        """Return on which server a run of an epoch is."""
        servers = self.all[number].servers
        return servers[_hash(run_id) % len(servers)]

    def places(self, run_id: str) -> list[str]:
        """Return the servers on which a run may be: the newest epoch's first.

        It is one, unless the id is of the caller's choice and says no time.
        """
        if len(self.all) == 1:
            return [self.place(run_id, 0)]
        moment = moment_of(run_id)
        if moment is not None:
            return [self.place(run_id, self.number_at(moment))]
        numbers = reversed(range(len(self.all)))
        return list(dict.fromkeys(self.place(run_id, number) for number in numbers))


def moment_of(run_id: str) -> int | None:
    """Return when an id was drawn, in milliseconds since 1970; None if it does not say."""
    return int(run_id[:12], 16) if _TIMED.fullmatch(run_id) else None


def milliseconds(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970, as ids have it."""
    return int(moment.timestamp() * 1000)


def _hash(run_id: str) -> int:
    # Python's own `hash` differs from process to process.
    digest = blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest())


def _check(epoch: Epoch) -> None:
    since, servers = epoch.since, epoch.servers
    if not isinstance(since, datetime) or since.utcoffset() is None:
        raise StoreError(
            f"an epoch begins at {since!r}, which is no moment (write 2026-12-01T00:00:00Z)"
        )
    if not servers or len(set(servers)) < len(servers):
        raise StoreError(
            f"the epoch since {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} has no servers, or one "
            "twice (name each once)"
        )
