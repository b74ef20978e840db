"""A seal is put on all that is encoded; what has none is still read, unless that is forbidden."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

import pytest

from longterm._codec import CorruptData, decode, describe, encode, set_seal


class Compressed:
    """Compresses, and proves with a digest that nothing was changed."""

    def close(self, data: bytes) -> bytes:
        packed = zlib.compress(data)
        return hashlib.sha256(packed).digest() + packed

    def open(self, data: bytes) -> bytes:
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            raise ValueError("the digest is another")
        return zlib.decompress(data[32:])


@pytest.fixture(autouse=True)
def without_seal() -> Iterator[None]:
    yield
    set_seal(None)


VALUE = {"rows": ["text"] * 200}


def test_what_is_encoded_is_sealed_and_opened_again() -> None:
    plain = encode(VALUE)
    set_seal(Compressed())
    sealed = encode(VALUE)
    assert len(sealed) < len(plain)
    assert decode(sealed) == VALUE
    assert "rows" in describe(sealed)


def test_what_was_stored_before_the_seal_is_still_read() -> None:
    plain = encode(VALUE)
    set_seal(Compressed())
    assert decode(plain) == VALUE


def test_bytes_without_a_seal_are_refused_if_asked() -> None:
    plain = encode(VALUE)
    set_seal(Compressed(), only_sealed=True)
    with pytest.raises(CorruptData, match="no seal"):
        decode(plain)
    assert decode(encode(VALUE)) == VALUE


def test_sealed_bytes_without_the_seal_are_refused() -> None:
    set_seal(Compressed())
    sealed = encode(VALUE)
    set_seal(None)
    with pytest.raises(CorruptData, match="set_seal"):
        decode(sealed)


def test_a_seal_that_does_not_open_is_one_error() -> None:
    set_seal(Compressed())
    sealed = bytearray(encode(VALUE))
    sealed[-1] ^= 1
    with pytest.raises(CorruptData, match="digest"):
        decode(bytes(sealed))
