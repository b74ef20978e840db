"""How all servers are told of a new epoch, before it begins.

Twice: first each is told of it, then each that all are. Who finds the second note on any server
knows that no process goes by an older map any more when the epoch begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Final

from longterm.clock import Clock
from longterm.errors import StoreError
from longterm.store.sharded._epochs import Epoch, Epochs
from longterm.store.sharded._note import Note
from longterm.store.sharded._server import Server
from longterm.store.sharded._shares import share_out

NOTICE: Final = timedelta(minutes=5)
"""How long before it begins all servers must have been told of an epoch: longer than a process goes
by what it has read, and than clocks may differ."""


def announce(servers: Sequence[Server], epochs: Epochs, clock: Clock) -> int:
    """Tell servers of epochs; return how many of these are new.

    Raises:
        StoreError: a server cannot be told, knows of others, or a new epoch begins too soon.
    """
    for server in servers:
        server.look()
    notes = [server.note for server in servers if server.note is not None]
    agreed = max((note.agreed for note in notes), default=0)
    _check_known(servers, epochs, agreed)
    if agreed < len(epochs.all):
        # A first epoch may have begun: nothing has been begun anywhere before.
        new = epochs.all[max(agreed, 1) :]
        _check_notice(new, clock, NOTICE)
        for server in servers:
            known = 0 if server.note is None else server.note.agreed
            server.write(Note(server.name, epochs.all, known))
        share_out(servers, clock.now())
        _check_notice(new, clock, NOTICE / 2)
    for server in servers:
        assert server.note is not None
        server.write(replace(server.note, epochs=epochs.all, agreed=len(epochs.all)))
    return len(epochs.all) - agreed


def _check_known(servers: Sequence[Server], epochs: Epochs, agreed: int) -> None:
    if agreed > len(epochs.all):
        raise StoreError(
            "the servers have been told of more epochs than are given here (take the newest "
            "shards.toml)"
        )
    for server in servers:
        note = server.note
        if note is not None and note.epochs[:agreed] != epochs.all[:agreed][: len(note.epochs)]:
            raise StoreError(
                f"server {server.name!r} has been told of other epochs: one that was announced is "
                "never changed or taken out (put it back as it was, and add a new one)"
            )


def _check_notice(new: Sequence[Epoch], clock: Clock, notice: timedelta) -> None:
    now = clock.now()
    for epoch in new:
        if epoch.since < now + notice:
            at = (now + 2 * NOTICE).astimezone(UTC)
            raise StoreError(
                f"the epoch since {epoch.since:%Y-%m-%dT%H:%M:%SZ} begins too soon: processes "
                "need five minutes to hear of it (let it begin later, such as since = "
                f"{at:%Y-%m-%dT%H:%M:%SZ})"
            )
