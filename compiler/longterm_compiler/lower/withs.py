"""Lower `with`: a suspension neither exits the manager nor enters it again.

A `with` that cannot suspend stays as it is. Otherwise it is written out as the language reference
defines it ("The with statement", from PEP 343), with the manager and its exit in temporaries, and a
clause that lets a suspension pass. A manager may let go of what it holds when that happens, and
take it up again at the resume. `docs/generated-code.md` shows an example.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.assignments import assign_target
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer, has_exit
from longterm_compiler.syntax.build import NOWHERE, assign, at, call, changed, load, runtime, store


def _lower_with(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.With | ast.AsyncWith)
    if low.may_suspend(*node.body) or low.may_suspend(*(item.optional_vars for item in node.items)):
        _written_out(low, node, node.items, out)
        return
    first, *rest = node.items
    if low.may_suspend(*(item.context_expr for item in rest)):
        # A later manager's expression suspends while the earlier ones are entered.
        _written_out(low, node, node.items, out)
        return
    first = ast.withitem(low.in_place(first.context_expr, out), first.optional_vars)
    out.append(changed(node, items=[first, *rest], body=low.block(node.body)))


def _written_out(
    low: Lowering, node: ast.With | ast.AsyncWith, items: list[ast.withitem], out: Out
) -> None:
    if not items:
        out += low.block(node.body)
        return
    item, place = items[0], items[0].context_expr
    is_plain = isinstance(node, ast.With)
    manager = low.spill("manager", low.expression(item.context_expr, out), out)
    enter, leave = low.names.fresh("enter"), low.names.fresh("exit")
    ways = ast.Tuple([store(enter), store(leave)], ast.Store())
    find_ways = call(runtime("enter_and_exit" if is_plain else "aenter_and_aexit"), manager)
    out.append(at(place, ast.Assign([ways], find_ways)))
    entering = at(place, call(load(enter), manager))
    body: Out = []
    if item.optional_vars is not None:
        entered = low.spill("value", _awaited(node, entering), out)
        assign_target(low, item.optional_vars, entered, body)
    else:
        out.append(at(place, ast.Expr(_awaited(node, entering))))
    _written_out(low, node, items[1:], body)
    guarded, start = _exiting(low, node, place, manager, leave, body)
    take_up = at(place, ast.Expr(call(runtime("take_up"), manager)))
    find_exit = at(place, assign(leave, call(runtime("exit" if is_plain else "aexit"), manager)))
    low.preludes[guarded] = [take_up, find_exit, *start]
    out += [*start, guarded]


def _exiting(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    place: ast.expr,
    manager: ast.Name,
    leave: str,
    body: Out,
) -> tuple[ast.Try, Out]:
    """Return the `try` that runs a body and the manager's exit, and what comes before it."""
    error = low.names.fresh("error")
    let_go = at(place, ast.Expr(call(runtime("let_go"), manager)))
    told = [at(place, call(runtime("type"), load(error))), at(place, load(error))]
    told.append(at(place, ast.Attribute(load(error), "__traceback__", ast.Load())))
    failed = _awaited(node, at(place, call(load(leave), manager, *told)))
    unless = at(NOWHERE, ast.If(ast.UnaryOp(ast.Not(), failed), [ast.Raise(None, None)], []))
    nones = [ast.Constant(None) for _ in range(3)]
    normal = at(place, ast.Expr(_awaited(node, at(place, call(load(leave), manager, *nones)))))
    passing: Out = [let_go, ast.Raise(None, None)]
    failing: Out = [unless]
    if not has_exit(node):
        handlers = _handlers(error, passing, failing)
        return at(NOWHERE, ast.Try(body, handlers, [normal], [])), []
    owed = low.names.fresh("owed")
    settled = at(NOWHERE, assign(owed, ast.Constant(False)))
    handlers = _handlers(error, [settled, *passing], [settled, *failing])
    final: Out = [at(NOWHERE, ast.If(load(owed), [normal], []))]
    start: Out = [at(NOWHERE, assign(owed, ast.Constant(True)))]
    return at(NOWHERE, ast.Try(body, handlers, [], final)), start


def _handlers(error: str, passing: Out, failing: Out) -> list[ast.ExceptHandler]:
    return [
        at(NOWHERE, ast.ExceptHandler(runtime("Suspend"), None, passing)),
        at(NOWHERE, ast.ExceptHandler(runtime("BaseException"), error, failing)),
    ]


def _awaited(node: ast.With | ast.AsyncWith, value: ast.expr) -> ast.expr:
    return value if isinstance(node, ast.With) else at(value, ast.Await(value))


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.With: _lower_with,
    ast.AsyncWith: _lower_with,
}
