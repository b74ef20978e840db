"""The text of a block of a lowered tree, statement by statement, comments and blank lines included.

What the author wrote and lowering left alone is the author's text. The comments above a statement
stand above the first of the statements that it became, a comment behind it behind the last.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from longterm_compiler.render.author import RAW_BREAK, AuthorText
from longterm_compiler.render.expressions import Expressions, plain

Lines: TypeAlias = list[str]
Around: TypeAlias = frozenset[ast.stmt]
Note: TypeAlias = Callable[[ast.stmt, str, int], str | None]
"""Gives the comment for a statement, of this text and depth, if it is a resume point's."""

_INDENT = "    "
_Loop: TypeAlias = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Writes the blocks of one flow."""

    author: AuthorText
    note: Note

    @property
    def expressions(self) -> Expressions:
        """Writes their expressions."""
        return Expressions(self.author)

    def block(self, body: list[ast.stmt], depth: int = 1, around: Around = frozenset()) -> Lines:
        """Write the statements of a block, not yet indented, at a depth of indentation."""
        lines: Lines = []
        owners = self._owners(body)
        previous: ast.stmt | None = None
        for number, node in enumerate(body):
            owner = owners[number]
            ours = owner if owner is not None and owner not in around else None
            is_first = ours is not None and ours is not previous
            if ours is not None and is_first:
                lines += self._leading(ours, at_start=not lines)
            is_last = ours is not None and ours not in owners[number + 1 : number + 2]
            ends = ours if is_last else None
            written = self._with_notes(node, ends, depth, around | {owner or node})
            if is_first and isinstance(ours, _WITH) and not isinstance(node, _WITH):
                comment = self.author.opening_comment(ours.body[0])
                written[-1] += "" if comment is None else f"  {comment}"
            lines += written
            if ends is not None:
                lines += self.author.tail(ends)
            previous = owner
        return lines

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

    def _leading(self, statement: ast.stmt, *, at_start: bool) -> Lines:
        above = self.author.leading(_first_line(statement))
        while at_start and above and not above[0]:
            above.pop(0)
        return above

    def _with_notes(
        self, node: ast.stmt, ends: ast.stmt | None, depth: int, around: Around
    ) -> Lines:
        lines = self._statement(node, depth, around)
        notes: list[str] = []
        if ends is not None and not isinstance(node, _COMPOUND) and not self._is_verbatim(node):
            notes.append(self.author.trailing(ends) or "")
        notes.append(self.note(node, "\n".join(lines), depth) or "")
        return [*lines[:-1], "  ".join(each for each in [lines[-1], *notes] if each)]

    def _is_verbatim(self, node: ast.stmt) -> bool:
        # A block that lowering made anew may hold a resume point, whose number is to be shown.
        found = self.author.node_at(node)
        return found is node or (not isinstance(node, _COMPOUND) and self.author.is_authors(node))

    def _statement(self, node: ast.stmt, depth: int, around: Around) -> Lines:
        if self._is_verbatim(node):
            found = self.author.node_at(node)
            assert isinstance(found, ast.stmt)
            text = self.author.whole(found)
            return (text.removeprefix("el") if isinstance(node, ast.If) else text).split("\n")
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
        return self._simple(node).split("\n")

    def _if(self, node: ast.If, depth: int, around: Around) -> Lines:
        lines = self._part(f"if {self._alone(node.test)}:", node.body, "body", node, depth, around)
        match node.orelse:
            case []:
                pass
            case [ast.If() as inner] if self.author.is_elif(inner):
                lines += self.author.leading(inner.lineno)
                first, *rest = self._with_notes(inner, None, depth, around | {inner})
                lines += [f"el{first}", *rest]
            case orelse:
                lines += self._part("else:", orelse, "orelse", node, depth, around)
        return lines

    def _loop(self, node: _Loop, depth: int, around: Around) -> Lines:
        if isinstance(node, ast.While):
            head = f"while {self._alone(node.test)}:"
        else:
            keyword = "for" if isinstance(node, ast.For) else "async for"
            head = f"{keyword} {self._target(node.target)} in {self._alone(node.iter)}:"
        lines = self._part(head, node.body, "body", node, depth, around)
        if node.orelse:
            lines += self._part("else:", node.orelse, "orelse", node, depth, around)
        return lines

    def _try(self, node: ast.Try | ast.TryStar, depth: int, around: Around) -> Lines:
        lines = self._part("try:", node.body, "body", node, depth, around)
        star = "*" if isinstance(node, ast.TryStar) else ""
        for handler in node.handlers:
            found = self.author.node_at(handler)
            if isinstance(found, ast.ExceptHandler):
                lines += self.author.leading(found.lineno)
            kind = "" if handler.type is None else f" {self._alone(handler.type)}"
            name = "" if handler.name is None else f" as {handler.name}"
            head = f"except{star}{kind}{name}:"
            lines += self._part(head, handler.body, "body", handler, depth, around)
        if node.orelse:
            lines += self._part("else:", node.orelse, "orelse", node, depth, around)
        if node.finalbody:
            lines += self._part("finally:", node.finalbody, "finalbody", node, depth, around)
        return lines

    def _with(self, node: ast.With | ast.AsyncWith, depth: int, around: Around) -> Lines:
        keyword = "with" if isinstance(node, ast.With) else "async with"
        items = [
            self._alone(each.context_expr)
            + ("" if each.optional_vars is None else f" as {self._alone(each.optional_vars)}")
            for each in node.items
        ]
        head = f"{keyword} {', '.join(items)}:"
        return self._part(head, node.body, "body", node, depth, around)

    def _match(self, node: ast.Match, depth: int, around: Around) -> Lines:
        lines = [f"match {self._target(node.subject)}:"]
        for case in node.cases:
            guard = "" if case.guard is None else f" if {self._alone(case.guard)}"
            head = f"case {self._pattern(case.pattern)}{guard}:"
            written = self._part(head, case.body, "body", case, depth + 1, around)
            lines += indented([*self.author.leading(case.pattern.lineno), *written])
        return lines

    def _pattern(self, node: ast.pattern) -> str:
        found = self.author.node_at(node)
        if found is None:
            return plain(node)
        span = self.author.span(found)
        text = self.author.slice(*span)
        if "\n" not in text or text[-1] in ")]}":
            return text
        wider = self.author.grouped(span)
        return self.author.slice(*wider) if wider != span else plain(node)

    def _part(
        self, head: str, body: list[ast.stmt], field: str, node: ast.AST, depth: int, around: Around
    ) -> Lines:
        """Write a header and the block under it, with the comments of the author's own header."""
        above: Lines = []
        old = self._authors_block(body, field, node)
        if old and field != "body":
            above = self.author.leading(self.author.opening(old[0]))
        comment = self.author.opening_comment(old[0]) if old else None
        first = head if comment is None else f"{head}  {comment}"
        return [*above, *first.split("\n"), *indented(self.block(body, depth + 1, around))]

    def _authors_block(self, body: list[ast.stmt], field: str, node: ast.AST) -> list[ast.stmt]:
        """Return the author's block, whose header a header stands for; empty if there is none."""
        found = self.author.node_at(node)
        if found is None:
            is_case = isinstance(node, ast.match_case) and self.author.node_at(body[0]) is not None
            return body if is_case else []
        if any(self.author.node_at(each) is found for each in body):
            # A `try` in a `try`, both made from the author's one: the header is the inner one's.
            return []
        final: list[ast.stmt] = getattr(found, "finalbody", [])
        if field == "orelse" and final and self.author.node_at(body[0]) is final[0]:
            # What happens finally stands in an `else` too.
            return final
        block: list[ast.stmt] = getattr(found, field, [])
        return block

    def _simple(self, node: ast.stmt) -> str:
        found = self.author.node_at(node)
        candidates = [] if found is None else [self.expressions.changed(found, node)]
        for text in [*candidates, self._made(node)]:
            if text is not None and _parses_to(text, node):
                return text
        return plain(node)

    def _made(self, node: ast.stmt) -> str | None:
        match node:
            case ast.Expr():
                return self._alone(node.value)
            case ast.Assign():
                targets = [self._target(each) for each in node.targets]
                return " = ".join([*targets, self._alone(node.value)])
            case ast.Return(value=ast.expr() as value):
                return f"return {self._alone(value)}"
            case ast.Raise(exc=ast.expr() as error, cause=None):
                return f"raise {self._alone(error)}"
            case ast.Delete():
                return f"del {', '.join(self._alone(each) for each in node.targets)}"
        return None

    def _target(self, node: ast.expr) -> str:
        """Write a target, or a subject, as people do: a tuple of several has no parentheses."""
        if not self.author.is_authors(node) and isinstance(node, ast.Tuple) and len(node.elts) > 1:
            return ", ".join(self._alone(each) for each in node.elts)
        return self._alone(node)

    def _alone(self, node: ast.expr) -> str:
        return self.expressions.alone(node)


_WITH = (ast.With, ast.AsyncWith)
_COMPOUND = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, *_WITH, ast.Match,
)  # fmt: skip


def _prepares(node: ast.stmt) -> bool:
    is_nowhere = getattr(node, "lineno", 0) < 1
    return is_nowhere and not isinstance(node, (*_COMPOUND, ast.Global, ast.Nonlocal))


def indented(lines: Iterable[str]) -> Lines:
    """Indent lines one step deeper; what stands inside a string does not move."""
    return [_INDENT + each if each else each for each in lines]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _parses_to(text: str, node: ast.stmt) -> bool:
    try:
        parsed = ast.parse(text.replace(RAW_BREAK, "\n")).body
    except SyntaxError:
        return False
    return len(parsed) == 1 and ast.dump(parsed[0]) == ast.dump(node)
