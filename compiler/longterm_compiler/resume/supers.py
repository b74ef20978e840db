"""Give `super()` its arguments in a resume body, whose first parameter is not the method's.

return super().approve() + x        return super(__class__, self).approve() + x
"""

from __future__ import annotations

import ast

from longterm_compiler.analysis.scope import own_nodes
from longterm_compiler.syntax.build import at, call, changed, load

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def with_explicit_super(body: list[ast.stmt], first: str) -> list[ast.stmt]:
    """Return a body in which `super()` names the class and the method's first parameter."""
    if not any(_is_bare_super(statement) for statement in own_nodes(body)):
        return body
    return [_explicit(statement, first) for statement in body]


def _is_bare_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not node.args
        and not node.keywords
    )


def _explicit(node: ast.stmt, first: str) -> ast.stmt:
    rebuilt = _rebuilt(node, first)
    assert isinstance(rebuilt, ast.stmt)
    return rebuilt


def _rebuilt(node: ast.AST, first: str) -> ast.AST:
    """Return a node with every `super()` in it replaced; what holds none is the node itself."""
    if isinstance(node, _SCOPES):
        return node
    if _is_bare_super(node):
        return at(node, call(load("super"), load("__class__"), load(first)))
    fields: dict[str, object] = {}
    is_same = True
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            new: object = [_rebuilt(v, first) if isinstance(v, ast.AST) else v for v in value]
            is_same = is_same and all(a is b for a, b in zip(new, value, strict=True))  # type: ignore[call-overload]
        else:
            new = _rebuilt(value, first) if isinstance(value, ast.AST) else value
            is_same = is_same and new is value
        fields[name] = new
    if is_same:
        return node
    return changed(node, **fields)
