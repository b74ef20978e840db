"""What every check is given: one flow, as the passes before found it."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from longterm_compiler.analysis.callees import ModuleNames, dotted
from longterm_compiler.analysis.points import Suspensions
from longterm_compiler.analysis.scope import Bindings, Scope
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
        """Return where a dotted path in the flow's body comes from: `sys._getframe`.

        Imports of the flow and of its module are followed; anything else bound under the name
        makes the answer None.
        """
        path = dotted(expression)
        if path is None:
            return None
        if path[0] in self.scope.parameters:
            return None
        if path[0] in self.scope.local:
            return _origin(path, self.scope.bindings)
        if path[0] in self.scope.declared_nonlocal or self._is_bound_around(path[0]):
            return None
        return self.module_origin(expression)

    def module_origin(self, expression: ast.expr) -> str | None:
        """Return where a dotted path comes from, read at the top level of the module."""
        path = dotted(expression)
        if path is None:
            return None
        bindings = self.names.bindings
        if path[0] not in bindings:
            return ".".join(("builtins", *path)) if hasattr(builtins, path[0]) else None
        return _origin(path, bindings)

    def _is_bound_around(self, name: str) -> bool:
        functions = [e for e in self.definition.enclosing if not isinstance(e, ast.ClassDef)]
        scopes = [self.names.scope_of(function) for function in functions]
        return any(name in scope.bindings or name in scope.parameters for scope in scopes)


def _origin(path: tuple[str, ...], bindings: Bindings) -> str | None:
    """Return the origin of a path whose first name has a single binding, which is an import."""
    match bindings.get(path[0], []):
        case [ast.Import(names=aliases)]:
            renamed = next((a.name for a in aliases if a.asname == path[0]), None)
            return ".".join([renamed or path[0], *path[1:]])
        case [ast.ImportFrom(module=str(module), names=aliases, level=0)]:
            original = next((a.name for a in aliases if (a.asname or a.name) == path[0]), path[0])
            return ".".join([module, original, *path[1:]])
    return None
