"""What is reset in a forked process: it has the parent's memory, but none of its other threads.

Locks that they held would stay locked, and what they were about to do is the parent's to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet


class Forked(Protocol):
    """An object that cannot go on in a child process as it stands."""

    def reset_after_fork(self) -> None:
        """Forget the threads of the parent process."""
        ...


_forked: WeakSet[Forked] = WeakSet()


def register_reset(owner: Forked) -> None:
    """Reset an object now, and again in each process that is forked while it lives."""
    owner.reset_after_fork()
    _forked.add(owner)


def at_fork(**steps: Callable[[], Any]) -> None:
    """Have something done at each fork, if this system has forks; see `os.register_at_fork`."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**steps)


def _after_in_child() -> None:
    for owner in list(_forked):
        owner.reset_after_fork()


at_fork(after_in_child=_after_in_child)
