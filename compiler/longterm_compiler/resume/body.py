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
from longterm_compiler.resume.declarations import without_declarations
from longterm_compiler.syntax.build import (
    PointExpression,
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
_JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def resume_body(lowered: Lowered, point: ResumePoint, scope: Scope) -> list[ast.stmt]:
    """Return the statements that remain of a lowered body from a point on."""
    rest: Out = without_declarations(_Rest(lowered, point).of_block(lowered.body))
    names = sorted(scope.declared_global)
    if not names:
        return rest
    return [at(header(lowered.body[0]), ast.Global(names)), *rest]


class _Rest:
    """What is left to do from one point on: of a block that it is in, or of a statement."""

    def __init__(self, lowered: Lowered, point: ResumePoint) -> None:
        self._lowered = lowered
        self._point = point
        self._path = _path_to(lowered.body, point.statement)

    def of_block(self, block: list[ast.stmt]) -> Out:
        index = next(i for i, statement in enumerate(block) if statement in self._path)
        rest = self._of_statement(block[index])
        # What follows a `return` is never reached.
        return rest if isinstance(rest[-1], _JUMPS) else [*rest, *block[index + 1 :]]

    def _is_in(self, block: list[ast.stmt]) -> bool:
        """Tell whether the point is in a block."""
        return any(statement in self._path for statement in block)

    def _of_statement(self, node: ast.stmt) -> Out:
        if node is self._point.statement:
            if self._point.is_again:
                return [node]
            return [_with_next_called(node, self._point.call)]
        match node:
            case ast.If():
                return self.of_block(node.body if self._is_in(node.body) else node.orelse)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._of_loop(node)
            case ast.Try():
                return self._of_try(node)
            case ast.TryStar():
                return self._of_try_star(node)
            case ast.With() | ast.AsyncWith():
                raise AssertionError("a `with` around a point is written out by lowering")
            case ast.Match():
                return self.of_block(next(c.body for c in node.cases if self._is_in(c.body)))
        raise AssertionError(f"a point inside {type(node).__name__}")

    def _of_loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Out:
        if self._is_in(node.orelse):
            return self.of_block(node.orelse)
        once = ast.Tuple([ast.Constant(None)], ast.Load())
        return [at(header(node), ast.For(store(ROUND), once, self.of_block(node.body), [node]))]

    def _of_try(self, node: ast.Try) -> Out:
        """Return what is left of a `try`: all of it that comes after the part with the point.

        In its body:                    prelude
                                        try: <rest of the body>
                                        except, else, finally: as they are
        In its `finally`:               try: <leave the block as it was left>
                                        finally: <rest of the `finally`>
        In its `else`, or a handler:    prelude, if there is a `finally`
                                        try: <rest of that>
                                        finally: as it is, if there is one
        """
        start = self._lowered.preludes.get(node, [])
        if self._is_in(node.body):
            rest = ast.Try(self.of_block(node.body), node.handlers, node.orelse, node.finalbody)
            return [*start, ast.copy_location(rest, node)]
        if self._is_in(node.finalbody):
            entry = self._lowered.finally_entries[node]
            final = [*entry.begin, *self.of_block(node.finalbody)]
            return [ast.copy_location(ast.Try(entry.leave, [], [], final), node)]
        if self._is_in(node.orelse):
            inner = self.of_block(node.orelse)
        else:
            inner = [self._of_handler(next(h for h in node.handlers if self._is_in(h.body)))]
        if not node.finalbody:
            return inner
        return [*start, ast.copy_location(ast.Try(inner, [], [], node.finalbody), node)]

    def _of_handler(self, node: ast.ExceptHandler) -> ast.stmt:
        """Return what is left of a handler, entered again by raising its exception.

        try:
            __longterm__.again(_lt_caught1)
        except __longterm__.BaseException as error:
            __longterm__.as_first_raised(_lt_caught1)
            ...                         # the rest of the handler
        """
        caught = self._lowered.caught[node]
        raising = ast.Expr(call(runtime("again"), load(caught)))
        body = [as_first_raised(caught), *self.of_block(node.body)]
        handler = ast.ExceptHandler(runtime("BaseException"), node.name, body)
        return at(header(node), ast.Try([raising], [handler], [], []))

    def _of_try_star(self, node: ast.TryStar) -> Out:
        """Return what is left of a `try` with `except*`, which cannot suspend in its handlers.

        Lowering has put its `finally` into a `try` of its own.
        """
        if self._is_in(node.orelse):
            return self.of_block(node.orelse)
        rest = ast.TryStar(self.of_block(node.body), node.handlers, node.orelse, node.finalbody)
        return [ast.copy_location(rest, node)]


def _with_next_called(node: ast.stmt, point: PointExpression) -> ast.stmt:
    """Return the point's statement with `_lt_next()` in the place of its call.

    reply = await ask("q")              reply = await _lt_next()
    reply = yield item                  reply = yield
    result = yield from rest(it)        result = yield from waiting(it)

    A generator is run to its `yield` before anybody else gets at it. So it waits there as it did.
    """
    if isinstance(point, ast.Yield):
        return changed(node, value=changed(point, value=None))
    if isinstance(point, ast.YieldFrom):
        assert isinstance(point.value, ast.Call)
        waiting = changed(point.value, func=at(point.value, runtime("waiting")))
        return changed(node, value=changed(point, value=waiting))
    value = getattr(node, "value")  # noqa: B009 - a point's statement always has a value
    next_call: ast.expr = ast.copy_location(call(load(NEXT)), point)
    ast.copy_location(next_call.func, point)  # type: ignore[attr-defined]
    if isinstance(value, ast.Await):
        next_call = ast.copy_location(ast.Await(next_call), value)
    return changed(node, value=next_call)


def _path_to(body: list[ast.stmt], target: ast.stmt) -> set[ast.AST]:
    """Return a statement and all the statements that it stands in."""
    around: dict[ast.AST, ast.AST] = {}
    pending: list[ast.AST] = [*body]
    for outer in pending:
        inside = in_blocks(outer)
        around.update(dict.fromkeys(inside, outer))
        pending += inside
    path: set[ast.AST] = {target}
    node: ast.AST = target
    while node in around:
        node = around[node]
        path.add(node)
    return path
