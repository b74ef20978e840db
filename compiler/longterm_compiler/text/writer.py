"""Write the bodies of one flow as functions: the fresh body, and a resume body for each point."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from longterm._abi import NEXT
from longterm_compiler.syntax.source import Definition, FunctionNode, SourceFile
from longterm_compiler.text.author import INDENT, Author
from longterm_compiler.text.statements import Statements

_WIDTH = 88
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """What the text says of a resume point beside its statement."""

    number: int
    call: ast.Call

    def __str__(self) -> str:
        return f"# point {self.number}, line {self.call.lineno}"


class FlowText:
    """Writes the bodies of one flow."""

    def __init__(
        self, source: SourceFile, definition: Definition, marks: dict[ast.stmt, Mark]
    ) -> None:
        """Take a flow of a file, and the marks of the statements that are its resume points."""
        self._author = Author(source, definition)
        self._marks = marks

    def fresh(self, plan: FunctionNode) -> str:
        """Write the function as the author declared it, with the fresh body."""
        written = self._author.written
        return self._text(written.with_changes(body=self._body(plan, None)))

    def resume(self, plan: FunctionNode, number: int) -> str:
        """Write what is left to do of the flow from a point on."""
        mark = next(each for each in self._marks.values() if each.number == number)
        names = [each.arg for each in plan.args.args]
        is_async = isinstance(plan, ast.AsyncFunctionDef)
        head = f"{'async ' if is_async else ''}def {plan.name}({', '.join(names)}):"
        function = cst.FunctionDef(
            cst.Name(plan.name),
            cst.Parameters(_parameters(names, is_long=len(head) > _WIDTH)),
            self._body(plan, mark),
            asynchronous=cst.Asynchronous() if is_async else None,
        )
        if len(head) > _WIDTH:
            line = cst.ParenthesizedWhitespace(last_line=cst.SimpleWhitespace(INDENT), indent=True)
            function = function.with_changes(whitespace_before_params=line)
        return self._text(function)

    def title(self, number: int) -> str:
        """Return the comment above a resume body: its point, and the author's line."""
        mark = next(each for each in self._marks.values() if each.number == number)
        return f"# P{str(mark)[3:]}: {self.line_of_call(mark.call)}"

    def line_of_call(self, call: ast.Call) -> str:
        """Return the first line of a call's statement, or of the call itself if it stands below."""
        return self._author.line_of_call(call)

    @property
    def indent(self) -> str:
        """How much deeper a block is indented."""
        return self._author.indent

    @property
    def longest_chain(self) -> int:
        """The most links of a chain in the flow that is one node in `ast`, and many in libcst."""
        return self._author.pairs.longest_chain

    def _body(self, plan: FunctionNode, resumed: Mark | None) -> cst.IndentedBlock:
        notes = _Notes(self._author, self._marks, resumed)
        written, tail = Statements(self._author, notes.of).block(plan.body)
        header = cst.TrailingWhitespace()
        own = self._author.written.body
        if resumed is None and isinstance(own, cst.IndentedBlock):
            header = own.header
        return cst.IndentedBlock(written, header=header, footer=tail)

    def _text(self, function: cst.FunctionDef) -> str:
        alone = function.with_changes(leading_lines=[])
        return cst.Module([alone], default_indent=self._author.indent).code


@dataclass(frozen=True, slots=True, eq=False)
class _Notes:
    """Gives the statements of resume points their comments."""

    author: Author
    marks: dict[ast.stmt, Mark]
    resumed: Mark | None

    def of(self, statement: ast.stmt, written: cst.CSTNode, depth: int) -> str | None:
        """Return the comment for a point's statement; with the author's line, if it is another."""
        mark = self.marks.get(statement)
        if mark is None:
            return str(self.resumed) if self.resumed and _takes_the_event(statement) else None
        note, source = str(mark), self.author.line_of_call(mark.call)
        text = cst.Module([]).code_for_node(written).rstrip("\n")
        room = _WIDTH - 4 * depth - len(text.rpartition("\n")[2]) - len(note) - len("  : ")
        if text.partition("\n")[0] in source or room < min(_SHORTEST, len(source)):
            return note
        return f"{note}: {source}" if len(source) <= room else f"{note}: {source[: room - 1]}…"


def _takes_the_event(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Await):
        value = value.value
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == NEXT
    )


def _parameters(names: list[str], *, is_long: bool) -> list[cst.Param]:
    if not is_long:
        return [cst.Param(cst.Name(each)) for each in names]
    between = cst.ParenthesizedWhitespace(last_line=cst.SimpleWhitespace(INDENT), indent=True)
    end = cst.ParenthesizedWhitespace(indent=True)
    comma = cst.Comma(whitespace_after=between)
    params = [cst.Param(cst.Name(each), comma=comma) for each in names]
    params[-1] = params[-1].with_changes(comma=cst.Comma(whitespace_after=end))
    return params
