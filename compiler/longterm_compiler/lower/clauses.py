"""Let the type in an `except` clause suspend: it is evaluated in a handler of its own.

Python evaluates the type only when an exception came, and no clause before took it. So from that
clause on there is one handler for all exceptions. It evaluates the type, and raises the exception
again for the clauses that are left.

    try:                            try:
        work()                          work()
    except KeyError:                except __longterm__.Suspend:
        give_up()                       raise
    except ask("what") as error:    except KeyError:
        note(error)                     give_up()
                                    except __longterm__.BaseException as _lt_error1:
                                        _lt_caught1 = _lt_error1
                                        _lt_kind1 = ask("what")
                                        try:
                                            __longterm__.again(_lt_error1)
                                        except _lt_kind1 as error:
                                            __longterm__.as_first_raised(_lt_error1)
                                            note(error)
                                        except __longterm__.BaseException:
                                            __longterm__.as_first_raised(_lt_error1)
                                            raise
                                        _lt_caught1 = None

To raise it again leaves no line of this frame in its traceback, whatever becomes of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from longterm_compiler.lower.context import Lowering, Out
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


def let_suspension_pass(before: Iterable[ast.stmt] = ()) -> ast.ExceptHandler:
    """Return `except __longterm__.Suspend: raise`, with statements before the `raise`."""
    body: Out = [*before, ast.Raise(None, None)]
    return at(NOWHERE, ast.ExceptHandler(runtime("Suspend"), None, body))


def with_types_inside(low: Lowering, node: ast.Try) -> ast.Try:
    """Return a `try` none of whose clauses suspends in its type; itself if it is such a one."""
    if not low.may_suspend(*(handler.type for handler in node.handlers)):
        return node
    # What a plain function suspends in the body must reach the runtime, which refuses it.
    passing = [] if low.may_suspend(*node.body) else [let_suspension_pass()]
    new = changed(node, handlers=[*passing, *_handlers(low, node.handlers, None)])
    low.suspensions.mark(new)
    return new


def _handlers(
    low: Lowering, handlers: list[ast.ExceptHandler], raised: str | None
) -> list[ast.ExceptHandler]:
    """Return handlers for some clauses; `raised` is the exception, if it was raised again."""
    begin: Out = [] if raised is None else [as_first_raised(raised)]
    found: list[ast.ExceptHandler] = []
    for index, handler in enumerate(handlers):
        if low.may_suspend(handler.type):
            return [*found, _evaluating(low, handlers[index:], begin)]
        found.append(changed(handler, body=[*begin, *handler.body]))
    if raised is not None and handlers[-1].type is not None:
        leave: Out = [*begin, at(NOWHERE, ast.Raise(None, None))]
        found.append(at(NOWHERE, ast.ExceptHandler(runtime("BaseException"), None, leave)))
    return found


def _evaluating(low: Lowering, handlers: list[ast.ExceptHandler], begin: Out) -> ast.ExceptHandler:
    """Return the handler that evaluates the type of the first of some clauses."""
    first, *others = handlers
    assert first.type is not None
    error, kind = low.names.fresh("error"), low.names.fresh("kind")
    taken = changed(first, type=at(first.type, load(kind)))
    again = ast.Expr(call(runtime("again"), load(error)))
    trying = ast.Try([again], _handlers(low, [taken, *others], error), [], [])
    body = [*begin, at(first.type, assign(kind, first.type)), trying]
    return at(header(first), ast.ExceptHandler(runtime("BaseException"), error, body))
