"""Take `global`, `nonlocal` and annotations out of a body; a resume body declares at its top.

A declaration holds for a whole function, and must come before the names are used. An annotated name
can be neither of these.
"""

from __future__ import annotations

import ast

from longterm_compiler.build import at, changed, header
from longterm_compiler.scope import own_nodes

_DECLARATIONS = (ast.Global, ast.Nonlocal, ast.AnnAssign)
_BLOCKS = ("body", "orelse", "finalbody")


def undeclared(block: list[ast.stmt]) -> list[ast.stmt]:
    """Return a block without declarations."""
    left = [_without_declarations(each) for each in block if not _only_declares(each)]
    return left or [at(header(each), ast.Pass()) for each in block[:1]]


def _only_declares(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign):
        return node.value is None and isinstance(node.target, ast.Name)
    return isinstance(node, ast.Global | ast.Nonlocal)


def _without_declarations(node: ast.stmt) -> ast.stmt:
    if not any(isinstance(each, _DECLARATIONS) for each in own_nodes([node])):
        return node
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.copy_location(ast.Assign([node.target], node.value), node)
    fields: dict[str, object] = {
        name: undeclared(value) if name in _BLOCKS else value
        for name, value in ast.iter_fields(node)
    }
    if isinstance(node, ast.Try | ast.TryStar):
        fields["handlers"] = [changed(h, body=undeclared(h.body)) for h in node.handlers]
    elif isinstance(node, ast.Match):
        fields["cases"] = [changed(each, body=undeclared(each.body)) for each in node.cases]
    return changed(node, **fields)
