"""Keys as people write them, checked: a keyring out, or a refusal that shows no key.

Loads nothing else while there is no key.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from longterm.errors import InvalidKey

if TYPE_CHECKING:
    from longterm._codec.seal import Keyring

_KEY: Final = "LONGTERM_KEY"
_ACCEPT_UNSEALED: Final = "LONGTERM_ACCEPT_UNSEALED"

_LEAST_BYTES: Final = 32
_LEAST_DIFFERENT_BYTES: Final = 8
"""Of 32 random hexadecimal digits, fewer are different only once in 10 million keys."""


def keyring_of(
    keys: Sequence[str | bytes], source: str, *, accept_unsealed: bool
) -> Keyring | None:
    """Return the keyring of some keys, None if there are none.

    Raises:
        InvalidKey: a key is too short, or not random.
    """
    secrets = [secret_of(key, number, source) for number, key in enumerate(keys, start=1)]
    if not secrets:
        return None
    from longterm._codec.seal import Keyring

    return Keyring(secrets, accept_unsealed=accept_unsealed)


def keyring_of_environment() -> Keyring | None:
    """Return the keyring of `LONGTERM_KEY`, None if it is not set.

    Raises:
        InvalidKey: a key is too short, or not random; or the variable is set and empty.
    """
    written, accept = os.environ.get(_KEY), os.environ.get(_ACCEPT_UNSEALED, "no").lower()
    if written is None:
        return None
    if accept not in ("yes", "no"):
        raise InvalidKey(f"{_ACCEPT_UNSEALED}={accept!r} is neither yes nor no")
    keys = written.replace(",", " ").split()
    if not keys:
        raise InvalidKey(f"{_KEY} is set, but empty (unset it to store without a seal)")
    return keyring_of(keys, _KEY, accept_unsealed=accept == "yes")


def secret_of(key: str | bytes, number: int, source: str) -> bytes:
    """Return a key as bytes. No message shows it.

    Raises:
        InvalidKey: it is too short, or not random.
    """
    if not isinstance(key, (str, bytes)):
        raise InvalidKey(f"key {number} of {source} is a {type(key).__name__}, not str or bytes")
    secret = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    if len(secret) < _LEAST_BYTES:
        raise InvalidKey(
            f"key {number} of {source} has {len(secret)} bytes, and {_LEAST_BYTES} are the least"
        )
    if len(set(secret)) < _LEAST_DIFFERENT_BYTES:
        raise InvalidKey(f"key {number} of {source} repeats a few characters, and is not random")
    return secret
