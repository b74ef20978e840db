"""Whether the calls in a function suspend: the expression that is called in, a verdict out.

A name is followed to where the function or its module binds it. Nothing is executed.

    from shop import approve, price     # the resolver says what they are

    @deflow
    def order(item, notify):
        approve(item)                   # SUSPENDS: `approve` is a flow
        price(item)                     # NEVER: `price` is a plain function
        notify(item)                    # MAY: a parameter can be anything
        item.tags[0].lookup()           # UNKNOWN: no name leads there
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from longterm._abi.verdict import Verdict, strongest
from longterm_compiler.analysis.bindings import Binding, Def, Import, dotted
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.syntax.source import Definition, FunctionNode

_LITERALS = (ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple)


@dataclass(frozen=True, slots=True, eq=False)
class Callees:
    """Resolves the calls in one function."""

    names: ModuleNames
    definition: Definition
    scope: Scope

    def verdict(self, callee: ast.expr) -> Verdict:
        """Return whether a call may suspend, by the expression that is called."""
        path = dotted(callee)
        if path is None:
            is_step = isinstance(callee, ast.Call) and self.names.makes_step(callee)
            return Verdict.STEP if is_step else _without_name(callee)
        scope = self._scope_that_binds(path[0])
        if scope is None:
            return self.names.verdict(path)
        if scope is self.scope and len(path) == 2 and self._is_self(path[0]):
            owner = self.definition.enclosing[-1]
            assert isinstance(owner, ast.ClassDef)
            return self.names.of_self(owner, path[1])
        return Verdict.UNKNOWN if path[1:] else self._of_local(self.names.bound_in(scope, path))

    def _of_local(self, bindings: list[Binding]) -> Verdict:
        """Return the verdict of a name of a function: only functions inside it are sure."""
        verdicts: list[Verdict] = []
        for binding in bindings:
            if not (isinstance(binding, Def) and isinstance(binding.node, FunctionNode)):
                return Verdict.MAY
            verdicts.append(self.names.of_function(binding.node))
        return strongest(verdicts) if verdicts else Verdict.MAY

    def origin(self, callee: ast.expr) -> str | None:
        """Return where a dotted path of the function comes from, as `sys._getframe`.

        Imports of the function and of its module are followed; what is bound to anything else has
        none.
        """
        path = dotted(callee)
        if path is None:
            return None
        scope = self._scope_that_binds(path[0])
        if scope is None:
            return self.names.origin(path)
        match self.names.bound_in(scope, path):
            case [Import(origin=origin)] if path[0] not in scope.parameters:
                return origin
        return None

    def builtin(self, callee: ast.expr) -> str | None:
        """Return which builtin is surely called; None if none is, or another may have its name."""
        path = dotted(callee)
        if path is None or self._scope_that_binds(path[0]) is not None:
            return None
        return self.names.builtin(path)

    def _is_self(self, name: str) -> bool:
        return self.definition.is_method and self.scope.parameters[:1] == (name,)

    def _scope_that_binds(self, name: str) -> Scope | None:
        """Return the scope of the function that a name belongs to; None: it is the module's."""
        if name in self.scope.declared_global:
            return None
        if name in self.scope.local or name in self.scope.declared_nonlocal:
            return self.scope
        for around in reversed(self.definition.enclosing):
            if not isinstance(around, ast.ClassDef):
                scope = self.names.scope_of(around)
                if name in scope.bindings or name in scope.parameters:
                    return scope
        return None


def _without_name(callee: ast.expr) -> Verdict:
    """Return the verdict of what has no dotted path; `", ".join`, of a literal, is no flow."""
    match callee:
        case ast.Attribute(value=value) if isinstance(value, _LITERALS):
            return Verdict.NEVER
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
            return Verdict.MAY
    return Verdict.UNKNOWN
