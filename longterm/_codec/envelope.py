"""What is put around the codec's bytes on their way to the store: a payload codec, then a seal.

So the seal is checked before anything else looks at stored bytes, the application's own payload
codec included. Without either, bytes are stored as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from longterm._codec.keys import keyring_of, keyring_of_environment
from longterm._codec.payload import PayloadCodec, decode_payload, encode_payload
from longterm._codec.wire import PAYLOAD, SEAL
from longterm.errors import InvalidKey, WrongSeal

if TYPE_CHECKING:
    from longterm._codec.seal import Context, Keyring

_ENCODED: Final = bytes([PAYLOAD])
_SEALED: Final = bytes([SEAL])
_NO_KEY: Final = "there is no key: set LONGTERM_KEY, or call longterm.set_keys"


class Envelope:
    """What is put around all bytes of this process."""

    codec: PayloadCodec | None = None
    accept_plain: bool = True
    keyring: Keyring | None = None
    is_bare: bool = False
    """Neither a payload codec nor a key is there. Unknown until the environment has been asked."""
    is_asked: bool = False
    """Whether keys were set, or the environment was asked for them."""


def set_payload_codec(codec: PayloadCodec | None, *, accept_plain: bool = True) -> None:
    """Pass all that is stored from now on through this payload codec; None takes it away.

    Args:
        codec: encodes and decodes bytes; see `PayloadCodec`.
        accept_plain: whether bytes that were stored without a payload codec are read. Turn it off
            when none are left.
    """
    Envelope.codec, Envelope.accept_plain = codec, accept_plain
    _look()


def set_keys(*keys: str | bytes, accept_unsealed: bool = False) -> None:
    """Seal all that runs store from now on, and take only what is sealed.

    Called without keys it takes the seal away, whatever `LONGTERM_KEY` says.

    Args:
        keys: each of at least 32 random bytes, or as many characters. The first one seals; what any
            of them has sealed is accepted.
        accept_unsealed: take bytes without a seal too, for as long as there are runs that were
            stored before there was a key. They are sealed when they are next saved.

    Raises:
        InvalidKey: a key is too short, or not random.
    """
    Envelope.keyring = keyring_of(keys, "set_keys", accept_unsealed=accept_unsealed)
    Envelope.is_asked = True
    _look()


def check_keys() -> None:
    """Look at the keys now, so that a wrong one is refused at the start.

    Raises:
        InvalidKey: a key of the environment is too short, or not random.
    """
    keyring()


def keyring() -> Keyring | None:
    """Return the keys in use: those that were set, else those of the environment.

    Raises:
        InvalidKey: a key of the environment is too short, or not random.
    """
    if not Envelope.is_asked:
        Envelope.keyring = keyring_of_environment()
        Envelope.is_asked = True
        _look()
    return Envelope.keyring


def check_sealing() -> None:
    """Make sure that something is put around bytes.

    Raises:
        InvalidKey: there is neither a key nor a payload codec.
    """
    if keyring() is None and Envelope.codec is None:
        raise InvalidKey(_NO_KEY)


def hash_text(text: str) -> list[str]:
    """Return the keyed hash of a text under each key, in hexadecimal digits, the first key's first.

    Raises:
        InvalidKey: there is no key.
    """
    keys = keyring()
    if keys is None:
        raise InvalidKey(_NO_KEY)
    return keys.hash_text(text)


def _look() -> None:
    Envelope.is_bare = (
        Envelope.is_asked
        and Envelope.keyring is None
        and Envelope.codec is None
        and Envelope.accept_plain
    )


def wrap(data: bytes, context: Context | None) -> bytes:
    """Return the bytes to store. What has no context belongs to no run, and gets no seal."""
    codec, keys = Envelope.codec, Envelope.keyring or keyring()
    if codec is not None:
        data = encode_payload(codec, data)
    return data if keys is None or context is None else keys.seal(data, context)


def unwrap(data: bytes, context: Context | None) -> bytes:
    """Return the bytes that were wrapped.

    Raises:
        CorruptData: they were changed, or stored for another context, or a key or the payload codec
            is missing.
    """
    keys = Envelope.keyring or keyring()
    if keys is not None:
        data = keys.open(data, context)
    elif data[:1] == _SEALED:
        raise WrongSeal(
            "the stored bytes are sealed, and there is no key to check the seal with "
            "(set LONGTERM_KEY, or call longterm.set_keys at the start)"
        )
    if Envelope.codec is None and Envelope.accept_plain and data[:1] != _ENCODED:
        return data
    return decode_payload(Envelope.codec, data, accept_plain=Envelope.accept_plain)
