"""Lower `assert`: under `python -O` nothing of it runs, its suspends included.

    assert ask("sure?"), "no"           if __debug__:
                                            _lt_value1 = ask("sure?")
                                            if not _lt_value1:
                                                raise __longterm__.AssertionError("no")

CPython drops the `if` when it compiles, as it would the `assert`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from longterm_compiler.lower.booleans import lower_test
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import at, call, load, runtime


def _lower_assert(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Assert)
    tested: Out = []
    test = lower_test(low, node.test, tested)
    failed: Out = []
    message = [low.expression(node.msg, failed)] if node.msg is not None else []
    error: ast.expr = at(node, runtime("AssertionError"))
    if message:
        error = at(node, call(error, *message))
    failed.append(at(_place_of_failure(node), ast.Raise(error, None)))
    tested.append(at(node.test, ast.If(ast.UnaryOp(ast.Not(), test), failed, [])))
    out.append(at(node, ast.If(load("__debug__"), tested, [])))


def _place_of_failure(node: ast.Assert) -> ast.AST:
    """Return where Python says that an assertion has failed."""
    if sys.version_info >= (3, 13):
        return node.test
    if sys.version_info >= (3, 12):
        return node
    # Python 3.11 names the last comparison that it compiled as a jump.
    *_, place = node, *_deciding(node.test)
    return place


def _deciding(test: ast.expr) -> Iterator[ast.Compare]:
    """Yield the comparisons of a test that Python jumps on, in the order of its compiler."""
    match test:
        case ast.Compare():
            yield test
        case ast.UnaryOp(ast.Not(), operand):
            yield from _deciding(operand)
        case ast.BoolOp(values=operands):
            for operand in operands:
                yield from _deciding(operand)
        case ast.IfExp(condition, chosen, other):
            for operand in (condition, chosen, other):
                yield from _deciding(operand)


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {ast.Assert: _lower_assert}
