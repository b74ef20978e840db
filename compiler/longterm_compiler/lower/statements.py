"""Lower simple statements: assignments, returns, raises, deletions, definitions, `if`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.lower.expressions import (
    assign_target,
    lower_defaults,
    lower_test,
    point_call,
)
from longterm_compiler.syntax.build import assign, at, call, changed, load, runtime


def _expr(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Expr)
    point = point_call(low, node.value, out)
    if point is not None:
        call, whole = point
        low.add_point(call, ast.copy_location(ast.Expr(whole), node), out)
        return
    left = low.expression(node.value, out)
    if not isinstance(left, ast.Name | ast.Constant):
        out.append(ast.copy_location(ast.Expr(left), node))


def _assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    """Python evaluates the value first, then each target from left to right."""
    assert isinstance(node, ast.Assign)
    point = point_call(low, node.value, out)
    if point is not None:
        call, whole = point
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            statement = ast.copy_location(ast.Assign(node.targets, whole), node)
            low.add_point(call, statement, out)
            return
        name = low.names.fresh("value")
        low.add_point(call, at(node.value, assign(name, whole)), out)
        value: ast.expr = at(node.value, load(name))
    else:
        value = low.expression(node.value, out)
    if not low.inside(*node.targets):
        out.append(ast.copy_location(ast.Assign(node.targets, value), node))
        return
    value = low.settle(value, node.targets, out)
    for target in node.targets:
        assign_target(low, target, value, out)


def _ann_assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.AnnAssign)
    if node.value is None:
        # `target: int` alone: Python evaluates the parts of the target and drops them.
        for part in _parts(node.target):
            low.settle(low.expression(part, out), [], out)
        return
    plain = ast.copy_location(ast.Assign([node.target], node.value), node)
    _assign(low, plain, out)


def _aug_assign(low: Lowering, node: ast.stmt, out: Out) -> None:
    """`target op= value` reads the target first, then evaluates the value, then stores."""
    assert isinstance(node, ast.AugAssign)
    target = node.target
    if isinstance(target, ast.Name):
        reading: ast.expr = ast.copy_location(load(target.id), target)
        old = low.settle(reading, [node.value], out)
        value = low.expression(node.value, out)
        if isinstance(old, ast.Name) and old.id == target.id:
            out.append(ast.copy_location(ast.AugAssign(target, node.op, value), node))
            return
        _combine(node, old, value, out)
        out.append(at(node, assign(target.id, old)))
        return
    done = [low.settle(low.expression(each, out), [node.value], out) for each in _parts(target)]
    if isinstance(target, ast.Subscript):
        reading = ast.Subscript(done[0], done[1], ast.Load())
        writing: ast.expr = ast.Subscript(done[0], done[1], ast.Store())
    else:
        reading = ast.Attribute(done[0], target.attr, ast.Load())
        writing = ast.Attribute(done[0], target.attr, ast.Store())
    old = low.keep("value", ast.copy_location(reading, target), out)
    _combine(node, old, low.expression(node.value, out), out)
    out.append(at(node, ast.Assign([ast.copy_location(writing, target)], old)))


def _parts(target: ast.expr) -> list[ast.expr]:
    """Return what Python evaluates of an attribute or subscript before it reads or stores there."""
    if isinstance(target, ast.Subscript):
        return [target.value, target.slice]
    assert isinstance(target, ast.Attribute)
    return [target.value]


def _combine(node: ast.AugAssign, old: ast.expr, value: ast.expr, out: Out) -> None:
    assert isinstance(old, ast.Name)
    out.append(at(node, ast.AugAssign(ast.Name(old.id, ast.Store()), node.op, value)))


def _return(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Return)
    if any(low.exits):
        value = low.expression(node.value or at(node, ast.Constant(None)), out)
        value = low.keep("value", value, out)
        out += [at(node, each) for each in low.recorded("return", value)]
        out.append(ast.copy_location(ast.Return(value), node))
        return
    assert node.value is not None
    point = point_call(low, node.value, out)
    if point is not None:
        call, whole = point
        low.add_point(call, ast.copy_location(ast.Return(whole), node), out)
    else:
        out.append(ast.copy_location(ast.Return(low.expression(node.value, out)), node))


def _loop_exit(low: Lowering, node: ast.stmt, out: Out) -> None:
    """A `break` or `continue`: it leaves the blocks between it and its loop."""
    way = "break" if isinstance(node, ast.Break) else "continue"
    out += [at(node, each) for each in low.recorded(way)]
    out.append(node)


def _raise(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Raise)
    parts = [each for each in (node.exc, node.cause) if each is not None]
    exc, *cause = low.sequence(parts, out)
    out.append(ast.copy_location(ast.Raise(exc, cause[0] if cause else None), node))


def _delete(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Delete)
    for target in node.targets:
        _delete_target(low, target, out)


def _delete_target(low: Lowering, target: ast.expr, out: Out) -> None:
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            _delete_target(low, each, out)
    else:
        out.append(at(target, ast.Delete([low.expression(target, out)])))


def _assert(low: Lowering, node: ast.stmt, out: Out) -> None:
    """An assertion is no test at all under `python -O`, suspends included."""
    assert isinstance(node, ast.Assert)
    tested: Out = []
    test = lower_test(low, node.test, tested)
    failed: Out = []
    message = [low.expression(node.msg, failed)] if node.msg is not None else []
    error: ast.expr = at(node, runtime("AssertionError"))
    if message:
        error = at(node, call(error, *message))
    failed.append(at(_place_of_failure(node), ast.Raise(error, None)))
    tested.append(at(node.test, ast.If(ast.UnaryOp(ast.Not(), test), failed, [])))
    out.append(at(node, ast.If(load("__debug__"), tested, [])))


def _place_of_failure(node: ast.Assert) -> ast.AST:
    """Return where Python says that an assertion has failed."""
    if sys.version_info >= (3, 13):
        return node.test
    if sys.version_info >= (3, 12):
        return node
    # Python 3.11 names the last comparison that it compiled as a jump.
    *_, place = node, *_deciding(node.test)
    return place


def _deciding(test: ast.expr) -> Iterator[ast.Compare]:
    """Yield the comparisons of a test that Python jumps on, in the order of its compiler."""
    match test:
        case ast.Compare():
            yield test
        case ast.UnaryOp(ast.Not(), operand):
            yield from _deciding(operand)
        case ast.BoolOp(values=parts):
            for each in parts:
                yield from _deciding(each)
        case ast.IfExp(condition, chosen, other):
            for each in (condition, chosen, other):
                yield from _deciding(each)


def _if(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.If)
    test = lower_test(low, node.test, out)
    body = low.block(node.body)
    out.append(changed(node, test=test, body=body, orelse=low.block(node.orelse)))


def _function(low: Lowering, node: ast.stmt, out: Out) -> None:
    """An inner function whose decorators or defaults suspend; its body is its own."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    # A decorator of the module's is looked up when it is used, as a callee is.
    early = [each for each in node.decorator_list if not low.is_late(each)]
    done, args = lower_defaults(low, node.args, early, out)
    left = dict(zip(early, done, strict=True))
    # A function's code begins at its first decorator, so a decorator keeps its place.
    decorators = [ast.copy_location(left.get(each, each), each) for each in node.decorator_list]
    out.append(changed(node, decorator_list=decorators, args=args))


def _class(low: Lowering, node: ast.stmt, out: Out) -> None:
    """An inner class whose decorators, bases or keywords suspend."""
    assert isinstance(node, ast.ClassDef)
    values = [each.value for each in node.keywords]
    done = low.sequence([*node.decorator_list, *node.bases, *values], out)
    split = len(node.decorator_list)
    end = split + len(node.bases)
    keywords = [
        ast.copy_location(ast.keyword(old.arg, new), old)
        for old, new in zip(node.keywords, done[end:], strict=True)
    ]
    # A class's code begins at its first decorator, so a decorator keeps its place.
    decorators = [
        ast.copy_location(new, old) for old, new in zip(node.decorator_list, done, strict=False)
    ]
    bases = done[split:end]
    out.append(changed(node, decorator_list=decorators, bases=bases, keywords=keywords))


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Return: _return,
    ast.Break: _loop_exit,
    ast.Continue: _loop_exit,
    ast.Raise: _raise,
    ast.Delete: _delete,
    ast.Assert: _assert,
    ast.If: _if,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
}
