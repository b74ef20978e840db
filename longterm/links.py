"""Links that answer a wait: for e-mails and chats, to people who have no account.

A link holds what it is for, signed: the run, the event, until when, and a number drawn for it. That
number is the key of its delivery, so the run itself knows a link that was used: nothing is stored
until then.
"""

from __future__ import annotations

import binascii
import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from longterm._codec.keys import secret_of
from longterm._names import event_name, id_of_run, revision_of
from longterm.errors import LongtermError

__all__ = ["InvalidLink", "Link", "LinkExpired", "LinkUsed", "Links"]

LONGEST_LIFE: Final = timedelta(days=30)
"""So long a run knows the keys of its deliveries, at least; then it would take a link again."""
_LONGEST_TOKEN: Final = 4_000
"""Characters. Some readers of e-mails cut longer URLs."""
_FORM: Final = "1"
"""The form of what is signed; it is signed with it."""


class InvalidLink(LongtermError):
    """Raised when a link was not made with a secret of this application, or was altered."""

    def __init__(self) -> None:
        """Say no more: what is wrong helps who alters links."""
        super().__init__("there is no such link (open it as it was sent, to its very end)")


class LinkExpired(LongtermError):
    """Raised when a link is too old."""

    def __init__(self, expired_at: datetime) -> None:
        """Keep until when it was good."""
        self.expired_at = expired_at
        super().__init__(
            f"the link was good until {expired_at:%Y-%m-%d %H:%M} UTC (ask for another)"
        )


class LinkUsed(LongtermError):
    """Raised when a link was used before, or what it was to answer is over, or not asked yet."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            "the run does not wait for this answer: a link works once, for its own wait "
            "(ask for another)"
        )


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for."""

    run_id: str
    event_id: str
    revision: int | None
    """The only wait that it is for; None: any for the event."""
    expires_at: datetime
    nonce: str
    has_value: bool = False
    value: Any = None
    """What it answers; if it has none, whoever opens it says that."""

    @property
    def key(self) -> str:
        """The key of its delivery."""
        return f"link:{self.nonce}"


class Links:
    """Makes links, and reads them again."""

    def __init__(self, url: str, secrets: str | bytes | Sequence[str | bytes]) -> None:
        """Take where the application is, and what it signs with.

        Args:
            url: where `longterm.web.app` is mounted, `https://shop.example/longterm`.
            secrets: one, or several: the first signs, and links of all are good.

        Raises:
            InvalidKey: a secret is too short, or not random.
            ValueError: there is none.
        """
        several = [secrets] if isinstance(secrets, (str, bytes)) else list(secrets)
        if not several:
            raise ValueError("there is no secret to sign links with (give one)")
        self._url = url.rstrip("/")
        self._secrets = [secret_of(each, n, "Links") for n, each in enumerate(several, start=1)]

    def make(self, link: Link) -> str:
        """Return the URL of a link.

        Raises:
            ValueError: its value is not what JSON can hold, or is too large.
        """
        expires = int(link.expires_at.timestamp())
        parts: list[Any] = [link.run_id, link.event_id, link.revision, expires, link.nonce]
        if link.has_value:
            parts.append(link.value)
        try:
            payload = _text(json.dumps(parts, allow_nan=False, separators=(",", ":")).encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"a link cannot hold this value: {error} (give plain JSON)") from None
        token = f"{payload}.{self._mac(self._secrets[0], payload)}"
        if len(token) > _LONGEST_TOKEN:
            raise ValueError(
                f"the link would have {len(token):,} characters, more than {_LONGEST_TOKEN:,} "
                "(leave the value out, so that it is asked for)"
            )
        return f"{self._url}/links/{token}"

    def read(self, token: str, now: datetime) -> Link:
        """Return what a link is for.

        Raises:
            InvalidLink: it is none of this application's.
            LinkExpired: it is too old.
        """
        payload, _, mac = token[: _LONGEST_TOKEN + 1].partition(".")
        sent = mac.encode("utf-8", "surrogatepass")
        # As text: so a link has one form, and what is altered without a meaning is altered too.
        known = [
            hmac.compare_digest(self._mac(each, payload).encode(), sent) for each in self._secrets
        ]
        if not any(known):
            raise InvalidLink
        link = _link_of(payload)
        if now >= link.expires_at:
            raise LinkExpired(link.expires_at)
        return link

    @staticmethod
    def _mac(secret: bytes, payload: str) -> str:
        signed = f"longterm link {_FORM} {payload}".encode("utf-8", "surrogatepass")
        return _text(hmac.digest(secret, signed, sha256))


def new_link(
    run_id: object,
    event_id: object,
    now: datetime,
    lasts: timedelta,
    revision: int | None,
    value: tuple[Any, ...],
) -> Link:
    """Return a link that begins to be good now.

    Raises:
        InvalidRunId, InvalidEventId, TypeError: an argument is not what it should be.
        ValueError: it would last no time, or longer than it could be told that it was used.
    """
    if not timedelta(0) < lasts <= LONGEST_LIFE:
        raise ValueError(f"a link lasts at most {LONGEST_LIFE.days} days, not {lasts!r}")
    return Link(
        id_of_run(run_id),
        event_name(event_id),
        None if revision is None else revision_of(revision),
        now + lasts,
        _text(os.urandom(16)),
        bool(value),
        *value,
    )


def _link_of(payload: str) -> Link:
    try:
        padded = payload + "=" * (-len(payload) % 4)
        run_id, event_id, revision, expires, nonce, *value = json.loads(urlsafe_b64decode(padded))
    except (ValueError, binascii.Error):  # signed by us, in a form to come
        raise InvalidLink from None
    moment = datetime.fromtimestamp(expires, UTC)
    return Link(run_id, event_id, revision, moment, nonce, bool(value), *value)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
