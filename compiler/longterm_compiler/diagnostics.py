"""What the compiler says when it refuses: data, and its text in rustc's manner.

In: a rule's words and a place in a file. Out: lines for people. Knows no rule and no tree pass.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TAB = "    "
_WIDEST = 120
"""Columns of a source line that are shown; of a longer one the part around the span."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RED, _YELLOW, _BLUE = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a file: lines from 1, columns from 0 in UTF-8 bytes, as `ast` counts."""

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, node: ast.expr | ast.stmt | ast.arg | ast.alias | ast.ExceptHandler) -> Span:
        """Return the span of a node of the author's tree."""
        end_line = node.end_lineno or node.lineno
        end_column = node.col_offset + 1 if node.end_col_offset is None else node.end_col_offset
        return cls(node.lineno, node.col_offset, end_line, end_column)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem of a file: which rule refuses it, where, why, and what to write instead."""

    path: str
    span: Span
    rule: str
    message: str
    label: str
    """What the span shows, beside its caret."""
    note: str
    """Why it is refused."""
    help: str
    """What to write instead."""
    is_warning: bool = False
    """Whether the flow is compiled all the same."""


class Refused(Exception):
    """Raised when a flow cannot be compiled. Its text is that of its diagnostics."""

    def __init__(self, diagnostics: Iterable[Diagnostic], text: str) -> None:
        """Keep the diagnostics, by position.

        Args:
            diagnostics: the problems, at least one.
            text: the text of the file that they are about.
        """
        self.diagnostics = sort_diagnostics(diagnostics)
        super().__init__(render_all(self.diagnostics, text))


class NoLibcst(Exception):
    """Raised when nothing can be compiled, since libcst is missing or is too old."""


class InternalError(Exception):
    """Raised when the compiler has failed: the text that it wrote is not what it had planned."""


def sort_diagnostics(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return diagnostics in the order of the text, each once."""
    return tuple(sorted(set(diagnostics), key=lambda found: (found.path, found.span, found.rule)))


def split_lines(text: str) -> list[str]:
    """Return the lines of a source text as Python counts them (a form feed ends none)."""
    return _LINE_END.split(text)


def render_all(diagnostics: Iterable[Diagnostic], text: str, *, colour: bool = False) -> str:
    """Return the text of several diagnostics of one file, a blank line between two."""
    lines = split_lines(text)
    return "\n\n".join(_render(diagnostic, lines, colour) for diagnostic in diagnostics)


def render(diagnostic: Diagnostic, text: str, *, colour: bool = False) -> str:
    """Return the text of one diagnostic, without a line end at its end.

    Args:
        diagnostic: the problem.
        text: the text of its file.
        colour: whether to add the escapes of a terminal; the letters are the same.
    """
    return _render(diagnostic, split_lines(text), colour)


def _render(diagnostic: Diagnostic, lines: list[str], colour: bool) -> str:
    paint = _painted if colour else _unpainted
    span = diagnostic.span
    margin = " " * len(str(span.end_line))
    column = len(_bytes_before(_line(lines, span.line), span.column)) + 1
    kind, colour_of_kind = ("warning", _YELLOW) if diagnostic.is_warning else ("error", _RED)
    head = paint(f"{kind}[{diagnostic.rule}]", colour_of_kind)
    out = [
        f"{head}{paint(f': {diagnostic.message}', _BOLD)}",
        f"{margin}{paint('-->', _BLUE)} {_one_line(diagnostic.path)}:{span.line}:{column}",
    ]
    for row in _shown(diagnostic, lines):
        number = margin if row.number is None else str(row.number).rjust(len(margin))
        bar = paint(f"{number} |", _BLUE)
        body = paint(row.text, colour_of_kind) if row.number is None else row.text
        out.append(f"{bar} {body}".rstrip() if row.text != "..." else "...")
    for kind, words in (("note", diagnostic.note), ("help", diagnostic.help)):
        out.append(f"{margin} {paint('=', _BLUE)} {paint(f'{kind}:', _BOLD)} {words}")
    return "\n".join(out)


@dataclass(frozen=True, slots=True)
class _Row:
    number: int | None
    text: str


def _shown(diagnostic: Diagnostic, lines: list[str]) -> Iterator[_Row]:
    """Yield the rows of source and carets: the first line of the span, and the last."""
    span = diagnostic.span
    first = _line(lines, span.line)
    start = len(_bytes_before(first, span.column))
    if span.end_line == span.line:
        end = len(_bytes_before(first, span.end_column))
        yield from _marked(span.line, first, start, end, diagnostic.label)
        return
    yield from _marked(span.line, first, start, len(first.rstrip()), "")
    if span.end_line > span.line + 1:
        yield _Row(None, "...")
    last = _line(lines, span.end_line)
    start = len(last) - len(last.lstrip())
    end = len(_bytes_before(last, span.end_column))
    yield from _marked(span.end_line, last, start, end, diagnostic.label)


def _marked(number: int, line: str, start: int, end: int, label: str) -> Iterator[_Row]:
    line, start, end = _cut(line, start, max(end, start + 1))
    yield _Row(number, "".join(_display(character) for character in line))
    before = sum(_width(character) for character in line[:start])
    # A span past the end of its line (an error at a line's end) has a caret all the same.
    under = max(sum(_width(character) for character in line[start:end]), 1)
    yield _Row(None, f"{' ' * before}{'^' * under}{' ' if label else ''}{label}")


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Shorten a line that is too long to show to what surrounds the span."""
    if len(line) <= _WIDEST:
        return line, start, end
    left = 0 if start < _WIDEST // 2 else start - _WIDEST // 3
    cut = line[left : left + _WIDEST]
    if left + _WIDEST < len(line):
        cut += "..."
    end = min(end, left + _WIDEST)
    if left == 0:
        return cut, start, end
    return "..." + cut, start - left + 3, end - left + 3


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _bytes_before(line: str, column: int) -> str:
    """Return the characters of a line before a column that is counted in bytes."""
    return line.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace")


def _one_line(text: str) -> str:
    return "".join(_display(character) for character in text)


def _display(character: str) -> str:
    """Return what a terminal can show safely in a character's place."""
    if character == "\t":
        return _TAB
    if unicodedata.category(character) == "Cc":
        return (
            chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\N{REPLACEMENT CHARACTER}"
        )
    return "\N{REPLACEMENT CHARACTER}" if _is_hidden(character) else character


def _is_hidden(character: str) -> bool:
    """Tell whether a terminal cannot show a character, or shows others elsewhere because of it.

    Controls of the direction of writing make code read as what it is not: trojansource.codes.
    """
    return unicodedata.category(character) in ("Cs", "Zl", "Zp") or character in _DIRECTIONS


def _width(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if character == "\t":
        return len(_TAB)
    if _is_hidden(character):
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _painted(text: str, colour: str) -> str:
    return f"{colour}{text}{_PLAIN}" if text else text


def _unpainted(text: str, colour: str) -> str:
    return text
