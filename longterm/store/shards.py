"""The store contract about several servers: what a store needs to be one of them, or to have them.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from longterm.store.base import RunStore

__all__ = ["HasParts", "Shard"]


@runtime_checkable
class Shard(Protocol):
    """A store that can be one of several servers: it keeps a note of what these agree on."""

    def shard_note(self) -> str | None:
        """Return the note that was written last; None: there is none."""
        ...

    def write_shard_note(self, before: str | None, note: str) -> bool:
        """Write the note in place of the one that was there before; None: there was none.

        In one atomic step, as durable as a save; False if another one is there.
        """
        ...

    def forget_sent_to(self, run_ids: Collection[str]) -> int:
        """Forget all messages in the outbox that are for some runs; return how many."""
        ...


@runtime_checkable
class HasParts(Protocol):
    """A store on several servers, each of which can be worked for alone."""

    @property
    def part_names(self) -> Sequence[str]:
        """The names of its servers."""
        ...

    def part(self, name: str) -> RunStore:
        """Return a view of the store that looks for work on one server only.

        It has all runs, and finds the due ones, the dead ones and the undelivered ones of one.

        Raises:
            StoreError: no server has this name.
        """
        ...
