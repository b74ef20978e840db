"""Prove that a text means what was planned: the text in, its tree with the plan's places out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeVar

from longterm_compiler.analysis.limits import TOO_MUCH_INDENTATION
from longterm_compiler.diagnostics import InternalError

N = TypeVar("N", bound=ast.stmt)


def as_planned(plan: N, text: str) -> N:
    """Parse the text of a statement and give its tree the places of the plan.

    Raises:
        InternalError: the text means something else.
        IndentationError: it has too many levels of indentation for CPython.
    """
    try:
        (tree,) = ast.parse(text).body
    except IndentationError as error:
        if error.msg == TOO_MUCH_INDENTATION:
            raise  # whoever asked tells where
        raise InternalError(f"{error}, in\n{text}") from error
    except (SyntaxError, ValueError) as error:
        raise InternalError(f"{error}, in\n{text}") from error
    for wanted, found in matched(plan, tree, text):
        for name in wanted._attributes:
            setattr(found, name, getattr(wanted, name))
    assert isinstance(tree, type(plan))
    return tree


def matched(plan: object, tree: object, text: str) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the nodes of a plan, each with the one that was read of its text.

    Raises:
        InternalError: the text means something else.
    """
    pending = [(plan, tree)]
    while pending:
        wanted, found = pending.pop()
        if type(wanted) is not type(found):
            raise _differs(wanted, found, text)
        if isinstance(wanted, ast.AST) and isinstance(found, ast.AST):
            yield wanted, found
            pending += [(getattr(wanted, f, None), getattr(found, f, None)) for f in wanted._fields]
        elif isinstance(wanted, list) and isinstance(found, list):
            if len(wanted) != len(found):
                raise _differs(wanted, found, text)
            pending += zip(wanted, found, strict=True)
        elif wanted is not found and repr(wanted) != repr(found):
            raise _differs(wanted, found, text)


def _differs(wanted: object, found: object, text: str) -> InternalError:
    return InternalError(f"{_shown(found)} instead of {_shown(wanted)}, in\n{text}")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)
