"""Write the simple statements of a plan, those that hold no block."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import libcst as cst

from longterm_compiler.text.expressions import Expressions


@dataclass(frozen=True, slots=True, eq=False)
class Simple:
    """Writes the simple statements of one flow."""

    expressions: Expressions

    def statement(self, node: ast.stmt) -> cst.BaseSmallStatement:
        """Write a statement."""
        found = self.expressions.author.node_at(node)
        changed = None if found is None else self.expressions.changed(found, node)
        if isinstance(changed, cst.BaseSmallStatement):
            return changed
        alone = self.expressions.alone
        match node:
            case ast.Expr():
                return cst.Expr(alone(node.value))
            case ast.Assign():
                targets = [cst.AssignTarget(self.target(target)) for target in node.targets]
                return cst.Assign(targets, alone(node.value))
            case ast.Return():
                return cst.Return(None if node.value is None else alone(node.value))
            case ast.Raise():
                cause = None if node.cause is None else cst.From(alone(node.cause))
                return cst.Raise(None if node.exc is None else alone(node.exc), cause)
            case ast.Delete(targets=[target]):
                return cst.Del(self.target(target))
            case ast.Global() | ast.Nonlocal():
                make = cst.Global if isinstance(node, ast.Global) else cst.Nonlocal
                return make([cst.NameItem(cst.Name(name)) for name in node.names])
            case ast.Pass() | ast.Break() | ast.Continue():
                return getattr(cst, type(node).__name__)()  # type: ignore[no-any-return]
        raise AssertionError(f"lowering made a {type(node).__name__}")

    def target(self, node: ast.expr) -> Any:  # what libcst lets be assigned to has many types
        """Write a target, or a subject, as people do: a tuple of several has no parentheses."""
        written = self.expressions.alone(node)
        is_several = isinstance(node, ast.Tuple) and len(node.elts) > 1
        if is_several and not self.expressions.author.is_authors(node):
            return written.with_changes(lpar=[], rpar=[])
        return written
