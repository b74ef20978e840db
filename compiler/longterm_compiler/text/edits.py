"""Put new parts into a node of the author's: all around them stays as it was written.

A libcst node and what becomes of parts inside it in; the changed node out. Where a part that needed
no space before it gives way to a name that does, the name gets parentheses: `return(x)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from operator import is_not
from typing import TypeVar

import libcst as cst

T = TypeVar("T", bound=cst.CSTNode)
Parts = Mapping[int, cst.CSTNode]
"""The new parts, by the identities of the old ones."""

_LEAVES = (
    cst.BaseParenthesizableWhitespace, cst.TrailingWhitespace, cst.EmptyLine, cst.Newline,
    cst.Comment, cst.Name, cst.SimpleString, cst.BaseNumber, cst.BaseBinaryOp, cst.BaseBooleanOp,
    cst.BaseUnaryOp, cst.BaseCompOp, cst.BaseAugOp, cst.Comma, cst.AssignEqual, cst.Colon, cst.Dot,
    cst.FormattedStringText,
)  # fmt: skip
"""What holds no expression."""
_NEVER = frozenset({"lpar", "rpar", "leading_lines", "comma", "equal", "semicolon", "attr"})


def with_parts(node: T, parts: Parts) -> T:
    """Return a node with other parts in the place of some of its own."""
    found = _with(node, parts)
    assert isinstance(found, type(node))
    return found


def _with(node: cst.CSTNode, parts: Parts) -> cst.CSTNode:
    new = parts.get(id(node))
    if new is not None:
        return new
    changes: dict[str, object] = {}
    for name in _fields_with_parts(type(node)):
        value = getattr(node, name)
        if type(value) in (list, tuple):
            others = [_with(part, parts) for part in value]
            if any(map(is_not, others, value)):
                changes[name] = others
        elif isinstance(value, cst.CSTNode):
            other = _with(value, parts)
            if other is not value:
                changes[name] = other
    return _changed(node, changes) if changes else node


@cache
def _fields_with_parts(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    names = [] if issubclass(kind, _LEAVES) else [field.name for field in fields(kind)]
    return tuple(n for n in names if n not in _NEVER and not n.startswith("whitespace"))


def _changed(node: cst.CSTNode, changes: dict[str, object]) -> cst.CSTNode:
    try:
        return node.with_changes(**changes)
    except cst.CSTValidationError:
        # A space is missing beside a part: the old one brought its own brackets or quotes.
        apart = {name: _in_parentheses(value) for name, value in changes.items()}
        return node.with_changes(**apart)


def _in_parentheses(value: object) -> object:
    return parenthesized(value) if isinstance(value, cst.BaseExpression) else value


def parenthesized(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return an expression in parentheses, if it has none."""
    if node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
