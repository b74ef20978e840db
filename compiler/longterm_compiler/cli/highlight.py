"""Colours for generated code on a terminal, and whether to use any. Text in, the same text out.

What the compiler made, its names and its notes on resume points, stands back or out; the author's
code has the usual colours.
"""

from __future__ import annotations

import io
import os
import token
import tokenize
from collections.abc import Iterator
from keyword import iskeyword
from typing import Final, TextIO

from longterm._abi import RESERVED_PREFIX, RUNTIME

_RESET: Final = "\x1b[0m"
_KEYWORD: Final = "\x1b[35m"
_STRING: Final = "\x1b[32m"
_NUMBER: Final = "\x1b[36m"
_COMMENT: Final = "\x1b[90m"
_POINT: Final = "\x1b[1;33m"
_OURS: Final = "\x1b[2m"
_NAME: Final = "\x1b[1;34m"
_BOLD: Final = "\x1b[1m"
_SOFT_KEYWORDS = frozenset({"match", "case"})
_STRINGS = {token.STRING} | {
    getattr(token, f"{kind}STRING_{part}", token.STRING)
    for kind in "FT"
    for part in ("START", "MIDDLE", "END")
}


def wants_colour(when: str, stream: TextIO) -> bool:
    """Tell whether to colour what is written to a stream.

    `always` and `never` decide; else NO_COLOR, FORCE_COLOR and TERM do, then whether it is a
    terminal.
    """
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def bold(text: str) -> str:
    """Return a text in bold."""
    return f"{_BOLD}{text}{_RESET}"


def highlight(text: str) -> str:
    """Return Python text with colours; without them it is the same text."""
    lines = [f"{each}\n" for each in text.split("\n")]
    starts = [0]
    for each in lines:
        starts.append(starts[-1] + len(each))
    pieces: list[str] = []
    place = 0
    for colour, start, end in _coloured(text):
        first = starts[start[0] - 1] + start[1]
        last = starts[end[0] - 1] + end[1]
        if first < place:
            continue
        pieces += [text[place:first], _painted(text[first:last], colour)]
        place = last
    return "".join([*pieces, text[place:]])


def _painted(text: str, colour: str) -> str:
    """Colour a piece line by line, so that a pager can begin anywhere."""
    return "\n".join(f"{colour}{line}{_RESET}" if line else "" for line in text.split("\n"))


def _coloured(text: str) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    before = ""
    first_on_line = True
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        colour = _colour(each, before, first_on_line=first_on_line)
        if colour:
            yield colour, each.start, each.end
        first_on_line = each.type in (token.NEWLINE, token.NL, token.INDENT, token.DEDENT)
        before = each.string


def _colour(piece: tokenize.TokenInfo, before: str, *, first_on_line: bool) -> str:
    text = piece.string
    if piece.type in _STRINGS:
        return _STRING
    if piece.type == token.COMMENT:
        return _POINT if text.lower().startswith("# point ") else _COMMENT
    if piece.type == token.NUMBER:
        return _NUMBER
    if piece.type != token.NAME:
        return ""
    if before in ("def", "class"):
        return _NAME
    if text.startswith(RESERVED_PREFIX) or text == RUNTIME:
        return _OURS
    is_soft = first_on_line and text in _SOFT_KEYWORDS and piece.line.rstrip().endswith(":")
    return _KEYWORD if iskeyword(text) or is_soft else ""
