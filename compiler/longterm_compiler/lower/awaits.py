"""Lower `await`. An `await suspend(…)` is the same resume point as `suspend(…)` alone.

    x = await ask("q") + 1              _lt_value1 = await ask("q")
                                        x = _lt_value1 + 1

    x = await suspend("a")              x = suspend("a")

To a reader of asynchronous code a wait is something to be awaited; here it has waited when the
event is there, and the event's value is no awaitable. So the `await` goes to the other values that
the expression may have:

    x = await (suspend("a") if c else ask("b"))     if c:
                                                        _lt_value1 = suspend("a")
                                                    else:
                                                        _lt_value1 = await ask("b")
                                                    x = _lt_value1

Where that cannot be, since Python would ask the wait for its truth, a check refuses it.
"""

from __future__ import annotations

import ast

from longterm._abi.verdict import Verdict
from longterm_compiler.lower.calls import lower_to_temporary
from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.syntax.build import at, load, store


def _lower_await(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.Await)
    value = lower_to_temporary(low, node, out)
    if value is not None:
        return value
    if _may_be_wait(low, node.value):
        spread = _await_in(low, node, node.value)
        low.suspensions.mark(spread)
        return low.expression(spread, out)
    return at(node, ast.Await(low.expression(node.value, out)))


def _may_be_wait(low: Lowering, node: ast.expr) -> bool:
    """Tell whether the value of an expression may be that of a `suspend`."""
    match node:
        case ast.IfExp():
            return _may_be_wait(low, node.body) or _may_be_wait(low, node.orelse)
        case ast.BoolOp():
            return _may_be_wait(low, node.values[-1])
    return low.suspensions.calls.get(node) is Verdict.WAITS  # type: ignore[call-overload]


def _await_in(low: Lowering, place: ast.Await, node: ast.expr) -> ast.expr:
    """Return an expression with the `await` at the values that it may have.

    Of `await (a or b)` it is `await _lt_value1 if (_lt_value1 := a) else await b`: so a is
    evaluated, and asked for its truth, once.
    """
    match node:
        case ast.IfExp():
            body, orelse = (_await_in(low, place, branch) for branch in (node.body, node.orelse))
            return at(node, ast.IfExp(node.test, body, orelse))
        case ast.BoolOp(values=[first, second, *more]):
            name = low.names.fresh("value")
            rest = at(node, ast.BoolOp(node.op, [second, *more])) if more else second
            branches = [at(place, ast.Await(load(name))), _await_in(low, place, rest)]
            if isinstance(node.op, ast.And):
                branches.reverse()
            return at(node, ast.IfExp(ast.NamedExpr(store(name), first), *branches))
    return at(place, ast.Await(node))


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {ast.Await: _lower_await}
