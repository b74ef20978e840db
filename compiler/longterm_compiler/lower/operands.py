"""Lower expressions whose operands Python evaluates one after the other, and all of them.

    x = rows[i][ask("column")]          _lt_value1 = rows[i]
                                        _lt_value2 = ask("column")
                                        x = _lt_value1[_lt_value2]

What comes after the last suspend stays in the expression.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.syntax.build import changed


def _lower_fields(*fields: str) -> ExpressionLowerer:
    """Lower a node whose operands are these fields: expressions, lists of them, or nothing."""

    def lower(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
        values = [getattr(node, field) for field in fields]
        flat: list[ast.expr] = []
        for value in values:
            flat.extend(value if isinstance(value, list) else [] if value is None else [value])
        done = iter(low.in_order(flat, out))
        lowered = {
            field: [next(done) for _ in value]
            if isinstance(value, list)
            else (None if value is None else next(done))
            for field, value in zip(fields, values, strict=True)
        }
        return changed(node, **lowered)

    return lower


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.BinOp: _lower_fields("left", "right"),
    ast.UnaryOp: _lower_fields("operand"),
    ast.Subscript: _lower_fields("value", "slice"),
    ast.Slice: _lower_fields("lower", "upper", "step"),
    ast.Attribute: _lower_fields("value"),
    ast.Starred: _lower_fields("value"),
    ast.List: _lower_fields("elts"),
    ast.Tuple: _lower_fields("elts"),
}
