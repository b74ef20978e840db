"""How a run is created once, however often somebody starts it under one id.

The digest of the call that begins it is kept among its keys, under a name that no delivery has.
"""

from __future__ import annotations

from collections.abc import Callable

from longterm._event_names import START
from longterm._flows.registry import is_called
from longterm._turns.claims import Claims
from longterm._turns.deliveries import Delivery
from longterm._turns.starts import Start
from longterm.errors import KeyReused, RunExists, UnknownRun
from longterm.run import Run


def created(claims: Claims, start: Start, run: Run, create: Callable[[Run], Run]) -> Run:
    """Create a run; or return the one that was created before under its id, as it is now.

    Args:
        claims: those of the engine.
        start: what the run begins with.
        run: the run.
        create: creates it.

    Raises:
        KeyReused: another call was started under the id.
    """
    call = Delivery(START, start.digests())
    if claims.keys is not None:
        run = call.begun(run)
    while True:
        try:
            return create(run)
        except RunExists:
            pass
        try:
            stored = claims.confirmed(claims.store.get(run.id))
        except UnknownRun:  # the start that has created it was refused, and took it back
            continue
        if stored.flow != run.flow:
            if not is_called(start.flow, stored.flow):
                raise KeyReused(run.id, START)
            call = Delivery(START, start.digests(stored.flow))
        call.is_taken(stored, claims.keys)  # raises if it was another call
        return stored.changed(is_duplicate=True)
