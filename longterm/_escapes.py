"""Text of others as a terminal can show it: what would steer the terminal is written out.

An event's name or an exception's words may hold escape sequences, which move the cursor, rename the
window or worse; a line end, which begins a line that looks like ours; or controls of the direction
of writing, which show letters in another order than they have (https://trojansource.codes).
"""

from __future__ import annotations

import re
from typing import Final

_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# C0 and C1 controls, two more line ends, and half surrogate pairs, which cannot be printed at all.
_STEERING: Final = re.compile(f"[\0-\x1f\x7f-\x9f{_DIRECTIONS}\u2028\u2029\ud800-\udfff]")
_STEERING_IN_LINES: Final = re.compile(
    f"[\0-\x08\x0b-\x1f\x7f-\x9f{_DIRECTIONS}\u2028\u2029\ud800-\udfff]"
)


def escaped(text: str) -> str:
    r"""Return a text as one line: `\x1b` for an escape, `\n` for a line end."""
    return _STEERING.sub(_written_out, text)


def escaped_lines(text: str) -> str:
    """Return a text of several lines, such as a traceback, with its line ends and tabs."""
    return _STEERING_IN_LINES.sub(_written_out, text)


def quoted(text: str) -> str:
    """Return a text of several lines indented, so that none of them looks like one of ours."""
    return "".join(f"    {line}\n" for line in escaped_lines(text.rstrip()).split("\n"))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
