"""Write the expressions of a plan: the author's own nodes wherever they still hold.

One that lowering changed is the author's with the changed parts put in; one that lowering made is
written from its tree, with the author's nodes in its holes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

import libcst as cst

from longterm_compiler.text.author import AuthorText, same_tree
from longterm_compiler.text.edits import parenthesized, with_parts
from longterm_compiler.text.strings import f_string

_ATOMS = (
    ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.JoinedStr, ast.List,
    ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp,
)  # fmt: skip
"""What stands anywhere without parentheses around it."""
_NEEDS_PARENTHESES = (ast.Tuple, ast.GeneratorExp, ast.NamedExpr, ast.Yield, ast.YieldFrom)
_OPERATORS: dict[type[ast.cmpop], cst.BaseCompOp] = {
    ast.Eq: cst.Equal(),
    ast.NotEq: cst.NotEqual(),
    ast.Lt: cst.LessThan(),
    ast.LtE: cst.LessThanEqual(),
    ast.Gt: cst.GreaterThan(),
    ast.GtE: cst.GreaterThanEqual(),
    ast.Is: cst.Is(),
    ast.IsNot: cst.IsNot(),
    ast.In: cst.In(),
    ast.NotIn: cst.NotIn(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Expressions:
    """Writes the expressions of one flow."""

    author: AuthorText

    def expression(self, node: ast.expr) -> cst.BaseExpression:
        """Write an expression, which may need parentheses where it comes to stand."""
        found = self.author.node_at(node)
        if found is not None:
            written = self.author.pairs.nodes[found]
            if isinstance(written, cst.BaseExpression):
                if found is node or same_tree(found, node):
                    return written
                changed = self.changed(found, node)
                if isinstance(changed, cst.BaseExpression):
                    return changed
        return self._made(node)

    def alone(self, node: ast.expr) -> cst.BaseExpression:
        """Write an expression such that it can stand without brackets around it."""
        written = self.expression(node)
        if written.lpar and not isinstance(node, _NEEDS_PARENTHESES):
            bare = written.with_changes(lpar=[], rpar=[])
            if "\n" not in cst.Module([]).code_for_node(bare) and not _has_comment(written):
                return bare
        elif not written.lpar:
            text = cst.Module([]).code_for_node(written)
            if "\n" in text and not _parses(text):
                return parenthesized(written)
        return written

    def changed(self, old: ast.AST, new: ast.AST, fields: Iterable[str] = ()) -> cst.CSTNode | None:
        """Return the author's node with the parts put in that lowering changed.

        Args:
            old: the node in the author's tree.
            new: what became of it.
            fields: those of its fields that may have changed; all, unless told otherwise.

        Returns:
            None if the two trees do not have the same shape.
        """
        parts: dict[int, cst.CSTNode] = {}
        if type(old) is not type(new) or not self._collect(old, new, fields or old._fields, parts):
            return None
        return with_parts(self.author.pairs.nodes[old], parts)

    def _collect(
        self, old: ast.AST, new: ast.AST, fields: Iterable[str], parts: dict[int, cst.CSTNode]
    ) -> bool:
        """Enter what differs between two nodes; tell whether they have the same shape."""
        for name in fields:
            if name == "ctx":
                continue
            before, after = getattr(old, name, None), getattr(new, name, None)
            if not isinstance(before, list) or not isinstance(after, list):
                before, after = [before], [after]
            if len(before) != len(after):
                return False
            for one, other in zip(before, after, strict=True):
                if not same_tree(one, other) and not self._collect_part(one, other, parts):
                    return False
        return True

    def _collect_part(self, old: object, new: object, parts: dict[int, cst.CSTNode]) -> bool:
        if not isinstance(old, ast.AST) or not isinstance(new, ast.AST):
            return False
        if isinstance(old, ast.Starred) != isinstance(new, ast.Starred):
            return False  # a star belongs to the display around it, not to the value
        written = self.author.pairs.nodes.get(old)
        if isinstance(old, ast.expr) and isinstance(written, cst.BaseExpression):
            assert isinstance(new, ast.expr)
            parts[id(written)] = self._in_place_of(written, old, new)
            return True
        if isinstance(written, cst.FormattedStringExpression) and written.equal is not None:
            return False  # `f"{x=}"` is the text of x too, which lowering has not changed
        return type(old) is type(new) and self._collect(old, new, old._fields, parts)

    def _in_place_of(
        self, written: cst.BaseExpression, old: ast.expr, new: ast.expr
    ) -> cst.BaseExpression:
        """Write a new part for the place of an old one, in parentheses if it may need them."""
        part = self.expression(new)
        if isinstance(new, _ATOMS) or part.lpar:
            return part
        if written.lpar:
            return part.with_changes(lpar=written.lpar, rpar=written.rpar)
        return part if type(old) is type(new) else parenthesized(part)

    def _made(self, node: ast.expr) -> cst.BaseExpression:
        """Write an expression of which there is no text: one that lowering made."""
        match node:
            case ast.Name():
                return cst.Name(node.id)
            case ast.Constant(value=None | bool()):
                return cst.Name(str(node.value))
            case ast.Constant(value=str() as word):
                return cst.SimpleString(_quoted(word))
            case ast.Attribute():
                value = self._operand(node.value)
                if isinstance(value, cst.BaseNumber):
                    value = parenthesized(value)
                return cst.Attribute(value, cst.Name(node.attr))
            case ast.Subscript():
                key = cst.SubscriptElement(cst.Index(self._enclosed(node.slice)))
                return cst.Subscript(self._operand(node.value), [key])
            case ast.Call():
                return self._call(node)
            case ast.UnaryOp(op=ast.Not()):
                return cst.UnaryOperation(cst.Not(), self._operand(node.operand))
            case ast.Await():
                return cst.Await(self._operand(node.value))
            case ast.IfExp():
                test, body = self._branch(node.test), self._branch(node.body)
                return cst.IfExp(test, body, self._branch(node.orelse))
            case ast.Compare():
                return self._comparison(node)
            case ast.JoinedStr():
                return f_string(node, self._braced)
            case ast.Lambda() if not node.args.args:
                return cst.Lambda(cst.Parameters(), self._enclosed(node.body))
        return self._display(node)

    def _call(self, node: ast.Call) -> cst.Call:
        given = [
            cst.Arg(self._enclosed(value), star="*" if isinstance(value, ast.Starred) else "")
            for value in node.args
        ]
        given += [self._keyword(keyword) for keyword in node.keywords]
        return cst.Call(self._operand(node.func), given)

    def _comparison(self, node: ast.Compare) -> cst.Comparison:
        targets = [
            cst.ComparisonTarget(_OPERATORS[type(operator)], self._operand(right))
            for operator, right in zip(node.ops, node.comparators, strict=True)
        ]
        return cst.Comparison(self._operand(node.left), targets)

    def _display(self, node: ast.expr) -> cst.BaseExpression:
        match node:
            case ast.Tuple():
                return cst.Tuple(self._elements(node.elts))
            case ast.List():
                return cst.List(self._elements(node.elts))
            case ast.Set():
                return cst.Set(self._elements(node.elts))
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                return cst.Dict(
                    [
                        cst.StarredDictElement(self._operand(value))
                        if key is None
                        else cst.DictElement(self._enclosed(key), self._enclosed(value))
                        for key, value in pairs
                    ]
                )
        # Lowering makes no others. But before Python 3.12, what it changed inside of an f-string is
        # not always found among what the author wrote, by wrong places (gh-94869; PEP 701).
        return cst.parse_expression(ast.unparse(node))

    def _elements(self, nodes: list[ast.expr]) -> list[cst.BaseElement]:
        return [
            cst.StarredElement(self._operand(element.value))
            if isinstance(element, ast.Starred)
            else cst.Element(self._enclosed(element))
            for element in nodes
        ]

    def _keyword(self, node: ast.keyword) -> cst.Arg:
        value = self._enclosed(node.value)
        if node.arg is None:
            return cst.Arg(value, star="**")
        none = cst.SimpleWhitespace("")
        equal = cst.AssignEqual(whitespace_before=none, whitespace_after=none)
        return cst.Arg(value, keyword=cst.Name(node.arg), equal=equal)

    def _enclosed(self, node: ast.expr) -> cst.BaseExpression:
        """Write an expression for between brackets and commas."""
        written = self.expression(node.value if isinstance(node, ast.Starred) else node)
        is_loose = isinstance(node, _NEEDS_PARENTHESES)
        return parenthesized(written) if is_loose else written

    def _operand(self, node: ast.expr) -> cst.BaseExpression:
        written = self.expression(node)
        return written if isinstance(node, _ATOMS) else parenthesized(written)

    def _braced(self, node: ast.expr) -> cst.BaseExpression:
        """Write an expression for the braces of an f-string, where a colon ends it."""
        written = self._enclosed(node)
        return parenthesized(written) if isinstance(node, ast.Lambda) else written

    def _branch(self, node: ast.expr) -> cst.BaseExpression:
        """Write a part of a conditional expression."""
        is_loose = isinstance(node, (ast.IfExp, ast.Lambda, *_NEEDS_PARENTHESES))
        return parenthesized(self.alone(node)) if is_loose else self.alone(node)


def _has_comment(written: cst.BaseExpression) -> bool:
    brackets = [*written.lpar, *written.rpar]
    return any("#" in cst.Module([]).code_for_node(bracket) for bracket in brackets)


def _quoted(text: str) -> str:
    assert text.isidentifier(), "lowering writes down the words that it made up only"
    return f'"{text}"'


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
