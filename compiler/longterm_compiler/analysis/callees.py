"""Whether the calls in a function suspend: the expression that is called in, a verdict out.

A name is followed to where the function or its module binds it. Nothing is executed.

    from shop import approve, price     # the resolver says what they are

    @deflow
    def order(item, notify):
        approve(item)                   # SUSPENDS: `approve` is a flow
        price(item)                     # NEVER: `price` is a plain function
        notify(item)                    # MAY: a parameter can be anything
        tables[item](item)              # MAY: what a table holds is there to be called
        item.tags[0].lookup()           # UNKNOWN: no name leads there

Of what no name leads to, the text may still show that it is likely a flow (`is_likely`): by the
name of the method, or by what is in the table.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from longterm._abi.verdict import Verdict, strongest
from longterm_compiler.analysis.bindings import Binding, Def, Import, dotted
from longterm_compiler.analysis.names import ModuleNames, assigned
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.syntax.source import Definition, FunctionNode

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DISPLAYS = (ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple)
_LITERALS = (*_DISPLAYS, *_COMPREHENSIONS)


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
            return self._without_name(callee)
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

    def _without_name(self, callee: ast.expr) -> Verdict:
        """Return the verdict of what has no dotted path; `", ".join`, of a literal, is no flow."""
        match callee:
            case ast.Attribute(value=value) if isinstance(value, _DISPLAYS):
                return Verdict.NEVER
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                return Verdict.MAY
            case ast.Attribute() | ast.Lambda():
                return Verdict.UNKNOWN
            case ast.Call() if self.names.makes_step(callee):
                return Verdict.STEP
            case ast.Subscript(value=value) if self._is_plain(value) or self._is_literal(value):
                return Verdict.UNKNOWN
        return Verdict.MAY

    def _is_plain(self, value: ast.expr) -> bool:
        """Tell whether what a subscript is of is a class, as in `list[int]`."""
        return dotted(value) is not None and self.verdict(value) is Verdict.NEVER

    def is_likely(self, callee: ast.expr) -> bool:
        """Tell whether the text shows that a callee is likely a flow, though no name says so.

        client.ask("n")             # if a class that the file defines or imports has a
                                    # flow `ask`, whatever `client` is
        HANDLERS[kind]("n")         # if the text says `HANDLERS = {"ask": ask, …}`
        """
        match callee:
            case ast.Attribute(value=value, attr=method):
                return not self._is_literal(value) and self.names.has_flow_method(method)
            case ast.Subscript(value=value):
                tables = self._assigned(value.id) if isinstance(value, ast.Name) else [value]
                return any(self._holds_flow(table) for table in tables)
        return False

    def generates(self, value: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Tell whether the text shows that a value is a generator that may suspend inside itself.

        answers(questions)          # a call of such a generator flow
        self.answers(questions)     # or of a method that has the name of one in a class at hand
        given                       # a variable of the function, if `given = answers(questions)`
        """
        match value:
            case ast.Call(func=callee):
                verdict = self.verdict(callee)
                if verdict is not Verdict.UNKNOWN or not isinstance(callee, ast.Attribute):
                    return verdict is Verdict.GENERATES
                is_method = self.names.has_generator_method(callee.attr)
                return is_method and not self.is_likely(callee)
            case ast.NamedExpr(value=inner):
                return self.generates(inner, seen)
            case ast.Name(id=name) if name not in seen and name in self.scope.local:
                return any(self.generates(each, seen | {name}) for each in self._bound_to(name))
        return False

    def _bound_to(self, name: str) -> Iterator[ast.expr]:
        """Yield the values that a variable of the function is given, as far as the text shows."""
        for node in self.scope.nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    pairs = [pair for target in targets for pair in assigned(target, value)]
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    pairs = [(target, value)]
                case ast.NamedExpr(target=target, value=value):
                    pairs = [(target, value)]
                case _:
                    continue
            yield from (v for t, v in pairs if isinstance(t, ast.Name) and t.id == name)

    def _is_literal(self, value: ast.expr) -> bool:
        """Tell whether a value is a list, a text or the like, or a variable of nothing else."""
        if not isinstance(value, ast.Name):
            return isinstance(value, _LITERALS)
        scope, name = self.scope, value.id
        if name not in scope.local.difference(scope.captured, scope.parameters):
            return False
        values = self._assigned(name)
        is_all = len(values) == len(scope.bindings.get(name, ())) > 0
        return is_all and all(isinstance(assigned, _LITERALS) for assigned in values)

    def _holds_flow(self, table: ast.expr) -> bool:
        match table:
            case ast.Dict(values=entries) | ast.List(elts=entries) | ast.Tuple(elts=entries):
                return any(self.verdict(entry).is_sure for entry in entries)
        return False

    def _assigned(self, name: str) -> list[ast.expr]:
        """Return what simple assignments assign to a name of the function or the module."""
        if self._scope_that_binds(name) is not self.scope:
            return self.names.assigned(name)
        assignments = [node for node in self.scope.nodes if isinstance(node, ast.Assign)]
        return [
            node.value
            for node in assignments
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == name
        ]

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
