"""The text of an expression of a lowered tree: the author's own words wherever they still hold.

An expression that lowering changed is the author's text with the changed parts put in; one that
lowering made is written from its tree. Whatever is returned parses to the very tree.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from longterm_compiler.render.author import RAW_BREAK, AuthorText, same_tree

_ATOMS = (
    ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.JoinedStr,
    ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp,
)  # fmt: skip
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_Edit = tuple[int, int, str]


@dataclass(frozen=True, slots=True, eq=False)
class Expressions:
    """Writes the expressions of one flow."""

    author: AuthorText

    def text(self, node: ast.expr) -> str:
        """Return an expression's text, which may need brackets around it if it has many lines."""
        if isinstance(node, ast.Name):
            return node.id
        found = self.author.node_at(node)
        if found is not None:
            if found is node or same_tree(found, node):
                return self.author.slice(*self.author.span(found))
            changed = self.changed(found, node)
            if changed is not None and _parses_to(changed, node):
                return changed
        made = self._made(node)
        return made if _parses_to(made, node) else plain(node)

    def alone(self, node: ast.expr) -> str:
        """Return an expression's text such that it can stand without brackets around it."""
        text = self.text(node)
        if "\n" not in text or _parses(text):
            return text
        if self.author.is_authors(node):
            found = self.author.node_at(node)
            assert found is not None
            span = self.author.span(found)
            wider = self.author.grouped(span)
            if wider != span:
                return self.author.slice(*wider)
        return f"({text})"

    def changed(self, old: ast.AST, new: ast.AST) -> str | None:
        """Return the author's text of a node with the parts that lowering changed put in.

        None if the two do not have the same shape.
        """
        edits = list(self._edits(old, new))
        if any(each is None for each in edits):
            return None
        start, end = self.author.span(old)
        pieces: list[str] = []
        place = start
        for first, last, text in sorted(each for each in edits if each is not None):
            inner = self.author.step(start, first)
            pieces += [self.author.slice(place, first, start), text.replace("\n", f"\n{inner}")]
            place = last
        return "".join([*pieces, self.author.slice(place, end, start)])

    def _edits(self, old: ast.AST, new: ast.AST) -> Iterator[_Edit | None]:
        if type(old) is not type(new) or isinstance(old, ast.JoinedStr | ast.FormattedValue):
            yield None
            return
        for name in old._fields:
            before, after = getattr(old, name, None), getattr(new, name, None)
            if not isinstance(before, list) or not isinstance(after, list):
                before, after = [before], [after]
            if len(before) != len(after):
                yield None
                return
            for one, other in zip(before, after, strict=True):
                yield from self._edit(one, other)

    def _edit(self, old: object, new: object) -> Iterator[_Edit | None]:
        if not isinstance(old, ast.AST) or not isinstance(new, ast.AST):
            if old != new:
                yield None
        elif not same_tree(old, new):
            if isinstance(old, ast.expr) and isinstance(new, ast.expr):
                yield self._put_in(old, new)
            else:
                yield from self._edits(old, new)

    def _put_in(self, old: ast.expr, new: ast.expr) -> _Edit:
        span = self.author.span(old)
        text = self.text(new)
        if isinstance(new, _ATOMS):
            return (*self.author.grouped(span), text)
        if type(old) is type(new) or self.author.grouped(span) != span:
            return (*span, text)
        return (*span, f"({text})")

    def _made(self, node: ast.expr) -> str:
        match node:
            case ast.Attribute():
                value = self._atom(node.value)
                return f"({value}).{node.attr}" if value.isdigit() else f"{value}.{node.attr}"
            case ast.Call():
                arguments = [self._in_brackets(each) for each in node.args]
                for each in node.keywords:
                    name = "**" if each.arg is None else f"{each.arg}="
                    arguments.append(name + self._in_brackets(each.value))
                return f"{self._atom(node.func)}({', '.join(arguments)})"
            case ast.UnaryOp(op=ast.Not()):
                return f"not {self._atom(node.operand)}"
            case ast.Await():
                return f"await {self._atom(node.value)}"
            case ast.Starred():
                return f"*{self._atom(node.value)}"
            case ast.Compare():
                rest = zip(node.ops, node.comparators, strict=True)
                parts = [f" {_OPERATORS[type(op)]} {self._atom(right)}" for op, right in rest]
                return self._atom(node.left) + "".join(parts)
            case ast.JoinedStr():
                return _f_string(node)
        return self._made_display(node)

    def _made_display(self, node: ast.expr) -> str:
        match node:
            case ast.Tuple():
                items = [self._in_brackets(each) for each in node.elts]
                return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
            case ast.List():
                return f"[{', '.join(self._in_brackets(each) for each in node.elts)}]"
            case ast.Set():
                return f"{{{', '.join(self._in_brackets(each) for each in node.elts)}}}"
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                items = [
                    f"**{self._atom(value)}" if key is None
                    else f"{self._in_brackets(key)}: {self._in_brackets(value)}"
                    for key, value in pairs
                ]  # fmt: skip
                return f"{{{', '.join(items)}}}"
            case ast.Lambda() if not node.args.args:
                return f"lambda: {self._in_brackets(node.body)}"
        return plain(node)

    def _in_brackets(self, node: ast.expr) -> str:
        text = self.text(node)
        loose = isinstance(node, ast.NamedExpr | ast.GeneratorExp) and not text.startswith("(")
        return f"({text})" if loose else text

    def _atom(self, node: ast.expr) -> str:
        text = self.text(node)
        return text if isinstance(node, _ATOMS) else f"({text})"


def plain(node: ast.AST) -> str:
    """Write a tree as `ast` does, with the quotes that formatters like."""
    text = ast.unparse(node)
    pieces: list[str] = []
    place = (1, 0)
    lines = [f"{each}\n" for each in text.split("\n")]
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        if each.type == tokenize.STRING:
            pieces += [_between(lines, place, each.start), _double_quoted(each.string)]
            place = each.end
    pieces.append(_between(lines, place, (len(lines), len(lines[-1]) - 1)))
    return "".join(pieces)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])


def _double_quoted(text: str) -> str:
    prefix, quote, rest = text.partition("'")
    if not quote or not rest.endswith("'") or prefix not in ("", "b", "u") or rest[:2] == "''":
        return text
    body = rest[:-1]
    return text if '"' in body or "\\" in body else f'{prefix}"{body}"'


def _f_string(node: ast.JoinedStr) -> str:
    """Write an f-string that every supported Python can read: other quotes inside, no backslash."""
    return f'f"{_f_parts(node)}"'


def _f_parts(node: ast.JoinedStr) -> str:
    parts: list[str] = []
    for each in node.values:
        if isinstance(each, ast.Constant):
            text = _escaped(str(each.value))
            parts.append(text.replace("{", "{{").replace("}", "}}").replace('"', r"\""))
        elif isinstance(each, ast.FormattedValue):
            value = ast.unparse(each.value)
            conversion = "" if each.conversion == -1 else f"!{chr(each.conversion)}"
            spec = each.format_spec
            rest = f":{_f_parts(spec)}" if isinstance(spec, ast.JoinedStr) else ""
            value = f"({value})" if isinstance(each.value, ast.Lambda | ast.NamedExpr) else value
            parts.append(f"{{{' ' if value.startswith('{') else ''}{value}{conversion}{rest}}}")
    return "".join(parts)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text.replace("\\", r"\\")
    return text.encode("unicode_escape").decode("ascii")


def _parses(text: str) -> bool:
    try:
        ast.parse(text.replace(RAW_BREAK, "\n"))
    except SyntaxError:
        return False
    return True


def _parses_to(text: str, node: ast.expr) -> bool:
    """Tell whether a text means a tree, wherever the tree is read, bound or deleted."""
    text = text.replace(RAW_BREAK, "\n")
    try:
        parsed = ast.parse(f"_[{text}\n]", mode="eval").body
    except SyntaxError:
        return False
    assert isinstance(parsed, ast.Subscript)
    found: ast.AST = parsed.slice
    if isinstance(node, ast.Starred) and isinstance(found, ast.Tuple) and len(found.elts) == 1:
        found = found.elts[0]
    return _read(found) == _read(node)


def _read(node: ast.AST) -> str:
    return ast.dump(node).replace("ctx=Store()", "ctx=Load()").replace("ctx=Del()", "ctx=Load()")
