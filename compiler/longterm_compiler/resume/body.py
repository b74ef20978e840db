"""Write the resume body of a point: what is left to do of a flow when its event arrives.

A resume body is ordinary code without a single guard. It begins inside the blocks that were open
(`try` and `with` regions are entered anew, handlers by raising their exception again), goes on from
the point, and finishes what remains. A loop is first finished for the round it was in, inside a
loop of one round, so that `break` and `continue` are the language's own; then it goes on:

    for _lt_round in (None,):
        reply = _lt_next()              # the rest of the round that was interrupted
        replies.append(reply)
    else:
        for item in __longterm__.rest(_lt_iter1):   # the rounds that are left, at full speed
            reply = suspend(item)
            replies.append(reply)
"""

from __future__ import annotations

import ast

from longterm._abi import NEXT, RESERVED_PREFIX
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.lower import Lowered, ResumePoint
from longterm_compiler.lower.context import Out
from longterm_compiler.resume.declarations import undeclared
from longterm_compiler.syntax.build import (
    as_first_raised,
    at,
    call,
    changed,
    header,
    load,
    runtime,
    store,
)
from longterm_compiler.syntax.tree import in_blocks

ROUND = f"{RESERVED_PREFIX}round"
_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def resume_body(lowered: Lowered, point: ResumePoint, scope: Scope) -> list[ast.stmt]:
    """Return the statements that remain of a lowered body from a point on."""
    rest: Out = undeclared(_Rest(lowered, point).of(lowered.body))
    names = sorted(scope.declared_global)
    if not names:
        return rest
    return [at(header(lowered.body[0]), ast.Global(names)), *rest]


class _Rest:
    def __init__(self, lowered: Lowered, point: ResumePoint) -> None:
        self._lowered = lowered
        self._point = point
        self._path = _path_to(lowered.body, point.statement)

    def of(self, block: list[ast.stmt]) -> Out:
        index = next(i for i, each in enumerate(block) if each in self._path)
        rest = self._of_statement(block[index])
        # What follows a `return` is never reached.
        return rest if isinstance(rest[-1], _LEAVES) else [*rest, *block[index + 1 :]]

    def _has(self, block: list[ast.stmt]) -> bool:
        return any(each in self._path for each in block)

    def _of_statement(self, node: ast.stmt) -> Out:
        if node is self._point.statement:
            return [_awaiting_next(node, self._point.call)]
        match node:
            case ast.If():
                return self.of(node.body if self._has(node.body) else node.orelse)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._of_loop(node)
            case ast.Try():
                return self._of_try(node)
            case ast.TryStar():
                return self._of_try_star(node)
            case ast.With() | ast.AsyncWith():
                raise AssertionError("a `with` around a point is written out by lowering")
            case ast.Match():
                return self.of(next(c.body for c in node.cases if self._has(c.body)))
        raise AssertionError(f"a point inside {type(node).__name__}")

    def _of_loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Out:
        if self._has(node.orelse):
            return self.of(node.orelse)
        once = ast.Tuple([ast.Constant(None)], ast.Load())
        return [at(header(node), ast.For(store(ROUND), once, self.of(node.body), [node]))]

    def _of_try(self, node: ast.Try) -> Out:
        start = self._lowered.preludes.get(node, [])
        if self._has(node.body):
            again = ast.Try(self.of(node.body), node.handlers, node.orelse, node.finalbody)
            return [*start, ast.copy_location(again, node)]
        if self._has(node.finalbody):
            leaving = self._lowered.pending[node]
            final = [*leaving.start, *self.of(node.finalbody)]
            return [ast.copy_location(ast.Try(leaving.again, [], [], final), node)]
        if self._has(node.orelse):
            inner = self.of(node.orelse)
        else:
            inner = [self._of_handler(next(h for h in node.handlers if self._has(h.body)))]
        if not node.finalbody:
            return inner
        return [*start, ast.copy_location(ast.Try(inner, [], [], node.finalbody), node)]

    def _of_handler(self, node: ast.ExceptHandler) -> ast.stmt:
        place = header(node)
        caught = self._lowered.caught[node]
        raising = ast.Expr(call(runtime("again"), load(caught)))
        body = [as_first_raised(caught), *self.of(node.body)]
        handler = ast.ExceptHandler(runtime("BaseException"), node.name, body)
        return at(place, ast.Try([raising], [handler], [], []))

    def _of_try_star(self, node: ast.TryStar) -> Out:
        if self._has(node.orelse):
            return self.of(node.orelse)
        again = ast.TryStar(self.of(node.body), node.handlers, node.orelse, node.finalbody)
        return [ast.copy_location(again, node)]


def _awaiting_next(node: ast.stmt, point: ast.Call) -> ast.stmt:
    """Return the point's statement with `_lt_next()` in the place of its call."""
    value = getattr(node, "value")  # noqa: B009 - a point's statement always has a value
    going_on: ast.expr = ast.copy_location(call(load(NEXT)), point)
    ast.copy_location(going_on.func, point)  # type: ignore[attr-defined]
    if isinstance(value, ast.Await):
        going_on = ast.copy_location(ast.Await(going_on), value)
    return changed(node, value=going_on)


def _path_to(body: list[ast.stmt], target: ast.stmt) -> set[ast.AST]:
    """Return a statement and all the statements that it stands in."""
    around: dict[ast.AST, ast.AST] = {}
    pending: list[ast.AST] = [*body]
    for each in pending:
        inside = in_blocks(each)
        around.update(dict.fromkeys(inside, each))
        pending += inside
    path: set[ast.AST] = {target}
    node: ast.AST = target
    while node in around:
        node = around[node]
        path.add(node)
    return path
