"""Lower `with`: a suspension neither exits the manager nor enters it again.

A `with` that cannot suspend stays as it is. Otherwise it is written out as the language defines it
(PEP 343), with the manager and its exit in temporaries, and a clause that lets a suspension pass.
"""

from __future__ import annotations

import ast

from longterm_compiler.build import assign, at, call, header, load, runtime
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.lower.expressions import assign_target


def _with(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.With | ast.AsyncWith)
    if low.inside(*node.body) or low.inside(*(each.optional_vars for each in node.items)):
        _written_out(low, node, node.items, out)
        return
    first, *rest = node.items
    if low.inside(*(each.context_expr for each in rest)):
        # A later manager's expression suspends while the earlier ones are entered.
        _written_out(low, node, node.items, out)
        return
    first = ast.withitem(low.expression(first.context_expr, out), first.optional_vars)
    changed = type(node)([first, *rest], low.block(node.body))
    out.append(ast.copy_location(changed, node))


def _written_out(
    low: Lowering, node: ast.With | ast.AsyncWith, items: list[ast.withitem], out: Out
) -> None:
    if not items:
        out += low.block(node.body)
        return
    item, place = items[0], items[0].context_expr
    manager = low.keep("manager", low.expression(item.context_expr, out), out)
    leave = low.keep("exit", at(place, call(runtime(_form(node, "exit")), manager)), out)
    entering = at(place, call(at(place, call(runtime(_form(node, "enter")), manager))))
    entered = low.keep("value", _awaited(node, entering), out)
    body: Out = []
    if item.optional_vars is not None:
        assign_target(low, item.optional_vars, entered, body)
    _written_out(low, node, items[1:], body)
    _exiting(low, node, place, leave, body, out)


def _exiting(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    place: ast.expr,
    leave: ast.Name,
    body: Out,
    out: Out,
) -> None:
    owed, error = low.names.fresh("owed"), low.names.fresh("error")
    start: Out = [at(place, assign(owed, ast.Constant(True)))]
    settled: Out = [at(place, assign(owed, ast.Constant(False)))]
    told = [at(place, call(runtime("type"), load(error))), at(place, load(error))]
    told.append(at(place, ast.Attribute(load(error), "__traceback__", ast.Load())))
    failed = _awaited(node, at(place, call(leave, *told)))
    unless = at(place, ast.If(ast.UnaryOp(ast.Not(), failed), [ast.Raise(None, None)], []))
    nones = [ast.Constant(None) for _ in range(3)]
    normal = at(place, ast.Expr(_awaited(node, at(place, call(leave, *nones)))))
    guarded = ast.Try(
        body,
        [
            at(place, ast.ExceptHandler(runtime("Suspend"), None, [*settled, ast.Raise(None, None)])),
            at(place, ast.ExceptHandler(runtime("BaseException"), error, [*settled, unless])),
        ],
        [],
        [at(place, ast.If(load(owed), [normal], []))],
    )
    at(header(node), guarded)
    low.preludes[guarded] = start
    out += [*start, guarded]


def _form(node: ast.With | ast.AsyncWith, name: str) -> str:
    return name if isinstance(node, ast.With) else f"a{name}"


def _awaited(node: ast.With | ast.AsyncWith, value: ast.expr) -> ast.expr:
    return value if isinstance(node, ast.With) else at(value, ast.Await(value))


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.With: _with,
    ast.AsyncWith: _with,
}
