"""What every check is given: one flow, as the passes before found it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.points import Suspensions
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.syntax.source import Definition


@dataclass(frozen=True, slots=True, eq=False)
class CheckedFlow:
    """One flow: its tree, its module, and the calls at which it may suspend."""

    definition: Definition
    names: ModuleNames
    scope: Scope
    suspensions: Suspensions

    @property
    def path(self) -> str:
        """The file, as diagnostics show it."""
        return self.names.source.path

    def origin(self, expression: ast.expr) -> str | None:
        """Return where a dotted path in the flow's body comes from: `sys._getframe`."""
        return Callees(self.names, self.definition, self.scope).origin(expression)

    def module_origin(self, expression: ast.expr) -> str | None:
        """Return where a dotted path comes from, read at the top level of the module."""
        path = dotted(expression)
        return None if path is None else self.names.origin(path)
