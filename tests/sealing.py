"""Keys for tests, and a fixture that leaves none behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longterm._codec.envelope import Envelope

KEY = "first-key-0123456789-abcdefghijkl"
OTHER_KEY = "other-key-9876543210-lkjihgfedcba"


@pytest.fixture
def envelope(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin without keys or a payload codec, and end as it was before."""
    before = {name: value for name, value in vars(Envelope).items() if not name.startswith("_")}
    forget()
    monkeypatch.delenv("LONGTERM_KEY", raising=False)
    yield
    for name, value in before.items():
        setattr(Envelope, name, value)


def forget() -> None:
    """Forget what is put around bytes, as a new process has not heard of it."""
    Envelope.codec, Envelope.accept_plain = None, True
    Envelope.keyring, Envelope.is_asked, Envelope.is_bare = None, False, False
