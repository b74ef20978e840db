"""Read items back into an object graph.

In: the bytes after the header. Out: the root. The whole input is first stepped over without making
anything, so that a length which the input does not hold is found before memory is taken for it.
"""

from __future__ import annotations

from typing import Any

from msgpack import Unpacker
from msgpack.exceptions import ExtraData, OutOfData, StackError

from longterm.codec import wire
from longterm.codec.atoms import READERS
from longterm.codec.budget import Budget
from longterm.codec.classes import plan_named
from longterm.codec.instances import TYPE
from longterm.codec.kinds import KINDS, Kind, Parts
from longterm.codec.knots import Filling, Shell
from longterm.errors import CorruptData, LongtermError


def decode_items(data: memoryview) -> Any:
    """Return the root of items.

    Raises:
        CorruptData: the bytes are not what the codec wrote.
        NotAllowed: they name what is not here or not allowed.
    """
    try:
        check_lengths(data)
        return Reader(data).root()
    except LongtermError:
        raise
    except (OutOfData, ExtraData, StackError) as error:
        raise CorruptData(f"the stored bytes are cut off or damaged: {type(error).__name__}") from error
    except Exception as error:
        raise CorruptData(f"the stored bytes are damaged: {error}") from error


def check_lengths(data: memoryview) -> int:
    """Step over all values and return how many there are; raise if one is longer than the input."""
    stepper = Unpacker(None, max_buffer_size=len(data), read_size=1)
    stepper.feed(data)
    count = 0
    while stepper.tell() < len(data):
        stepper.skip()
        count += 1
    return count


class Reader:
    """The items read so far, and what msgpack asks on its way."""

    def __init__(self, data: memoryview) -> None:
        """Feed all of the input."""
        self.items: list[Any] = []
        self.shells: dict[int, Kind] = {}
        self.open_tags = 0
        self.budget = Budget(len(data))
        self.unpacker = Unpacker(
            None,
            ext_hook=self.extension,
            list_hook=self.array,
            strict_map_key=False,
            max_buffer_size=len(data),
            read_size=1,
        )
        self.unpacker.feed(data)

    def root(self) -> Any:
        """Read all items and return the last."""
        items = self.items
        for value in self.unpacker:
            if type(value) is Filling:
                self.fill(value)
            elif type(value) is Shell:
                made = value.kind.make(value.parts, self.budget)
                self.shells[id(made)] = value.kind
                items.append(made)
            else:
                items.append(value)
        if self.open_tags:
            raise CorruptData("the stored bytes are damaged: a tag stands where none may")
        return items[-1]

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
        if code == TYPE:
            return plan_named(payload.decode())
        return READERS[code](payload)

    def array(self, parts: Parts) -> Any:
        """Return a plain array as it is, and what a tagged one stands for."""
        if parts and type(parts[0]) is Kind:
            self.open_tags -= 1
            return parts[0].build(parts[1:], self.budget)
        return parts
