"""Lower `yield` and `yield from`: each becomes the whole value of a statement, a resume point.

    send((yield item), total)           _lt_value1 = yield item
                                        send(_lt_value1, total)

    result = yield from parts           _lt_iter1 = __longterm__.iter(parts)
                                        result = yield from __longterm__.rest(_lt_iter1)

A generator that waits at one has nothing on its value stack then, so its frame can be stored. In a
generator that may suspend inside itself, what it delegates to may, too.
"""

from __future__ import annotations

import ast

from longterm._abi import ASKED
from longterm_compiler.lower.context import Lowering, Out, PointCall
from longterm_compiler.syntax.build import at, call, changed, runtime


def yield_point(low: Lowering, node: ast.Yield | ast.YieldFrom, out: Out) -> PointCall:
    """Lower what a `yield` gives out; the caller puts its value into a statement."""
    asks: tuple[str, ...] = ()
    if isinstance(node, ast.Yield):
        value = None if node.value is None else low.expression(node.value, out)
        lowered: ast.expr = changed(node, value=value)
    else:
        iterable = low.in_place(node.value, out)
        kept = low.spill("iter", at(node.value, call(runtime("iter"), iterable)), out)
        lowered = changed(node, value=at(node.value, call(runtime("rest"), kept)))
        if low.suspensions.calls_or_asks:
            asks = kept.id, ASKED
    if low.may_suspend(node.value):
        # A call that is all of its value ends where it does, and points are known by their ends.
        lowered.end_lineno, lowered.end_col_offset = lowered.lineno, lowered.col_offset
    assert isinstance(lowered, ast.Yield | ast.YieldFrom)
    return PointCall(lowered, lowered, suspends=True, asks=asks)
