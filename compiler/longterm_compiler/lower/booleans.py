"""Lower `and`, `or` and `a if b else c`: evaluate what Python does, and test it as often.

To test an operand for its truth value calls its `__bool__`, the author's code, so how often that
happens counts as much as the order. There are three cases, and one loop for all of them,
`_lower_choice`; they differ in what is bound of an operand.

**A value** (`_bind_value`). Each operand is bound to one temporary, inside the `if` that tests the
one before it. The last operand is not tested:

    reply = first or ask("q")           _lt_value1 = first
                                        if not _lt_value1:
                                            _lt_value1 = ask("q")
                                        reply = _lt_value1

**A test** (`_bind_truth`), of which only the truth counts. CPython compiles a test to jumps: if `a`
is false in `a and ask("q") or c`, it goes on to `c` without testing `a` again. To bind values would
make the `or` test a false `a` for the second time. So what is bound is whether an operand is true.
The last one is bound as it is, since the `if` that follows tests it:

    if a and ask("q") or c:             _lt_value1 = True if a else False
        pass                            if _lt_value1:
                                            _lt_value2 = ask("q")
                                            _lt_value1 = True if _lt_value2 else False
                                        if not _lt_value1:
                                            _lt_value1 = c
                                        if _lt_value1:
                                            pass

**A value and its truth** (`_bind_value_and_truth`): in `(a or ask("q")) and c` a true `a` leads to
`c`, and a false `ask("q")` is the value of the whole. Each is tested once, so there are two
temporaries:

    x = (a or ask("q")) and c           _lt_value1 = a
                                        _lt_truth1 = True if _lt_value1 else False
                                        if not _lt_truth1:
                                            _lt_value1 = ask("q")
                                            _lt_truth1 = True if _lt_value1 else False
                                        if _lt_truth1:
                                            _lt_value1 = c
                                        x = _lt_value1

This is how Python 3.11 and 3.14 do it. Python 3.12 and 3.13 test what an `or` inside an `and` has
found once more, for the `and` (gh-124285); there the first case serves.
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
"""Binds an operand, and returns the temporary that is as true as it is.

The last argument is the `and` or `or` that tests the operand. It is None for what its own choice
does not test: the last operand of an `and` or `or`, and the branches of a conditional.
"""
_TESTS_ONCE = not (3, 12) <= sys.version_info < (3, 14)
"""Whether Python tests `a` in `(a or b) and c` once, and then knows where to go on.

Python 3.12 and 3.13 test it twice: https://github.com/python/cpython/issues/124285.
"""


def _lower_value(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower a choice whose value counts."""
    if isinstance(node, ast.IfExp) and not low.may_suspend(node.body, node.orelse):
        return at(node, ast.IfExp(lower_test(low, node.test, out), node.body, node.orelse))
    name = low.names.fresh("value")
    _assign(low, name, node, out)
    return at(NOWHERE, load(name))


def lower_test(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    """Lower an expression of which only the truth counts; return what is still to be tested."""
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
    """Return the operand at whose place Python reports that a test fails: `c` in `a and b or c`."""
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
    *tested, last = node.values
    for operand in tested:
        test = load(bind_operand(operand, out, node))
        if isinstance(node.op, ast.Or):
            test = ast.UnaryOp(ast.Not(), test)
        inner: Out = []
        out.append(at(node, ast.If(at(node, test), inner, [])))
        out = inner
    bind_operand(last, out, None)


def _assign(low: Lowering, name: str, node: ast.expr, out: Out) -> None:
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
    low: Lowering, name: str, node: ast.expr, out: Out, tested_by: ast.BoolOp | None
) -> str:
    """Bind an operand whose value counts."""
    if tested_by is not None and _has_tested_itself(node):
        truth = low.names.fresh("truth")
        _bind_value_and_truth(low, name, truth, tested_by, node, out)
        return truth
    _assign(low, name, node, out)
    return name


def _bind_truth(
    low: Lowering,
    name: str,
    is_tested_later: bool,
    node: ast.expr,
    out: Out,
    tested_by: ast.BoolOp | None,
) -> str:
    """Bind what is as true as an operand of a test.

    Args:
        low: the lowering.
        name: the temporary.
        is_tested_later: whether what follows the choice tests the temporary, so that its last
            operand may be bound as it is.
        node: the operand.
        out: where the statements go.
        tested_by: the `and` or `or` that tests it; None if it is a last operand.
    """
    as_it_is = is_tested_later and tested_by is None
    if isinstance(node, ast.BoolOp | ast.IfExp) and low.may_suspend(node):
        as_it_is = as_it_is and isinstance(node, ast.BoolOp)
        _lower_choice(low, node, out, partial(_bind_truth, low, name, as_it_is))
    elif as_it_is and not is_jump(node):
        _assign(low, name, node, out)
    else:
        out.append(at(node, assign(name, as_bool(lower_test(low, node, out)))))
    return name


def _bind_value_and_truth(
    low: Lowering, name: str, truth: str, tested_by: ast.BoolOp, node: ast.expr, out: Out
) -> None:
    """Bind an operand to `name`, and to `truth` whether it is true; test it once.

        x = (a if ask("q") else b or c) and d   _lt_value2 = ask("q")
                                                if _lt_value2:
                                                    _lt_value1 = a
                                                    _lt_truth1 = True if _lt_value1 else False
                                                else:
                                                    _lt_value1 = b
                                                    _lt_truth1 = True if _lt_value1 else False
                                                    if not _lt_truth1:
                                                        _lt_value1 = c
                                                        _lt_truth1 = True if _lt_value1 else False
                                                if _lt_truth1:
                                                    _lt_value1 = d
                                                x = _lt_value1

    Here the `or` has tested `b`, and the `and` tests `a` or `c`. A first branch that is an `or` too
    is tested once more by the `and`: Python jumps from its end over the second branch, and then
    tests what it has.
    """
    if not _has_tested_itself(node):
        _assign_and_test(low, name, truth, tested_by, node, out)
        return

    def bind_operand(operand: ast.expr, into: Out, inner: ast.BoolOp | None) -> str:
        if isinstance(node, ast.IfExp) and operand is node.body:
            _assign_and_test(low, name, truth, tested_by, operand, into)
        else:
            _bind_value_and_truth(low, name, truth, inner or tested_by, operand, into)
        return truth

    _lower_choice(low, node, out, bind_operand)


def _has_tested_itself(node: ast.expr) -> TypeGuard[_Choice]:
    """Tell whether Python, at the end of an operand, can know already if its value is true.

    It does at the end of an `and` or `or`, and so of a conditional whose second branch is one.
    """
    if isinstance(node, ast.IfExp):
        return _has_tested_itself(node.orelse)
    return isinstance(node, ast.BoolOp) and _TESTS_ONCE


def _assign_and_test(
    low: Lowering, name: str, truth: str, tested_by: ast.BoolOp, node: ast.expr, out: Out
) -> None:
    _assign(low, name, node, out)
    out.append(at(tested_by, assign(truth, as_bool(load(name)))))


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.BoolOp: _lower_value,
    ast.IfExp: _lower_value,
}
