"""Write the bodies of one flow as functions: the fresh body, and a resume body for each point."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from longterm._abi import NEXT
from longterm_compiler.syntax.build import PointExpression
from longterm_compiler.syntax.source import Definition, FunctionNode, SourceFile
from longterm_compiler.text.author import INDENT, AuthorText
from longterm_compiler.text.statements import Statements

_WIDTH = 88
_SHORTEST = 16
_TRUE = cst.Name("True")
_NEXT_LINE = cst.ParenthesizedWhitespace(last_line=cst.SimpleWhitespace(INDENT), indent=True)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the text says of a resume point beside its statement."""

    number: int
    call: PointExpression

    def __str__(self) -> str:
        return f"# point {self.number}, line {self.call.lineno}"


class FlowText:
    """Writes the bodies of one flow."""

    def __init__(
        self, source: SourceFile, definition: Definition, marks: dict[ast.stmt, Mark]
    ) -> None:
        """Take a flow of a file, and the marks of the statements that are its resume points."""
        self._author = AuthorText(source, definition)
        self._marks = marks

    def fresh(self, plan: FunctionNode, indent: str = "") -> str:
        """Write the function as the author declared it, with the fresh body."""
        written = self._author.function
        return self._text(written.with_changes(body=self._body(plan, None)), indent)

    def resume(self, plan: FunctionNode, mark: Mark) -> str:
        """Write what is left to do of the flow from a point on."""
        return self._text(self.resume_function(plan, mark))

    def resume_function(self, plan: FunctionNode, mark: Mark) -> cst.FunctionDef:
        """Write what is left to do of the flow from a point on, as a part of a larger text."""
        names = [parameter.arg for parameter in plan.args.args]
        is_async = isinstance(plan, ast.AsyncFunctionDef)
        head = f"{'async ' if is_async else ''}def {plan.name}({', '.join(names)}):"
        is_long = len(head) > _WIDTH
        function = cst.FunctionDef(
            cst.Name(plan.name),
            cst.Parameters(_parameters(names, is_long=is_long)),
            self._body(plan, mark),
            asynchronous=cst.Asynchronous() if is_async else None,
            whitespace_before_params=_NEXT_LINE if is_long else cst.SimpleWhitespace(""),
        )
        title = cst.EmptyLine(comment=cst.Comment(self.title(mark)))
        return function.with_changes(leading_lines=[cst.EmptyLine(indent=False), title])

    def title(self, mark: Mark) -> str:
        """Return the comment above a resume body: its point, and the author's line."""
        point = f"# Point {mark.number}, line {mark.call.lineno}"
        return f"{point}: {self.line_of_call(mark.call)}"

    def line_of_call(self, call: PointExpression) -> str:
        """Return the first line of a call's statement, or of the call itself if it stands below."""
        return self._author.line_of_call(call)

    @property
    def extent(self) -> slice:
        """The lines of the function in its file, counted from 0, with the comments that end it."""
        return self._author.extent

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
        written, tail = Statements(self._author, notes.of, resumed is None).block(plan.body)
        header = cst.TrailingWhitespace()
        own = self._author.function.body
        if resumed is None and isinstance(own, cst.IndentedBlock):
            header = own.header
        return cst.IndentedBlock(written, header=header, footer=tail)

    def _text(self, function: cst.FunctionDef, indent: str = "") -> str:
        statement: cst.BaseCompoundStatement = function.with_changes(leading_lines=[])
        if indent:
            statement = cst.If(_TRUE, cst.IndentedBlock([statement], indent=indent))
        text = cst.Module([statement], default_indent=self._author.indent).code
        return text.partition("\n")[2] if indent else text


@dataclass(frozen=True, slots=True, eq=False)
class _Notes:
    """Gives the statements of resume points their comments."""

    author: AuthorText
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
        return [cst.Param(cst.Name(name)) for name in names]
    comma = cst.Comma(whitespace_after=_NEXT_LINE)
    end = cst.ParenthesizedWhitespace(indent=True)
    params = [cst.Param(cst.Name(name), comma=comma) for name in names]
    params[-1] = params[-1].with_changes(comma=cst.Comma(whitespace_after=end))
    return params
