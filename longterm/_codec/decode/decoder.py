"""Read items back into an object graph.

In: the bytes after the header. Out: the root. The whole input is first stepped over without making
anything, so that a length which the input does not hold is found before memory is taken for it.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import Unpacker, unpackb
from msgpack.exceptions import ExtraData, OutOfData, StackError

from longterm._codec import wire
from longterm._codec.collector import collector_at_rest
from longterm._codec.decode.budget import Budget
from longterm._codec.types.frames import whole_frame
from longterm._codec.types.instructions import NEW, Filling, Shell
from longterm._codec.types.kinds import CAREFUL_READERS, KINDS, READERS, Kind, Parts
from longterm.errors import CorruptData, LongtermError

_CAREFUL: Final = (wire.TYPE, wire.PATTERN)
_HARMLESS: Final = 1_024
"""Bytes of which no lengths can cost much: msgpack takes none that is beyond all of the input, and
of 200 arrays inside each other, each of 1,000 elements, every one takes 8 kB."""


def decode_body(layout: int, data: memoryview) -> Any:
    """Return the root of what follows the header.

    Raises:
        CorruptData: the bytes are not what the codec wrote.
        NotAllowed: they name what is not here or not allowed.
    """
    try:
        check_lengths(data)
        # The collector would look through all that is made, again and again, and find nothing.
        with collector_at_rest(len(data)):
            if layout < wire.ITEMS:
                return decode_tree(layout, data)
            if layout == wire.ITEMS:
                return Reader(len(data)).root(data)
        raise CorruptData(f"the stored bytes have an unknown layout, {layout}")
    except LongtermError:
        raise
    except (OutOfData, ExtraData, StackError) as error:
        raise CorruptData(
            f"the stored bytes are cut off or damaged: {type(error).__name__}"
        ) from error
    except Exception as error:
        raise CorruptData(f"the stored bytes are damaged: {error}") from error


def decode_tree(layout: int, data: memoryview) -> Any:
    """Return the root of a tree, or the frames with such trees in their slots."""
    if not layout & wire.TAGGED:
        root = unpackb(data, ext_hook=_leaf, strict_map_key=False)
    else:
        reader = Reader(len(data))
        root = unpackb(
            data, ext_hook=reader.extension, list_hook=reader.array, strict_map_key=False
        )
        reader.check_tags()
    if layout & wire.FRAMES:
        return [whole_frame(row) for row in root]
    return root


def _leaf(code: int, payload: bytes) -> Any:
    return READERS[code](payload)


def check_lengths(data: memoryview) -> None:
    """Step over all values; raise if one is longer than the input."""
    end = len(data)
    if end <= _HARMLESS:
        return
    stepper = Unpacker(None, max_buffer_size=end, read_size=1)
    stepper.feed(data)
    stepper.skip()
    while stepper.tell() < end:
        stepper.skip()


class Reader:
    """The items read so far, and what msgpack asks on its way."""

    def __init__(self, length: int) -> None:
        """Begin with nothing read."""
        self.items: list[Any] = []
        self.shells: dict[int, Kind] = {}
        self.open_tags = 0
        self.budget = Budget(length)

    def root(self, data: memoryview) -> Any:
        """Read all items and return the last."""
        items = self.items
        unpacker = Unpacker(
            None,
            ext_hook=self.extension,
            list_hook=self.array,
            strict_map_key=False,
            max_buffer_size=len(data),
            read_size=1,
        )
        unpacker.feed(data)
        for value in unpacker:
            if type(value) in (Filling, Shell):
                self.open_tags -= 1
            if type(value) is Filling:
                self.fill(value)
            elif type(value) is Shell:
                made = value.kind.make(value.parts, self.budget)
                self.shells[id(made)] = value.kind
                items.append(made)
            else:
                items.append(value)
        self.check_tags()
        return items[-1]

    def check_tags(self) -> None:
        """Raise if there was a tag elsewhere than first in an array."""
        if self.open_tags:
            raise CorruptData("the stored bytes are damaged: a tag stands where none may")

    def fill(self, filling: Filling) -> None:
        """Put parts into a shell."""
        kind = self.shells[id(filling.shell)]
        if kind.fill is None:
            raise ValueError("what is not a shell cannot be filled")
        kind.fill(filling.shell, filling.parts, self.budget)

    def extension(self, code: int, payload: bytes) -> Any:
        """Return what an extension stands for."""
        if code == wire.REFERENCE:
            return self.items[int.from_bytes(payload, "big")]
        if code == wire.TAG:
            self.open_tags += 1
            return KINDS[payload[0]]
        if code in _CAREFUL:
            return CAREFUL_READERS[code](payload, self.budget)
        return READERS[code](payload)

    def array(self, parts: Parts) -> Any:
        """Return a plain array as it is, and what a tagged one stands for."""
        if parts and type(parts[0]) is Kind:
            kind = parts[0]
            # Instructions stand at the top; deeper they are as misplaced as a tag.
            if kind.code < NEW.code:
                self.open_tags -= 1
            return kind.build(parts[1:], self.budget)
        return parts
