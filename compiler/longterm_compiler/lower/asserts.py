"""Lower `assert`: under `python -O` nothing of it runs, its suspends included.

    assert ask("sure?"), "no"           if __debug__:
                                            _lt_value1 = ask("sure?")
                                            if not _lt_value1:
                                                raise __longterm__.AssertionError("no")

CPython drops the `if` when it compiles, as it would the `assert`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from opcode import opmap

from longterm_compiler.lower.booleans import lower_test
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import at, call, load, runtime

_RAISE = opmap["RAISE_VARARGS"]


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
    """Return where Python says that an assertion has failed.

    Python 3.12.0 names the whole statement (gh-98398), Python 3.13 the test (gh-105724). Python
    3.11.0 names the last comparison that it compiled as a jump. That was a fault (gh-116034), and
    it was mended in later patches of 3.11 and 3.12; so the running Python itself is asked.
    """
    match _line_of_failure():
        case _Line.TEST:
            return node.test
        case _Line.STATEMENT:
            return node
        case _Line.COMPARISON:
            *_, place = node, *_deciding(node.test)
            return place


class _Line(IntEnum):
    """The lines of an assertion, by what begins there."""

    STATEMENT = 1
    TEST = 2
    COMPARISON = 3


_SAMPLE = """\
assert (
    a and
    b < 1 or
    c
)
"""


@cache
def _line_of_failure() -> _Line:
    """Return the line at which this Python says that the assertion of the sample has failed."""
    code = compile(_SAMPLE, "<sample>", "exec", optimize=0, dont_inherit=True)
    instructions = zip(code.co_code[::2], code.co_positions(), strict=True)
    line = next(place[0] for operation, place in instructions if operation == _RAISE)
    assert line is not None, "an instruction that the author wrote has a line"
    return _Line(line)


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
