"""Write the blocks of a plan, statement by statement, comments and blank lines included.

What the author wrote and lowering left alone is the author's own node. The comments above a
statement stand above the first of the statements that it became, a comment behind it behind the
last.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import libcst as cst

from longterm_compiler.text.author import AuthorText
from longterm_compiler.text.expressions import Expressions
from longterm_compiler.text.simple import Simple

Around: TypeAlias = frozenset[ast.stmt]
_Header: TypeAlias = cst.Else | cst.Finally
_Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement
Note: TypeAlias = Callable[[ast.stmt, _Statement, int], str | None]
"""Gives the comment for a statement, written so at this depth, if it is a resume point's."""
_COMPOUND = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith,
    ast.Match, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
)  # fmt: skip
_WITH = (ast.With, ast.AsyncWith)


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Writes the statements of one flow."""

    author: AuthorText
    note: Note
    is_whole: bool
    """Whether all of the author's statements are written, and so all comments have a place."""

    @property
    def expressions(self) -> Expressions:
        """Writes their expressions."""
        return Expressions(self.author)

    @property
    def simple(self) -> Simple:
        """Writes those of them that hold no block."""
        return Simple(self.expressions)

    def block(
        self, body: list[ast.stmt], depth: int = 1, around: Around = frozenset()
    ) -> tuple[list[_Statement], list[cst.EmptyLine]]:
        """Write the statements of a block; return them, and the comments that end it."""
        written: list[_Statement] = []
        owners = self._owners(body)
        previous: ast.stmt | None = None
        tail: list[cst.EmptyLine] = []
        number = start = 0
        while number < len(body):
            node, owner = body[number], owners[number]
            shared = self._shared_line(body, number)
            ours = owner if owner is not None and owner not in around else None
            above = tail
            if ours is not None and ours is not previous:
                above = [*tail, *self._leading(ours, at_start=not written)]
            number += len(shared) or 1
            following = owners[number] if number < len(body) else None
            ends = ours if ours is not None and following is not ours else None
            statement: _Statement = (
                self._author_line(node)
                if shared
                else self._with_notes(node, ends, depth, around | {owner or node})
            )
            if ours is not previous and isinstance(ours, _WITH) and not isinstance(node, _WITH):
                comment = self.author.opening_comment(ours.body[0])
                statement = _behind(statement, [] if comment is None else [comment.value])
            if ours is not previous:
                start = len(written)
            written.append(_below(statement, above))
            if ends is not None and self.is_whole:
                written[start] = _with_lost(
                    written[start], self.author.inside(ends), written[start:]
                )
            tail = [] if ends is None else self.author.tail(shared[-1] if shared else ends)
            previous = owners[number - 1]
        return written, tail

    def _owners(self, body: list[ast.stmt]) -> list[ast.stmt | None]:
        """Return the author's statement that each belongs to.

        What has no place of its own prepares the next statement, or, if it is a block, goes on
        with the one before.
        """
        owners = [None if self._declares(node) else self.author.owner(node) for node in body]
        for number in range(len(body) - 2, -1, -1):
            if owners[number] is None and _prepares(body[number]):
                owners[number] = owners[number + 1]
        for number in range(1, len(body)):
            if owners[number] is None:
                owners[number] = owners[number - 1]
        return owners

    def _declares(self, node: ast.stmt) -> bool:
        is_declaration = isinstance(node, ast.Global | ast.Nonlocal)
        return is_declaration and self.author.node_at(node) is None

    def _leading(self, statement: ast.stmt, *, at_start: bool) -> list[cst.EmptyLine]:
        above = self.author.leading(statement)
        while at_start and above and above[0].comment is None:
            above.pop(0)
        return above

    def _shared_line(self, body: list[ast.stmt], number: int) -> list[ast.stmt]:
        """Return the statements of the author's line that stand here untouched, several in one."""
        found = self.author.line_of(body[number])
        if found is None or not isinstance(found[0], cst.SimpleStatementLine):
            return []
        statements = found[1]
        following = body[number : number + len(statements)]
        is_whole = len(statements) > 1 and len(following) == len(statements)
        same = all(a is b for a, b in zip(statements, following, strict=False))
        return statements if is_whole and same else []

    def _author_line(self, node: ast.stmt) -> cst.SimpleStatementLine:
        line = self.author.pairs.lines[node]
        assert isinstance(line, cst.SimpleStatementLine)
        return line

    def _with_notes(
        self, node: ast.stmt, ends: ast.stmt | None, depth: int, around: Around
    ) -> _Statement:
        statement = self._statement(node, depth, around)
        if isinstance(statement, cst.For):
            return self._with_head_note(node, statement, depth)
        if isinstance(node, _COMPOUND):
            return statement
        note = self.note(node, statement, depth)
        end = None if ends is None else self.author.trailing(ends)
        if end is not None:
            statement = statement.with_changes(trailing_whitespace=end)
        return _behind(statement, [note])

    def _with_head_note(self, node: ast.stmt, loop: cst.For, depth: int) -> cst.For:
        """Return a loop with the comment behind its first line, if that is a resume point's."""
        if not isinstance(loop.body, cst.IndentedBlock):
            return loop
        line = cst.SimpleStatementSuite([], trailing_whitespace=loop.body.header)
        note = self.note(node, loop.with_changes(body=line, orelse=None), depth)
        if note is None:
            return loop
        end = _with_comments(loop.body.header, [note])
        return loop.with_changes(body=loop.body.with_changes(header=end))

    def _is_verbatim(self, node: ast.stmt) -> bool:
        # A block that lowering made anew may hold a resume point, whose number is to be shown.
        found = self.author.node_at(node)
        return found is node or (not isinstance(node, _COMPOUND) and self.author.is_authors(node))

    def _statement(self, node: ast.stmt, depth: int, around: Around) -> _Statement:
        if self._is_verbatim(node):
            return _as_statement(self.author.pairs.nodes[self.author.node_at(node) or node])
        match node:
            case ast.If():
                return self._if(node, depth, around)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, depth, around)
            case ast.Try() | ast.TryStar():
                return self._try(node, depth, around)
            case ast.With() | ast.AsyncWith():
                return self._with(node, depth, around)
            case ast.Match():
                return self._match(node, depth, around)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return self._definition(node, depth, around)
        return _as_statement(self.simple.statement(node))

    def _if(self, node: ast.If, depth: int, around: Around) -> cst.If:
        written = self._headed(node, "test")
        if not isinstance(written, cst.If):
            written = cst.If(self.expressions.alone(node.test), _NO_BLOCK)
        orelse: cst.If | _Header | None = None
        match node.orelse:
            case []:
                pass
            case [ast.If() as inner] if (old := self._elif(inner)) is not None:
                changed = self._statement(inner, depth, around | {old})
                assert isinstance(changed, cst.If)
                orelse = changed.with_changes(leading_lines=self.author.leading(old))
            case other:
                orelse = self._else(other, "orelse", node, depth, around)
        body = self._suite(node.body, "body", node, depth, around)
        return written.with_changes(leading_lines=[], body=body, orelse=orelse)

    def _elif(self, node: ast.If) -> ast.stmt | None:
        """Return what the author wrote as `elif` and this `if` stands for."""
        found = self.author.node_at(node)
        return found if isinstance(found, ast.If) and found in self.author.pairs.elifs else None

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, depth: int, around: Around
    ) -> cst.For | cst.While:
        written = self._headed(node, *(("test",) if isinstance(node, ast.While) else _FOR))
        if not isinstance(written, cst.For | cst.While):
            written = self._new_loop(node)
        orelse = self._else(node.orelse, "orelse", node, depth, around) if node.orelse else None
        body = self._suite(node.body, "body", node, depth, around)
        return written.with_changes(leading_lines=[], body=body, orelse=orelse)

    def _new_loop(self, node: ast.For | ast.AsyncFor | ast.While) -> cst.For | cst.While:
        if isinstance(node, ast.While):
            return cst.While(self.expressions.alone(node.test), _NO_BLOCK)
        return cst.For(
            self.simple.target(node.target),
            self.expressions.alone(node.iter),
            _NO_BLOCK,
            asynchronous=cst.Asynchronous() if isinstance(node, ast.AsyncFor) else None,
        )

    def _try(
        self, node: ast.Try | ast.TryStar, depth: int, around: Around
    ) -> cst.Try | cst.TryStar:
        body = self._suite(node.body, "body", node, depth, around)
        handlers = [self._handler(handler, node, depth, around) for handler in node.handlers]
        orelse = self._else(node.orelse, "orelse", node, depth, around) if node.orelse else None
        final = None
        if node.finalbody:
            final = self._else(node.finalbody, "finalbody", node, depth, around)
        make = cst.Try if isinstance(node, ast.Try) else cst.TryStar
        return make(body=body, handlers=handlers, orelse=orelse, finalbody=final)  # type: ignore[arg-type]

    def _handler(
        self, node: ast.ExceptHandler, try_: ast.stmt, depth: int, around: Around
    ) -> cst.ExceptHandler | cst.ExceptStarHandler:
        body = self._suite(node.body, "body", node, depth, around)
        written = self._headed(node, "type")
        if not isinstance(written, cst.ExceptHandler | cst.ExceptStarHandler):
            kind = None if node.type is None else self.expressions.alone(node.type)
            written = (
                cst.ExceptStarHandler(_NO_BLOCK, kind or cst.Name(""))
                if isinstance(try_, ast.TryStar)
                else cst.ExceptHandler(_NO_BLOCK, kind)
            )
        if node.name is not None and (written.name is None or _name(written.name) != node.name):
            written = written.with_changes(name=cst.AsName(cst.Name(node.name)))
        return written.with_changes(body=body)

    def _with(self, node: ast.With | ast.AsyncWith, depth: int, around: Around) -> cst.With:
        written = self._headed(node, "items")
        if not isinstance(written, cst.With):
            written = cst.With(
                [self._with_item(item) for item in node.items],
                _NO_BLOCK,
                asynchronous=cst.Asynchronous() if isinstance(node, ast.AsyncWith) else None,
            )
        body = self._suite(node.body, "body", node, depth, around)
        return written.with_changes(leading_lines=[], body=body)

    def _with_item(self, node: ast.withitem) -> cst.WithItem:
        item, name = self.expressions.alone(node.context_expr), None
        if node.optional_vars is not None:
            name = cst.AsName(self.expressions.alone(node.optional_vars))  # type: ignore[arg-type]
        return cst.WithItem(item, name)

    def _match(self, node: ast.Match, depth: int, around: Around) -> cst.Match:
        written = self._headed(node, "subject")
        cases = [self._case(case, node, depth + 1, around) for case in node.cases]
        if isinstance(written, cst.Match):
            # libcst does not see that `match(x)` wants a space when a name comes for `(x)`.
            space = written.whitespace_after_match.value or " "
            return written.with_changes(
                leading_lines=[], cases=cases, whitespace_after_match=cst.SimpleWhitespace(space)
            )
        return cst.Match(self.simple.target(node.subject), cases)

    def _case(
        self, node: ast.match_case, match: ast.Match, depth: int, around: Around
    ) -> cst.MatchCase:
        found = self.author.case_of(node.pattern)
        written = self.author.pairs.nodes[found]
        assert isinstance(written, cst.MatchCase)
        if node.guard is None:
            written = written.with_changes(
                guard=None, whitespace_before_if=_NONE, whitespace_after_if=_NONE
            )
        elif node.guard is not found.guard:
            written = written.with_changes(guard=self.expressions.alone(node.guard))
        body = self._suite(node.body, "body", found, depth, around)
        return written.with_changes(body=body)

    def _definition(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        depth: int,
        around: Around,
    ) -> _Compound:
        fields = _CLASS if isinstance(node, ast.ClassDef) else _FUNCTION
        written = self._headed(node, *fields)
        assert isinstance(written, cst.FunctionDef | cst.ClassDef)
        found = self.author.node_at(node)
        if node.body is getattr(found, "body", None):
            return written
        return written.with_changes(body=self._suite(node.body, "body", node, depth, around))

    def _headed(self, node: ast.AST, *fields: str) -> cst.CSTNode | None:
        """Return the author's node for a block, with what lowering changed above the block."""
        found = self.author.node_at(node)
        return None if found is None else self.expressions.changed(found, node, fields)

    def _suite(
        self, body: list[ast.stmt], field: str, node: ast.AST, depth: int, around: Around
    ) -> cst.IndentedBlock:
        """Write a block, with the comments of the author's own, if it stands for one."""
        written, tail = self.block(body, depth + 1, around)
        old = self._authors_block(body, field, node)
        suite = self.author.pairs.suites.get(old[0]) if old else None
        header = suite.header if isinstance(suite, cst.IndentedBlock) else cst.TrailingWhitespace()
        return cst.IndentedBlock(written, header=header, footer=tail)

    def _else(
        self, body: list[ast.stmt], field: str, node: ast.AST, depth: int, around: Around
    ) -> _Header:
        """Write an `else` or a `finally`."""
        suite = self._suite(body, field, node, depth, around)
        old = self._authors_block(body, field, node)
        found = self.author.pairs.headers.get(old[0]) if old else None
        above = [] if found is None else found.leading_lines
        make = cst.Finally if field == "finalbody" else cst.Else
        return make(suite, leading_lines=above)

    def _authors_block(self, body: list[ast.stmt], field: str, node: ast.AST) -> list[ast.stmt]:
        """Return the author's block, whose header a header stands for; empty if there is none."""
        found = self.author.node_at(node)
        if found is None or any(self.author.node_at(statement) is found for statement in body):
            # Of a `try` in a `try`, both made from the author's one, the inner one has the header.
            return []
        final: list[ast.stmt] = getattr(found, "finalbody", [])
        if field == "orelse" and final and self.author.node_at(body[0]) is final[0]:
            # What happens finally stands in an `else` too.
            return final
        block: list[ast.stmt] = getattr(found, field, [])
        return block


_Compound: TypeAlias = cst.FunctionDef | cst.ClassDef
_NO_BLOCK = cst.IndentedBlock([])
_NONE = cst.SimpleWhitespace("")
_FOR = ("target", "iter")
_FUNCTION = ("decorator_list", "args")
_CLASS = ("decorator_list", "bases", "keywords")


def _prepares(node: ast.stmt) -> bool:
    is_nowhere = getattr(node, "lineno", 0) < 1
    return is_nowhere and not isinstance(node, (*_COMPOUND, ast.Global, ast.Nonlocal))


def _name(written: cst.AsName) -> str:
    return written.name.value if isinstance(written.name, cst.Name) else ""


def _as_statement(written: cst.CSTNode) -> _Statement:
    if isinstance(written, cst.BaseSmallStatement):
        if isinstance(getattr(written, "semicolon"), cst.Semicolon):  # noqa: B009 - each has one
            written = written.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return cst.SimpleStatementLine([written])
    assert isinstance(written, cst.BaseCompoundStatement)
    return written


def _below(statement: _Statement, above: list[cst.EmptyLine]) -> _Statement:
    """Put comments and blank lines above a statement, in the place of those that it has."""
    if not above and not statement.leading_lines:
        return statement
    return statement.with_changes(leading_lines=above)


def _with_lost(first: _Statement, comments: list[str], written: list[_Statement]) -> _Statement:
    """Put above the first of some statements the comments that found no place in any of them."""
    if not comments:
        return first
    text = cst.Module(written).code
    lost = [
        cst.EmptyLine(comment=cst.Comment(comment)) for comment in comments if comment not in text
    ]
    return _below(first, [*first.leading_lines, *lost])


def _behind(statement: _Statement, comments: Iterable[str | None]) -> _Statement:
    """Put comments behind a simple statement."""
    new = [comment for comment in comments if comment]
    if not new or not isinstance(statement, cst.SimpleStatementLine):
        return statement
    line_end = _with_comments(statement.trailing_whitespace, new)
    return statement.with_changes(trailing_whitespace=line_end)


def _with_comments(old: cst.TrailingWhitespace, new: list[str]) -> cst.TrailingWhitespace:
    text = "  ".join([*([old.comment.value] if old.comment else []), *new])
    space = old.whitespace if old.comment else cst.SimpleWhitespace("  ")
    return cst.TrailingWhitespace(space, cst.Comment(text))
