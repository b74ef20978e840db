"""The flow of the chaos tests: it keeps what it was told, and says it back."""

from __future__ import annotations

from datetime import timedelta

from longterm import deflow, respond, set_index, suspend

EXPIRED = "expired"
EVENTS = 20
"""How many events a run takes."""


@deflow
def collect(patience):
    """Wait for some events, every fourth for a short time only; return their values in order."""
    seen = []
    while len(seen) < EVENTS:
        set_index(seen=len(seen))
        expires = timedelta(seconds=patience) if len(seen) % 4 == 3 else None
        if expires is None:
            value = suspend(f"event {len(seen)}")
        else:
            value = suspend(f"event {len(seen)}", expires=expires, default=EXPIRED)
        seen.append(value)
        respond(f"event {len(seen) - 1}: {value}")
    return seen
