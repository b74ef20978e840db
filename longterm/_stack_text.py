"""A suspended stack as text for people: frames with the author's line, and their slots.

In: the stored bytes of a run. Out: text, or frames of text. No code of the application's is run,
and no module is imported for its source.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

from longterm._abi import DEFAULT, EVENTS, STEP, STEPS, TYPE, UNTIL
from longterm._escapes import escaped
from longterm._run_json import described
from longterm.run import Run

_FRAME: Final = re.compile(
    r"frame \d+: (?P<flow>(?P<module>[\w.]+):\S+) at line (?P<line>\d{1,9})\b"
)
_SLOT: Final = re.compile(r"    (?P<name>(captured )?[^\s=]+|\([a-z ]+\)) = (?P<value>.*)")
_OWN_SLOTS: Final = {
    DEFAULT: "(default of this wait)",
    UNTIL: "(deadline of this wait)",
    STEPS: "(steps begun)",
    STEP: "(step under way)",
    TYPE: "(type of this wait)",
    EVENTS: "(events of this wait)",
}
"""What longterm itself keeps in a frame, by what it is for."""
_OWN_SLOT: Final = re.compile(f"    ({'|'.join(_OWN_SLOTS)}) = ")


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One call that waits, or has called what waits."""

    flow: str
    line: int
    source: str
    """The author's line; empty if it is not found here."""
    slots: list[tuple[str, str]] = field(default_factory=list)
    """The names that are stored, and their values."""


@dataclass(frozen=True, slots=True)
class ShownStack:
    """A stack, outermost call first."""

    frames: list[ShownFrame]
    other: list[str]
    """Lines that are of no frame: values that stand in several places, by number; or why the bytes
    cannot be read."""


def stack_of(run: Run) -> ShownStack | None:
    """Return the stack of a run; None if it has none."""
    text = described(run, "stack")
    if text is None:
        return None
    shown = ShownStack([], [])
    for line in text.splitlines():
        slot = _SLOT.fullmatch(_named(line))
        if found := _FRAME.match(line):
            number = int(found["line"])
            source = _source_line(found["module"], number)
            shown.frames.append(ShownFrame(found["flow"], number, source))
        elif slot and shown.frames:
            shown.frames[-1].slots.append((slot["name"], slot["value"]))
        else:
            shown.other.append(line)
    return shown


def with_source(text: str) -> str:
    """Put the author's line under each frame whose source can be found without importing it."""
    return "".join(_lines_with_source(text))


def _lines_with_source(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        yield _named(line)
        found = _FRAME.match(line)
        source = found and _source_line(found["module"], int(found["line"]))
        if source:
            yield f"    > {escaped(source)}\n"


def _named(line: str) -> str:
    """Return a line in which a slot of longterm's own says what it is for."""
    found = _OWN_SLOT.match(line)
    return line if found is None else f"    {_OWN_SLOTS[found[1]]}{line[found.end() - 3 :]}"


def _source_line(module: str, line: int) -> str:
    if module == "__main__":
        return ""  # that of this process is the command itself
    known = sys.modules.get(module)
    path = getattr(known, "__file__", None)
    if path is None and "." not in module:
        spec = find_spec(module)
        path = spec.origin if spec else None
    return linecache.getline(path, line).strip() if path else ""
