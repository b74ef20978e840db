"""The statement under way at a point, and the blocks around it, as a digest.

Where a flow waits in a statement, Python is in the midst of it, and of each block around it: it has
computed the operands on the left, and holds the iterator of the loop, the exit of the `with`, and
the exception of the handler. A run can only go on at a place that has all of these, too:

    for item in cart:                   a `for` of `item` in `cart`, in its body
        with lock(item) as key:         a `with` of `lock(item) as key`
            price = ask(item) + tax     the statement, as a whole

What stands before and after the statement in each block does not count; the author says that it may
be otherwise. Of an `if` or a `match` around, what led to the branch counts, and the branch. A
`finally` that is under way leaves its `try` as that was left: so all of the `try` counts there.

The compiler's temporaries that are live there are named by the statement that they were made for,
and in an order by which the runtime finds which of the old ones each of the new ones is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from itertools import pairwise

from longterm._abi.temporaries import split, temporaries_in
from longterm_compiler.emit.version import describe, digest_of
from longterm_compiler.lower import ResumePoint
from longterm_compiler.syntax.temporaries import Made


def under_way_digest(
    point: ResumePoint,
    made: Mapping[str, Made],
    slots: Iterable[str],
    cells: Iterable[str],
    around: Iterable[str],
) -> str:
    """Return the digest of what is under way at a point, 16 hexadecimal digits.

    It is empty if some temporary is of no statement under way, so that nothing can match it.

    Args:
        point: the point.
        made: what each temporary of the flow was made for.
        slots: the live names.
        cells: the captured names that the rest uses.
        around: what else says what the statements mean: the kind of function, the class around.
    """
    said = ["around", *around, "cells", *cells]
    for outer, inner in pairwise(point.within):
        block = _block(outer, inner)
        if block is None:
            return ""
        name, held = block
        said += [type(outer).__name__, name, *describe(held, _unchanged)]
    innermost = point.within[-1]
    said += [type(innermost).__name__, "here", *describe(_before_blocks(innermost), _unchanged)]
    said.append("temporaries")
    for temporary in temporaries_in(slots):
        tag = _tag(temporary, made, point.within)
        if tag is None:
            return ""
        said.append(tag)
    return digest_of(said)


def _block(outer: ast.stmt, inner: ast.stmt) -> tuple[str, list[object]] | None:
    """Return which block a statement stands in, and what Python has done of the outer one there.

    None: it is in a copy of a block.
    """
    for handler in getattr(outer, "handlers", []):
        if _is_in(inner, handler.body):
            return "handler", [handler.type, handler.name]
    for case in getattr(outer, "cases", []):
        if _is_in(inner, case.body):
            return "case", [getattr(outer, "subject", None), case.pattern, case.guard]
    if isinstance(outer, ast.Try | ast.TryStar):
        if _is_in(inner, outer.finalbody):
            return "finally", [*outer.body, *outer.handlers, *outer.orelse]
        held: list[object] = []
    else:
        held = _before_blocks(outer)
    for name in ("body", "orelse"):
        if _is_in(inner, getattr(outer, name, [])):
            return name, held
    return None


def _is_in(statement: ast.stmt, block: list[ast.stmt]) -> bool:
    return any(part is statement for part in block)


def _before_blocks(statement: ast.stmt) -> list[object]:
    """Return what a statement does before its blocks; all of it, if it has none."""
    match statement:
        case ast.For() | ast.AsyncFor():
            return [statement.target, statement.iter]
        case ast.While() | ast.If():
            return [statement.test]
        case ast.With() | ast.AsyncWith():
            return [*statement.items]
        case ast.Match():
            # Patterns and guards are tried one after another, and a guard may be what waits.
            tried = [[case.pattern, case.guard] for case in statement.cases]
            return [statement.subject, *tried]
        case ast.Try() | ast.TryStar():
            return [handler.type for handler in statement.handlers]
    return [statement]


def _tag(name: str, made: Mapping[str, Made], within: tuple[ast.stmt, ...]) -> str | None:
    """Return what tells a temporary from all others of the statements under way; None: of none."""
    what = made.get(name)
    if what is None or split(name)[0] != what.holds:
        return None  # or the name says otherwise, as `_lt_x11` of the author's `x1`
    level = next((n for n, statement in enumerate(within) if statement is what.within), None)
    if level is None:
        return None
    alike = [known for known, of in made.items() if of == what]
    return f"{level} {what.holds} {alike.index(name)}"


def _unchanged(node: ast.AST, label: str, value: object) -> object:
    return value
