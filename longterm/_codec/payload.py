"""A seal: the one place where stored bytes are compressed or encrypted.

In: the bytes that the codec wrote. Out: whatever the application's seal makes of them, behind a
first byte of their own, so that what was stored before the seal can still be read.
"""

from __future__ import annotations

from typing import Final, Protocol

from longterm._codec.wire import SEALED
from longterm.errors import CorruptData

_MARK: Final = bytes([SEALED])


class Seal(Protocol):
    """What is done to all bytes on their way to the store, and undone on their way back."""

    def close(self, data: bytes) -> bytes:
        """Return the bytes to store."""
        ...

    def open(self, data: bytes) -> bytes:
        """Return what `close` was given; raise if these bytes did not come from `close`."""
        ...


class _Installed:
    """The seal in use, if there is one."""

    seal: Seal | None = None
    only_sealed: bool = False


def set_seal(seal: Seal | None, *, only_sealed: bool = False) -> None:
    """Put this seal on all that is encoded from now on; None takes it away.

    Args:
        seal: closes and opens; see `Seal`.
        only_sealed: refuse bytes without a seal. Leave it off until all that was stored before has
            been stored again.
    """
    _Installed.seal, _Installed.only_sealed = seal, only_sealed


def close(data: bytes) -> bytes:
    """Return the bytes to store."""
    seal = _Installed.seal
    return data if seal is None else _MARK + seal.close(data)


def open_sealed(data: bytes) -> bytes:
    """Return what was closed; bytes without a seal are returned as they are.

    Raises:
        CorruptData: there is no seal to open them with, or it refused them.
    """
    seal = _Installed.seal
    if data[:1] != _MARK:
        if _Installed.only_sealed:
            raise CorruptData("the stored bytes have no seal, and only sealed ones are accepted")
        return data
    if seal is None:
        raise CorruptData("the stored bytes are sealed (call longterm.set_seal at the start)")
    try:
        return seal.open(bytes(data[1:]))
    except Exception as error:
        raise CorruptData(f"the seal of the stored bytes was not opened: {error!r}") from error
