"""The scopes around the resume bodies of a written module.

The bodies stand at the end of the module. In the same scopes as their flow they mean what they
would at its place: the same names are free, private names and qualified names are the same.
"""

from __future__ import annotations

import ast

from longterm._abi import RESERVED_PREFIX
from longterm_compiler.pipeline import CompiledFlow
from longterm_compiler.syntax.build import changed
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.text import Scope

_SCOPE = f"{RESERVED_PREFIX}scope"


def scopes_of(flow: CompiledFlow) -> list[Scope]:
    """Return the scopes around the resume bodies of a flow, the outermost first.

    That is a function in which the next name is declared global: so it shadows nothing for the
    bodies, and their qualified names begin with it. Then come the scopes that the author wrote.
    """
    around = flow.definition.enclosing
    functions = [scope for scope in around if isinstance(scope, FunctionNode)]
    binds = tuple(flow.local_name(name) for name in flow.shared if name != "__class__")
    scopes = [
        Scope(
            scope.name,
            isinstance(scope, ast.ClassDef),
            binds if functions and scope is functions[-1] else (),
        )
        for scope in around
    ]
    outermost = [*around, flow.definition.node][0].name
    return [Scope(_SCOPE, False, () if functions else binds, outermost), *scopes]


def in_scopes(flow: CompiledFlow, inside: list[FunctionNode]) -> list[ast.stmt]:
    """Put functions into the scopes around a flow, as trees."""
    body: list[ast.stmt] = [*inside]
    for scope in reversed(scopes_of(flow)):
        if scope.global_name is not None:
            body.insert(0, ast.Global([scope.global_name]))
        head = (
            f"class {scope.name}"
            if scope.is_class
            else f"def {scope.name}({', '.join(scope.binds)})"
        )
        body = [changed(ast.parse(f"{head}: pass").body[0], body=body)]
    return body
