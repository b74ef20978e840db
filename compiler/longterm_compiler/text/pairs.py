"""Pair the nodes of two trees of one function: the libcst node that each `ast` node was written as.

The two trees have the same shape but for a few constructs, so they are walked side by side; places
in the text, which the two count in different units, are not compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import libcst as cst

Line: TypeAlias = cst.SimpleStatementLine | cst.SimpleStatementSuite
Header: TypeAlias = cst.Else | cst.Finally

_SAME_SHAPE: dict[type[ast.AST], tuple[tuple[str, str], ...]] = {
    ast.Assert: (("test", "test"), ("msg", "msg")),
    ast.Attribute: (("value", "value"),),
    ast.AugAssign: (("target", "target"), ("value", "value")),
    ast.AnnAssign: (("target", "target"), ("value", "value")),
    ast.Await: (("value", "expression"),),
    ast.BinOp: (("left", "left"), ("right", "right")),
    ast.DictComp: (("key", "key"), ("value", "value")),
    ast.Expr: (("value", "value"),),
    ast.For: (("target", "target"), ("iter", "iter")),
    ast.AsyncFor: (("target", "target"), ("iter", "iter")),
    ast.GeneratorExp: (("elt", "elt"),),
    ast.If: (("test", "test"),),
    ast.IfExp: (("test", "test"), ("body", "body"), ("orelse", "orelse")),
    ast.Lambda: (("args", "params"), ("body", "body")),
    ast.ListComp: (("elt", "elt"),),
    ast.Match: (("subject", "subject"),),
    ast.NamedExpr: (("target", "target"), ("value", "value")),
    ast.Raise: (("exc", "exc"),),
    ast.Return: (("value", "value"),),
    ast.SetComp: (("elt", "elt"),),
    ast.Slice: (("lower", "lower"), ("upper", "upper"), ("step", "step")),
    ast.Starred: (("value", "value"),),
    ast.UnaryOp: (("operand", "expression"),),
    ast.While: (("test", "test"),),
    ast.Yield: (("value", "value"),),
}
"""The parts of a class that are the same in both trees, by their names in either."""


@dataclass(slots=True, eq=False)
class Pairs:
    """What the nodes of a function were written as."""

    nodes: dict[ast.AST, cst.CSTNode] = field(default_factory=dict)
    """An expression, a statement, a handler, a case; a keyword or a `*star` as an argument."""
    lines: dict[ast.stmt, Line] = field(default_factory=dict)
    """The line of each simple statement."""
    suites: dict[ast.stmt, cst.BaseSuite] = field(default_factory=dict)
    """Each block, by its first statement."""
    last: dict[ast.stmt, cst.BaseSuite] = field(default_factory=dict)
    """Each block, by its last statement."""
    headers: dict[ast.stmt, Header] = field(default_factory=dict)
    """The `else` or `finally` above a block, by the block's first statement."""
    elifs: set[ast.stmt] = field(default_factory=set)
    """Each `if` that was written as `elif`."""
    longest_chain: int = 0
    """The most links of a chain that one node of `ast` stands for, and libcst nests."""

    def _all(self, nodes: Iterable[ast.AST], written: Iterable[Any]) -> None:
        for node, each in zip(nodes, written, strict=True):
            self.pair(node, each)

    def pair(self, node: ast.AST, written: Any) -> None:
        """Enter a node and all that is inside it."""
        self.nodes[node] = written
        for name, theirs in _SAME_SHAPE.get(type(node), ()):
            part = getattr(node, name)
            if part is not None:
                self.pair(part, getattr(written, theirs))
        if isinstance(node, ast.stmt):
            self._statement(node, written)
        elif isinstance(node, ast.expr):
            self._expression(node, written)
        else:
            self._other(node, written)

    def block(self, body: list[ast.stmt], written: cst.BaseSuite) -> None:
        """Enter the statements of a block."""
        self.suites[body[0]] = self.last[body[-1]] = written
        for node, (each, line) in zip(body, _statements(written), strict=True):
            if line is not None:
                self.lines[node] = line
            self.pair(node, each)

    def _statement(self, node: ast.stmt, written: Any) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._all(node.decorator_list, (each.decorator for each in written.decorators))
                self.pair(node.args, written.params)
                self.block(node.body, written.body)
            case ast.ClassDef():
                self._all(node.decorator_list, (each.decorator for each in written.decorators))
                self._arguments(node.bases, node.keywords, [*written.bases, *written.keywords])
                self.block(node.body, written.body)
            case ast.Assign():
                self._all(node.targets, (each.target for each in written.targets))
                self.pair(node.value, written.value)
            case ast.Raise(cause=ast.expr() as cause):
                self.pair(cause, written.cause.item)
            case ast.Delete():
                self._all(node.targets, _deleted(written.target))
            case ast.If() | ast.While() | ast.For() | ast.AsyncFor():
                self.block(node.body, written.body)
                self._else(node.orelse, written.orelse)
            case ast.With() | ast.AsyncWith():
                self._all(node.items, written.items)
                self.block(node.body, written.body)
            case ast.Try() | ast.TryStar():
                self.block(node.body, written.body)
                self._all(node.handlers, written.handlers)
                self._else(node.orelse, written.orelse)
                self._else(node.finalbody, written.finalbody)
            case ast.Match():
                self._all(node.cases, written.cases)

    def _else(self, body: list[ast.stmt], written: cst.If | Header | None) -> None:
        if isinstance(written, cst.If):
            self.elifs.add(body[0])
            self.pair(body[0], written)
        elif written is not None:
            self.headers[body[0]] = written
            self.block(body, written.body)

    def _expression(self, node: ast.expr, written: Any) -> None:
        match node:
            case ast.BoolOp():
                self._all(node.values, self._links(_operands(written)))
            case ast.Compare():
                self.pair(node.left, written.left)
                self._all(node.comparators, (each.comparator for each in written.comparisons))
            case ast.Call():
                self.pair(node.func, written.func)
                self._arguments(node.args, node.keywords, written.args)
            case ast.Dict():
                for key, value, each in zip(node.keys, node.values, written.elements, strict=True):
                    if key is not None:
                        self.pair(key, each.key)
                    self.pair(value, each.value)
            case ast.List() | ast.Tuple() | ast.Set():
                self._elements(node.elts, written.elements)
            case ast.Subscript():
                self.pair(node.value, written.value)
                self._subscript(node.slice, written.slice)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._all(node.generators, _for_in(written.for_in))
            case ast.JoinedStr():
                parts = [each for piece in self._links(_pieces(written)) for each in _parts(piece)]
                self._formatted(node, parts)
            case ast.Constant():
                self._links(_pieces(written))

    def _links(self, chain: Iterable[Any]) -> list[Any]:
        links = list(chain)
        self.longest_chain = max(self.longest_chain, len(links))
        return links

    def _arguments(
        self, args: list[ast.expr], keywords: list[ast.keyword], written: Sequence[cst.Arg]
    ) -> None:
        are_named = [each.keyword is not None or each.star == "**" for each in written]
        positional = [each for each, named in zip(written, are_named, strict=True) if not named]
        # A `*star` has no node of its own in libcst, so the argument stands for it.
        for node, each in zip(args, positional, strict=True):
            self.pair(node, each if each.star else each.value)
        named = (each for each, named in zip(written, are_named, strict=True) if named)
        for keyword, each in zip(keywords, named, strict=True):
            self.nodes[keyword] = each
            self.pair(keyword.value, each.value)

    def _elements(self, nodes: list[ast.expr], written: Sequence[Any]) -> None:
        for node, each in zip(nodes, written, strict=True):
            self.pair(node, each if isinstance(node, ast.Starred) else each.value)

    def _subscript(self, node: ast.expr, written: Sequence[cst.SubscriptElement]) -> None:
        parts = [each.slice for each in written]
        is_plain = not isinstance(written[0].comma, cst.Comma) and not _is_star(parts[0])
        if len(parts) == 1 and is_plain:
            self._slice(node, parts[0])
            return
        assert isinstance(node, ast.Tuple)  # written without parentheses: it has no node in libcst
        for each, part in zip(node.elts, parts, strict=True):
            self._slice(each, part)

    def _slice(self, node: ast.expr, written: cst.BaseSlice) -> None:
        if isinstance(written, cst.Index) and written.star is None:
            self.pair(node, written.value)
        else:
            self.pair(node, written)

    def _formatted(self, node: ast.JoinedStr, written: list[cst.FormattedStringExpression]) -> None:
        values = [each for each in node.values if isinstance(each, ast.FormattedValue)]
        for value, each in zip(values, written, strict=True):
            self.nodes[value] = each
            self.pair(value.value, each.expression)
            if isinstance(value.format_spec, ast.JoinedStr):
                spec = [p for p in each.format_spec or () if isinstance(p, _EXPRESSION)]
                self.nodes[value.format_spec] = each
                self._formatted(value.format_spec, spec)

    def _other(self, node: ast.AST, written: Any) -> None:
        match node:
            case ast.arguments():
                before = [*written.posonly_params, *written.params]
                defaults = [each.default for each in before if each.default is not None]
                self._all(node.defaults, defaults)
                for default, each in zip(node.kw_defaults, written.kwonly_params, strict=True):
                    if default is not None:
                        self.pair(default, each.default)
            case ast.comprehension():
                self.pair(node.target, written.target)
                self.pair(node.iter, written.iter)
                self._all(node.ifs, (each.test for each in written.ifs))
            case ast.withitem():
                self.pair(node.context_expr, written.item)
                if node.optional_vars is not None:
                    self.pair(node.optional_vars, written.asname.name)
            case ast.ExceptHandler():
                if node.type is not None:
                    self.pair(node.type, written.type)
                self.block(node.body, written.body)
            case ast.match_case():
                self.nodes[node.pattern] = written.pattern
                if node.guard is not None:
                    self.pair(node.guard, written.guard)
                self.block(node.body, written.body)


_EXPRESSION = cst.FormattedStringExpression


def _statements(suite: cst.BaseSuite) -> Iterator[tuple[cst.CSTNode, Line | None]]:
    """Yield the statements of a block, each with its line if it is a simple one."""
    if isinstance(suite, cst.SimpleStatementSuite):
        yield from ((each, suite) for each in suite.body)
        return
    for line in suite.body:
        if isinstance(line, cst.SimpleStatementLine):
            yield from ((each, line) for each in line.body)
        else:
            yield line, None


def _operands(written: cst.BooleanOperation) -> list[cst.BaseExpression]:
    """Return the operands of `a and b and c`, which libcst reads as `(a and b) and c`."""
    found: list[cst.BaseExpression] = []
    kind = type(written.operator)
    left: cst.BaseExpression = written
    while isinstance(left, cst.BooleanOperation) and isinstance(left.operator, kind):
        if left.lpar and left is not written:
            break
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]


def _deleted(target: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(target, cst.Tuple) and not target.lpar:
        return [each.value for each in target.elements]
    return [target]


def _for_in(first: cst.CompFor) -> Iterator[cst.CompFor]:
    following: cst.CompFor | None = first
    while following is not None:
        yield following
        following = following.inner_for_in


def _pieces(written: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the strings that stand side by side in one."""
    while isinstance(written, cst.ConcatenatedString):
        yield written.left
        written = written.right
    yield written


def _parts(piece: cst.BaseExpression) -> list[cst.FormattedStringExpression]:
    if not isinstance(piece, cst.FormattedString):
        return []
    return [each for each in piece.parts if isinstance(each, _EXPRESSION)]


def _is_star(written: cst.BaseSlice) -> bool:
    return isinstance(written, cst.Index) and written.star is not None
