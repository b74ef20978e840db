"""A store in front of another one, with a place for a fault before and after each call.

What happens there is up to the `fault` that it is given: it may raise, or kill the process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from longterm.store.base import (
    Deadlines,
    Deletion,
    Erasure,
    Keys,
    Leases,
    Rewriting,
    RunStore,
    Search,
)
from longterm.store.history import History
from longterm.store.inbox import Inbox
from longterm.store.outbox import Outbox

CAPABILITIES = (
    *(RunStore, Leases, Deadlines, Keys, Search, Deletion, Erasure, Rewriting),
    *(Inbox, Outbox, History),
)
METHODS = tuple(
    name for capability in CAPABILITIES for name in vars(capability) if not name.startswith("_")
)
CHANGING = ("create", "claim", "claim_for_key", "update", "renew", "release_stale", "claim_due")
"""The methods that a turn or a worker calls to change a run."""
OF_INBOX = ("post", "claim_unread", "update_read")
"""The methods that change a run by events that come early."""
OF_OUTBOX = ("claim_outgoing", "put_off", "forget_outgoing")
"""The methods that change what turns have sent."""

Fault = Callable[[str, str, Callable[[], Any]], None]
"""Takes a method's name, `before` or `after`, and the call itself."""

Note = Callable[[str, tuple[Any, ...], dict[str, Any], Any], None]
"""Takes a method's name, its arguments, and what it has returned."""


class FaultyStore:
    """Calls the other store, and `fault` on both sides of the call."""

    def __init__(self, store: Any, fault: Fault) -> None:
        self.store = store
        self.fault = fault


class WatchedStore:
    """Calls the other store, and `note` with what each call that was not refused has returned."""

    def __init__(self, store: Any, note: Note) -> None:
        self.store = store
        self.note = note


def _faulty(name: str) -> Callable[..., Any]:
    def call(self: FaultyStore, *args: Any, **kwargs: Any) -> Any:
        def step() -> Any:
            return getattr(self.store, name)(*args, **kwargs)

        self.fault(name, "before", step)
        outcome = step()
        self.fault(name, "after", step)
        return outcome

    return call


def _watched(name: str) -> Callable[..., Any]:
    def call(self: WatchedStore, *args: Any, **kwargs: Any) -> Any:
        outcome = getattr(self.store, name)(*args, **kwargs)
        self.note(name, args, kwargs, outcome)
        return outcome

    return call


# On the class, since that is where the protocols of the capabilities are looked up.
for _name in METHODS:
    setattr(FaultyStore, _name, _faulty(_name))
    setattr(WatchedStore, _name, _watched(_name))
