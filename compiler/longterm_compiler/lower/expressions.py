"""Lower expressions: a suspending call becomes a statement of its own, in Python's order.

After this a suspending call is the whole value of a statement, `x = call(...)`. What is evaluated
before it stands in temporaries; what is evaluated after it stays where the author wrote it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, TypeGuard

from longterm_compiler.analysis.callees import dotted
from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out, rebinds
from longterm_compiler.syntax.build import NOWHERE, assign, at, call, changed, load, runtime, store

_Choice: TypeAlias = ast.BoolOp | ast.IfExp
_PartBinder: TypeAlias = Callable[[ast.expr, Out, ast.BoolOp | None], str]
_JUMPS_ON = not (3, 12) <= sys.version_info < (3, 14)
"""Whether Python goes from `a or b`, once it has asked a, to where the truth of both is known."""


def point_call(low: Lowering, node: ast.expr, out: Out) -> tuple[ast.Call, ast.expr] | None:
    """Prepare a call, awaited or not, that is a point: the call, and the whole with it inside.

    The callee and the arguments are lowered; the caller puts the whole into a statement.
    """
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call) or call not in low.suspensions.calls:
        return None
    lowered = _call(low, call, out)
    path = dotted(lowered.func)
    if path is None or rebinds(path[0], [lowered]):
        # The runtime looks at the callee when the call suspends, so it must have a name.
        lowered.func = low.keep("callee", lowered.func, out)
    if isinstance(node, ast.Await):
        return lowered, at(node, ast.Await(lowered))
    return lowered, lowered


def lower_call(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower a call or an `await`; one that suspends leaves its value in a temporary."""
    point = point_call(low, node, out)
    if point is not None:
        call, whole = point
        name = low.names.fresh("value")
        low.add_point(call, at(node, assign(name, whole)), out)
        return at(NOWHERE, load(name))
    if isinstance(node, ast.Await):
        return at(node, ast.Await(low.expression(node.value, out)))
    assert isinstance(node, ast.Call)
    return _call(low, node, out)


def _call(low: Lowering, node: ast.Call, out: Out) -> ast.Call:
    """Python evaluates the callee, then the positional arguments, then the keywords."""
    late = low.is_late(node.func)
    first = [] if late else [node.func]
    args = node.args
    if len(args) == 1 and isinstance(args[0], ast.Starred):
        # A single `*iterable` is unpacked by the call itself, after the keywords.
        args = [args[0].value]
    flat = [*first, *args, *(each.value for each in node.keywords)]
    start = len(first) + len(args)
    merges = {
        start + number: partial(_merge, node, start, number, late)
        for number, each in enumerate(node.keywords)
        if each.arg is None
    }
    done = low.sequence(flat, out, merges)
    func = node.func if late else done[0]
    keywords = [
        ast.copy_location(ast.keyword(old.arg, new), old)
        for old, new in zip(node.keywords, done[start:], strict=True)
    ]
    given: list[ast.expr] = done[len(first) : start]
    if args is not node.args:
        given = [ast.copy_location(ast.Starred(given[0], ast.Load()), node.args[0])]
    return ast.copy_location(ast.Call(func, given, keywords), node)


def _merge(
    node: ast.Call, start: int, number: int, late: bool, mapping: ast.expr, done: list[ast.expr]
) -> ast.expr:
    """Merge a `**mapping` into the keywords before it; an error names the function, as Python's."""
    earlier = [
        done[start + i] if each.arg is None else ast.Constant(each.arg)
        for i, each in enumerate(node.keywords[:number])
    ]
    return call(runtime("merged"), node.func if late else done[0], mapping, *earlier)


def bind(low: Lowering, name: str, node: ast.expr, out: Out) -> None:
    """Evaluate an expression into a temporary, without one more temporary on the way."""
    if not low.inside(node):
        out.append(at(node, assign(name, node)))
    elif isinstance(node, ast.BoolOp | ast.IfExp):
        _bind_choice(low, node, out, partial(_bind_part, low, name))
    else:
        point = point_call(low, node, out)
        if point is not None:
            call, whole = point
            low.add_point(call, at(node, assign(name, whole)), out)
        else:
            out.append(at(node, assign(name, low.expression(node, out))))


def _bind_choice(low: Lowering, node: _Choice, out: Out, bind_part: _PartBinder) -> None:
    """Bind the part that counts of `a and b`, or of `a if b else c`.

    What binds a part is told by which `and` or `or` Python asks that for its truth, if by any here,
    and says which temporary tells it.
    """
    if isinstance(node, ast.IfExp):
        test = lower_test(low, node.test, out)
        branches: list[Out] = [[], []]
        for branch, into in zip((node.body, node.orelse), branches, strict=True):
            bind_part(branch, into, None)
        out.append(at(node.test, ast.If(test, *branches)))
        return
    *first, last = node.values
    for value in first:
        test = load(bind_part(value, out, node))
        if isinstance(node.op, ast.Or):
            test = ast.UnaryOp(ast.Not(), test)
        inner: Out = []
        out.append(at(node, ast.If(at(node, test), inner, [])))
        out = inner
    bind_part(last, out, None)


def _bind_part(low: Lowering, name: str, node: ast.expr, out: Out, asker: ast.BoolOp | None) -> str:
    """Bind a part of a choice whose value counts."""
    if asker is None or not _tells_truth(node):
        bind(low, name, node, out)
        return name
    return _bind_known(low, name, low.names.fresh("truth"), asker, node, out)


def _bind_known(
    low: Lowering, name: str, truth: str, asker: ast.BoolOp, node: ast.expr, out: Out
) -> str:
    """Bind a value, and whether it is true where the choices in it have asked for that."""

    def bind_part(part: ast.expr, into: Out, inner: ast.BoolOp | None) -> str:
        if isinstance(node, ast.IfExp) and part is node.body:
            return _bind_asked(low, name, truth, asker, part, into)
        return _bind_known(low, name, truth, inner or asker, part, into)

    if not _tells_truth(node):
        return _bind_asked(low, name, truth, asker, node, out)
    _bind_choice(low, node, out, bind_part)
    return truth


def _bind_asked(
    low: Lowering, name: str, truth: str, asker: ast.BoolOp, node: ast.expr, out: Out
) -> str:
    bind(low, name, node, out)
    out.append(at(asker, assign(truth, _truth(load(name)))))
    return truth


def _tells_truth(node: ast.expr) -> TypeGuard[_Choice]:
    """Tell whether Python, where it wants a value and its truth, need not ask the value for it."""
    if isinstance(node, ast.IfExp):
        return _tells_truth(node.orelse)
    return isinstance(node, ast.BoolOp) and _JUMPS_ON


def _bool_op(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.BoolOp)
    name = low.names.fresh("value")
    bind(low, name, node, out)
    return at(NOWHERE, load(name))


def _if_exp(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.IfExp)
    if not low.inside(node.body, node.orelse):
        return at(node, ast.IfExp(lower_test(low, node.test, out), node.body, node.orelse))
    name = low.names.fresh("value")
    bind(low, name, node, out)
    return at(NOWHERE, load(name))


def lower_test(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower an expression of which only the truth counts, so that no part is asked for it twice."""
    if not low.inside(node):
        return node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return changed(node, operand=lower_test(low, node.operand, out))
    if isinstance(node, ast.Compare):
        return _compare(low, node, out, is_test=True)
    if isinstance(node, ast.BoolOp | ast.IfExp):
        name = low.names.fresh("value")
        _bind_choice(low, node, out, partial(_bind_test, low, name, isinstance(node, ast.BoolOp)))
        return at(_last_part(node), load(name))
    return low.in_place(node, out)


def _bind_test(
    low: Lowering, name: str, once: bool, node: ast.expr, out: Out, asker: ast.BoolOp | None
) -> str:
    """Bind what is as true as a part of a choice of which only the truth counts.

    It is a bool, unless it is the very last part, which is asked for its truth once after all.
    """
    once = once and asker is None
    if isinstance(node, ast.BoolOp | ast.IfExp) and low.inside(node):
        once = once and isinstance(node, ast.BoolOp)
        _bind_choice(low, node, out, partial(_bind_test, low, name, once))
    elif once and not _is_jump(node):
        bind(low, name, node, out)
    else:
        out.append(at(node, assign(name, _truth(lower_test(low, node, out)))))
    return name


def _last_part(node: ast.expr) -> ast.expr:
    return _last_part(node.values[-1]) if isinstance(node, ast.BoolOp) else node


def _truth(node: ast.expr) -> ast.expr:
    """Write out `bool`: the author may have named it otherwise, and it asks `a or b` twice."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and not _is_jump(node):
        return node
    return ast.IfExp(node, ast.Constant(True), ast.Constant(False))


def _is_jump(node: ast.expr) -> bool:
    """Tell whether Python asks the parts of an expression, not the whole, if only truth counts."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_jump(operand)
        case ast.Compare():
            return len(node.ops) > 1
    return isinstance(node, ast.BoolOp | ast.IfExp)


def _compare(low: Lowering, node: ast.expr, out: Out, *, is_test: bool = False) -> ast.expr:
    """`a < b < c`: as Python does, b is evaluated once, and c only if a < b."""
    assert isinstance(node, ast.Compare)
    if len(node.ops) == 1 or not low.inside(*node.comparators[1:]):
        left, first = low.sequence([node.left, node.comparators[0]], out)
        return at(node, ast.Compare(left, node.ops, [first, *node.comparators[1:]]))
    name = low.names.fresh("value")

    def chain(left: ast.expr, operators: list[ast.cmpop], rest: list[ast.expr], into: Out) -> None:
        if len(rest) > 1 or low.inside(rest[0]):
            left = low.settle(left, rest, into)
        right = low.expression(rest[0], into)
        if len(rest) > 1:
            right = low.settle(right, rest[1:], into)
        compared: ast.expr = ast.Compare(left, operators[:1], [right])
        if is_test and len(rest) > 1:
            compared = _truth(compared)
        into.append(at(node, assign(name, compared)))
        if len(rest) == 1:
            return
        inner: Out = []
        chain(right, operators[1:], rest[1:], inner)
        into.append(at(node, ast.If(load(name), inner, [])))

    chain(low.expression(node.left, out), node.ops, node.comparators, out)
    return at(NOWHERE, load(name))


def _named_expr(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.NamedExpr)
    value = low.keep("value", low.expression(node.value, out), out)
    out.append(at(node, assign(node.target.id, value)))
    return at(NOWHERE, load(value.id))


def _joined_str(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """An f-string formats each value before it evaluates the next."""
    assert isinstance(node, ast.JoinedStr)
    last = max(i for i, value in enumerate(node.values) if low.inside(value))
    done: list[ast.expr] = []
    for number, value in enumerate(node.values):
        left = low.expression(value, out)
        if number < last and isinstance(left, ast.FormattedValue):
            text = low.keep("text", at(left, ast.JoinedStr([left])), out)
            left = at(value, ast.FormattedValue(text, -1, None))
        done.append(left)
    return ast.copy_location(ast.JoinedStr(done), node)


def _formatted_value(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.FormattedValue)
    value = low.expression(node.value, out)
    spec = node.format_spec
    if spec is not None and low.inside(spec):
        if node.conversion != -1:
            # `!r` is applied before the format spec is evaluated.
            value = at(
                node, ast.JoinedStr([at(node, ast.FormattedValue(value, node.conversion, None))])
            )
        value = low.settle(value, [spec], out)
        spec = low.expression(spec, out)
        return at(node, ast.FormattedValue(value, -1, spec))
    return at(node, ast.FormattedValue(value, node.conversion, spec))


def _dict(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """A display evaluates key, value, key, value; at each `**mapping` it is made up to there."""
    assert isinstance(node, ast.Dict)
    pairs = list(zip(node.keys, node.values, strict=True))
    last = max(i for i, pair in enumerate(pairs) if low.inside(*pair))
    start = max((i for i, (key, _) in enumerate(pairs[: last + 1]) if key is None), default=-1)
    made: list[ast.expr] = []
    if start > 0:
        so_far = at(node, ast.Dict(node.keys[:start], node.values[:start]))
        low.mark(so_far)
        made.append(low.keep("mapping", low.expression(so_far, out), out))
    if start >= 0:
        mapping = low.expression(node.values[start], out)
        if start < last:
            mapping = low.keep("mapping", at(mapping, ast.Dict([None], [mapping])), out)
        made.append(mapping)
    rest = pairs[start + 1 :]
    flat = [each for pair in rest for each in pair if each is not None]
    done = iter(low.sequence(flat, out))
    keys: list[ast.expr | None] = [None for _ in made]
    for key, _ in rest:
        keys.append(None if key is None else next(done))
        made.append(next(done))
    return at(node, ast.Dict(keys, made))


def _set(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """A display with `*items` is made at the first of them; what follows is added in its turn."""
    assert isinstance(node, ast.Set)
    last = max(i for i, each in enumerate(node.elts) if low.inside(each))
    stars = [i for i, each in enumerate(node.elts[: last + 1]) if isinstance(each, ast.Starred)]
    if not stars:
        return at(node, ast.Set(low.sequence(node.elts, out)))
    made: list[ast.expr] = []
    for part in [node.elts[: stars[0]], *([each] for each in node.elts[stars[0] : last])]:
        if part:
            display = at(node, ast.Set(part))
            low.mark(display)
            kept = low.keep("set", _set(low, display, out) if low.inside(*part) else display, out)
            made.append(at(node, ast.Starred(kept, ast.Load())))
    made.append(low.expression(node.elts[last], out))
    return at(node, ast.Set([*made, *node.elts[last + 1 :]]))


def _lambda(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """The defaults of a lambda are evaluated where it is made; its body is another scope."""
    assert isinstance(node, ast.Lambda)
    defaults = lower_defaults(low, node.args, [], out)[1]
    return ast.copy_location(ast.Lambda(defaults, node.body), node)


def lower_defaults(
    low: Lowering, args: ast.arguments, before: list[ast.expr], out: Out
) -> tuple[list[ast.expr], ast.arguments]:
    """Lower a signature's defaults, and what Python evaluates before them (the decorators)."""
    named = [each for each in args.kw_defaults if each is not None]
    done = low.sequence([*before, *args.defaults, *named], out)
    end = len(before) + len(args.defaults)
    keywords = iter(done[end:])
    kw_defaults = [None if each is None else next(keywords) for each in args.kw_defaults]
    lowered = changed(args, defaults=done[len(before) : end], kw_defaults=kw_defaults)
    return done[: len(before)], lowered


def _in_order(*fields: str) -> ExpressionLowerer:
    """Lower a node whose operands are these fields (expressions or lists), evaluated in order."""

    def lower(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
        parts = [getattr(node, each) for each in fields]
        flat: list[ast.expr] = []
        for part in parts:
            flat.extend(part if isinstance(part, list) else [] if part is None else [part])
        done = iter(low.sequence(flat, out))
        lowered = {
            each: [next(done) for _ in part]
            if isinstance(part, list)
            else (None if part is None else next(done))
            for each, part in zip(fields, parts, strict=True)
        }
        return changed(node, **lowered)

    return lower


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.Call: lower_call,
    ast.Await: lower_call,
    ast.BoolOp: _bool_op,
    ast.IfExp: _if_exp,
    ast.Compare: _compare,
    ast.NamedExpr: _named_expr,
    ast.JoinedStr: _joined_str,
    ast.FormattedValue: _formatted_value,
    ast.Dict: _dict,
    ast.Set: _set,
    ast.Lambda: _lambda,
    ast.BinOp: _in_order("left", "right"),
    ast.UnaryOp: _in_order("operand"),
    ast.Subscript: _in_order("value", "slice"),
    ast.Slice: _in_order("lower", "upper", "step"),
    ast.Attribute: _in_order("value"),
    ast.Starred: _in_order("value"),
    ast.List: _in_order("elts"),
    ast.Tuple: _in_order("elts"),
}


def assign_target(low: Lowering, target: ast.expr, value: ast.expr, out: Out) -> None:
    """Assign to a target whose own parts may suspend; the value is evaluated already."""
    if not low.inside(target):
        out.append(at(target, ast.Assign([target], value)))
    elif isinstance(target, ast.Tuple | ast.List):
        parts = [low.names.fresh("item") for _ in target.elts]
        stores: list[ast.expr] = [
            at(e, ast.Starred(store(name), ast.Store()))
            if isinstance(e, ast.Starred)
            else at(e, store(name))
            for e, name in zip(target.elts, parts, strict=True)
        ]
        out.append(at(target, ast.Assign([at(target, ast.Tuple(stores, ast.Store()))], value)))
        for each, name in zip(target.elts, parts, strict=True):
            inner = each.value if isinstance(each, ast.Starred) else each
            assign_target(low, inner, at(each, load(name)), out)
    else:
        out.append(at(target, ast.Assign([low.expression(target, out)], value)))
