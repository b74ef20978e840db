"""Lower `try`: a suspension passes through handlers and `finally` blocks without running them.

A `try` that cannot suspend stays as it is. Otherwise its parts get, each only where it is needed:

- handlers that could catch it: a first clause that lets the suspension pass;
- a handler with a point inside: a temporary that keeps the exception, so that the handler can be
  entered again by raising it;
- a `finally` around a point: a place for either way out, by an exception or at the end; or, if it
  can be jumped out of, a flag that skips it while a suspension passes;
- a `finally` with a point inside: a record of how the block was left (by an exception, a return,
  a break, a continue), so that it can be left so again.

`docs/generated-code.md` shows an example of each.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from longterm_compiler.analysis.scope import bound_by, own_nodes
from longterm_compiler.lower.context import (
    Exit,
    Leaving,
    Lowering,
    Out,
    StatementLowerer,
    has_exit,
)
from longterm_compiler.syntax.build import (
    NOWHERE,
    as_first_raised,
    assign,
    at,
    call,
    changed,
    header,
    load,
    runtime,
)


def _lower_try(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Try | ast.TryStar)
    if low.may_suspend(*node.finalbody):
        _pending_finally(low, node, out)
    elif node.finalbody and has_exit(node):
        guard_finally(low, node, _protected(low, node), low.block(node.finalbody), out)
    elif node.finalbody:
        out.append(_final_twice(low, node))
    else:
        out += _protected(low, node)


def _protected(low: Lowering, node: ast.Try | ast.TryStar) -> Out:
    """Return the `try` without its `finally`."""
    if not node.handlers:
        return low.block(node.body)
    body = low.block(node.body)
    if isinstance(node, ast.TryStar):
        # `except*` splits groups; a suspension is none, and passes.
        handlers = [_plain_handler(low, handler) for handler in node.handlers]
        return [ast.copy_location(ast.TryStar(body, handlers, low.block(node.orelse), []), node)]
    handlers = []
    if low.may_suspend(*node.body) and not all(_cannot_catch(handler) for handler in node.handlers):
        handlers.append(_let_pass(node, []))
    handlers += [_handler(low, handler) for handler in node.handlers]
    return [ast.copy_location(ast.Try(body, handlers, low.block(node.orelse), []), node)]


def _plain_handler(low: Lowering, node: ast.ExceptHandler) -> ast.ExceptHandler:
    return changed(node, body=low.block(node.body))


def _final_twice(low: Lowering, node: ast.Try | ast.TryStar) -> ast.stmt:
    """Return a `try` with its `finally` for either way out, as Python itself compiles it.

    Where nothing was raised nothing is asked, so it is as fast as what the author wrote.
    """
    final = low.block(node.finalbody)
    raising = [*final, at(NOWHERE, ast.Raise(None, None))]
    catching = at(NOWHERE, ast.ExceptHandler(runtime("BaseException"), None, raising))
    handlers = [_let_pass(node, []), catching]
    return ast.copy_location(ast.Try(_protected(low, node), handlers, final, []), node)


def guard_finally(
    low: Lowering, node: ast.stmt, body: Out, final: Iterable[ast.stmt], out: Out
) -> None:
    """Add a `try` whose `finally` does not run while a suspension passes through it."""
    flag = low.names.fresh("passing")
    place = NOWHERE
    start: Out = [at(place, assign(flag, ast.Constant(False)))]
    skip = at(place, ast.If(ast.UnaryOp(ast.Not(), load(flag)), list(final), []))
    letting = _let_pass(node, [assign(flag, ast.Constant(True))])
    guarded = ast.copy_location(ast.Try(body, [letting], [], [skip]), node)
    low.preludes[guarded] = start
    out += [*start, guarded]


def _let_pass(node: ast.stmt, first: Out) -> ast.ExceptHandler:
    handler = ast.ExceptHandler(runtime("Suspend"), None, [*first, ast.Raise(None, None)])
    return at(NOWHERE, handler)


def _cannot_catch(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler names built-in exceptions only, none of which is a suspension."""
    if handler.type is None:
        return False
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(isinstance(kind, ast.Name) and _is_ordinary(kind.id) for kind in types)


def _is_ordinary(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def _handler(low: Lowering, node: ast.ExceptHandler) -> ast.ExceptHandler:
    if not low.may_suspend(*node.body):
        return _plain_handler(low, node)
    kept = low.names.fresh("caught")
    place = NOWHERE
    if node.name is not None and _rebinds(node.name, node.body):
        return _handler_that_rebinds(low, node, kept)
    name = node.name or low.names.fresh("error")
    kind = node.type or at(place, runtime("BaseException"))
    body: Out = [at(place, assign(kept, load(name))), *low.block(node.body)]
    body.append(at(place, assign(kept, ast.Constant(None))))
    handler = changed(node, type=kind, name=name, body=body)
    low.caught[handler] = kept
    return handler


def _handler_that_rebinds(low: Lowering, node: ast.ExceptHandler, kept: str) -> ast.ExceptHandler:
    """A handler whose body gives its exception's name another value.

    Python unbinds the name when the handler is left, by a suspension too, so here the name is an
    ordinary one, unbound by hand at the end.
    """
    assert node.name is not None
    place = NOWHERE
    name = low.names.fresh("error")
    unbind: Out = [
        at(place, assign(node.name, ast.Constant(None))),
        at(place, ast.Delete([ast.Name(node.name, ast.Del())])),
    ]
    body: Out = [
        at(place, assign(kept, load(name))),
        at(place, assign(node.name, load(name))),
    ]
    guard_finally(low, node.body[0], low.block(node.body), unbind, body)
    body.append(at(place, assign(kept, ast.Constant(None))))
    kind = node.type or at(place, runtime("BaseException"))
    handler = changed(node, type=kind, name=name, body=body)
    low.caught[handler] = kept
    return handler


def _rebinds(name: str, body: Iterable[ast.stmt]) -> bool:
    for node in own_nodes(body):
        if name in bound_by(node):
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Del):
            return True
    return False


def _pending_finally(low: Lowering, node: ast.Try | ast.TryStar, out: Out) -> None:
    """Add a `try` that records how it is left, so that its `finally` can suspend."""
    place = NOWHERE
    exit_ = Exit(low.names.fresh("left"), low.names.fresh("leaving"))
    raised = low.names.fresh("error")
    start: Out = [at(place, assign(exit_.how, ast.Constant(None)))]
    low.exits.append(exit_)
    body = [*_protected(low, node), at(place, assign(exit_.how, ast.Constant(None)))]
    low.exits.pop()
    raising: Out = [
        assign(exit_.how, ast.Constant("raise")),
        assign(exit_.what, load(raised)),
        ast.Raise(None, None),
    ]
    catching = at(place, ast.ExceptHandler(runtime("BaseException"), raised, raising))
    letting = _let_pass(node, [assign(exit_.how, ast.Constant("suspend"))])
    test = ast.Compare(load(exit_.how), [ast.NotEq()], [ast.Constant("suspend")])
    run = at(place, ast.If(test, low.block(node.finalbody), []))
    guarded = ast.copy_location(ast.Try(body, [letting, catching], [], [run]), node)
    low.preludes[guarded] = start
    low.pending[guarded] = _leave_again(low, node, exit_)
    out += [*start, guarded]


def _leave_again(low: Lowering, node: ast.stmt, exit_: Exit) -> Leaving:
    """Leave a block in the way it was left before the suspend."""
    ways: list[tuple[str, ast.stmt]] = [
        ("raise", ast.Expr(call(runtime("again"), load(exit_.what)))),
        ("return", ast.Return(load(exit_.what))),
        ("break", ast.Break()),
        ("continue", ast.Continue()),
    ]
    again: Out = []
    for way, statement in ways:
        if way == "raise" or way in exit_.ways:
            test = ast.Compare(load(exit_.how), [ast.Eq()], [ast.Constant(way)])
            # The blocks around are entered anew too, and forgot that they were being left.
            value = load(exit_.what) if way == "return" else None
            records = [] if way == "raise" else low.record_exit(way, value)
            again.append(at(header(node), ast.If(test, [*records, statement], [])))
    raised = ast.Compare(load(exit_.how), [ast.Eq()], [ast.Constant("raise")])
    return Leaving(again, [at(NOWHERE, ast.If(raised, [as_first_raised(exit_.what)], []))])


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.Try: _lower_try,
    ast.TryStar: _lower_try,
}
