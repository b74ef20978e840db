"""Where stored bytes hold an instance of a class, as people read it: `order.lines[2] of shop:sell`.

For refusals: what is decoded is made from the inside out, so whoever meets a class that has changed
does not know yet who holds it. Here the bytes are gone through once more, from the outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import names, wire
from longterm._codec.raw import Pairs, kind_code, raw_values
from longterm._signals import is_of_signal
from longterm.errors import NotAllowed

_NAMES: Final = (wire.NAME, wire.TYPE, wire.CLASS)
_TUPLE: Final = 3
_WITH_CLASS: Final = (20, 21, 24, 25)
_FRAME: Final = 30
_NEW: Final = 120
_FILL: Final = 121
_LONGEST: Final = 200


def place_of(name: str, layout: int, data: memoryview) -> str:
    """Return where a class or function is held that bytes name, or nothing if it is not found.

    Args:
        name: the name, `module:qualname`, or that of a module alone.
        layout: the layout of the bytes.
        data: the bytes after the header.
    """
    try:
        found = _Search(name, raw_values(data)).place(layout)
    except Exception as error:  # damaged bytes have no places
        if is_of_signal(error):
            raise
        return ""
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"


class _Search:
    """The items of bytes, and those that were looked at."""

    def __init__(self, name: str, values: list[Any]) -> None:
        """Look for a name among values."""
        self.name = name
        self.known: dict[bytes, bool] = {}
        self.seen: set[int] = set()
        """The numbers of the items that were looked through."""
        self.items: list[Any] = []
        self.contents: dict[int, list[Any]] = {}
        for value in values:
            if kind_code(value) == _FILL:
                number = int.from_bytes(value[1].data, "big")
                self.contents.setdefault(number, []).append(value)
            else:
                self.items.append(value)

    def place(self, layout: int) -> str:
        """Return where the name is held, the first time."""
        root = self.items[-1]
        rows = root if layout & wire.FRAMES or _are_frames(root) else None
        if rows is None:
            return self.find(root, "the value")
        for row in rows:
            flow, _, _, line, *named = row[1:] if kind_code(row) == _FRAME else row
            where = f" of {flow} at line {line}" if type(flow) is str and type(line) is int else ""
            for slots in named[:2]:  # and the cells, or the rest, which is text
                for local, value in self.pairs(slots) if type(slots) is not str else ():
                    found = self.find(value, local if type(local) is str else "a value")
                    if found:
                        return found + where
        return ""

    def pairs(self, slots: Any) -> Any:
        """Return the pairs of a map, wherever it stands."""
        return self.item(slots) if type(slots) is ExtType else slots

    def item(self, reference: Any) -> Any:
        """Return what a reference stands for."""
        return self.items[int.from_bytes(reference.data, "big")]

    def find(self, root: Any, start: str) -> str:
        """Return the path to what has the name, from a root on; nothing if it is not below it."""
        seen = self.seen
        pending: list[tuple[Any, str]] = [(root, start)]
        while pending:
            value, path = pending.pop()
            if type(value) is ExtType:
                if value.code in _NAMES and self.is_named(value.data):
                    return path
                if value.code == wire.REFERENCE:
                    number = int.from_bytes(value.data, "big")
                    if number not in seen:
                        seen.add(number)
                        held = [self.items[number], *self.contents.get(number, ())]
                        pending += [(value, path) for value in reversed(held)]
                continue
            if type(value) in (list, Pairs):
                pending += reversed([*_held(value, path)])
        return ""

    def is_named(self, data: bytes) -> bool:
        """Tell whether bytes name what is looked for, by an old name too, or are of that module."""
        if data not in self.known:
            text = data.decode().partition("\0")[0]
            is_named = self.name in (text, text.partition(":")[0])
            self.known[data] = is_named or _name_now(text) == self.name
        return self.known[data]


def _name_now(name: str) -> str:
    try:
        return names.find(name)[1]
    except NotAllowed:
        return ""


def _are_frames(root: Any) -> bool:
    return type(root) is list and bool(root) and all(kind_code(row) == _FRAME for row in root)


def _held(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Yield what a value holds, each with its path."""
    if len(path) > _LONGEST:  # nobody reads on, and deep values would take long
        yield from ((part, path) for pair in value for part in _parts(value, pair))
        return
    if type(value) is Pairs:
        for key, part in value:
            yield key, path
            yield part, f"{path}[{_shown(key)}]"
        return
    code, parts = kind_code(value), value[1:]
    if code is None or code == _TUPLE:
        for number, part in enumerate(value if code is None else parts):
            yield part, f"{path}[{number}]"
        return
    if code in (_NEW, _FILL):
        parts = parts[1:]
    for number, part in enumerate(parts):
        if type(part) is Pairs and (code in (*_WITH_CLASS, _FILL)):
            for name, held in part:
                yield held, f"{path}.{name}" if type(name) is str else path
        elif code == 20 and number > 3:
            yield part, f"{path}[{number - 4}]"
        else:
            yield part, path


def _parts(value: Any, part: Any) -> Any:
    return part if type(value) is Pairs else (part,)


def _shown(key: Any) -> str:
    return repr(key) if type(key) in (str, int, bytes) else "…"
