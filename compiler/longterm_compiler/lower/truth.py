"""Test an expression for its truth value as often as Python would, and keep the answer."""

from __future__ import annotations

import ast


def as_bool(node: ast.expr) -> ast.expr:
    """Return `True if node else False`, or the node itself where it is such a bool already.

    Not `bool(node)`, for two reasons: the author may have named something else `bool`, and
    `bool(a or b)` tests the one that counts twice.
    """
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and not is_jump(node):
        return node
    return ast.IfExp(node, ast.Constant(True), ast.Constant(False))


def is_jump(node: ast.expr) -> bool:
    """Tell whether Python, where only the truth of an expression counts, tests its parts instead.

    `if a and b` is two tests with jumps: no value of `a and b` is made, and none is tested.
    """
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return is_jump(operand)
        case ast.Compare():
            return len(node.ops) > 1
    return isinstance(node, ast.BoolOp | ast.IfExp)
