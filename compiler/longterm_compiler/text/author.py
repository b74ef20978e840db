"""What one flow's author wrote, to be looked up by the nodes of the plan.

The plan is the tree of a body that the compiler makes (`ast`). Most of its nodes are the author's
own, or stand at the place of one; the libcst node there is the text to write, comments included.

libcst parses the lines of the function and no others: what stands around it in the file is of no
use here, and nobody has checked that it is not too deep for libcst's parser, which recurses until
the process ends (`longterm_compiler.analysis.limits` has checked the flow).
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import libcst as cst

from longterm_compiler.diagnostics import InternalError
from longterm_compiler.syntax.build import PointExpression
from longterm_compiler.syntax.source import Definition, SourceFile
from longterm_compiler.syntax.tree import children
from longterm_compiler.text.pairs import Line, Pairs
from longterm_compiler.text.spacing import spaced
from longterm_compiler.text.targets import parse_with_bare_targets

Place: TypeAlias = tuple[int, int]
_Key: TypeAlias = tuple[type[ast.AST], int, int, int | None, int | None]

INDENT = "    "
_MOST_OPERANDS = 1000
"""The operands of one `and` or `or` that libcst's parser is given; more may end the process.

In `ast` they are one list. libcst nests them, and recurses in its native code.
"""
_GOES_ON = re.compile(r"[ \t\f;]*\\")
"""The rest of a line that the next line belongs to: a backslash ends it."""
_BLANK = re.compile(r"[ \t\f]*(#.*)?")


@dataclass(frozen=True, eq=False)
class AuthorText:
    """One flow as written: its tree, and the libcst node of each of its nodes."""

    source: SourceFile
    definition: Definition

    @cached_property
    def function(self) -> cst.FunctionDef:
        """The whole function."""
        lines = self._lines()
        is_inside = lines[0][:1].isspace()
        text = "\n".join(["if True:", *lines, ""] if is_inside else [*lines, ""])
        if self._most_operands() > _MOST_OPERANDS:
            raise RecursionError  # `room_for` refuses the flow then, as too deep
        found: cst.CSTNode = self._parsed(text).body[0]
        if is_inside:
            assert isinstance(found, cst.If)
            found = found.body.body[0]
        assert isinstance(found, cst.FunctionDef)
        return found

    @cached_property
    def pairs(self) -> Pairs:
        """The libcst nodes by the nodes of the tree."""
        pairs = Pairs()
        pairs.pair(self.definition.node, self.function)
        return pairs

    def _parsed(self, text: str) -> cst.Module:
        config = cst.PartialParserConfig(default_indent=self.indent)
        try:
            try:
                return cst.parse_module(text, config)
            except cst.ParserSyntaxError:
                return parse_with_bare_targets(text, lambda bare: cst.parse_module(bare, config))
            except cst.CSTValidationError:
                return cst.parse_module(spaced(text), config)
        except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
            name = self.definition.qualname
            raise InternalError(f"libcst cannot read the flow {name}: {error}") from error

    def _most_operands(self) -> int:
        """Return how many operands the longest `and` or `or` of the function has."""
        nodes = ast.walk(self.definition.node)
        return max((len(node.values) for node in nodes if isinstance(node, ast.BoolOp)), default=0)

    @cached_property
    def indent(self) -> str:
        """How much deeper the author indents a block."""
        first = self.definition.node.body[0]
        inner, outer = (self._before(statement) for statement in (first, self.definition.node))
        is_deeper = not inner.strip() and inner.startswith(outer) and inner != outer
        return inner.removeprefix(outer) if is_deeper else INDENT

    def _before(self, node: ast.stmt) -> str:
        """Return what stands before a statement in its line."""
        line, column = start_of(node)
        return self.source.lines[line - 1].encode()[:column].decode().rpartition("\f")[2]

    @cached_property
    def extent(self) -> slice:
        """The lines of the function, counted from 0, with the comments that end it.

        def greet(name):                # the first line
            print(name)
            # This comment belongs to the function: it is indented.
        # This one does not.
        """
        node, lines = self.definition.node, self.source.lines
        # `ast` tells where the last statement ends; its line may go on with `;` and backslashes.
        line, column = end_of(node)
        rest = lines[line - 1].encode()[column:].decode()
        while _GOES_ON.fullmatch(rest) and line < len(lines):
            rest = lines[line]
            line += 1
        end = line
        for number in range(line, len(lines)):
            text = lines[number]
            is_indented = "#" not in text[: node.col_offset + 1]
            if not _BLANK.fullmatch(text) or not is_indented:
                break
            if text.strip():
                end = number + 1
        return slice(self.definition.first_line - 1, end)

    def _lines(self) -> list[str]:
        """Return the lines of the function as libcst can read them."""
        first, found = self.extent.start, self.source.lines[self.extent]
        if any("\f" in line for line in found):
            # Python begins to count the indentation anew at a form feed, and libcst does not.
            for statement in self.statements:
                line, column = start_of(statement)
                start, text = self._before(statement), found[line - 1 - first]
                if not start.strip():
                    found[line - 1 - first] = start + text.encode()[column:].decode()
        return found

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """Every statement of the function, itself included, in the order of the text."""
        inside = [n for n in ast.walk(self.definition.node) if isinstance(n, ast.stmt)]
        return sorted(
            inside, key=lambda statement: (start_of(statement), [-x for x in end_of(statement)])
        )

    def node_at(self, node: ast.AST) -> ast.AST | None:
        """Return the author's node that one of the plan stands for: of its kind, at its place."""
        if node in self.pairs.nodes:
            return node
        return self._by_key.get(_key(node)) if hasattr(node, "lineno") else None

    @cached_property
    def _by_key(self) -> dict[_Key, ast.AST]:
        found: dict[_Key, ast.AST] = {}
        pending: list[ast.AST] = [self.definition.node]
        inside_strings: list[ast.AST] = []
        for node in pending:
            if hasattr(node, "lineno") and node in self.pairs.nodes:
                found[_key(node)] = node
            (inside_strings if isinstance(node, ast.JoinedStr) else pending).extend(children(node))
        # Before Python 3.12 (PEP 701) some places inside an f-string are wrong (gh-94869), or those
        # of the whole (gh-104608), and may be another node's. So what is outside comes first.
        for node in inside_strings:
            if hasattr(node, "lineno") and node in self.pairs.nodes:
                found.setdefault(_key(node), node)
            inside_strings += children(node)
        return found

    def is_authors(self, node: ast.AST) -> bool:
        """Tell whether a node of the plan means exactly what the author wrote at its place."""
        found = self.node_at(node)
        return found is not None and (found is node or same_tree(found, node))

    def owner(self, node: ast.stmt | ast.expr) -> ast.stmt | None:
        """Return the author's innermost statement to whose text a node of the plan belongs."""
        if getattr(node, "lineno", 0) < 1:
            return None
        place = (node.lineno, node.col_offset)
        number = bisect_right(self._starts, place) - 1
        found = self.statements[number] if number >= 0 else None
        while found is not None and end_of(found) <= place:
            found = self._around.get(found)
        return None if found is self.definition.node else found

    @cached_property
    def _starts(self) -> list[Place]:
        return [start_of(statement) for statement in self.statements]

    @cached_property
    def _around(self) -> dict[ast.stmt, ast.stmt]:
        """The statement around each statement of the flow, but for the flow itself."""
        found: dict[ast.stmt, ast.stmt] = {}
        open_: list[ast.stmt] = []
        for statement in self.statements:
            while open_ and end_of(open_[-1]) <= start_of(statement):
                open_.pop()
            if open_:
                found[statement] = open_[-1]
            open_.append(statement)
        return found

    def leading(self, statement: ast.stmt) -> list[cst.EmptyLine]:
        """Return the comments and blank lines above a statement."""
        line = self.pairs.lines.get(statement)
        if isinstance(line, cst.SimpleStatementSuite):
            return []
        if isinstance(line, cst.SimpleStatementLine):
            is_first = self._small(line)[0] is statement
            return list(line.leading_lines) if is_first else []
        written = self.pairs.nodes[statement]
        return list(getattr(written, "leading_lines"))  # noqa: B009 - every compound one has them

    def trailing(self, statement: ast.stmt) -> cst.TrailingWhitespace | None:
        """Return the comment behind a simple statement, with the space before it."""
        line = self.pairs.lines.get(statement)
        if line is None or self._small(line)[-1] is not statement:
            return None
        return line.trailing_whitespace if line.trailing_whitespace.comment else None

    def line_of(self, statement: ast.stmt) -> tuple[Line, list[ast.stmt]] | None:
        """Return the line of a simple statement that has it to itself, or shares it, or None."""
        line = self.pairs.lines.get(statement)
        return None if line is None else (line, self._small(line))

    def _small(self, line: Line) -> list[ast.stmt]:
        return self._by_line[id(line)]

    @cached_property
    def _by_line(self) -> dict[int, list[ast.stmt]]:
        found: dict[int, list[ast.stmt]] = {}
        for statement, line in self.pairs.lines.items():
            found.setdefault(id(line), []).append(statement)
        return found

    def case_of(self, pattern: ast.pattern) -> ast.match_case:
        """Return the author's case of a pattern, which lowering never changes."""
        return self._cases[pattern]

    @cached_property
    def _cases(self) -> dict[ast.pattern, ast.match_case]:
        cases = (node for node in self.pairs.nodes if isinstance(node, ast.match_case))
        return {case.pattern: case for case in cases}

    def opening_comment(self, first: ast.stmt) -> cst.Comment | None:
        """Return the comment at the end of the header above a block's first statement."""
        suite = self.pairs.suites.get(first)
        return suite.header.comment if isinstance(suite, cst.IndentedBlock) else None

    def tail(self, statement: ast.stmt) -> list[cst.EmptyLine]:
        """Return the comments at the end of a block, if this is its last statement."""
        suite = self.pairs.last.get(statement)
        return list(suite.footer) if isinstance(suite, cst.IndentedBlock) else []

    def inside(self, statement: ast.stmt) -> list[str]:
        """Return the comments of a simple statement, or above the body of a compound one."""
        first, (last, column) = start_of(statement)[0], end_of(statement)
        body: list[ast.stmt] = getattr(statement, "body", [])
        if body:
            lines = self.source.lines[first - 1 : max(first, start_of(body[0])[0] - 1)]
        else:
            lines = self.source.lines[first - 1 : last]
            lines[-1] = lines[-1].encode()[:column].decode()
        behind = self.trailing(statement)
        comments = [] if behind is None or behind.comment is None else [behind.comment.value]
        return [*_comments("\n".join(lines)), *comments]

    def line_of_call(self, call: PointExpression) -> str:
        """Return the first line of a call's statement, or of the call itself if it stands below."""
        owner = self.owner(call)
        is_below = owner is None or start_of(owner)[0] != call.lineno
        node: ast.stmt | ast.expr = call if owner is None or is_below else owner
        line, column = start_of(node)
        end_line, end = end_of(node)
        text = self.source.lines[line - 1].encode()
        found = text[column : end if line == end_line else None].decode()
        return _without_comment(found)


def start_of(node: ast.stmt | ast.expr) -> Place:
    """Return the line and column where a node begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]), node.col_offset


def end_of(node: ast.stmt | ast.expr) -> Place:
    """Return the line and column where a node ends."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _key(node: ast.AST) -> _Key:
    assert isinstance(node, ast.stmt | ast.expr | ast.ExceptHandler | ast.pattern | ast.keyword)
    return (type(node), node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


def same_tree(one: object, other: object) -> bool:
    """Tell whether two trees mean the same: their places do not count.

    Nor does it whether a name is read or bound. What the two share is not looked at.
    """
    pending = [(one, other)]
    while pending:
        left, right = pending.pop()
        if left is right:
            continue
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST):
            names = [name for name in left._fields if name != "ctx"]
            pending += [(getattr(left, f, None), getattr(right, f, None)) for f in names]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pending += zip(left, right, strict=True)
        elif repr(left) != repr(right):
            return False
    return True


def _without_comment(line: str) -> str:
    comments = _comments(line)
    return line.removesuffix(comments[0]).rstrip() if comments else line.rstrip()


def _comments(text: str) -> list[str]:
    """Return the comments of a piece of text, which may end before a bracket is closed."""
    found: list[str] = []
    if "#" in text:
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT:
                    found.append(token.string)
        except (tokenize.TokenError, SyntaxError):
            pass
    return found
