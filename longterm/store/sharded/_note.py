"""The note that each server keeps of the others: text in the store, epochs here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from longterm.errors import StoreError
from longterm.store.sharded._epochs import Epoch

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Note:
    """What one server has been told."""

    server: str
    """Which one it is itself."""
    epochs: tuple[Epoch, ...]
    agreed: int
    """How many of the epochs all their servers have been told of; no run begins in a later one."""

    def text(self) -> str:
        """Return the note as a server keeps it."""
        epochs = [[epoch.since.isoformat(), [*epoch.servers]] for epoch in self.epochs]
        written: dict[str, Any] = {
            "format": _FORMAT,
            "server": self.server,
            "agreed": self.agreed,
            "epochs": epochs,
        }
        return json.dumps(written, ensure_ascii=False)


def read_note(text: str) -> Note:
    """Return the note that a text is.

    Raises:
        StoreError: it is none.
    """
    try:
        written = json.loads(text)
        if written["format"] != _FORMAT:
            raise ValueError(f"format {written['format']}")
        epochs = tuple(
            Epoch(datetime.fromisoformat(since).astimezone(UTC), tuple(servers))
            for since, servers in written["epochs"]
        )
        return Note(str(written["server"]), epochs, int(written["agreed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"what it has noted of the other servers cannot be read: {error} (upgrade longterm, "
            "or restore the table `shard` from a backup)"
        ) from error
