"""Lower `try`: a suspension passes through handlers and `finally` blocks without running them.

A `try` that cannot suspend stays as it is. Otherwise its parts get, each only where it is needed:

- handlers that could catch it: a first clause that lets the suspension pass;
- a handler with a point inside: a temporary that keeps the exception, so that the handler can be
  entered again by raising it;
- a `finally` around a point: a place for either way out, by an exception or at the end; or, if the
  block can be jumped out of, a flag that skips it while a suspension passes;
- a `finally` with a point inside: a record of how the block was left (by an exception, a return,
  a break, a continue), so that it can be left so again.

Each has its example below. `docs/generated-code.md` shows what they become in full.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from longterm_compiler.analysis.scope import bound_by, own_nodes
from longterm_compiler.lower.clauses import let_suspension_pass, with_types_inside
from longterm_compiler.lower.context import (
    ExitRecord,
    FinallyEntry,
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
    is_runtime,
    load,
    runtime,
    store,
)


def _lower_try(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Try | ast.TryStar)
    if isinstance(node, ast.TryStar) and low.may_suspend(*node.handlers):
        node = _without_star(low, node)
    if isinstance(node, ast.Try):
        node = with_types_inside(low, node)
    if low.may_suspend(*node.finalbody):
        _finally_that_suspends(low, node, out)
    elif node.finalbody and has_exit(node):
        _guard_finally(low, node, _without_finally(low, node), low.block(node.finalbody), out)
    elif node.finalbody:
        out.append(_finally_written_twice(low, node))
    else:
        out += _without_finally(low, node)


def _without_finally(low: Lowering, node: ast.Try | ast.TryStar) -> Out:
    """Return the `try` with its handlers and its `else`, if it has any.

        try:                                try:
            ask("q")                            ask("q")
        except errors:                      except __longterm__.Suspend:
            work()                              raise
                                            except errors:
                                                work()

    Handlers that name built-in exceptions only need no clause before them.
    """
    body = low.block(node.body)
    if not node.handlers:
        return body
    if isinstance(node, ast.TryStar):
        # `except*` splits groups; a suspension is none, and passes. No handler suspends here.
        star_handlers = [_plain_handler(low, handler) for handler in node.handlers]
        lowered = ast.TryStar(body, star_handlers, low.block(node.orelse), [])
        return [ast.copy_location(lowered, node)]
    handlers: list[ast.ExceptHandler] = []
    if low.may_suspend(*node.body) and not all(map(_cannot_catch, node.handlers)):
        handlers.append(let_suspension_pass())
    handlers += [_lower_handler(low, handler) for handler in node.handlers]
    return [ast.copy_location(ast.Try(body, handlers, low.block(node.orelse), []), node)]


def _without_star(low: Lowering, node: ast.TryStar) -> ast.Try:
    """Return a `try` with one handler that does what some of `except*` do, and can suspend.

    Python keeps what such handlers leave, and what they raise, where nothing can store it.

        try:                            try:
            work()                          work()
        except* T as group:             except __longterm__.Suspend:
            ask("retry")                    raise
                                        except __longterm__.BaseException as _lt_error1:
                                            _lt_caught1 = _lt_error1
                                            _lt_rest1 = _lt_error1
                                            _lt_raised1 = []
                                            _lt_group1, _lt_rest1 = __longterm__.split(_lt_rest1, T)
                                            if _lt_group1 is not None:
                                                try:
                                                    try:
                                                        __longterm__.again(_lt_group1)
                                                    except __longterm__.BaseException as group:
                                                        _lt_caught2 = group
                                                        __longterm__.as_first_raised(_lt_group1)
                                                        ask("retry")
                                                        _lt_caught2 = None
                                                except __longterm__.Suspend:
                                                    raise
                                                except __longterm__.BaseException as _lt_error2:
                                                    _lt_raised1.append(_lt_error2)
                                            _lt_rest1 = __longterm__.unhandled(
                                                _lt_error1, _lt_rest1, _lt_raised1
                                            )
                                            _lt_group1 = _lt_raised1 = None
                                            if _lt_rest1 is not None:
                                                try:
                                                    __longterm__.again(_lt_rest1)
                                                except __longterm__.BaseException:
                                                    __longterm__.as_first_raised(_lt_rest1)
                                                    _lt_rest1 = None
                                                    raise
                                            _lt_caught1 = None
    """
    error, raised = low.names.fresh("error"), low.names.fresh("raised")
    rest, group = low.names.fresh("rest"), low.names.fresh("group")
    body: Out = [assign(rest, load(error)), assign(raised, ast.List([], ast.Load()))]
    for handler in node.handlers:
        assert handler.type is not None
        parts = ast.Tuple([store(group), store(rest)], ast.Store())
        split = ast.Assign([parts], call(runtime("split"), load(rest), handler.type))
        body.append(at(handler.type, split))
        body.append(_star_handler(low, handler, group, raised))
    unhandled = call(runtime("unhandled"), load(error), load(rest), load(raised))
    forget = ast.Assign([store(group), store(raised)], ast.Constant(None))
    body += [assign(rest, unhandled), forget, _raise_rest(rest)]
    caught = ast.ExceptHandler(runtime("BaseException"), error, body)
    # What a plain function suspends in the body must reach the runtime, which refuses it.
    passing = [] if low.may_suspend(*node.body) else [let_suspension_pass()]
    handlers = [*passing, at(header(node), caught)]
    plain = ast.Try(node.body, handlers, node.orelse, node.finalbody)
    low.suspensions.mark(plain)
    return ast.copy_location(plain, node)


def _star_handler(low: Lowering, node: ast.ExceptHandler, group: str, raised: str) -> ast.stmt:
    """Return what handles one clause's group, if there is one, and keeps what that raises."""
    place = header(node)
    again = ast.Expr(call(runtime("again"), load(group)))
    body = [as_first_raised(group), *node.body]
    handler = ast.ExceptHandler(runtime("BaseException"), node.name, body)
    error = low.names.fresh("error")
    keep = ast.Expr(call(ast.Attribute(load(raised), "append", ast.Load()), load(error)))
    passing = [] if low.may_suspend(*node.body) else [let_suspension_pass()]
    collect = ast.ExceptHandler(runtime("BaseException"), error, [keep])
    trying = ast.Try([ast.Try([again], [handler], [], [])], [*passing, collect], [], [])
    is_given = ast.Compare(load(group), [ast.IsNot()], [ast.Constant(None)])
    return at(place, ast.If(is_given, [trying], []))


def _raise_rest(rest: str) -> ast.stmt:
    """Return what raises an exception as it is, without a line of this frame in its traceback."""
    again = ast.Expr(call(runtime("again"), load(rest)))
    body: Out = [as_first_raised(rest), assign(rest, ast.Constant(None)), ast.Raise(None, None)]
    handler = ast.ExceptHandler(runtime("BaseException"), None, body)
    is_some = ast.Compare(load(rest), [ast.IsNot()], [ast.Constant(None)])
    return ast.If(is_some, [ast.Try([again], [handler], [], [])], [])


def _cannot_catch(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler names built-in exceptions only, none of which is a suspension."""
    if handler.type is None:
        return False
    if is_runtime(handler.type, "StopIteration"):
        return True  # made in the place of a generator expression
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(isinstance(kind, ast.Name) and _is_builtin_exception(kind.id) for kind in types)


def _is_builtin_exception(name: str) -> bool:
    """Tell whether a name is a built-in `Exception`; `BaseException` and `Suspend` are none."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def _plain_handler(low: Lowering, node: ast.ExceptHandler) -> ast.ExceptHandler:
    return changed(node, body=low.block(node.body))


def _lower_handler(low: Lowering, node: ast.ExceptHandler) -> ast.ExceptHandler:
    """Lower a handler; one with a point inside keeps its exception.

        try:                                try:
            work()                              work()
        except ValueError as error:         except ValueError as error:
            ask("retry")                        _lt_caught1 = error
                                                ask("retry")
                                                _lt_caught1 = None

    A resume enters the handler again by raising what was kept.
    """
    if not low.may_suspend(*node.body):
        return _plain_handler(low, node)
    kept = low.names.fresh("caught")
    if node.name is not None and _rebinds(node.name, node.body):
        name = low.names.fresh("error")
        body = _body_that_rebinds(low, node, node.name, name)
    else:
        name = node.name or low.names.fresh("error")
        body = low.block(node.body)
    kind = node.type or at(NOWHERE, runtime("BaseException"))
    keep = at(NOWHERE, assign(kept, load(name)))
    drop = at(NOWHERE, assign(kept, ast.Constant(None)))
    handler = changed(node, type=kind, name=name, body=[keep, *body, drop])
    low.caught[handler] = kept
    return handler


def _body_that_rebinds(low: Lowering, node: ast.ExceptHandler, name: str, caught: str) -> Out:
    """Lower the body of a handler that gives its exception's name another value.

    Python unbinds the name when the handler is left, by a suspension too. So the handler binds a
    temporary, and the name is an ordinary one, unbound by hand:

        try:                                try:
            work()                              work()
        except ValueError as e:             except ValueError as _lt_error1:
            e = ask("what")                     _lt_caught1 = _lt_error1
                                                e = _lt_error1
                                                _lt_passing1 = False
                                                try:
                                                    e = ask("what")
                                                except __longterm__.Suspend:
                                                    _lt_passing1 = True
                                                    raise
                                                finally:
                                                    if not _lt_passing1:
                                                        e = None
                                                        del e
                                                _lt_caught1 = None
    """
    body: Out = [at(NOWHERE, assign(name, load(caught)))]
    unbind: Out = [
        # First bound, since the author's code may have unbound it already.
        at(NOWHERE, assign(name, ast.Constant(None))),
        at(NOWHERE, ast.Delete([ast.Name(name, ast.Del())])),
    ]
    _guard_finally(low, node.body[0], low.block(node.body), unbind, body)
    return body


def _rebinds(name: str, body: Iterable[ast.stmt]) -> bool:
    for node in own_nodes(body):
        if name in bound_by(node):
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Del):
            return True
    return False


def _finally_written_twice(low: Lowering, node: ast.Try | ast.TryStar) -> ast.stmt:
    """Return a `try` with its `finally` for either way out, as Python itself compiles it.

        try:                                try:
            ask("q")                            ask("q")
        finally:                            except __longterm__.Suspend:
            close()                             raise
                                            except __longterm__.BaseException:
                                                close()
                                                raise
                                            else:
                                                close()

    Where nothing is raised nothing is tested, so it is as fast as what the author wrote.
    """
    final = low.block(node.finalbody)
    raising = [*final, at(NOWHERE, ast.Raise(None, None))]
    catching = at(NOWHERE, ast.ExceptHandler(runtime("BaseException"), None, raising))
    handlers = [let_suspension_pass(), catching]
    return ast.copy_location(ast.Try(_without_finally(low, node), handlers, final, []), node)


def _guard_finally(
    low: Lowering, node: ast.stmt, body: Out, final: Iterable[ast.stmt], out: Out
) -> None:
    """Add a `try` whose `finally` does not run while a suspension passes through it.

        try:                                _lt_passing1 = False
            return ask("q")                 try:
        finally:                                return ask("q")
            close()                         except __longterm__.Suspend:
                                                _lt_passing1 = True
                                                raise
                                            finally:
                                                if not _lt_passing1:
                                                    close()

    Each jump out of the block would need a copy of the `finally`, so none is written out.
    """
    flag = low.names.fresh("passing")
    start: Out = [at(NOWHERE, assign(flag, ast.Constant(False)))]
    unless_passing = ast.If(ast.UnaryOp(ast.Not(), load(flag)), list(final), [])
    handler = let_suspension_pass([assign(flag, ast.Constant(True))])
    lowered = ast.Try(body, [handler], [], [at(NOWHERE, unless_passing)])
    guarded = ast.copy_location(lowered, node)
    low.preludes[guarded] = start
    out += [*start, guarded]


def _finally_that_suspends(low: Lowering, node: ast.Try | ast.TryStar, out: Out) -> None:
    """Add a `try` that records how it is left, so that its `finally` can suspend.

        try:                                _lt_left1 = None
            return work()                   try:
        finally:                                _lt_value1 = work()
            ask("sure")                         _lt_leaving1 = _lt_value1
                                                _lt_left1 = "return"
                                                return _lt_value1
                                                _lt_left1 = None
                                            except __longterm__.Suspend:
                                                _lt_left1 = "suspend"
                                                raise
                                            except __longterm__.BaseException as _lt_error1:
                                                _lt_left1 = "raise"
                                                _lt_leaving1 = _lt_error1
                                                raise
                                            finally:
                                                if _lt_left1 != "suspend":
                                                    ask("sure")

    A resume inside the `finally` begins with what `_finally_entry` returns.
    """
    record = ExitRecord(low.names.fresh("left"), low.names.fresh("leaving"))
    handlers = _recording_handlers(record, low.names.fresh("error"))
    start: Out = [at(NOWHERE, assign(record.way, ast.Constant(None)))]
    low.exit_records.append(record)
    body = [*_without_finally(low, node), at(NOWHERE, assign(record.way, ast.Constant(None)))]
    low.exit_records.pop()
    test = ast.Compare(load(record.way), [ast.NotEq()], [ast.Constant("suspend")])
    unless_passing = at(NOWHERE, ast.If(test, low.block(node.finalbody), []))
    guarded = ast.copy_location(ast.Try(body, handlers, [], [unless_passing]), node)
    low.preludes[guarded] = start
    low.finally_entries[guarded] = _finally_entry(low, node, record)
    out += [*start, guarded]


def _recording_handlers(record: ExitRecord, error: str) -> list[ast.ExceptHandler]:
    """Return the handlers that record that a block is left by a suspension, or an exception."""
    raising: Out = [
        assign(record.way, ast.Constant("raise")),
        assign(record.value, load(error)),
        ast.Raise(None, None),
    ]
    catching = at(NOWHERE, ast.ExceptHandler(runtime("BaseException"), error, raising))
    return [let_suspension_pass([assign(record.way, ast.Constant("suspend"))]), catching]


def _finally_entry(low: Lowering, node: ast.stmt, record: ExitRecord) -> FinallyEntry:
    """Return how a resume enters the `finally`: by leaving its block as it was left before.

    try:
        if _lt_left1 == "raise":
            __longterm__.again(_lt_leaving1)
        if _lt_left1 == "return":
            return _lt_leaving1
    finally:
        if _lt_left1 == "raise":
            __longterm__.as_first_raised(_lt_leaving1)
        ...                             # what is left to do of the `finally`
    """
    jumps: list[tuple[str, ast.stmt]] = [
        ("return", ast.Return(_result(low, record))),
        ("break", ast.Break()),
        ("continue", ast.Continue()),
    ]
    raise_again = ast.Expr(call(runtime("again"), load(record.value)))
    leave: Out = [at(header(node), ast.If(_left_by(record, "raise"), [raise_again], []))]
    for way, jump in jumps:
        if way in record.jumps:
            # The blocks around are entered anew by the resume, and must record the jump again.
            value = _result(low, record) if way == "return" else None
            again = [*low.record_exit(way, value), jump]
            leave.append(at(header(node), ast.If(_left_by(record, way), again, [])))
    begin = at(NOWHERE, ast.If(_left_by(record, "raise"), [as_first_raised(record.value)], []))
    return FinallyEntry(leave, [begin])


def _result(low: Lowering, record: ExitRecord) -> ast.expr | None:
    """Return what a block was left with by a `return`, if there is such a value."""
    return load(record.value) if low.returns_values else None


def _left_by(record: ExitRecord, way: str) -> ast.expr:
    return ast.Compare(load(record.way), [ast.Eq()], [ast.Constant(way)])


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.Try: _lower_try,
    ast.TryStar: _lower_try,
}
