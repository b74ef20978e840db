"""Lowering: the author's function in, a function whose every suspending call is a statement out.

The result is the *fresh body*: it runs at native speed, since it holds nothing but the author's
code, a few temporaries, and what keeps `finally` and `with` still while a suspension passes.
One file a construct; `context` has what they share.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from longterm_compiler.analysis.points import Suspensions
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.lower import (
    asserts,
    assignments,
    awaits,
    booleans,
    calls,
    comparisons,
    comprehensions,
    definitions,
    displays,
    fstrings,
    loops,
    matches,
    operands,
    statements,
    tries,
    withs,
)
from longterm_compiler.lower.context import FinallyEntry, Lowering, Out, ResumePoint
from longterm_compiler.lower.renames import rename_hiding_variables
from longterm_compiler.syntax.temporaries import Made

__all__ = ["Lowered", "ResumePoint", "lower"]

_STATEMENTS = {
    **assignments.STATEMENTS,
    **asserts.STATEMENTS,
    **definitions.STATEMENTS,
    **loops.STATEMENTS,
    **matches.STATEMENTS,
    **statements.STATEMENTS,
    **tries.STATEMENTS,
    **withs.STATEMENTS,
}
_EXPRESSIONS = {
    **assignments.EXPRESSIONS,
    **awaits.EXPRESSIONS,
    **booleans.EXPRESSIONS,
    **calls.EXPRESSIONS,
    **comparisons.EXPRESSIONS,
    **comprehensions.EXPRESSIONS,
    **definitions.EXPRESSIONS,
    **displays.EXPRESSIONS,
    **fstrings.EXPRESSIONS,
    **operands.EXPRESSIONS,
}


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A lowered body, and what a resume needs to know of it."""

    body: list[ast.stmt]
    points: tuple[ResumePoint, ...]
    preludes: dict[ast.stmt, Out]
    """The flags to set again before a statement is entered anew."""
    caught: dict[ast.ExceptHandler, str]
    """The temporary that keeps the exception of a handler with a point inside."""
    finally_entries: dict[ast.Try, FinallyEntry]
    """How to enter the `finally` of each `try` that has a point inside it."""
    made: dict[str, Made]
    """What each temporary was made for."""


def lower(
    body: list[ast.stmt],
    suspensions: Suspensions,
    scope: Scope,
    around: frozenset[str] = frozenset(),
    *,
    returns_values: bool = True,
) -> Lowered:
    """Lower the body of a flow; `around` are the names of the functions around it."""
    low = Lowering(
        suspensions, scope, _STATEMENTS, _EXPRESSIONS, around, returns_values=returns_values
    )
    lowered = low.block(rename_hiding_variables(low, body))
    points, made = tuple(low.points), low.names.made
    return Lowered(lowered, points, low.preludes, low.caught, low.finally_entries, made)
