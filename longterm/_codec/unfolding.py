"""How long stored bytes get when what they share is written out wherever it is held.

`repr` and JSON write it so. Sixty lists, each of which holds the one before twice, take 600 bytes,
and no machine can write them out. The bytes alone tell; nothing of them is made.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import Unpacker, UnpackException

from longterm._codec import wire
from longterm._codec.decode.decoder import check_lengths
from longterm._codec.types.instructions import FILL

_FREE_BYTES: Final = 250_000
_TIMES: Final = 4
_FILLING: Final = (wire.TAG, bytes([FILL.code]))


def can_be_written_out(data: bytes) -> bool:
    """Tell whether bytes of the codec stay in proportion to their length when they are unfolded.

    What holds itself ends there, as it does in the `repr` of a list that holds itself. Damaged
    bytes, which nobody can decode either, may get either answer.
    """
    if len(data) < 3 or data[1] != wire.ITEMS:
        return True  # a tree, in which nothing is held twice
    try:
        return _Items(memoryview(data)[2:]).are_short(len(data) * _TIMES + _FREE_BYTES)
    except (IndexError, ValueError, UnpackException):
        return False


class _Items:
    """The length of each item, and the numbers of those that it refers to."""

    def __init__(self, body: memoryview) -> None:
        """Step over the items; what they are made of is dropped at once."""
        check_lengths(body)
        self.lengths: list[int] = []
        self.references: list[list[int]] = []
        extensions: list[tuple[int, bytes]] = []
        unpacker: Any = Unpacker(
            None,
            ext_hook=lambda code, payload: extensions.append((code, payload)),
            list_hook=_nothing,
            object_pairs_hook=_nothing,
            strict_map_key=False,
            max_buffer_size=len(body),
            read_size=1,
        )
        unpacker.feed(body)
        begin = 0
        for _ in unpacker:
            self._add(unpacker.tell() - begin, extensions)
            begin = unpacker.tell()
            extensions.clear()

    def _add(self, length: int, extensions: list[tuple[int, bytes]]) -> None:
        referred = [
            int.from_bytes(payload, "big") for code, payload in extensions if code == wire.REFERENCE
        ]
        if extensions and extensions[0] == _FILLING:
            # It defines no item: it is the rest of the one that it refers to first.
            target, *referred = referred
            self.lengths[target] += length
            self.references[target] += referred
        else:
            self.lengths.append(length)
            self.references.append(referred)

    def are_short(self, limit: int) -> bool:
        """Tell whether the last item, all that it refers to written out, keeps within a limit."""
        left = limit
        is_open = [False] * len(self.lengths)
        steps = [len(self.lengths) - 1]
        while steps:
            number = steps.pop()
            if number < 0:  # all that this one holds is written
                is_open[~number] = False
            elif not is_open[number]:
                left -= self.lengths[number]
                if left < 0:
                    return False
                is_open[number] = True
                steps.append(~number)
                steps += self.references[number]
        return True


def _nothing(_: Any) -> None:
    """Keep nothing of an array or a map."""
