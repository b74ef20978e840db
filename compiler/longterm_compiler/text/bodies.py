"""Write the function of a written module that holds the resume bodies of its flows.

Each body stands in a skeleton of the scopes around its flow, so that Python compiles it as it would
where the author wrote the flow: with the same free names, private names and qualified name. Nothing
calls the function; what is in it is code only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from longterm_compiler.text.author import INDENT


@dataclass(frozen=True, slots=True)
class Scope:
    """A class or a function around a flow."""

    name: str
    is_class: bool
    binds: tuple[str, ...] = ()
    """The names that it binds for the flow."""
    global_name: str | None = None
    """What is defined in it and has a global name all the same, so that it is called so."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """The resume bodies of one flow, and the scopes around them, the outermost first."""

    scopes: tuple[Scope, ...]
    functions: tuple[cst.FunctionDef, ...]


def bodies_text(name: str, purpose: str, flows: Sequence[Bodies]) -> str:
    """Return the text of a function with the bodies of several flows, and its docstring."""
    docstring = cst.SimpleStatementLine([cst.Expr(cst.SimpleString(f'"""{purpose}"""'))])
    inside: list[cst.BaseStatement] = [docstring]
    for flow in flows:
        inside += _in_scopes(flow)
    function = cst.FunctionDef(cst.Name(name), cst.Parameters(), cst.IndentedBlock(inside))
    return cst.Module([function], default_indent=INDENT).code


def _in_scopes(flow: Bodies) -> list[cst.BaseStatement]:
    inside: list[cst.BaseStatement] = list(flow.functions)
    for scope in reversed(flow.scopes):
        if scope.global_name is None:
            # No blank line at the start of a block.
            inside[0] = inside[0].with_changes(leading_lines=_without_blank(inside[0]))
        else:
            names = cst.Global([cst.NameItem(cst.Name(scope.global_name))])
            inside.insert(0, cst.SimpleStatementLine([names]))
        name, block = cst.Name(scope.name), cst.IndentedBlock(inside)
        params = cst.Parameters([cst.Param(cst.Name(name)) for name in scope.binds])
        made = cst.ClassDef(name, block) if scope.is_class else cst.FunctionDef(name, params, block)
        inside = [made.with_changes(leading_lines=[cst.EmptyLine(indent=False)])]
    return inside


def _without_blank(node: cst.BaseStatement) -> list[cst.EmptyLine]:
    lines: Sequence[cst.EmptyLine] = getattr(node, "leading_lines")  # noqa: B009
    return [line for line in lines if line.comment is not None]
