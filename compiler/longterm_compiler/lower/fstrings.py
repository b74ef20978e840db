"""Lower f-strings: each value is formatted before Python evaluates the next.

    x = f"{a!r}: {ask(q)}"              _lt_text1 = f"{a!r}"
                                        _lt_value1 = ask(q)
                                        x = f"{_lt_text1}: {_lt_value1}"

A format specification may suspend too; its value has been converted by then.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.syntax.build import at

_NO_CONVERSION = -1  # as `ast` writes it


def _lower_joined_str(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.JoinedStr)
    last = max(i for i, value in enumerate(node.values) if low.may_suspend(value))
    done: list[ast.expr] = []
    for index, value in enumerate(node.values):
        left = low.expression(value, out)
        if index < last and isinstance(left, ast.FormattedValue):
            text = low.spill("text", at(left, ast.JoinedStr([left])), out)
            left = at(value, ast.FormattedValue(text, _NO_CONVERSION, None))
        done.append(left)
    return ast.copy_location(ast.JoinedStr(done), node)


def _lower_formatted_value(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower `{value!r:spec}`: Python evaluates the value, converts it, evaluates the spec."""
    assert isinstance(node, ast.FormattedValue)
    value = low.expression(node.value, out)
    spec = node.format_spec
    if spec is None or not low.may_suspend(spec):
        return at(node, ast.FormattedValue(value, node.conversion, spec))
    if node.conversion != _NO_CONVERSION:
        converted = at(node, ast.FormattedValue(value, node.conversion, None))
        value = at(node, ast.JoinedStr([converted]))
    value = low.spill_unless_stable(value, [spec], out)
    return at(node, ast.FormattedValue(value, _NO_CONVERSION, low.expression(spec, out)))


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.JoinedStr: _lower_joined_str,
    ast.FormattedValue: _lower_formatted_value,
}
