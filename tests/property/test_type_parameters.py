"""Type parameters, which need Python 3.12: what they name is found after a suspend, or refused."""

from __future__ import annotations

import sys

import pytest

from longterm import CannotStore, Engine
from tests.property.oracle import Program, check, file_of, module_of

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")

_PRELUDE = "from longterm import deflow, suspend\n\n\n"


def test_bounds_of_what_is_defined_after_a_suspend_are_found() -> None:
    text = """
@deflow
def main():
    kind = int
    suspend("a")

    def inner[T: kind](x: T):
        return x

    class Held[T: kind]:
        pass

    bounds = [each.__type_params__[0].__bound__.__name__ for each in (inner, Held)]
    del Held
    return [bounds, inner(suspend("b"))]
"""
    assert not check(Program(_PRELUDE + text, events=(1, 2))).halted


def test_a_type_parameter_hides_a_variable_around() -> None:
    text = """
@deflow
def main():
    T = 1

    @deflow
    def inner[T](x: T):
        return [x, suspend("a")]

    return [inner(2), T]
"""
    assert not check(Program(_PRELUDE + text, events=(1,))).halted


@pytest.mark.parametrize("where", ["main[T](x: T)", "main[*T](x)"])
def test_a_type_parameter_that_is_needed_after_a_suspend_is_refused(where: str) -> None:
    text = f"""
@deflow
def {where}:
    suspend("a")
    return T
"""
    program = Program(_PRELUDE + text)
    refused = pytest.raises(CannotStore, match="cannot store variable 'T'")
    with file_of(program), module_of(program) as module, refused:
        Engine("memory://").start_flow(module.main, 1)
