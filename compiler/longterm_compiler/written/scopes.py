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
    functions = [each for each in around if isinstance(each, FunctionNode)]
    binds = tuple(flow.local_name(each) for each in flow.shared if each != "__class__")
    scopes = [
        Scope(
            each.name,
            isinstance(each, ast.ClassDef),
            binds if functions and each is functions[-1] else (),
        )
        for each in around
    ]
    outermost = [*around, flow.definition.node][0].name
    return [Scope(_SCOPE, False, () if functions else binds, outermost), *scopes]


def in_scopes(flow: CompiledFlow, inside: list[FunctionNode]) -> list[ast.stmt]:
    """Put functions into the scopes around a flow, as trees."""
    body: list[ast.stmt] = [*inside]
    for each in reversed(scopes_of(flow)):
        if each.global_name is not None:
            body.insert(0, ast.Global([each.global_name]))
        head = (
            f"class {each.name}" if each.is_class else f"def {each.name}({', '.join(each.binds)})"
        )
        body = [changed(ast.parse(f"{head}: pass").body[0], body=body)]
    return body
