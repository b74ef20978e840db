"""A suspended stack as text for people: frames with the author's line, and their slots.

In: the stored bytes of a run. Out: text, or frames of text. No code of the application's is run,
and no module is imported for its source.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final, TypeAlias

from longterm._abi import DEFAULT, EVENTS, GENERATOR, STEP, STEPS, TYPE, UNTIL
from longterm._escapes import escaped
from longterm._run_json import described
from longterm.run import Run

_FRAME: Final = re.compile(
    r"frame \d+: (?P<flow>(?P<module>[\w.]+):\S+) at line (?P<line>\d{1,9})"
    r" \(point (?P<point>\d{1,9}), version (?P<version>\w+)\)"
)
_SLOT: Final = re.compile(r"    (?P<name>(captured )?[^\s=]+|\([a-z ]+\)) = (?P<value>.*)")
_OWN_SLOTS: Final = {
    DEFAULT: "(default of this wait)",
    UNTIL: "(deadline of this wait)",
    STEPS: "(steps begun)",
    STEP: "(step under way)",
    TYPE: "(type of this wait)",
    EVENTS: "(events of this wait)",
    GENERATOR: "(generator)",
}
"""What longterm itself keeps in a frame, by what it is for."""
_OWN_SLOT: Final = re.compile(f"    ({'|'.join(_OWN_SLOTS)}) = ")


OldLine: TypeAlias = Callable[[str, str, int], str]
"""Returns what the line of a point said in a version, as a store keeps it; empty if it does not.
Takes the flow, the version and the point."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One call that waits, or has called what waits."""

    flow: str
    line: int
    source: str
    """The author's line as it was when the run was saved, if that is kept; else as it is in the
    file of today; empty if neither is known."""
    slots: list[tuple[str, str]] = field(default_factory=list)
    """The names that are stored, and their values."""
    today: str | None = None
    """What that line of the file says now, if it is another than `source`; else None."""

    @property
    def locals(self) -> list[tuple[str, str]]:
        """The author's own names."""
        return [slot for slot in self.slots if not slot[0].startswith("(")]

    @property
    def own(self) -> list[tuple[str, str]]:
        """What longterm keeps with a wait, such as its deadline."""
        return [slot for slot in self.slots if slot[0].startswith("(")]


@dataclass(frozen=True, slots=True)
class ShownStack:
    """A stack, outermost call first."""

    frames: list[ShownFrame]
    other: list[str]
    """Lines that are of no frame: values that stand in several places, by number; or why the bytes
    cannot be read."""


def stack_of(run: Run, old_line: OldLine | None = None) -> ShownStack | None:
    """Return the stack of a run; None if it has none. `old_line` finds lines that are kept."""
    text = described(run, "stack")
    if text is None:
        return None
    shown = ShownStack([], [])
    for line in text.splitlines():
        slot = _SLOT.fullmatch(_named(line))
        if found := _FRAME.match(line):
            source, today = _lines_of(found, old_line)
            number = int(found["line"])
            shown.frames.append(ShownFrame(found["flow"], number, source, today=today))
        elif slot and shown.frames:
            shown.frames[-1].slots.append((slot["name"], slot["value"]))
        else:
            shown.other.append(line)
    return shown


def with_source(text: str, old_line: OldLine | None = None) -> str:
    """Put the author's line under each frame whose source can be found without importing it.

    `old_line` finds lines that are kept. Where the file of today says something else, that is told.
    """
    return "".join(_lines_with_source(text, old_line))


def _lines_with_source(text: str, old_line: OldLine | None) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        yield _named(line)
        found = _FRAME.match(line)
        if found is None:
            continue
        source, today = _lines_of(found, old_line)
        if source:
            yield f"    > {escaped(source)}\n"
        if today is not None:
            is_now = f"is now: {escaped(today)}" if today else "is empty or gone now"
            yield f"      (so it was then; line {found['line']} of the file {is_now})\n"


def _named(line: str) -> str:
    """Return a line in which a slot of longterm's own says what it is for."""
    found = _OWN_SLOT.match(line)
    return line if found is None else f"    {_OWN_SLOTS[found[1]]}{line[found.end() - 3 :]}"


def _lines_of(frame: re.Match[str], old_line: OldLine | None) -> tuple[str, str | None]:
    """Return the line of a frame, and what the file of today says there if that is another."""
    today = _source_line(frame["module"], int(frame["line"]))
    then = old_line and old_line(frame["flow"], frame["version"], int(frame["point"]))
    if not then:
        return today or "", None
    return then, None if today == then else today


def _source_line(module: str, line: int) -> str | None:
    """Return a line of a module's file; empty if the file has no such line, None if no file."""
    if module == "__main__":
        return None  # that of this process is the command itself
    known = sys.modules.get(module)
    path = getattr(known, "__file__", None)
    if path is None and "." not in module:
        spec = find_spec(module)
        path = spec.origin if spec else None
    lines = linecache.getlines(path) if path else []
    if not lines:
        return None
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""
