"""Lower set and dict displays, which Python builds up as it evaluates them.

    x = {**defaults, ask("key"): 1}     _lt_mapping1 = {**defaults}
                                        _lt_value1 = ask("key")
                                        x = {**_lt_mapping1, _lt_value1: 1}

`{**a, suspend(): b}` merges a before it suspends, and `{*a, suspend()}` iterates over a before
that: what a holds later does not count. Where nothing is unpacked, the parts are evaluated first,
from left to right, and hashed at the end. (A list or tuple display hashes and merges nothing, so
`Lowering.in_order` serves it.)
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.syntax.build import at


def _lower_dict(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower a dict: the part up to the last `**mapping` before the last suspend is built first."""
    assert isinstance(node, ast.Dict)
    pairs = list(zip(node.keys, node.values, strict=True))
    last = max(i for i, pair in enumerate(pairs) if low.may_suspend(*pair))
    start = max((i for i, (key, _) in enumerate(pairs[: last + 1]) if key is None), default=-1)
    built = _build_up_to(low, node, start, last, out)
    rest = pairs[start + 1 :]
    flat = [part for pair in rest for part in pair if part is not None]
    done = iter(low.in_order(flat, out))
    keys: list[ast.expr | None] = [None for _ in built]
    for key, _ in rest:
        keys.append(None if key is None else next(done))
        built.append(next(done))
    return at(node, ast.Dict(keys, built))


def _build_up_to(low: Lowering, node: ast.Dict, start: int, last: int, out: Out) -> list[ast.expr]:
    """Return the mappings that a dict begins with: what is before item `start`, and that item."""
    built: list[ast.expr] = []
    if start > 0:
        so_far = at(node, ast.Dict(node.keys[:start], node.values[:start]))
        low.suspensions.mark(so_far)
        built.append(low.spill("mapping", low.expression(so_far, out), out))
    if start >= 0:
        mapping = low.expression(node.values[start], out)
        if start < last:
            mapping = low.spill("mapping", at(mapping, ast.Dict([None], [mapping])), out)
        built.append(mapping)
    return built


def _lower_set(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower a set: it is built at the first `*items`, and what follows is added in its turn."""
    assert isinstance(node, ast.Set)
    last = max(i for i, item in enumerate(node.elts) if low.may_suspend(item))
    stars = [i for i, item in enumerate(node.elts[: last + 1]) if isinstance(item, ast.Starred)]
    if not stars:
        return at(node, ast.Set(low.in_order(node.elts, out)))
    built: list[ast.expr] = []
    for part in [node.elts[: stars[0]], *([item] for item in node.elts[stars[0] : last])]:
        if part:
            display: ast.expr = at(node, ast.Set(part))
            low.suspensions.mark(display)
            kept = low.spill("set", low.expression(display, out), out)
            built.append(at(node, ast.Starred(kept, ast.Load())))
    built.append(low.expression(node.elts[last], out))
    return at(node, ast.Set([*built, *node.elts[last + 1 :]]))


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.Dict: _lower_dict,
    ast.Set: _lower_set,
}
