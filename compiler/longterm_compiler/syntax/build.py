"""Small constructors for the pieces of tree that the passes add.

Each takes the author's node it stands for, whose place in the file the new piece takes, so that
every traceback, breakpoint and line event of generated code shows the author's text.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from longterm._abi import RUNTIME
from longterm_compiler.syntax.tree import children

N = TypeVar("N", bound=ast.AST)
PointExpression: TypeAlias = ast.Call | ast.Yield | ast.YieldFrom
"""What a flow waits at: a call; in a generator, a `yield`."""


def at(place: ast.AST, node: N) -> N:
    """Give a new node, and whatever in it has no place yet, the place of an author's node."""
    pending: list[ast.AST] = [node]
    while pending:
        part = pending.pop()
        if "lineno" in part._attributes:
            if hasattr(part, "lineno"):
                continue  # an author's node, and all that is in it
            ast.copy_location(part, place)
            if isinstance(part, ast.Attribute):
                # Python shows the call of an attribute at the line where the attribute ends.
                ast.copy_location(part, header(part))
        pending += children(part)
    return node


def changed(node: N, **fields: object) -> N:
    """Return a node like another, at its place, with some fields changed."""
    make: Callable[..., N] = type(node)
    new = make(**{**dict(ast.iter_fields(node)), **fields})
    return ast.copy_location(new, node) if "lineno" in node._attributes else new


def header(place: ast.stmt | ast.expr | ast.ExceptHandler) -> ast.AST:
    """Return a zero-width place at a node's start: for a statement, where its block is entered."""
    return ast.Pass(
        lineno=place.lineno,
        col_offset=place.col_offset,
        end_lineno=place.lineno,
        end_col_offset=place.col_offset,
    )


def asked_at(loop: ast.For | ast.AsyncFor) -> tuple[int, int]:
    """Return where the instruction begins in the source by which a loop asks for the next value.

    That is where the statement begins; of a `for`, from Python 3.13 on, the expression behind `in`.
    """
    is_behind = isinstance(loop, ast.For) and sys.version_info >= (3, 13)
    place: ast.stmt | ast.expr = loop.iter if is_behind else loop
    return place.lineno, place.col_offset


NOWHERE: Final = ast.Pass(lineno=-1, col_offset=-1, end_lineno=-1, end_col_offset=-1)
"""The place of pure bookkeeping, which cannot fail: it makes no line events."""


def load(name: str) -> ast.Name:
    """Read a name."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """Bind a name."""
    return ast.Name(name, ast.Store())


def runtime(name: str) -> ast.Attribute:
    """Read one of the runtime's names that generated code may use."""
    return ast.Attribute(load(RUNTIME), name, ast.Load())


def is_runtime(node: ast.AST, name: str) -> bool:
    """Tell whether a node reads that name of the runtime's."""
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=attr):
            return (module, attr) == (RUNTIME, name)
    return False


def call(function: ast.expr, *args: ast.expr) -> ast.Call:
    """Call a function with positional arguments."""
    return ast.Call(function, list(args), [])


def assign(name: str, value: ast.expr) -> ast.Assign:
    """Bind a name to a value."""
    return ast.Assign([store(name)], value)


def as_first_raised(error: str) -> ast.stmt:
    """Take out of an exception's traceback that the frame at hand has raised it again."""
    return at(NOWHERE, ast.Expr(call(runtime("as_first_raised"), load(error))))
