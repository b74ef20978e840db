"""Lower loops: the iterator of a `for` gets a name, a suspending `while` test moves inside.

    for item in items:                  _lt_iter1 = __longterm__.iter(items)
        reply = ask(item)               for item in __longterm__.rest(_lt_iter1):
                                            reply = ask(item)

An iterator with a name is a value like any other: it is stored, position and all. A `for` asks for
`__iter__` of what it goes over. An iterator has been asked already, and one of the author's may
start over when it is asked again: so the loop, and the loop in each resume body, goes over `rest`.

If the iterator is a generator that may suspend inside itself, the loop itself is a point: it is
entered again, and asks the generator, which goes on.

    while ask("more?"):                 while True:
        n += 1                              _lt_value1 = ask("more?")
                                            if not _lt_value1:
                                                break
                                            n += 1

A test inside the loop is evaluated in each round, as it should, and a resume can go on after it.
"""

from __future__ import annotations

import ast

from longterm._abi import ASKED, AWAITED
from longterm_compiler.lower.assignments import assign_target
from longterm_compiler.lower.booleans import lower_test
from longterm_compiler.lower.context import Lowering, Out, PointCall, StatementLowerer
from longterm_compiler.lower.iterators import iterator_of
from longterm_compiler.syntax.build import (
    NOWHERE,
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


def _lower_for(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.For | ast.AsyncFor)
    asks = node in low.suspensions.asks
    iterable = low.in_place(node.iter, out)
    if (asks or low.may_suspend(node.target, *node.body)) and not _goes_on(iterable):
        make = "iter" if isinstance(node, ast.For) else "aiter"
        kept = low.spill("iter", iterator_of(low, iterable, make), out)
        iterable = at(node.iter, call(runtime("rest"), kept))
    target = node.target
    body: Out = []
    if low.may_suspend(target):
        name = low.names.fresh("item")
        target = at(node.target, store(name))
        assign_target(low, node.target, at(node.target, load(name)), body)
    loop = changed(node, target=target, iter=iterable, body=body)
    if asks:
        low.add_point(_head_of(loop), loop, out)
    else:
        out.append(loop)
    body += low.loop_body(node.body)
    loop.orelse = low.block(node.orelse)


def _head_of(loop: ast.For | ast.AsyncFor) -> PointCall:
    """Return the point at which a loop asks what it goes over: a resume enters the loop again."""
    assert isinstance(loop.iter, ast.Call)
    kept = loop.iter.args[0]
    assert isinstance(kept, ast.Name)
    asks = kept.id, ASKED if isinstance(loop, ast.For) else AWAITED
    return PointCall(loop.iter, loop.iter, suspends=False, asks=asks, is_again=True)


def _goes_on(iterable: ast.expr) -> bool:
    """Tell whether a loop goes over an iterator that has a name already."""
    return isinstance(iterable, ast.Call) and is_runtime(iterable.func, "rest")


def _lower_while(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.While)
    if not low.may_suspend(node.test):
        rounds = low.loop_body(node.body)
        out.append(changed(node, body=rounds, orelse=low.block(node.orelse)))
        return
    body: Out = []
    test = lower_test(low, node.test, body)
    leave: Out = [at(node.test, ast.Break())]
    orelse: Out = []
    if node.orelse:
        # The loop has a real `break` now, so its `else` becomes an `if` on a flag.
        flag = low.names.fresh("done")
        out.append(at(NOWHERE, assign(flag, ast.Constant(False))))
        leave.insert(0, at(NOWHERE, assign(flag, ast.Constant(True))))
        orelse = [at(NOWHERE, ast.If(load(flag), low.block(node.orelse), []))]
    body.append(at(node.test, ast.If(ast.UnaryOp(ast.Not(), test), leave, [])))
    body += low.loop_body(node.body)
    always = at(header(node), ast.While(ast.Constant(True), body, []))
    out.append(ast.copy_location(always, node))
    out += orelse


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.For: _lower_for,
    ast.AsyncFor: _lower_for,
    ast.While: _lower_while,
}
