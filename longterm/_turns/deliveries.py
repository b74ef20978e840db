"""A delivery of an event: by its key, a run knows whether it has taken it before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._codec import content_digests, encode
from longterm._event_names import RESERVED
from longterm.errors import CannotStore, KeyReused, NotStorable
from longterm.run import Run
from longterm.store.base import Keys, new_claim

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent


@dataclass(frozen=True, slots=True)
class Delivery:
    """The key of a delivery, and what tells its content from others."""

    key: str
    digests: list[str]
    """One for each key that seals what is stored; none if there is no telling."""

    def begun(self, run: Run) -> Run:
        """Return a run whose turn this delivery begins."""
        digest = self.digests[0] if self.digests else ""
        return run.changed(delivery=self.key, delivery_digest=digest)

    def is_taken(self, run: Run, keys: Keys | None) -> bool:
        """Tell whether a run has taken this delivery, as far as its store keeps keys.

        Raises:
            KeyReused: it has taken another one under the same key.
        """
        digest = None if keys is None else keys.digest_for_key(run.id, self.key)
        if digest is None:
            return run.delivery == self.key
        is_known = digest != "" and _key_of(digest) in map(_key_of, self.digests)
        if is_known and digest not in self.digests:
            raise KeyReused(run.id, self.key)
        return True


def _key_of(digest: str) -> str:
    """Return the mark of the key that a digest was made with, which may be in use no more."""
    return digest.partition(":")[0]


def delivery_of_unread(event: UnreadEvent) -> Delivery | None:
    """Return the delivery of an event that was sent before, if its sender gave it a key."""
    return Delivery(event.key, [event.digest]) if event.has_own_key else None


def unnamed_delivery() -> Delivery:
    """Return a delivery without a key of its own.

    A step of the store whose answer was lost is taken again, and known by the one that is drawn.
    """
    return Delivery(f"{RESERVED}{new_claim():x}", [])


def kept_event(
    run_id: str,
    event_id: str,
    encoded: bytes,
    delivery: Delivery | None,
    now: datetime,
    actor: str | None,
) -> UnreadEvent:
    """Return an event as the inbox keeps it."""
    from longterm.unread import UnreadEvent

    delivery = delivery or unnamed_delivery()
    return UnreadEvent(
        run_id=run_id,
        event_id=event_id,
        encoded_value=encoded,
        key=delivery.key,
        digest=delivery.digests[0] if delivery.digests else "",
        sent_at=now,
        actor=actor,
    )


def encoded_value(run_id: str, event_id: str, value: Any) -> bytes:
    """Return the value of an event as the inbox of a run holds it.

    Raises:
        CannotStore: it cannot be stored.
    """
    from longterm.unread import inbox_context  # only for those who send

    try:
        return encode(value, inbox_context(run_id, event_id))
    except NotStorable as error:
        raise CannotStore(f"cannot store the value of event {event_id!r}: {error}") from error


def delivery_of(event_id: str, value: Any, key: str) -> Delivery:
    """Return the delivery of an event that came with a key."""
    return Delivery(key, content_digests(event_id, value))
