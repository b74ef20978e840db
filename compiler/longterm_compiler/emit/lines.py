"""The lines of the author's file that a piece of a flow stands on.

A resume body is made of the author's own nodes, which have their places. So its lines are what is
left to do, in the author's words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from longterm_compiler.syntax.tree import walk

_WORD_ALONE = re.compile(r"\s*(else|finally|try)\s*:")
"""What begins a block, and is no node that has a place."""


def lines_of(statements: Iterable[ast.AST], text: list[str]) -> list[int]:
    """Return the numbers of the lines on which some statements stand, in order.

    Args:
        statements: statements of one function, as they were planned.
        text: the lines of the file.
    """
    found: set[int] = set()
    for node in (part for statement in statements for part in walk(statement)):
        first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", None) or 0
        if first > 0:  # what the compiler adds may stand on no line
            has_blocks = hasattr(node, "body") and not isinstance(node, ast.Lambda | ast.IfExp)
            found.update([first] if has_blocks else range(first, last + 1))
    for number in range(max(found, default=0), 0, -1):
        if _WORD_ALONE.match(text[number - 1]) and _next_line(number, text) in found:
            found.add(number)
    return sorted(found)


def _next_line(number: int, text: list[str]) -> int:
    """Return the number of the next line that is neither empty nor a comment alone."""
    number += 1
    while number <= len(text) and (not (line := text[number - 1].strip()) or line[0] == "#"):
        number += 1
    return number
