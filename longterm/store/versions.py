"""The store contract about versions: the source of each version that runs wait in, kept once.

A part of `longterm.store.base` in a file of its own. What is kept is bytes for people and tools to
look at; nothing ever executes it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["Versions"]


@runtime_checkable
class Versions(Protocol):
    """A store that keeps the source of versions of flows, whose runs it has or had."""

    def keep_version(self, version: str, source: bytes) -> None:
        """Keep the source of a version, `shop:sell@3f2a9c04d1b75e88`; what is kept already stays.

        Of several callers at once one is first, and no other fails.
        """
        ...

    def find_version(self, version: str) -> bytes | None:
        """Return the source of a version; None if it is not kept."""
        ...

    def find_versions(self, begin: str) -> list[str]:
        """Return the versions that are kept and begin with a text, in the order of their names."""
        ...

    def rewrite_version(self, version: str, source: bytes) -> bool:
        """Replace the source of a version, as with another key; False if none is kept."""
        ...
