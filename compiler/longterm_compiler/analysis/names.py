"""What the paths of one module stand for, to a flow that is defined in it.

The module is half executed when its flows are compiled, so its text is what counts: what is plain
now may be assigned anew by the time that it is called. What it imports is asked of a `Resolver`: in
a running application that looks at the live modules, on the command line at their source.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from longterm._abi.verdict import Verdict, strongest
from longterm_compiler.analysis.bindings import (
    Alias,
    Binding,
    Def,
    Import,
    Path,
    Value,
    absolute,
    bound_to,
    builtin,
    dotted,
)
from longterm_compiler.analysis.scope import (
    Bindings,
    Scope,
    bindings_of,
    is_generator,
    own_nodes,
    scope_of,
)
from longterm_compiler.syntax.source import Definition, FunctionNode, SourceFile

if TYPE_CHECKING:
    from longterm_compiler.analysis.inside import Inside

Resolver: TypeAlias = Callable[[str, Path], Verdict]
"""Resolves a dotted path in a module: `("shop.orders", ("approve",))` to a verdict."""

_PLAIN = (
    *("respond", "set_index", "now", "current_run", "spawn", "send", "step_key"),
    *("start_flow", "process_event", "get_run"),
)
_FORMS = {
    **dict.fromkeys(_PLAIN, Verdict.NEVER),
    "suspend": Verdict.WAITS,
    "sleep": Verdict.WAITS,
    "checkpoint": Verdict.WAITS,
    "gather": Verdict.WAITS,
    "call": Verdict.SUSPENDS,
    "deflow": Verdict.DEFLOW,
    "frozen": Verdict.DEFLOW,
    "step": Verdict.MAKES_STEPS,
}
_FLOWS = frozenset(
    {Verdict.LIKELY, Verdict.SUSPENDS, Verdict.STEP, Verdict.ASYNC_STEP, Verdict.WAITS}
)
_SPECIAL = frozenset({Verdict.DEFLOW, Verdict.GENERATES, Verdict.MAKES_STEPS})
_FOR_TYPES = "TYPE_CHECKING"


def form(module: str, path: Path) -> Verdict | None:
    """Return what a name of longterm's own stands for; None if it is none that flows use."""
    is_ours = module.partition(".")[0] == "longterm" and len(path) == 1
    return _FORMS.get(path[0]) if is_ours else None


@dataclass(frozen=True, eq=False)
class ModuleNames:
    """What the top level of one file binds, and its functions, as far as its text tells."""

    source: SourceFile
    module: str
    package: str
    resolve: Resolver
    is_part: bool = False
    """Whether the file is but a part of the module, as a cell of a notebook is; what other parts
    bind is asked of the resolver."""
    _resolved: dict[tuple[str, Path], Verdict] = field(default_factory=dict, repr=False)
    _scopes: dict[FunctionNode, Scope] = field(default_factory=dict, repr=False)
    _decorators: dict[ast.expr, Verdict] = field(default_factory=dict, repr=False)

    @cached_property
    def bindings(self) -> Bindings:
        """The nodes that bind each name of the module."""
        return bindings_of(own_nodes(self.source.tree.body))

    @cached_property
    def _values(self) -> dict[ast.AST, ast.expr]:
        """The values of simple assignments at the top level, by the node of the name."""
        found: dict[ast.AST, ast.expr] = {}
        for node in own_nodes(self.source.tree.body):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    found.update(assigned(target, node.value))
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                found[node.target] = node.value
        return found

    @cached_property
    def star_imports(self) -> list[str]:
        """The modules from which everything is imported."""
        return [
            absolute(node, self.package)
            for node in own_nodes(self.source.tree.body)
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        ]

    @cached_property
    def _set_by_functions(self) -> frozenset[str]:
        """The names of the module that a function or class body declares `global`."""
        nodes = ast.walk(self.source.tree)
        return frozenset(
            name for node in nodes if isinstance(node, ast.Global) for name in node.names
        )

    def has_flow_method(self, name: str) -> bool:
        """Tell whether a class that the file defines or imports has a flow of this name."""
        return name in self._flow_methods or any(
            self.verdict((*path, name)) in _FLOWS for path in self._imported_paths
        )

    @cached_property
    def _flow_methods(self) -> frozenset[str]:
        """The names of the flows and steps in classes of the file."""
        methods = [found.node for found in self.source.definitions if found.is_method]
        return frozenset(
            node.name
            for node in methods
            if not is_generator(node) and self.of_function(node).is_sure
        )

    def has_generator_method(self, name: str) -> bool:
        """Tell whether a class at hand has a generator of this name that may suspend inside."""
        methods = (m.node for m in self.source.definitions if m.is_method and m.node.name == name)
        return any(self.of_function(node) is Verdict.GENERATES for node in methods) or any(
            self.verdict((*path, name)) is Verdict.GENERATES for path in self._imported_paths
        )

    @cached_property
    def _imported_paths(self) -> list[Path]:
        """The paths of the file that begin with an imported name, so that they may be classes."""
        imported = {
            name
            for name in self.bindings
            if name not in self._imported_for_types
            and any(map(_may_hold_flows, self.bound_to((name,))))
        }
        found: set[Path] = {(name,) for name in imported}
        for node in ast.walk(self.source.tree):
            path = dotted(node) if isinstance(node, ast.Attribute) else None
            if path is not None and path[0] in imported:
                found.add(path)
        return sorted(found)

    @cached_property
    def _imported_for_types(self) -> frozenset[str]:
        """The names that are imported for type checkers alone.

        Whether another module has imported theirs by now must not count.
        """
        tests = [node for node in own_nodes(self.source.tree.body) if isinstance(node, ast.If)]
        blocks = [node.body for node in tests if (dotted(node.test) or ("",))[-1] == _FOR_TYPES]
        return frozenset(name for body in blocks for name in bindings_of(own_nodes(body)))

    def scope_of(self, function: FunctionNode) -> Scope:
        """Return the scope of a function of the file; it is found once."""
        known = self._scopes.get(function)
        if known is None:
            known = self._scopes[function] = scope_of(function)
        return known

    def bound_to(self, path: Path) -> list[Binding]:
        """Return what a path is bound to whose first name is one of the module."""
        return bound_to(path, self.bindings, self._values, self.package)

    def assigned(self, name: str) -> list[ast.expr]:
        """Return the values that simple assignments at the top level assign to a name."""
        nodes = self.bindings.get(name, ())
        return [self._values[node] for node in nodes if node in self._values]

    def bound_in(self, scope: Scope, path: Path) -> list[Binding]:
        """Return what a path is bound to whose first name is one of a function."""
        return bound_to(path, scope.bindings, {}, self.package)

    def origin(self, path: Path) -> str | None:
        """Return where a path of the module comes from, as `sys._getframe`; None: not told."""
        seen: set[str] = set()
        while path[0] not in seen:
            seen.add(path[0])
            match self.bound_to(path) or builtin(path):
                case [Import() as found]:
                    return found.origin
                case [Alias(whole=path)]:
                    continue
            return None
        return None

    def builtin(self, path: Path) -> str | None:
        """Return the builtin that a path of the module surely stands for; None: it may be another.

        What `import *` brings, and what other parts of the module bind, could have its name.
        """
        bound_elsewhere = self.is_part or any(name != "longterm" for name in self.star_imports)
        if bound_elsewhere or path[0] in self._set_by_functions:
            return None
        module, _, name = (self.origin(path) or "").partition(".")
        return name if module == "builtins" and name else None

    def verdict(self, path: Path) -> Verdict:
        """Resolve a dotted path that begins with a global or builtin name."""
        return self._verdict(path, frozenset())

    def _verdict(self, path: Path, aliases: frozenset[str]) -> Verdict:
        """Resolve a path; `aliases` are names that lead to it already."""
        bindings = self.bound_to(path)
        if not bindings:
            return self._unbound(path)
        aliases |= {path[0]}
        verdicts = [self._bound(binding, aliases) for binding in bindings]
        if path[0] in self._set_by_functions:
            # By the time of the call it may be bound to another thing than the text shows here.
            verdicts.append(_anything(path[1:]))
        return strongest(verdicts)

    def _unbound(self, path: Path) -> Verdict:
        """Resolve a path whose first name the file does not bind; `import *` may do so."""
        if self.star_imports and path[0] in self._set_by_functions:
            return Verdict.MAY
        verdicts = [self._imported(module, path) for module in self.star_imports]
        if self.is_part:
            # Another part of the module may bind it, and bind it anew.
            verdicts.append(_if_special(self._imported(self.module, path), Verdict.MAY))
        if builtin(path):
            # A module that lacks the name may suspend as far as can be told.
            return strongest([Verdict.NEVER, *(verdict for verdict in verdicts if verdict.is_sure)])
        return strongest(verdicts) if verdicts else Verdict.MAY

    def _bound(self, binding: Binding, aliases: frozenset[str]) -> Verdict:
        match binding:
            case Import(module=module, path=path):
                return self._imported(module, path)
            case Def(node=ast.ClassDef() as node, path=[method]):
                return self.in_class(node, method)
            case Def(node=ast.ClassDef(), path=()):
                return Verdict.NEVER
            case Def(node=ast.FunctionDef() | ast.AsyncFunctionDef() as node, path=()):
                return self.of_function(node)
            case Def():
                return Verdict.UNKNOWN
            case Alias(whole=whole) if whole[0] not in aliases:
                # Another name for a flow, or for `deflow`, is as good.
                return _if_special(self._verdict(whole, aliases), _anything(binding.path))
            case Value(node=ast.Call() as node, path=()) if self.makes_step(node, aliases):
                return Verdict.STEP
        return _anything(binding.path)

    def _imported(self, module: str, path: Path) -> Verdict:
        known = form(module, path) or self._resolved.get((module, path))
        if known is None:
            known = self._resolved[module, path] = self.resolve(module, path)
        return known

    def imported_names(self) -> list[tuple[str, Path, str]]:
        """Return what the resolver has said, as the cache keeps it: plain data."""
        return [(module, path, said.value) for (module, path), said in self._resolved.items()]

    def in_class(self, node: ast.ClassDef, method: str) -> Verdict:
        """Resolve a method in a class and its bases, as far as they are in the file."""
        for owner in self._with_bases(node):
            for member in owner.body:
                if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                if member.name == method:
                    verdict = self.of_function(member)
                    # With several bases, another may come before the one that has this.
                    is_own = owner is node or verdict is not Verdict.NEVER
                    return verdict if is_own else Verdict.MAY
        return Verdict.MAY

    def of_self(self, node: ast.ClassDef, method: str) -> Verdict:
        """Resolve a method of an object of a class: a subclass may have a flow in its place."""
        verdict = self.in_class(node, method)
        # In a subclass a private name is another one, since Python puts the class's before it.
        is_private = method.startswith("__") and not method.endswith("__")
        return Verdict.UNKNOWN if verdict is Verdict.NEVER and not is_private else verdict

    def _with_bases(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """Return a class and the classes of the module that it inherits from, nearest first."""
        found = [node]
        for owner in found:
            found += [base for base in self._bases(owner) if base not in found]
        return found

    def _bases(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        for base in node.bases:
            for binding in self.bound_to((base.id,)) if isinstance(base, ast.Name) else ():
                if isinstance(binding, Def) and isinstance(binding.node, ast.ClassDef):
                    yield binding.node

    def flows(self) -> list[Definition]:
        """Return the module's flows, in the order of the source."""
        return [flow for flow in self.source.definitions if self.is_flow(flow.node)]

    def of_function(self, node: FunctionNode) -> Verdict:
        """Return what calling a function does, by what its decorators make of it."""
        for decorator in node.decorator_list:
            if self.is_deflow(decorator):
                return self._of_generator(node) if is_generator(node) else Verdict.SUSPENDS
            if self.is_step(decorator):
                is_async = isinstance(node, ast.AsyncFunctionDef)
                return Verdict.ASYNC_STEP if is_async else Verdict.STEP
        return Verdict.NEVER

    def _of_generator(self, node: FunctionNode) -> Verdict:
        return Verdict.GENERATES if self.inside.may_suspend(node) else Verdict.NEVER

    @cached_property
    def inside(self) -> Inside:
        """Which generators of the file may suspend inside themselves."""
        from longterm_compiler.analysis.inside import Inside  # it asks the names in its turn

        return Inside(self)

    def is_flow(self, node: FunctionNode) -> bool:
        """Tell whether one of a function's decorators is longterm's `deflow`."""
        return any(self.is_deflow(decorator) for decorator in node.decorator_list)

    def is_deflow(self, decorator: ast.expr) -> bool:
        """Tell whether a decorator is longterm's `deflow`, under whatever name it is known here.

        It may have arguments. One of which nothing can be found out, as in a function that imports
        it, goes by its name.
        """
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        return self._is_ours(called, Verdict.DEFLOW, "deflow")

    def is_step(self, decorator: ast.expr) -> bool:
        """Tell whether a decorator is longterm's `step`, with arguments or without."""
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        return self._is_ours(called, Verdict.MAKES_STEPS, "step")

    def makes_step(self, call: ast.Call, aliases: frozenset[str] = frozenset()) -> bool:
        """Tell whether a call makes a step: `step(f, …)`, or `step(…)(f)`."""
        if isinstance(call.func, ast.Call):
            return not call.func.args and self.is_step(call.func)
        path = dotted(call.func)
        is_known = path is not None and path[0] not in aliases and bool(call.args)
        return is_known and self.is_step(call.func)

    def _is_ours(self, decorator: ast.expr, ours: Verdict, name: str) -> bool:
        known = self._decorators.get(decorator)
        if known is None:
            path = dotted(decorator)
            # Of a step that is for the name alone: much else has a method `step`.
            is_named = path is not None and path[-1] == name
            is_guess = is_named and (ours is Verdict.DEFLOW or path == (name,))
            guess = ours if is_guess else Verdict.NEVER
            # A decorator may lead to what it decorates; then the name counts as well.
            self._decorators[decorator] = guess
            verdict = Verdict.NEVER if path is None else self.verdict(path)
            known = verdict if verdict.is_known else guess
            self._decorators[decorator] = known
        return known is ours


def assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what an assignment assigns to what, in pairs: `a, b = f, g` too."""
    yield target, value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        parts = (*target.elts, *value.elts)
        if len(target.elts) == len(value.elts) and not any(map(_is_starred, parts)):
            yield from zip(target.elts, value.elts, strict=True)


def _may_hold_flows(binding: Binding) -> bool:
    """Tell whether it is an import of what may hold flows: the standard library has none."""
    if not isinstance(binding, Import):
        return False
    return binding.module.partition(".")[0] not in {*sys.stdlib_module_names, "longterm"}


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _anything(rest: Path) -> Verdict:
    """Return the verdict of what may be anything, or of what is read of it."""
    return Verdict.UNKNOWN if rest else Verdict.MAY


def _if_special(verdict: Verdict, other: Verdict) -> Verdict:
    """Return a verdict that stays: of what waits, or of a decorator; what is plain may change."""
    is_special = verdict.is_sure or verdict in _SPECIAL
    return verdict if is_special else other
