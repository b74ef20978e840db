"""Pair the nodes of two trees of one function: the libcst node that each `ast` node was written as.

`ast` has the abstract syntax tree, libcst a concrete one, which keeps every comment, bracket and
space. The two have the same shape but for a few constructs, so they are walked side by side:

    ast                                 libcst
    BoolOp(And, [a, b, c])              BooleanOperation(BooleanOperation(a, b), c)
    Constant("ab"), written "a" "b"     ConcatenatedString("a", "b")
    Starred(x), in a call               Arg(x, star="*")
    If in the `orelse` of an If         If for `elif`; Else with an If inside for `else: if`

Below, a `node` is one of `ast`, and `concrete` the libcst node of the same text. Their places are
not compared: the two count them in different units.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import libcst as cst

Line: TypeAlias = cst.SimpleStatementLine | cst.SimpleStatementSuite
Header: TypeAlias = cst.Else | cst.Finally

_EXPRESSION = cst.FormattedStringExpression

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
    """The most parts of what is one node of `ast`, and a nest of libcst: `a and b and c` has three.

    To write such a nest down libcst recurses, so it tells how much room that needs.
    """

    def _all(self, nodes: Iterable[ast.AST], concrete: Iterable[Any]) -> None:
        for node, written in zip(nodes, concrete, strict=True):
            self.pair(node, written)

    def pair(self, node: ast.AST, concrete: Any) -> None:
        """Enter a node and all that is inside it."""
        self.nodes[node] = concrete
        for name, theirs in _SAME_SHAPE.get(type(node), ()):
            part = getattr(node, name)
            if part is not None:
                self.pair(part, getattr(concrete, theirs))
        if isinstance(node, ast.stmt):
            self._statement(node, concrete)
        elif isinstance(node, ast.expr):
            self._expression(node, concrete)
        else:
            self._other(node, concrete)

    def block(self, body: list[ast.stmt], concrete: cst.BaseSuite) -> None:
        """Enter the statements of a block."""
        self.suites[body[0]] = self.last[body[-1]] = concrete
        for node, (statement, line) in zip(body, _statements(concrete), strict=True):
            if line is not None:
                self.lines[node] = line
            self.pair(node, statement)

    def _statement(self, node: ast.stmt, concrete: Any) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._all(
                    node.decorator_list, (decorator.decorator for decorator in concrete.decorators)
                )
                self.pair(node.args, concrete.params)
                self.block(node.body, concrete.body)
            case ast.ClassDef():
                self._all(
                    node.decorator_list, (decorator.decorator for decorator in concrete.decorators)
                )
                self._arguments(node.bases, node.keywords, [*concrete.bases, *concrete.keywords])
                self.block(node.body, concrete.body)
            case ast.Assign():
                self._all(node.targets, (target.target for target in concrete.targets))
                self.pair(node.value, concrete.value)
            case ast.Raise(cause=ast.expr() as cause):
                self.pair(cause, concrete.cause.item)
            case ast.Delete():
                self._all(node.targets, _deleted(concrete.target))
            case ast.If() | ast.While() | ast.For() | ast.AsyncFor():
                self.block(node.body, concrete.body)
                self._else(node.orelse, concrete.orelse)
            case ast.With() | ast.AsyncWith():
                self._all(node.items, concrete.items)
                self.block(node.body, concrete.body)
            case ast.Try() | ast.TryStar():
                self.block(node.body, concrete.body)
                self._all(node.handlers, concrete.handlers)
                self._else(node.orelse, concrete.orelse)
                self._else(node.finalbody, concrete.finalbody)
            case ast.Match():
                self._all(node.cases, concrete.cases)

    def _else(self, body: list[ast.stmt], concrete: cst.If | Header | None) -> None:
        if isinstance(concrete, cst.If):
            self.elifs.add(body[0])
            self.pair(body[0], concrete)
        elif concrete is not None:
            self.headers[body[0]] = concrete
            self.block(body, concrete.body)

    def _expression(self, node: ast.expr, concrete: Any) -> None:
        match node:
            case ast.BoolOp():
                self._all(node.values, self._links(_operands(concrete)))
            case ast.Compare():
                self.pair(node.left, concrete.left)
                self._all(
                    node.comparators, (comparison.comparator for comparison in concrete.comparisons)
                )
            case ast.Call():
                self.pair(node.func, concrete.func)
                self._arguments(node.args, node.keywords, concrete.args)
            case ast.Dict():
                for key, value, element in zip(
                    node.keys, node.values, concrete.elements, strict=True
                ):
                    if key is not None:
                        self.pair(key, element.key)
                    self.pair(value, element.value)
            case ast.List() | ast.Tuple() | ast.Set():
                self._elements(node.elts, concrete.elements)
            case ast.Subscript():
                self.pair(node.value, concrete.value)
                self._subscript(node.slice, concrete.slice)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._all(node.generators, _for_in(concrete.for_in))
            case ast.JoinedStr():
                parts = [part for piece in self._links(_pieces(concrete)) for part in _parts(piece)]
                self._formatted(node, parts)
            case ast.YieldFrom():
                self.pair(node.value, concrete.value.item)
            case ast.Constant():
                self._links(_pieces(concrete))

    def _links(self, chain: Iterable[Any]) -> list[Any]:
        links = list(chain)
        self.longest_chain = max(self.longest_chain, len(links))
        return links

    def _arguments(
        self, args: list[ast.expr], keywords: list[ast.keyword], concrete: Sequence[cst.Arg]
    ) -> None:
        are_named = [arg.keyword is not None or arg.star == "**" for arg in concrete]
        positional = [arg for arg, named in zip(concrete, are_named, strict=True) if not named]
        # A `*star` has no node of its own in libcst, so the argument stands for it.
        for node, arg in zip(args, positional, strict=True):
            self.pair(node, arg if arg.star else arg.value)
        named = (arg for arg, named in zip(concrete, are_named, strict=True) if named)
        for keyword, arg in zip(keywords, named, strict=True):
            self.nodes[keyword] = arg
            self.pair(keyword.value, arg.value)

    def _elements(self, nodes: list[ast.expr], concrete: Sequence[Any]) -> None:
        for node, written in zip(nodes, concrete, strict=True):
            self.pair(node, written if isinstance(node, ast.Starred) else written.value)

    def _subscript(self, node: ast.expr, concrete: Sequence[cst.SubscriptElement]) -> None:
        parts = [element.slice for element in concrete]
        is_plain = not isinstance(concrete[0].comma, cst.Comma) and not _is_star(parts[0])
        if len(parts) == 1 and is_plain:
            self._slice(node, parts[0])
            return
        assert isinstance(node, ast.Tuple)  # written without parentheses: it has no node in libcst
        for index, part in zip(node.elts, parts, strict=True):
            self._slice(index, part)

    def _slice(self, node: ast.expr, concrete: cst.BaseSlice) -> None:
        if isinstance(concrete, cst.Index) and concrete.star is None:
            self.pair(node, concrete.value)
        else:
            self.pair(node, concrete)

    def _formatted(
        self, node: ast.JoinedStr, concrete: list[cst.FormattedStringExpression]
    ) -> None:
        values = [value for value in node.values if isinstance(value, ast.FormattedValue)]
        for value, braces in zip(values, concrete, strict=True):
            self.nodes[value] = braces
            self.pair(value.value, braces.expression)
            if isinstance(value.format_spec, ast.JoinedStr):
                spec = [p for p in braces.format_spec or () if isinstance(p, _EXPRESSION)]
                self.nodes[value.format_spec] = braces
                self._formatted(value.format_spec, spec)

    def _other(self, node: ast.AST, concrete: Any) -> None:
        match node:
            case ast.arguments():
                before = [*concrete.posonly_params, *concrete.params]
                defaults = [param.default for param in before if param.default is not None]
                self._all(node.defaults, defaults)
                for default, param in zip(node.kw_defaults, concrete.kwonly_params, strict=True):
                    if default is not None:
                        self.pair(default, param.default)
            case ast.comprehension():
                self.pair(node.target, concrete.target)
                self.pair(node.iter, concrete.iter)
                self._all(node.ifs, (condition.test for condition in concrete.ifs))
            case ast.withitem():
                self.pair(node.context_expr, concrete.item)
                if node.optional_vars is not None:
                    self.pair(node.optional_vars, concrete.asname.name)
            case ast.ExceptHandler():
                if node.type is not None:
                    self.pair(node.type, concrete.type)
                self.block(node.body, concrete.body)
            case ast.match_case():
                self.nodes[node.pattern] = concrete.pattern
                if node.guard is not None:
                    self.pair(node.guard, concrete.guard)
                self.block(node.body, concrete.body)


def _statements(suite: cst.BaseSuite) -> Iterator[tuple[cst.CSTNode, Line | None]]:
    """Yield the statements of a block, each with its line if it is a simple one."""
    if isinstance(suite, cst.SimpleStatementSuite):
        yield from ((statement, suite) for statement in suite.body)
        return
    for line in suite.body:
        if isinstance(line, cst.SimpleStatementLine):
            yield from ((statement, line) for statement in line.body)
        else:
            yield line, None


def _operands(concrete: cst.BooleanOperation) -> list[cst.BaseExpression]:
    """Return the operands of `a and b and c`, which libcst reads as `(a and b) and c`."""
    found: list[cst.BaseExpression] = []
    kind = type(concrete.operator)
    left: cst.BaseExpression = concrete
    while isinstance(left, cst.BooleanOperation) and isinstance(left.operator, kind):
        if left.lpar and left is not concrete:
            break
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]


def _deleted(target: cst.BaseExpression) -> list[cst.BaseExpression]:
    """Return the targets of a `del`: `del a, b` has two in `ast`, and one tuple in libcst."""
    if isinstance(target, cst.Tuple) and not target.lpar:
        return [element.value for element in target.elements]
    return [target]


def _for_in(first: cst.CompFor) -> Iterator[cst.CompFor]:
    """Yield each `for` of a comprehension; in libcst one holds the next."""
    following: cst.CompFor | None = first
    while following is not None:
        yield following
        following = following.inner_for_in


def _pieces(concrete: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the strings that stand side by side in one."""
    while isinstance(concrete, cst.ConcatenatedString):
        yield concrete.left
        concrete = concrete.right
    yield concrete


def _parts(piece: cst.BaseExpression) -> list[cst.FormattedStringExpression]:
    """Return what stands in the braces of a string."""
    if not isinstance(piece, cst.FormattedString):
        return []
    return [part for part in piece.parts if isinstance(part, _EXPRESSION)]


def _is_star(concrete: cst.BaseSlice) -> bool:
    return isinstance(concrete, cst.Index) and concrete.star is not None
