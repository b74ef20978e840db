"""Take `global`, `nonlocal` and annotations out of a body; a resume body declares at its top.

A declaration holds for a whole function, and must come before the names are used. An annotated name
can be neither of these.
"""

from __future__ import annotations

import ast
from operator import is_

from longterm_compiler.syntax.build import at, changed, header
from longterm_compiler.syntax.tree import block_fields

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def without_declarations(block: list[ast.stmt]) -> list[ast.stmt]:
    """Return a block without declarations; one that has none is the block itself."""
    left = [
        _without_those_inside(statement) for statement in block if not _only_declares(statement)
    ]
    if len(left) == len(block) and all(map(is_, left, block)):
        return block
    return left or [at(header(block[0]), ast.Pass())]


def _only_declares(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign):
        return node.value is None and isinstance(node.target, ast.Name)
    return isinstance(node, ast.Global | ast.Nonlocal)


def _without_those_inside(node: ast.stmt) -> ast.stmt:
    if isinstance(node, _SCOPES):
        return node
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.copy_location(ast.Assign([node.target], node.value), node)
    blocks = {name: getattr(node, name) for name in block_fields(node)}
    left = {name: without_declarations(block) for name, block in blocks.items()}
    return node if all(left[name] is blocks[name] for name in blocks) else changed(node, **left)
