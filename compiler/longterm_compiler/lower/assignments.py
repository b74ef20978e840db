"""Lower what binds: `x = …`, `x: T = …`, `x += …`, `x := …`, and targets with a suspend inside.

    totals[a.key] += ask("amount")      _lt_value1 = a.key
                                        _lt_value2 = totals[_lt_value1]
                                        _lt_value3 = ask("amount")
                                        _lt_value2 += _lt_value3
                                        totals[_lt_value1] = _lt_value2

Python evaluates the value first and then each target from left to right; an augmented assignment
reads its target before it evaluates the value.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.calls import lower_point_call
from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import NOWHERE, assign, at, load, store


def _lower_assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Assign)
    point = lower_point_call(low, node.value, out)
    if point is None:
        value = low.expression(node.value, out)
    elif len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        statement = ast.copy_location(ast.Assign(node.targets, point.value), node)
        low.add_point(point, statement, out)
        return
    else:
        name = low.names.fresh("value")
        low.add_point(point, at(node.value, assign(name, point.value)), out)
        value = at(node.value, load(name))
    if not low.may_suspend(*node.targets):
        out.append(ast.copy_location(ast.Assign(node.targets, value), node))
        return
    value = low.spill_unless_stable(value, node.targets, out)
    for target in node.targets:
        assign_target(low, target, value, out)


def assign_target(low: Lowering, target: ast.expr, value: ast.expr, out: Out) -> None:
    """Assign to a target whose own parts may suspend; the value is evaluated already."""
    if not low.may_suspend(target):
        out.append(at(target, ast.Assign([target], value)))
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(low, target, value, out)
    else:
        out.append(at(target, ast.Assign([low.expression(target, out)], value)))


def _unpack(low: Lowering, target: ast.Tuple | ast.List, value: ast.expr, out: Out) -> None:
    """Unpack a value into temporaries, all at once as Python does, then assign from left to right.

    a, rows[ask("n")] = pair        _lt_item1, _lt_item2 = pair
                                    a = _lt_item1
                                    _lt_value1 = ask("n")
                                    rows[_lt_value1] = _lt_item2

    """
    names = [low.names.fresh("item") for _ in target.elts]
    stores: list[ast.expr] = [
        at(part, ast.Starred(store(name), ast.Store()))
        if isinstance(part, ast.Starred)
        else at(part, store(name))
        for part, name in zip(target.elts, names, strict=True)
    ]
    out.append(at(target, ast.Assign([at(target, ast.Tuple(stores, ast.Store()))], value)))
    for part, name in zip(target.elts, names, strict=True):
        inner = part.value if isinstance(part, ast.Starred) else part
        assign_target(low, inner, at(part, load(name)), out)


def _lower_ann_assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.AnnAssign)
    if node.value is None:
        # `target: int` alone: Python evaluates the parts of the target and drops them.
        for part in _parts_of_target(node.target):
            low.spill_unless_stable(low.expression(part, out), [], out)
        return
    plain = ast.copy_location(ast.Assign([node.target], node.value), node)
    _lower_assign(low, plain, out)


def _lower_aug_assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.AugAssign)
    if isinstance(node.target, ast.Name):
        _lower_aug_assign_to_name(low, node, node.target.id, out)
        return
    target = node.target
    done = [
        low.spill_unless_stable(low.expression(part, out), [node.value], out)
        for part in _parts_of_target(target)
    ]
    if isinstance(target, ast.Subscript):
        reading: ast.expr = ast.Subscript(done[0], done[1], ast.Load())
        writing: ast.expr = ast.Subscript(done[0], done[1], ast.Store())
    else:
        reading = ast.Attribute(done[0], target.attr, ast.Load())
        writing = ast.Attribute(done[0], target.attr, ast.Store())
    old = low.spill("value", ast.copy_location(reading, target), out)
    _combine(node, old.id, low.expression(node.value, out), out)
    out.append(at(node, ast.Assign([ast.copy_location(writing, target)], old)))


def _lower_aug_assign_to_name(low: Lowering, node: ast.AugAssign, name: str, out: Out) -> None:
    reading = ast.copy_location(load(name), node.target)
    old = low.spill_unless_stable(reading, [node.value], out)
    assert isinstance(old, ast.Name)
    value = low.expression(node.value, out)
    if old.id == name:
        out.append(ast.copy_location(ast.AugAssign(node.target, node.op, value), node))
        return
    _combine(node, old.id, value, out)
    out.append(at(node, assign(name, old)))


def _combine(node: ast.AugAssign, old: str, value: ast.expr, out: Out) -> None:
    out.append(at(node, ast.AugAssign(store(old), node.op, value)))


def _parts_of_target(target: ast.expr) -> list[ast.expr]:
    """Return what Python evaluates of an attribute or subscript before it reads or stores there."""
    if isinstance(target, ast.Subscript):
        return [target.value, target.slice]
    assert isinstance(target, ast.Attribute)
    return [target.value]


def _lower_named_expr(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.NamedExpr)
    value = low.spill("value", low.expression(node.value, out), out)
    out.append(at(node, assign(node.target.id, value)))
    return at(NOWHERE, load(value.id))


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.Assign: _lower_assign,
    ast.AnnAssign: _lower_ann_assign,
    ast.AugAssign: _lower_aug_assign,
}
EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {ast.NamedExpr: _lower_named_expr}
