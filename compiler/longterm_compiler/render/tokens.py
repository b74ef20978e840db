"""The layout of a file: where its lines and comments are, and which lines begin inside a string.

Text in, `Layout` out. Columns of trees are counted in bytes; offsets here are in characters.
"""

from __future__ import annotations

import bisect
import io
import re
import token
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_STARTS = {getattr(token, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
_ENDS = {getattr(token, name, -1) for name in ("FSTRING_END", "TSTRING_END")}


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: its text from the `#` on, and where it begins."""

    text: str
    offset: int
    is_alone: bool
    """Whether nothing else stands on its line."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A file's text with its lines, counted from 1."""

    text: str
    starts: list[int]
    comments: dict[int, Comment]
    inside_strings: frozenset[int]
    """The lines that begin inside a string: their indentation is part of it."""

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.starts)

    def start_of(self, line: int) -> int:
        """Return the offset of a line's first character."""
        return self.starts[line - 1]

    def end_of(self, line: int) -> int:
        """Return the offset of a line's end, its line break not included."""
        return self.starts[line] - 1 if line < len(self.starts) else len(self.text)

    def line_of(self, offset: int) -> int:
        """Return the line that an offset is on."""
        return bisect.bisect_right(self.starts, offset)

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a place in a tree, whose columns count bytes."""
        start = self.start_of(line)
        text = self.text[start : self.end_of(line)]
        if text.isascii():
            return start + column
        return start + len(text.encode()[:column].decode(errors="replace"))

    def indent(self, line: int) -> str:
        """Return the white space that a line begins with."""
        text = self.text[self.start_of(line) : self.end_of(line)]
        return text[: len(text) - len(text.lstrip())]

    def is_blank(self, line: int) -> bool:
        """Tell whether a line holds nothing, and is not part of a string."""
        text = self.text[self.start_of(line) : self.end_of(line)]
        return line not in self.inside_strings and not text.strip()

    def is_comment(self, line: int) -> bool:
        """Tell whether a line holds a comment and nothing else."""
        return line in self.comments and self.comments[line].is_alone


def layout_of(text: str) -> Layout:
    """Read the layout of a file that is known to be Python."""
    text = re.sub(r"\r\n?", "\n", text)
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    comments: dict[int, Comment] = {}
    inside: set[int] = set()
    depth = opened = 0
    for kind, string, (line, column), (end, _) in _tokens(text):
        if kind == token.COMMENT:
            offset = starts[line - 1] + column
            alone = not text[starts[line - 1] : offset].strip()
            comments[line] = Comment(string.rstrip(), offset, alone)
        elif kind == token.STRING:
            inside.update(range(line + 1, end + 1))
        elif kind in _STARTS:
            opened = opened if depth else line
            depth += 1
        elif kind in _ENDS:
            depth -= 1
            if not depth:
                inside.update(range(opened + 1, end + 1))
    return Layout(text, starts, comments, frozenset(inside))


def _tokens(text: str) -> Iterator[tuple[int, str, tuple[int, int], tuple[int, int]]]:
    for each in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
        yield each.type, each.string, each.start, each.end
