"""All that is encoded passes the payload codec; what did not is still read, unless forbidden."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

import pytest

from longterm import set_payload_codec
from longterm._codec import CorruptData, decode, describe, encode


class Compressed:
    """Compresses, and proves with a digest that nothing was changed."""

    def encode(self, data: bytes) -> bytes:
        packed = zlib.compress(data)
        return hashlib.sha256(packed).digest() + packed

    def decode(self, data: bytes) -> bytes:
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            raise ValueError("the digest is another")
        return zlib.decompress(data[32:])


@pytest.fixture(autouse=True)
def without_payload_codec() -> Iterator[None]:
    yield
    set_payload_codec(None)


VALUE = {"rows": ["text"] * 200}


def test_what_is_encoded_passes_the_payload_codec_and_comes_back() -> None:
    plain = encode(VALUE)
    set_payload_codec(Compressed())
    coded = encode(VALUE)
    assert len(coded) < len(plain)
    assert decode(coded) == VALUE
    assert "rows" in describe(coded)


def test_what_was_stored_before_the_payload_codec_is_still_read() -> None:
    plain = encode(VALUE)
    set_payload_codec(Compressed())
    assert decode(plain) == VALUE


def test_plain_bytes_are_refused_if_asked() -> None:
    plain = encode(VALUE)
    set_payload_codec(Compressed(), accept_plain=False)
    with pytest.raises(CorruptData, match="accept_plain=True"):
        decode(plain)
    assert decode(encode(VALUE)) == VALUE


def test_coded_bytes_without_the_payload_codec_are_refused() -> None:
    set_payload_codec(Compressed())
    coded = encode(VALUE)
    set_payload_codec(None)
    with pytest.raises(CorruptData, match=r"call longterm\.set_payload_codec"):
        decode(coded)


def test_a_payload_that_is_not_decoded_is_one_error() -> None:
    set_payload_codec(Compressed())
    coded = bytearray(encode(VALUE))
    coded[-1] ^= 1
    with pytest.raises(CorruptData, match="digest"):
        decode(bytes(coded))
