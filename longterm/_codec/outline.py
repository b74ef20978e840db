"""What must be known of a stack to tell whether code can go on with it: no value is made.

In: a run's stack. Out: its frames with the names of their slots, and the functions inside flows
that it holds anywhere. Names are not looked up, so this reads the stacks of any application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoder import check_lengths
from longterm._codec.envelope import unwrap
from longterm._codec.raw import Pairs, kind_code, raw_values
from longterm._codec.types.frames import FRAME
from longterm._codec.types.functions import INNER, CodeName
from longterm._codec.types.instructions import FILL, NEW
from longterm._signals import is_of_signal
from longterm.errors import CorruptData
from longterm.frame import Frame

if TYPE_CHECKING:
    from longterm._codec.seal import Context


@dataclass(frozen=True, slots=True)
class Outline:
    """The frames of a stack, outermost call first, and the functions inside flows in it."""

    frames: list[Frame]
    """Each slot is None: only its name counts."""
    functions: list[CodeName]


def outline_of(data: bytes, context: Context | None = None) -> Outline:
    """Return the outline of a run's stack.

    Raises:
        CorruptData: the bytes are no stack, or were changed, or a key is missing.
    """
    data = unwrap(data, context)
    if len(data) < 3 or data[0] != wire.VERSION:
        raise CorruptData("these bytes are of another format (stored by a newer longterm?)")
    body = memoryview(data)[2:]
    try:
        check_lengths(body)
        return _Stack(raw_values(body)).outline()
    except Exception as error:
        if is_of_signal(error):
            raise
        raise CorruptData("the stored bytes are not those of a stack") from error


class _Stack:
    """The items of a stack's bytes."""

    def __init__(self, values: list[Any]) -> None:
        """Take the values as msgpack reads them."""
        self.values = values
        self.items = [value for value in values if kind_code(value) != FILL.code]

    def outline(self) -> Outline:
        """Return the outline; anything may be raised where the bytes hold something else."""
        functions = {self.function(parts): None for parts in self.inner()}
        return Outline([self.frame(row) for row in self.items[-1]], [*functions])

    def frame(self, row: list[Any]) -> Frame:
        parts = row[1:] if kind_code(row) == FRAME.code else row
        flow, version, point, line, slots, *more = map(self.value, parts)
        rest = more[-1] if more and type(more[-1]) is str else ""
        if type(slots) is not Pairs or not type(flow) is type(version) is str:
            raise TypeError("a frame has a flow, a version and slots")
        return Frame(
            flow, version, int(point), int(line), {str(n): None for n, _ in slots}, {}, rest
        )

    def function(self, parts: list[Any]) -> CodeName:
        flow, version, place = map(self.value, parts)
        return (str(flow), str(version), str(place))

    def inner(self) -> Iterator[list[Any]]:
        """Yield flow, version and place of each function inside a flow."""
        pending: list[Any] = [self.values]
        while pending:
            value = pending.pop()
            if type(value) is list:
                kind = kind_code(value)
                if kind == INNER.code:
                    yield value[1:4]
                elif kind == NEW.code and value[1] == INNER.code:
                    yield value[2:5]
                pending += value
            elif type(value) is Pairs:
                pending += [part for pair in value for part in pair]

    def value(self, value: Any) -> Any:
        """Return a value, wherever it stands."""
        if type(value) is ExtType and value.code == wire.REFERENCE:
            return self.items[int.from_bytes(value.data, "big")]
        return value
