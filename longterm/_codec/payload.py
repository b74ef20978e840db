"""The payload codec: the one place where an application compresses or encrypts what is stored.

In: the bytes that the codec wrote. Out: whatever the application makes of them, behind a first byte
of their own, so that what was stored before there was a payload codec can still be read.
"""

from __future__ import annotations

from typing import Final, Protocol

from longterm._codec.wire import PAYLOAD
from longterm._signals import is_of_signal
from longterm.errors import CorruptData

_MARK: Final = bytes([PAYLOAD])


class PayloadCodec(Protocol):
    """What is done to all bytes on their way to the store, and undone on their way back.

    The name and the idea are those of Temporal's payload codecs.
    """

    def encode(self, data: bytes) -> bytes:
        """Return the bytes to store."""
        ...

    def decode(self, data: bytes) -> bytes:
        """Return what `encode` was given; raise if these bytes did not come from `encode`."""
        ...


def encode_payload(codec: PayloadCodec, data: bytes) -> bytes:
    """Return the bytes to store."""
    return _MARK + codec.encode(data)


def decode_payload(codec: PayloadCodec | None, data: bytes, *, accept_plain: bool) -> bytes:
    """Return what was encoded; bytes without a payload codec are returned as they are.

    Raises:
        CorruptData: there is no payload codec to decode them with, or it refused them; or they are
            plain, and that is not accepted.
    """
    if data[:1] != _MARK:
        if not accept_plain:
            raise CorruptData(
                "the stored bytes are plain, and only those of the payload codec are accepted "
                "(to read older ones: set_payload_codec(..., accept_plain=True))"
            )
        return data
    if codec is None:
        raise CorruptData(
            "the stored bytes were made by a payload codec, and there is none "
            "(call longterm.set_payload_codec at the start)"
        )
    try:
        return codec.decode(data[1:])
    except Exception as error:
        if is_of_signal(error):
            raise
        raise CorruptData(
            f"the payload codec did not decode the stored bytes: {type(error).__name__}: {error}"
        ) from error
