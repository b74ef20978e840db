"""The seal: a keyed hash that proves that bytes are ours, and stand where we put them.

In: bytes, and their context: the run, the turn and the column that they are stored for. Out: the
same bytes behind their hash and their context. Whoever lacks the key can change no byte of them,
and can give them to no other run, turn or column. BLAKE2b has a mode for keys (RFC 7693), so that
it needs no HMAC around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, TypeAlias

from longterm._codec.wire import SEAL
from longterm.errors import NotSealed, WrongSeal

Context: TypeAlias = tuple[str, str, int | None, str]
"""What a seal binds bytes to: the column they are stored in (stack, response, result or error), the
id of the run, the turn whose save wrote them (None: the store does not keep it), and, of a stack,
the event that it waits for, else nothing. Of an unread event: `inbox`, the run, None, and its name.
Of what is done once: `once`, its key, None, and nothing. Of the source of a
version: `version`, its name, None, and nothing. A plain tuple, since each turn makes
several."""

_MARK: Final = bytes([SEAL])
_HASH_BEGIN: Final = 5
_HASH_BYTES: Final = 32
_HASH_END: Final = _HASH_BEGIN + _HASH_BYTES
_END_OF_CONTEXT: Final = b"\xff"
"""No byte of UTF-8, so that no context goes on into what is sealed."""


class _Key:
    """What is computed once of a key."""

    __slots__ = ("prefix", "seal", "text")

    def __init__(self, secret: bytes) -> None:
        # A key may be of any length, and BLAKE2b takes one of up to 64 bytes.
        material = blake2b(secret, person=b"longterm key").digest()
        number = blake2b(key=material, digest_size=4, person=b"longterm key id").digest()
        self.prefix = _MARK + number
        # To copy a hash that knows its key takes a third less than to make one.
        self.seal = blake2b(key=material, digest_size=_HASH_BYTES, person=b"longterm seal")
        self.text = blake2b(key=material, digest_size=16, person=b"longterm text")


class Keyring:
    """The keys in use: the first one seals, and all open."""

    def __init__(self, secrets: Sequence[bytes], *, accept_unsealed: bool) -> None:
        """Take at least one key."""
        self._keys = [_Key(secret) for secret in secrets]
        self._by_prefix = {key.prefix: key for key in self._keys}
        self._accept_unsealed = accept_unsealed

    def seal(self, data: bytes, context: Context) -> bytes:
        """Return bytes with a seal on them."""
        key = self._keys[0]
        sealed = _head(context) + data
        hashed = key.seal.copy()
        hashed.update(sealed)
        return key.prefix + hashed.digest() + sealed

    def open(self, data: bytes, context: Context | None) -> bytes:
        """Return what was sealed. Without a context, any place that a seal names will do.

        Raises:
            NotSealed: there is no seal.
            WrongSeal: it is of another key or another context, or the bytes were changed.
        """
        key = self._by_prefix.get(data[:_HASH_BEGIN])
        if key is None:
            return self._open_unsealed(data, context)
        sealed = data[_HASH_END:]
        hashed = key.seal.copy()
        hashed.update(sealed)
        if not compare_digest(hashed.digest(), data[_HASH_BEGIN:_HASH_END]):
            raise WrongSeal(
                f"the seal of {_place(context)} does not fit: its bytes were changed after it was "
                "saved (restore the run from a backup)"
            )
        if context is not None and sealed.startswith(head := _head(context)):
            return sealed[len(head) :]
        return _open_elsewhere(sealed, context)

    def _open_unsealed(self, data: bytes, context: Context | None) -> bytes:
        """Return bytes that no key of ours has sealed, if they may be without a seal."""
        if data[:1] == _MARK:
            raise WrongSeal(
                f"{_place(context)} was sealed with a key that is not among those in use "
                f"(give that key too, behind the first; its mark is {data[1:_HASH_BEGIN].hex()})"
            )
        if context is not None and not self._accept_unsealed:
            raise NotSealed(_place(context))
        return data

    def hash_text(self, text: str) -> list[str]:
        """Return the keyed hash of a text, in hexadecimal digits, under each key."""
        hashes = []
        for key in self._keys:
            hashed = key.text.copy()
            hashed.update(text.encode("utf-8", "surrogatepass"))
            hashes.append(hashed.hexdigest())
        return hashes

    def marks(self) -> list[str]:
        """Return what each key is known by, in hexadecimal digits; it tells nothing of the key."""
        return [key.prefix[len(_MARK) :].hex() for key in self._keys]


def _open_elsewhere(sealed: bytes, context: Context | None) -> bytes:
    """Return what has a seal of ours, unless that is of another place than the context."""
    head, _, data = sealed.partition(_END_OF_CONTEXT)
    column, run_id, turn, event = head.decode("utf-8", "surrogatepass").split("\0")
    # A store that does not keep the turn of the save cannot tell one turn of a run from another.
    if context is not None and context != (column, run_id, None, event):
        raise WrongSeal(
            f"{_place(context)} has the seal of {_place((column, run_id, int(turn), event))}: "
            "somebody moved the bytes (restore the run from a backup)"
        )
    return data


def _head(context: Context) -> bytes:
    """Write a context so that no two are written the same: no id and no event has a NUL."""
    column, run_id, turn, event = context
    words = f"{column}\0{run_id}\0{turn or 0}\0{event}"
    return words.encode("utf-8", "surrogatepass") + _END_OF_CONTEXT


def _place(context: Context | None) -> str:
    if context is None:
        return "what is stored"
    column, run_id, turn, event = context
    if column == "inbox":
        return f"the unread event {event!r} of run {run_id!r}"
    if column == "once":
        return f"the value under key {run_id!r}"
    if column == "version":
        return f"the source of {run_id}"
    return (
        f"the {column} of run {run_id!r}"
        + ("" if turn is None else f", saved in turn {turn}")
        + (f", waiting for {event!r}" if event else "")
    )
