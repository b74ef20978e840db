"""Lower `and`, `or` and `a if b else c`: only what Python evaluates, and truth as Python asks it.

An operand's truth is asked by its `__bool__`, the author's code, so how often that is called counts
as much as the order. There are three cases, and one loop for all of them, `_lower_choice`; they
differ in what is bound of an operand.

**A value.** Each operand is bound to one temporary, inside the `if` that asks the one before it.
The last operand is not asked:

    reply = first or ask("q")           _lt_value1 = first
                                        if not _lt_value1:
                                            _lt_value1 = ask("q")
                                        reply = _lt_value1

**A test**, of which only the truth counts. CPython compiles a test to jumps: if `a` is false in
`a and ask("q") or c`, it goes on to `c` without asking `a` again. To bind values would make the
`or` ask a false `a` for the second time. So what is bound is whether an operand is true. The last
one is bound as it is, since the `if` that wanted to know asks it:

    if a and ask("q") or c:             _lt_value1 = True if a else False
        pass                            if _lt_value1:
                                            _lt_value2 = ask("q")
                                            _lt_value1 = True if _lt_value2 else False
                                        if not _lt_value1:
                                            _lt_value1 = c
                                        if _lt_value1:
                                            pass

**A value and its truth**, both: in `(a or ask("q")) and c` a true `a` leads to `c`, and a false
`ask("q")` is the value of the whole. Each needs to be asked once, so there are two temporaries:

    x = (a or ask("q")) and c           _lt_value1 = a
                                        _lt_truth1 = True if _lt_value1 else False
                                        if not _lt_truth1:
                                            _lt_value1 = ask("q")
                                            _lt_truth1 = True if _lt_value1 else False
                                        if _lt_truth1:
                                            _lt_value1 = c
                                        x = _lt_value1

This is how Python 3.11 and 3.14 do it. Python 3.12 and 3.13 do not jump from an `or` inside an
`and` to where the truth is known, but ask for it again (gh-124285); there the first case serves.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, TypeGuard

from longterm_compiler.lower.calls import lower_point_call
from longterm_compiler.lower.comparisons import lower_compare
from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.lower.truth import as_bool, is_jump
from longterm_compiler.syntax.build import NOWHERE, assign, at, changed, load

_Choice: TypeAlias = ast.BoolOp | ast.IfExp
_BindOperand: TypeAlias = Callable[[ast.expr, Out, ast.BoolOp | None], str]
"""Binds an operand, and returns the temporary that tells its truth.

The last argument is the `and` or `or` that asks it for its truth; None, if that is not asked here:
it is the last operand, or a branch of a conditional.
"""
_REMEMBERS_TRUTH = not (3, 12) <= sys.version_info < (3, 14)
"""Whether Python, once it has asked a in `(a or b) and c`, goes to where both truths are known.

Not in 3.12 and 3.13: github.com/python/cpython/issues/124285.
"""


def _lower_value(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower a choice whose value counts."""
    if isinstance(node, ast.IfExp) and not low.may_suspend(node.body, node.orelse):
        return at(node, ast.IfExp(lower_test(low, node.test, out), node.body, node.orelse))
    name = low.names.fresh("value")
    _bind(low, name, node, out)
    return at(NOWHERE, load(name))


def lower_test(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower an expression of which only the truth counts; return what is still to be asked."""
    if not low.may_suspend(node):
        return node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return changed(node, operand=lower_test(low, node.operand, out))
    if isinstance(node, ast.Compare):
        return lower_compare(low, node, out, is_test=True)
    if isinstance(node, ast.BoolOp | ast.IfExp):
        name = low.names.fresh("value")
        _lower_choice(low, node, out, partial(_bind_truth, low, name, isinstance(node, ast.BoolOp)))
        return at(_last_operand(node), load(name))
    return low.in_place(node, out)


def _last_operand(node: ast.expr) -> ast.expr:
    """Return the operand at whose place Python reports that the truth of a test fails."""
    return _last_operand(node.values[-1]) if isinstance(node, ast.BoolOp) else node


def _lower_choice(low: Lowering, node: _Choice, out: Out, bind_operand: _BindOperand) -> None:
    """Bind the operand that counts of `a and b`, or of `a if b else c`."""
    if isinstance(node, ast.IfExp):
        test = lower_test(low, node.test, out)
        branches: list[Out] = [[], []]
        for branch, into in zip((node.body, node.orelse), branches, strict=True):
            bind_operand(branch, into, None)
        out.append(at(node.test, ast.If(test, *branches)))
        return
    *first, last = node.values
    for operand in first:
        test = load(bind_operand(operand, out, node))
        if isinstance(node.op, ast.Or):
            test = ast.UnaryOp(ast.Not(), test)
        inner: Out = []
        out.append(at(node, ast.If(at(node, test), inner, [])))
        out = inner
    bind_operand(last, out, None)


def _bind(low: Lowering, name: str, node: ast.expr, out: Out) -> None:
    """Evaluate an expression into a temporary, without one more temporary on the way."""
    if not low.may_suspend(node):
        out.append(at(node, assign(name, node)))
    elif isinstance(node, ast.BoolOp | ast.IfExp):
        _lower_choice(low, node, out, partial(_bind_value, low, name))
    elif (point := lower_point_call(low, node, out)) is not None:
        low.add_point(point, at(node, assign(name, point.value)), out)
    else:
        out.append(at(node, assign(name, low.expression(node, out))))


def _bind_value(
    low: Lowering, name: str, node: ast.expr, out: Out, asked_by: ast.BoolOp | None
) -> str:
    """Bind an operand whose value counts."""
    if asked_by is None or not _knows_its_truth(node):
        _bind(low, name, node, out)
        return name
    return _bind_value_and_truth(low, name, low.names.fresh("truth"), asked_by, node, out)


def _bind_value_and_truth(
    low: Lowering, name: str, truth: str, asked_by: ast.BoolOp, node: ast.expr, out: Out
) -> str:
    """Bind an operand, and its truth where the choices in it have asked for that."""

    def bind_operand(operand: ast.expr, into: Out, inner: ast.BoolOp | None) -> str:
        if isinstance(node, ast.IfExp) and operand is node.body:
            # Python jumps from the first branch over the second, and then asks its value.
            return _bind_and_ask(low, name, truth, asked_by, operand, into)
        return _bind_value_and_truth(low, name, truth, inner or asked_by, operand, into)

    if not _knows_its_truth(node):
        return _bind_and_ask(low, name, truth, asked_by, node, out)
    _lower_choice(low, node, out, bind_operand)
    return truth


def _bind_and_ask(
    low: Lowering, name: str, truth: str, asked_by: ast.BoolOp, node: ast.expr, out: Out
) -> str:
    _bind(low, name, node, out)
    out.append(at(asked_by, assign(truth, as_bool(load(name)))))
    return truth


def _knows_its_truth(node: ast.expr) -> TypeGuard[_Choice]:
    """Tell whether Python, where it wants a value and its truth, need not ask the value for it."""
    if isinstance(node, ast.IfExp):
        return _knows_its_truth(node.orelse)
    return isinstance(node, ast.BoolOp) and _REMEMBERS_TRUTH


def _bind_truth(
    low: Lowering,
    name: str,
    asked_later: bool,
    node: ast.expr,
    out: Out,
    asked_by: ast.BoolOp | None,
) -> str:
    """Bind what is as true as an operand of a test.

    Args:
        low: the lowering.
        name: the temporary.
        asked_later: whether a last operand may be bound as it is: what wanted to know asks it.
        node: the operand.
        out: where the statements go.
        asked_by: the `and` or `or` that asks it; None if it is a last operand.
    """
    asked_later = asked_later and asked_by is None
    if isinstance(node, ast.BoolOp | ast.IfExp) and low.may_suspend(node):
        asked_later = asked_later and isinstance(node, ast.BoolOp)
        _lower_choice(low, node, out, partial(_bind_truth, low, name, asked_later))
    elif asked_later and not is_jump(node):
        _bind(low, name, node, out)
    else:
        out.append(at(node, assign(name, as_bool(lower_test(low, node, out)))))
    return name


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.BoolOp: _lower_value,
    ast.IfExp: _lower_value,
}
