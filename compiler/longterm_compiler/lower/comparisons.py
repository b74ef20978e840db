"""Lower comparisons. In a chain each operand is evaluated once, and only if those before held.

    x = low < a.n < ask("high")         _lt_value2 = a.n
                                        _lt_value1 = low < _lt_value2
                                        if _lt_value1:
                                            _lt_value3 = ask("high")
                                            _lt_value1 = _lt_value2 < _lt_value3
                                        x = _lt_value1

The value is that of the last comparison made, the first one that is not true, if there is one.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.lower.truth import as_bool
from longterm_compiler.syntax.build import NOWHERE, assign, at, load


def lower_compare(low: Lowering, node: ast.Compare, out: Out, *, is_test: bool = False) -> ast.expr:
    """Lower a comparison.

    Args:
        low: the lowering.
        node: the comparison.
        out: where the statements go.
        is_test: whether only its truth counts. Then a comparison that ends the chain must not be
            tested a second time, by what comes after it.
    """
    if len(node.ops) == 1 or not low.may_suspend(*node.comparators[1:]):
        left, first = low.in_order([node.left, node.comparators[0]], out)
        return at(node, ast.Compare(left, node.ops, [first, *node.comparators[1:]]))
    name = low.names.fresh("value")
    left = low.expression(node.left, out)
    for number, (operator, operand) in enumerate(zip(node.ops, node.comparators, strict=True)):
        later = node.comparators[number + 1 :]
        if later or low.may_suspend(operand):
            left = low.spill_unless_stable(left, [operand, *later], out)
        right = low.expression(operand, out)
        if later:
            right = low.spill_unless_stable(right, later, out)
        compared: ast.expr = ast.Compare(left, [operator], [right])
        out.append(at(node, assign(name, as_bool(compared) if is_test and later else compared)))
        if later:
            # The rest of the chain goes where this comparison is true.
            rest: Out = []
            out.append(at(node, ast.If(load(name), rest, [])))
            left, out = right, rest
    return at(NOWHERE, load(name))


def _lower_compare(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.Compare)
    return lower_compare(low, node, out)


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {ast.Compare: _lower_compare}
