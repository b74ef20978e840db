"""The author's text of one flow: its words by node, its comments by the statements they stand by.

A text in hand (`slice`) is relative: its first line's indentation is taken off every line, so that
it can stand anywhere. A line break inside a string is written `\\r`: what follows it must not move.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from keyword import iskeyword

from longterm_compiler.render.tokens import Comment, Layout, layout_of
from longterm_compiler.syntax.source import Definition, SourceFile

Span = tuple[int, int]
RAW_BREAK = "\r"

_Key = tuple[str, int, int, int, int]


@dataclass(frozen=True, eq=False)
class AuthorText:
    """What one flow's author wrote, to be looked up by the nodes of the lowered tree."""

    source: SourceFile
    definition: Definition

    @cached_property
    def layout(self) -> Layout:
        """The lines and comments of the file."""
        return _layout(self.source)

    def node_at(self, node: ast.AST) -> ast.AST | None:
        """Return the author's node that a lowered one stands for: of its kind, at its place."""
        return self._by_key.get(_key(node))

    def is_authors(self, node: ast.AST) -> bool:
        """Tell whether a lowered node means exactly what the author wrote at its place."""
        found = self.node_at(node)
        return found is not None and (found is node or same_tree(found, node))

    def span(self, node: ast.AST) -> Span:
        """Return where an author's node begins and ends in the text, decorators included."""
        layout = self.layout
        end = layout.offset(*_end(node))
        return layout.offset(*start_of(node)), end

    def slice(self, start: int, end: int, base: int | None = None) -> str:
        """Return a piece of the text, relative to the indentation of the line at `base`."""
        layout = self.layout
        first = layout.line_of(start)
        indent = layout.indent(first if base is None else layout.line_of(base))
        pieces = [layout.text[start : min(end, layout.end_of(first))]]
        for line in range(first + 1, layout.line_of(end) + 1):
            text = layout.text[layout.start_of(line) : min(end, layout.end_of(line))]
            if line in layout.inside_strings:
                pieces.append(RAW_BREAK + text)
            else:
                pieces.append("\n" + ("" if layout.is_blank(line) else text.removeprefix(indent)))
        return "".join(pieces)

    def step(self, base: int, place: int) -> str:
        """Return how much deeper the line at one place is indented than that at another."""
        layout = self.layout
        indent = layout.indent(layout.line_of(place))
        return indent.removeprefix(layout.indent(layout.line_of(base)))

    def grouped(self, span: Span) -> Span:
        """Widen a span by the parentheses that only group it, if there are any."""
        text = self.layout.text
        start, end = span
        while True:
            before = len(text[:start].rstrip())
            after = end + len(text[end:]) - len(text[end:].lstrip())
            if text[before - 1 : before] != "(" or text[after : after + 1] != ")":
                return start, end
            word = re.search(r"[\w)\]\"']+$", text[: before - 1].rstrip()[-80:])
            if word is not None and not iskeyword(word[0]):
                return start, end
            start, end = before - 1, after + 1

    def owner(self, node: ast.stmt | ast.expr) -> ast.stmt | None:
        """Return the author's innermost statement to whose text a lowered node belongs."""
        if getattr(node, "lineno", 0) < 1:
            return None
        place = self.layout.offset(node.lineno, node.col_offset)
        number = bisect_right(self._starts, place) - 1
        found = self._spans[number][2] if number >= 0 else None
        while found is not None and self.span(found)[1] <= place:
            found = self._around.get(found)
        return found

    def line_of_call(self, call: ast.Call) -> str:
        """Return the first line of a call's statement, or of the call itself if it stands below."""
        owner = self.owner(call)
        if owner is None or start_of(owner)[0] != call.lineno:
            return self.slice(*self.span(call)).partition("\n")[0].partition(RAW_BREAK)[0]
        start, end = self.span(owner)
        comment = self.layout.comments.get(call.lineno)
        line_end = self.layout.end_of(call.lineno) if comment is None else comment.offset
        return self.layout.text[start : min(end, line_end)].rstrip()

    def leading(self, line: int) -> list[str]:
        """Return the comments and blank lines right above a line that belong to what is there."""
        layout = self.layout
        above: list[str] = []
        for number in range(line - 1, 0, -1):
            comment = layout.comments.get(number)
            if number in self._tail_lines or not (
                layout.is_blank(number) or (comment is not None and comment.is_alone)
            ):
                break
            above.insert(0, "" if comment is None else comment.text)
        return above

    def trailing(self, statement: ast.stmt) -> str | None:
        """Return the comment after a statement on its last line."""
        line, column = _end(statement)
        comment = self.layout.comments.get(line)
        if comment is None or comment.is_alone:
            return None
        between = self.layout.text[self.layout.offset(line, column) : comment.offset]
        return comment.text if not between.strip(" \t;") else None

    def tail(self, statement: ast.stmt) -> list[str]:
        """Return the comments below a statement that close its block, with the blanks between."""
        lines = self._tails.get(statement, [])
        if not lines:
            return []
        found: list[str] = []
        for line in range(self._last_line(statement) + 1, lines[-1] + 1):
            if line in lines:
                found.append(self.layout.comments[line].text)
            elif self.layout.is_blank(line):
                found.append("")
        return found

    def whole(self, statement: ast.stmt) -> str:
        """Return a statement's text with the comments behind it and at the end of its blocks."""
        start, end = self.span(statement)
        if self.trailing(statement) is not None:
            end = self.layout.end_of(_end(statement)[0])
        last = self._last_line(statement)
        return self.slice(start, end if last == _end(statement)[0] else self.layout.end_of(last))

    def _last_line(self, statement: ast.stmt) -> int:
        """Return a statement's last line, the comments at the end of its inner blocks included."""
        inner = [each for each in ast.walk(statement) if each is not statement]
        lines = [self._tails[each][-1] for each in inner if each in self._tails]
        return max([_end(statement)[0], *lines])

    def opening(self, first: ast.stmt) -> int:
        """Return the line of the header (`else:`, `for …:`) above a block's first statement."""
        layout = self.layout
        line = start_of(first)[0]
        if layout.text[layout.start_of(line) : layout.offset(*start_of(first))].strip():
            return line
        line -= 1
        while line > 1 and (layout.is_blank(line) or layout.is_comment(line)):
            line -= 1
        return line

    def opening_comment(self, first: ast.stmt) -> str | None:
        """Return the comment at the end of the header right above a block's first statement."""
        comment: Comment | None = self.layout.comments.get(self.opening(first))
        if comment is None or comment.is_alone:
            return None
        before = self.layout.text[: comment.offset].rstrip(" \t")
        return comment.text if before.endswith(":") else None

    @cached_property
    def _by_key(self) -> dict[_Key, ast.AST]:
        # Places inside an f-string are not the same on all versions of Python: not looked up.
        found: dict[_Key, ast.AST] = {}
        pending: list[ast.AST] = [self.definition.node]
        while pending:
            node = pending.pop()
            if hasattr(node, "lineno"):
                found[_key(node)] = node
            if not isinstance(node, ast.JoinedStr):
                pending.extend(ast.iter_child_nodes(node))
        return found

    @cached_property
    def _spans(self) -> list[tuple[int, int, ast.stmt]]:
        """Every statement of the flow with its span, in the order of the text."""
        inside = [n for n in ast.walk(self.definition.node) if isinstance(n, ast.stmt)]
        return sorted(
            ((*self.span(n), n) for n in inside if n is not self.definition.node),
            key=lambda each: (each[0], -each[1]),
        )

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _, _ in self._spans]

    @cached_property
    def _around(self) -> dict[ast.stmt, ast.stmt]:
        """The statement around each statement of the flow, but for the flow itself."""
        found: dict[ast.stmt, ast.stmt] = {}
        open_: list[tuple[int, ast.stmt]] = []
        for start, end, statement in self._spans:
            while open_ and open_[-1][0] <= start:
                open_.pop()
            if open_:
                found[statement] = open_[-1][1]
            open_.append((end, statement))
        return found

    @cached_property
    def _tail_lines(self) -> set[int]:
        return {line for lines in self._tails.values() for line in lines}

    @cached_property
    def _tails(self) -> dict[ast.AST, list[int]]:
        """The lines of the comments that close a block, by the block's last statement."""
        ending: dict[int, list[ast.stmt]] = {}
        for _, _, statement in self._spans:
            ending.setdefault(_end(statement)[0], []).append(statement)
        last = set(self._last_statements())
        tails: dict[ast.AST, list[int]] = {}
        for end, statements in ending.items():
            for line, statement in self._closing(end, statements, last):
                tails.setdefault(statement, []).append(line)
        return tails

    def _last_statements(self) -> list[ast.stmt]:
        """Return the last statement of every block of the flow; an `elif` is none of a block."""
        blocks = [
            value
            for each in ast.walk(self.definition.node)
            for _, value in ast.iter_fields(each)
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt)
        ]
        return [block[-1] for block in blocks if not self.is_elif(block[0])]

    def is_elif(self, node: ast.stmt) -> bool:
        """Tell whether the author wrote a statement as `elif`."""
        found = self.node_at(node)
        if not isinstance(found, ast.If):
            return False
        return self.layout.text.startswith("elif", self.span(found)[0])

    def _closing(
        self, end: int, statements: list[ast.stmt], last: set[ast.stmt]
    ) -> list[tuple[int, ast.stmt]]:
        """Give the comments below a line to the statements that end on it, from the inside out."""
        layout = self.layout
        found: list[tuple[int, ast.stmt]] = []
        inner = list(reversed(statements))
        line = end + 1
        while line <= layout.count and (layout.is_blank(line) or layout.is_comment(line)):
            if layout.is_comment(line):
                column = len(layout.indent(line))
                while inner and inner[0].col_offset > column:
                    inner.pop(0)
                if not inner or (inner[0] not in last and inner[0].col_offset == column):
                    break
                found.append((line, inner[0]))
            line += 1
        return found


def same_tree(one: object, other: object) -> bool:
    """Tell whether two trees are equal but for their places. What they share is not looked at."""
    pending = [(one, other)]
    while pending:
        left, right = pending.pop()
        if left is right:
            continue
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST):
            pending += [(getattr(left, f, None), getattr(right, f, None)) for f in left._fields]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pending += zip(left, right, strict=True)
        elif repr(left) != repr(right):
            return False
    return True


def start_of(node: ast.AST) -> tuple[int, int]:
    """Return the line and column where a node begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = getattr(node, "lineno")  # noqa: B009 - not every kind of node has a place
    column: int = getattr(node, "col_offset")  # noqa: B009
    return min([line, *(each.lineno for each in decorators)]), column


def _end(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "end_lineno"), getattr(node, "end_col_offset")  # noqa: B009


def _key(node: ast.AST) -> _Key:
    if not hasattr(node, "lineno"):
        return (type(node).__name__, 0, 0, 0, 0)
    line, column = getattr(node, "lineno"), getattr(node, "col_offset")  # noqa: B009
    return (type(node).__name__, line, column, *_end(node))


@lru_cache(maxsize=8)
def _layout(source: SourceFile) -> Layout:
    return layout_of(source.text)
