"""Stored bytes as text for people, without the code of those who stored them.

In: the bytes. Out: lines; slots and types by name, what is shared by number. Names are shown and
never looked up, so this reads data of any application, or of none.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoder import check_lengths
from longterm._codec.raw import Pairs, kind_code, raw_values
from longterm._codec.types.families import FAMILY_OF_EXTENSION, FAMILY_OF_KIND
from longterm._codec.types.frames import FRAME
from longterm._codec.types.instructions import FILL, NEW
from longterm._codec.types.kinds import Kind
from longterm._codec.types.registry import KINDS, READERS
from longterm._escapes import escaped
from longterm._signals import is_of_signal
from longterm.errors import CorruptData

_DEPTH: Final = 40
_LONG: Final = 2_000
_NAMED: Final = (wire.NAME, wire.MODULE, wire.TYPE, wire.ZONE)


def described(data: bytes) -> str:
    """Return what bytes of the codec hold, as text.

    Raises:
        CorruptData: the bytes are not what `encode` made.
    """
    if len(data) < 3 or data[0] != wire.VERSION or data[1] > wire.ITEMS:
        raise CorruptData("these bytes are of another format (stored by a newer longterm?)")
    body = memoryview(data)[2:]
    try:
        check_lengths(body)
        values = raw_values(body)
        lines = _items(values) if data[1] == wire.ITEMS else _tree(values[0], data[1])
    except CorruptData:
        raise
    except Exception as error:
        if is_of_signal(error):
            raise
        raise CorruptData(f"the stored bytes are damaged: {error}") from error
    # Names are shown as they were stored, and a line must not look like another one.
    return "\n".join(map(escaped, lines)) + "\n"


def _tree(root: Any, layout: int) -> list[str]:
    if not layout & wire.FRAMES:
        return [_text(root)]
    return [line for number, row in enumerate(root) for line in _frame(number, row)]


def _frame(number: int, row: list[Any]) -> list[str]:
    flow, version, point, line, slots, *more = row
    # A row has no cells, but the digest of the rest; longterm 0.1 wrote neither.
    cells = [names for names in more[:1] if type(names) is not str and names]
    lines = [f"frame {number}: {flow} at line {line} (point {point}, version {version})"]
    named = [("", slots), *(("captured ", names) for names in cells)]
    for title, names in named:
        if type(names) is Pairs:
            lines += [f"    {title}{name} = {_text(value)}" for name, value in names]
        else:
            lines.append(f"    {title or 'slots '}{_text(names)}")
    return lines


def _items(values: list[Any]) -> list[str]:
    lines, number = [], 0
    for position, value in enumerate(values):
        if kind_code(value) == FILL.code:
            lines.append(f"{_text(value[1])} gets {_parts(value[2:])}")
            continue
        is_last = position == len(values) - 1
        if (
            is_last
            and type(value) is list
            and value
            and all(kind_code(row) == FRAME.code for row in value)
        ):
            lines += [line for index, row in enumerate(value) for line in _frame(index, row[1:])]
            continue
        lines.append(_text(value) if is_last else f"#{number} = {_text(value)}")
        number += 1
    return lines


def _text(value: Any, depth: int = _DEPTH) -> str:
    if not depth:
        return "…"
    if type(value) is Pairs:
        pairs = (f"{_text(key, depth - 1)}: {_text(held, depth - 1)}" for key, held in value)
        return "{" + ", ".join(pairs) + "}"
    if type(value) is list:
        code = kind_code(value)
        return f"[{_parts(value, depth)}]" if code is None else _tagged(code, value[1:], depth)
    if type(value) is ExtType:
        return _extension(value)
    shown = repr(value)
    return shown if len(shown) <= _LONG else f"{shown[:_LONG]}… ({len(value)} in all)"


def _parts(parts: list[Any], depth: int = _DEPTH) -> str:
    return ", ".join(_text(part, depth - 1) for part in parts)


def _tagged(code: int, parts: list[Any], depth: int) -> str:
    kind = _kind_of(code)
    if code == NEW.code:
        made = _kind_of(parts[0])
        rest = f" of {_parts(parts[1:], depth)}" if parts[1:] else ""
        return f"a {made.name if made else parts[0]}{rest}, filled later"
    return f"{kind.name.replace(' ', '_') if kind else f'kind_{code}'}({_parts(parts, depth)})"


def _kind_of(code: Any) -> Kind | None:
    return KINDS[code] if code in FAMILY_OF_KIND else None


def _extension(value: ExtType) -> str:
    code, payload = value
    if code == wire.REFERENCE:
        return f"#{int.from_bytes(payload, 'big')}"
    if code == wire.CLASS:
        name, *declared = str(payload, "utf-8", "backslashreplace").split("\0")
        return repr(f"{name}({', '.join(declared)})")[1:-1]
    if code in _NAMED:
        # Names are shown without quotes, and what would move the cursor or end the line with none.
        return repr(str(payload, "utf-8", "backslashreplace"))[1:-1]
    if code == wire.INTEGER and len(payload) > _LONG:
        return f"int of {len(payload)} bytes"  # Python shows none of more than 4,300 digits
    if code == wire.PATTERN:
        return f"pattern({payload[5:].decode('utf-8', 'backslashreplace')!r})"
    if code in FAMILY_OF_EXTENSION:
        return repr(READERS[code](payload))
    return f"extension {code} of {payload!r}"
