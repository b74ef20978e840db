"""Which names surely have a value when a flow waits at a point: those that were bound on the way.

What is not sure counts as unbound: what a loop, a `try` or a condition binds somewhere, and every
name that the flow unbinds anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from longterm_compiler.analysis.scope import Scope, bound_by, own_nodes
from longterm_compiler.lower import Lowered, ResumePoint
from longterm_compiler.syntax.tree import block_fields

_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Import, ast.ImportFrom)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def surely_bound(lowered: Lowered, point: ResumePoint, scope: Scope) -> set[str]:
    """Return the names that have a value whenever a flow waits at a point."""
    on_the_way = _before(lowered.body, point.statement)
    assert on_the_way is not None
    return (on_the_way | scope.always_bound) - _unbound_somewhere(lowered.body)


def _before(block: list[ast.stmt], target: ast.stmt) -> set[str] | None:
    """Return what a block has bound when it comes to a statement; None if that is not in it."""
    bound: set[str] = set()
    for statement in block:
        if statement is target:
            return bound
        inside = _on_entry(statement, target)
        if inside is not None:
            return bound | inside
        bound |= _after(statement)
    return None


def _on_entry(node: ast.stmt | ast.AST, target: ast.stmt) -> set[str] | None:
    """Return what a statement has bound when it comes to one inside it."""
    for name in block_fields(node):
        part: list[ast.AST] = getattr(node, name)
        for inner in part:
            if isinstance(inner, ast.ExceptHandler | ast.match_case):
                found = _on_entry(inner, target)
                if found is not None:
                    return found
        block = [inner for inner in part if isinstance(inner, ast.stmt)]
        found = _before(block, target)
        if found is None:
            continue
        if isinstance(node, ast.For | ast.AsyncFor) and name == "body":
            return found | _names([node.target])
        if isinstance(node, ast.Try | ast.TryStar) and name == "orelse":
            return found | _after_block(node.body)
        return found
    return None


def _after(node: ast.stmt) -> set[str]:
    """Return what a statement that has run to its end has surely bound."""
    match node:
        case ast.If():
            return _after_one_of([node.body, node.orelse])
        case ast.With() | ast.AsyncWith():
            return _names(item.optional_vars for item in node.items if item.optional_vars)
        case ast.Try() | ast.TryStar():
            return _after_block(node.finalbody)
        case ast.Assign():
            return _names(node.targets)
    return set(bound_by(node)) if isinstance(node, (*_SIMPLE, *_DEFINITIONS)) else set()


def _after_one_of(blocks: list[list[ast.stmt]]) -> set[str]:
    ends = [
        _after_block(block) for block in blocks if not (block and isinstance(block[-1], _LEAVES))
    ]
    return set.intersection(*ends) if ends else set()


def _after_block(block: list[ast.stmt]) -> set[str]:
    return {name for statement in block for name in _after(statement)}


def _names(targets: Iterable[ast.expr]) -> set[str]:
    return {name for target in targets for node in ast.walk(target) for name in bound_by(node)}


def _unbound_somewhere(body: list[ast.stmt]) -> set[str]:
    nodes = own_nodes(body)
    deleted = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)
    }
    return deleted | {
        node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name
    }
