"""Lower the statements with nothing special about them: their parts, in Python's order.

An expression statement, `return`, `raise`, `del`, `if`, and `break` and `continue` in a block whose
`finally` must know how it was left.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.booleans import lower_test
from longterm_compiler.lower.calls import lower_point_call
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import at, changed


def _lower_expr(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Expr)
    point = lower_point_call(low, node.value, out)
    if point is not None:
        low.add_point(point, ast.copy_location(ast.Expr(point.value), node), out)
        return
    left = low.expression(node.value, out)
    if not isinstance(left, ast.Name | ast.Constant):
        out.append(ast.copy_location(ast.Expr(left), node))


def _lower_return(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Return)
    if low.records_exits and not low.returns_values:
        out += [at(node, record) for record in low.record_exit("return")]
        out.append(node)
        return
    if low.records_exits:
        value = low.expression(node.value or at(node, ast.Constant(None)), out)
        value = low.spill("value", value, out)
        out += [at(node, record) for record in low.record_exit("return", value)]
        out.append(ast.copy_location(ast.Return(value), node))
        return
    assert node.value is not None
    point = lower_point_call(low, node.value, out)
    if point is not None:
        low.add_point(point, ast.copy_location(ast.Return(point.value), node), out)
    else:
        out.append(ast.copy_location(ast.Return(low.expression(node.value, out)), node))


def _lower_loop_exit(low: Lowering, node: ast.stmt, out: Out) -> None:
    """Lower a `break` or `continue`: it leaves the blocks between it and its loop."""
    way = "break" if isinstance(node, ast.Break) else "continue"
    out += [at(node, record) for record in low.record_exit(way)]
    out.append(node)


def _lower_raise(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Raise)
    parts = [part for part in (node.exc, node.cause) if part is not None]
    exc, *cause = low.in_order(parts, out)
    out.append(ast.copy_location(ast.Raise(exc, cause[0] if cause else None), node))


def _lower_delete(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Delete)
    for target in node.targets:
        _delete_target(low, target, out)


def _delete_target(low: Lowering, target: ast.expr, out: Out) -> None:
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            _delete_target(low, part, out)
    else:
        out.append(at(target, ast.Delete([low.expression(target, out)])))


def _lower_if(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.If)
    test = lower_test(low, node.test, out)
    body = low.block(node.body)
    out.append(changed(node, test=test, body=body, orelse=low.block(node.orelse)))


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.Expr: _lower_expr,
    ast.Return: _lower_return,
    ast.Break: _lower_loop_exit,
    ast.Continue: _lower_loop_exit,
    ast.Raise: _lower_raise,
    ast.Delete: _lower_delete,
    ast.If: _lower_if,
}
