"""Lower calls: a suspending call becomes the whole value of a statement.

    total = old.sum + ask("n") * 2      _lt_value1 = old.sum
                                        _lt_value2 = ask("n")
                                        total = _lt_value1 + _lt_value2 * 2

Python evaluates the callee, then the positional arguments, then the keywords, and calls.
"""

from __future__ import annotations

import ast
from functools import partial

from longterm._abi import ASKED, AWAITED
from longterm._abi.verdict import Verdict
from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.lower.consumers import lower_consumed
from longterm_compiler.lower.context import (
    ExpressionLowerer,
    Lowering,
    Merge,
    Out,
    PointCall,
    rebinds,
)
from longterm_compiler.lower.yields import yield_point
from longterm_compiler.syntax.build import NOWHERE, assign, at, call, changed, load, runtime


def lower_point_call(low: Lowering, node: ast.expr, out: Out) -> PointCall | None:
    """Lower a call, awaited or not, that is a resume point; return None for any other expression.

    The callee and the arguments are lowered; the caller puts the value into a statement.
    """
    if isinstance(node, ast.Yield | ast.YieldFrom):
        return yield_point(low, node, out)
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call) or call not in low.suspensions.calls:
        return None
    verdict = low.suspensions.calls[call]
    lowered = _lower_operands(low, call, out)
    if call in low.suspensions.asks:
        return _next_point(low, node, lowered, out)
    path = dotted(lowered.func)
    if path is None or rebinds(path[0], [lowered]):
        # The runtime looks at the callee when the call suspends, so it must have a name.
        lowered.func = low.spill("callee", lowered.func, out)
    # An `await` of `suspend` has waited when the event is there: nothing is left to await.
    is_awaited = isinstance(node, ast.Await) and verdict is not Verdict.WAITS
    value = at(node, ast.Await(lowered)) if is_awaited else lowered
    return PointCall(lowered, value, verdict.is_sure)


def _next_point(low: Lowering, whole: ast.expr, node: ast.Call, out: Out) -> PointCall:
    """Lower `next` or `await anext` of a generator that may suspend inside itself.

    With a default the call is made again when the flow goes on: what it asks goes on by itself.
    """
    first, *others = node.args
    asked = first if isinstance(first, ast.Name) else low.spill("value", first, out)
    given = [low.spill_unless_stable(other, [], out) for other in others]
    node = changed(node, args=[asked, *given])
    is_awaited = isinstance(whole, ast.Await)
    value = at(whole, ast.Await(node)) if is_awaited else node
    asks = asked.id, AWAITED if is_awaited else ASKED
    return PointCall(node, value, suspends=False, asks=asks, is_again=bool(others))


def lower_to_temporary(low: Lowering, node: ast.expr, out: Out) -> ast.expr | None:
    """Lower a call, awaited or not, that is a resume point, and return a reading of its value."""
    point = lower_point_call(low, node, out)
    if point is None:
        return None
    name = low.names.fresh("value")
    low.add_point(point, at(node, assign(name, point.value)), out)
    return at(NOWHERE, load(name))


def _lower_yield(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    value = lower_to_temporary(low, node, out)
    assert value is not None
    return value


def _lower_call(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.Call)
    value = lower_to_temporary(low, node, out) or lower_consumed(low, node, out)
    return value or _lower_operands(low, node, out)


def _lower_operands(low: Lowering, node: ast.Call, out: Out) -> ast.Call:
    """Lower what a call evaluates before it is made."""
    late = low.is_late_bound(node.func)
    first = [] if late else [node.func]
    args = node.args
    if len(args) == 1 and isinstance(args[0], ast.Starred):
        # A single `*iterable` is unpacked by the call itself, after the keywords.
        args = [args[0].value]
    start = len(first) + len(args)
    flat = [*first, *args, *(keyword.value for keyword in node.keywords)]
    done = low.in_order(flat, out, _merges(node, start, late=late))
    keywords = [
        ast.copy_location(ast.keyword(old.arg, new), old)
        for old, new in zip(node.keywords, done[start:], strict=True)
    ]
    given: list[ast.expr] = done[len(first) : start]
    if args is not node.args:
        given = [ast.copy_location(ast.Starred(given[0], ast.Load()), node.args[0])]
    return ast.copy_location(ast.Call(node.func if late else done[0], given, keywords), node)


def _merges(node: ast.Call, start: int, *, late: bool) -> dict[int, Merge]:
    """Return how to merge each `**mapping`, by its index among a call's operands.

    Args:
        node: the call.
        start: the index of the first keyword.
        late: whether the callee is not among the operands.
    """
    return {
        start + number: partial(_merge, node, start, number, late)
        for number, keyword in enumerate(node.keywords)
        if keyword.arg is None
    }


def _merge(
    node: ast.Call, start: int, number: int, late: bool, mapping: ast.expr, done: list[ast.expr]
) -> ast.expr:
    """Merge a `**mapping` into the keywords before it; an error names the function, as Python's."""
    earlier = [
        done[start + i] if keyword.arg is None else ast.Constant(keyword.arg)
        for i, keyword in enumerate(node.keywords[:number])
    ]
    return call(runtime("merged"), node.func if late else done[0], mapping, *earlier)


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.Call: _lower_call,
    ast.Yield: _lower_yield,
    ast.YieldFrom: _lower_yield,
}
