"""The codec: any object graph of storable values as bytes, and back.

In: a value, however its parts share and hold each other. Out: msgpack with a version byte, and from
those bytes a graph of the same shape. Decoding runs no code that the bytes choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from longterm._codec import wire
from longterm._codec.decode.decoder import decode_body
from longterm._codec.encode.plain import may_hold_nan, pack_frames, pack_tree
from longterm._codec.envelope import (
    Envelope,
    check_keys,
    check_sealing,
    hash_text,
    keyring,
    set_keys,
    set_payload_codec,
    unwrap,
    wrap,
)
from longterm._codec.payload import PayloadCodec
from longterm._codec.trust import allow
from longterm._codec.types.registered import register_type, register_upgrade, storable
from longterm._later import later
from longterm._signals import is_of_signal
from longterm.errors import CannotLoad, CorruptData, LongtermError, NotAllowed, NotStorable
from longterm.frame import Frame

if TYPE_CHECKING:
    from longterm._codec.seal import Context
else:
    Context = later("longterm._codec.seal", "Context")

__all__ = [
    "CannotLoad",
    "CorruptData",
    "NotAllowed",
    "NotStorable",
    "PayloadCodec",
    "allow",
    "can_be_written_out",
    "check_keys",
    "check_sealing",
    "content_digests",
    "decode",
    "decode_text",
    "describe",
    "encode",
    "encode_bare",
    "encode_text",
    "enveloped",
    "hash_text",
    "register_type",
    "register_upgrade",
    "rewrap",
    "set_keys",
    "set_payload_codec",
    "storable",
]


_VERSION: Final = bytes([wire.VERSION])
_ENCODED: Final = "encoded:"
"""How text begins that is not stored as it is."""


def encode(value: object, context: Context | None = None) -> bytes:
    """Return the bytes of a value and all that it holds.

    Args:
        value: any value.
        context: where the bytes are to be stored; with a key, the seal binds them to it.

    Raises:
        NotStorable: a part of it is of a type that cannot be stored; the error has the path to it.
    """
    return enveloped(encode_bare(value), context)


def encode_bare(value: object) -> bytes:
    """Return the bytes of a value without what a payload codec or a seal makes of them.

    Raises:
        NotStorable: a part of it is of a type that cannot be stored.
    """
    try:
        if type(value) is list and value and type(value[0]) is Frame:
            packed = pack_frames(value)
        else:
            packed = pack_tree(value)
        if packed is None:
            return _graph(value)
        layout, content = packed
        if may_hold_nan(content) and (graph := _graph_of_nans(value)) is not None:
            return graph
        return wire.HEADERS[layout] + content
    except (LongtermError, MemoryError):
        raise
    except Exception as error:
        if is_of_signal(error):
            raise
        raise NotStorable(
            f"cannot store a value: code of its own raised {type(error).__qualname__} when it was "
            "looked at (see the cause above; keep what it is made of)"
        ) from error


def enveloped(data: bytes, context: Context | None = None) -> bytes:
    """Return what `encode` makes of the bare bytes of a value."""
    return data if Envelope.is_bare else wrap(data, context)


def content_digests(name: str, value: object) -> list[str]:
    """Return digests that tell a named value from others, one under each key; the first is to keep.

    Each begins with the mark of its key: two of different keys tell nothing of each other.

    Returns:
        Nothing if the value cannot be stored, or if it is hidden by a payload codec and there is no
        key: whoever reads the digest of a short text can guess it.
    """
    keys = keyring()
    if Envelope.codec is not None and keys is None:
        return []
    try:
        content = encode_bare([name, value])
    except NotStorable:
        return []
    from hashlib import sha256  # only for those who name their deliveries

    digest = sha256(content).hexdigest()
    if keys is None:
        return [f":{digest}"]
    return [":".join(pair) for pair in zip(keys.marks(), keys.hash_text(digest), strict=True)]


def _graph(value: object) -> bytes:
    # Graphs are the rarer case, and a good part of the codec's code.
    from longterm._codec.encode.encoder import encode_graph

    return wire.HEADERS[wire.ITEMS] + encode_graph(value)


def _graph_of_nans(value: object) -> bytes | None:
    from longterm._codec.encode.encoder import encode_nans

    graph = encode_nans(value)
    return None if graph is None else wire.HEADERS[wire.ITEMS] + graph


def decode(data: bytes, context: Context | None = None) -> Any:
    """Return the value that `encode` made these bytes of.

    Args:
        data: the bytes.
        context: where they were stored; with a key, they must be sealed for that place.

    Raises:
        CorruptData: the bytes are not what `encode` made.
        NotSealed, WrongSeal: there is a key, and their seal is missing or another.
        NotAllowed: they name a class, function or module that is not here or not allowed.
        CannotLoad: a class has changed so that what was stored of it cannot be made.
        ValueRaised: code of the application's own raised, such as the hash of a key.
    """
    if not Envelope.is_bare or data[:1] != _VERSION:
        data = unwrap(data, context)
    if len(data) < 3 or data[0] != wire.VERSION:
        raise CorruptData("these bytes are of another format (stored by a newer longterm?)")
    return decode_body(data[1], memoryview(data)[2:])


def decode_frames(data: bytes, context: Context | None = None) -> list[Frame]:
    """Return the frames of a continuation, outermost call first.

    Raises:
        CorruptData: the bytes are not what `encode` made of frames.
    """
    frames: Any = decode(data, context)
    if type(frames) is not list or not frames:
        raise CorruptData("the stored bytes hold no frames where a run's stack is")
    for frame in frames:
        if type(frame) is not Frame:
            raise CorruptData("the stored bytes hold something else among the frames of a run")
    return frames


def decode_list(data: bytes, context: Context | None = None) -> list[Any]:
    """Return a list, such as what a turn said.

    Raises:
        CorruptData: the bytes are not what `encode` made of a list.
    """
    found: Any = decode(data, context)
    if type(found) is not list:
        raise CorruptData("the stored bytes hold no list where a run's response is")
    return found


def encode_text(text: str, context: Context) -> str:
    """Return the text to store: as it is, unless there is a payload codec that may hide it."""
    if Envelope.codec is None and not text.startswith(_ENCODED):
        return text
    from base64 import b64encode

    return _ENCODED + b64encode(encode(text, context)).decode("ascii")


def decode_text(stored: str, context: Context) -> str:
    """Return the text that `encode_text` was given.

    Raises:
        CorruptData: the text is not what `encode_text` made.
    """
    if not stored.startswith(_ENCODED):
        return stored
    from base64 import b64decode

    try:
        data = b64decode(stored.removeprefix(_ENCODED), validate=True)
    except ValueError as error:
        raise CorruptData(f"the stored text is damaged: {error}") from error
    text: Any = decode(data, context)
    if type(text) is not str:
        raise CorruptData("the stored bytes hold no text where an error is")
    return text


def rewrap(data: bytes, context: Context, moved_to: Context | None = None) -> bytes:
    """Return stored bytes as they would be stored now: by the payload codec and the first key.

    Args:
        data: the bytes.
        context: where they are stored.
        moved_to: where they are to be stored; None: where they are.

    Raises:
        CorruptData: they were changed, or a key or the payload codec is missing.
    """
    return wrap(unwrap(data, context), moved_to or context)


def describe(data: bytes, context: Context | None = None) -> str:
    """Return what stored bytes hold, as text, without the code of those who stored them.

    A seal on them is checked; without a context, for whatever place it names.

    Raises:
        CorruptData: the bytes are not what `encode` made.
    """
    from longterm._codec.description import described

    return described(unwrap(data, context))


def can_be_written_out(data: bytes, context: Context | None = None) -> bool:
    """Tell whether the `repr` of what these bytes hold is in proportion to their length.

    It is not, if lists hold one and the same list again and again, level after level.

    Raises:
        CorruptData: the bytes were changed, or a key or the payload codec is missing.
    """
    from longterm._codec.unfolding import can_be_written_out

    return can_be_written_out(unwrap(data, context))
