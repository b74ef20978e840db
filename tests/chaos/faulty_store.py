"""A store in front of another one, with a place for a fault before and after each call.

What happens there is up to the `fault` that it is given: it may raise, or kill the process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

METHODS = (
    *("create", "get", "unsuspend", "update", "claim", "renew", "revive", "release_stale"),
    *("claim_due", "find", "delete_ended", "claim_for_key", "digest_for_key", "forget_keys"),
    *("delete", "rewrite", "post", "unread", "claim_unread", "update_read", "rewrite_unread"),
    *("claim_outgoing", "put_off", "forget_outgoing"),
)
CHANGING = ("create", "claim", "claim_for_key", "update", "renew", "release_stale", "claim_due")
"""The methods that a turn or a worker calls to change a run."""
OF_INBOX = ("post", "claim_unread", "update_read")
"""The methods that change a run by events that come early."""

Fault = Callable[[str, str, Callable[[], Any]], None]
"""Takes a method's name, `before` or `after`, and the call itself."""


class FaultyStore:
    """Calls the other store, and `fault` on both sides of the call."""

    def __init__(self, store: Any, fault: Fault) -> None:
        self.store = store
        self.fault = fault


def _method(name: str) -> Callable[..., Any]:
    def call(self: FaultyStore, *args: Any, **kwargs: Any) -> Any:
        def step() -> Any:
            return getattr(self.store, name)(*args, **kwargs)

        self.fault(name, "before", step)
        outcome = step()
        self.fault(name, "after", step)
        return outcome

    return call


# On the class, since that is where the protocols of the capabilities are looked up.
for _name in METHODS:
    setattr(FaultyStore, _name, _method(_name))
