"""Read `(x): int = 1`, an annotated target in parentheses, which libcst's grammar does not have.

The parentheses are taken out of the text for libcst, and put around the target in its tree: without
them Python would take the name for a declared one. Text in, a libcst tree out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

import libcst as cst

from longterm_compiler.text.edits import parenthesized


def parse_with_bare_targets(text: str, parse: Callable[[str], cst.Module]) -> cst.Module:
    """Parse a text, its annotated targets in parentheses among it."""
    lines = [line.encode() for line in text.split("\n")]
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AnnAssign)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    # From the end, so that the columns before stay as they are.
    enclosed = [_take_out(node, lines) for node in reversed(nodes)]
    module = parse(b"\n".join(lines).decode())
    return module.visit(_PutBack(enclosed[::-1]))


def _take_out(node: ast.AnnAssign, lines: list[bytes]) -> bool:
    """Take the parentheses of a target out of its line; tell whether it had any."""
    target = node.target
    line = lines[node.lineno - 1]
    if not line[node.col_offset :].startswith(b"(") or node.lineno != target.end_lineno:
        return False
    assert target.end_col_offset is not None
    colon = line.index(b":", target.end_col_offset)
    bare = line[target.col_offset : target.end_col_offset]
    lines[node.lineno - 1] = line[: node.col_offset] + bare + line[colon:]
    return True


class _PutBack(cst.CSTTransformer):
    def __init__(self, enclosed: list[bool]) -> None:
        super().__init__()
        self._enclosed = iter(enclosed)

    def leave_AnnAssign(
        self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign
    ) -> cst.AnnAssign:
        if not next(self._enclosed):
            return updated_node
        return updated_node.with_changes(target=parenthesized(updated_node.target))
