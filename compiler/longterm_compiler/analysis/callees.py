"""What a dotted path stands for: a path in, a verdict out. Nothing is executed.

It is asked which calls may suspend, and which decorators are `deflow`.

A name is followed to where its module binds it. What a module imports is asked of a `Resolver`:
in a running application it looks at the live modules, on the command line at their source.

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
import builtins
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeAlias

from longterm_compiler.analysis.scope import Bindings, Scope, bindings_of, own_nodes, scope_of
from longterm_compiler.syntax.source import Definition, FunctionNode, SourceFile


class Verdict(Enum):
    """How sure we are that a call can suspend."""

    WAITS = "waits"
    """It is `suspend` itself."""
    SUSPENDS = "suspends"
    """It is a flow, or `call`."""
    MAY = "may suspend"
    """A name, or a method of self, that may turn out to be a flow."""
    UNKNOWN = "unknown"
    """Any other expression; taken as a resume point only where that costs nothing."""
    NEVER = "never suspends"
    DEFLOW = "deflow"
    """It is `deflow`, which makes flows of functions; a call of it never suspends."""

    @property
    def is_sure(self) -> bool:
        """Whether it surely suspends."""
        return self in (Verdict.WAITS, Verdict.SUSPENDS)

    @property
    def precedence(self) -> int:
        """Which verdict counts where a name is bound more than once: the highest."""
        return _PRECEDENCE.index(self)


_PRECEDENCE = [
    Verdict.NEVER,
    Verdict.UNKNOWN,
    Verdict.MAY,
    Verdict.DEFLOW,
    Verdict.SUSPENDS,
    Verdict.WAITS,
]


Resolver: TypeAlias = Callable[[str, tuple[str, ...]], Verdict]
"""Resolves a dotted path in a module: `("shop.orders", ("approve",))` to a verdict."""

_LITERALS = (ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple)
_FORMS = {
    "suspend": Verdict.WAITS,
    "sleep": Verdict.WAITS,
    "call": Verdict.SUSPENDS,
    "deflow": Verdict.DEFLOW,
}
_PLAIN_FORMS = frozenset(
    {"respond", "set_index", "now", "current_run", "start_flow", "process_event", "get_run"}
)
_HOME = "longterm"


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
    _scopes: dict[FunctionNode, Scope] = field(default_factory=dict, repr=False)
    _deflows: dict[ast.expr, bool] = field(default_factory=dict, repr=False)

    @cached_property
    def bindings(self) -> Bindings:
        """The nodes that bind each name of the module."""
        return bindings_of(own_nodes(self.source.tree.body))

    @cached_property
    def values(self) -> dict[ast.AST, ast.expr]:
        """The values of simple assignments at the top level, by the node of the name."""
        found: dict[ast.AST, ast.expr] = {}
        for node in own_nodes(self.source.tree.body):
            if isinstance(node, ast.Assign):
                found.update((target, node.value) for target in node.targets)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                found[node.target] = node.value
        return found

    @cached_property
    def star_imports(self) -> list[str]:
        """The modules from which everything is imported."""
        return [
            self.absolute(node)
            for node in own_nodes(self.source.tree.body)
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        ]

    @cached_property
    def set_by_functions(self) -> frozenset[str]:
        """The names of the module that a function or class body declares `global`."""
        nodes = ast.walk(self.source.tree)
        return frozenset(
            name for node in nodes if isinstance(node, ast.Global) for name in node.names
        )

    def scope_of(self, function: FunctionNode) -> Scope:
        """Return the scope of a function of the file; it is found once."""
        known = self._scopes.get(function)
        if known is None:
            known = self._scopes[function] = scope_of(function)
        return known

    def verdict(self, path: tuple[str, ...]) -> Verdict:
        """Resolve a dotted path that begins with a global or builtin name."""
        return self._verdict(path, frozenset())

    def _verdict(self, path: tuple[str, ...], aliases: frozenset[str]) -> Verdict:
        name, rest = path[0], path[1:]
        bindings = self.bindings.get(name, [])
        if not bindings:
            return self._unbound(path)
        aliases |= {name}
        verdicts = [self._bound(binding, name, rest, aliases) for binding in bindings]
        if name in self.set_by_functions:
            # By the time of the call it may be bound to another thing than the text shows here.
            verdicts.append(Verdict.UNKNOWN if rest else Verdict.MAY)
        return strongest(verdicts)

    def _unbound(self, path: tuple[str, ...]) -> Verdict:
        """Resolve a path whose first name the file does not bind; `import *` may do so."""
        if self.star_imports and path[0] in self.set_by_functions:
            return Verdict.MAY
        # Of longterm's own forms the star binds the names, and no paths that end like them.
        ask = self._ask if len(path) == 1 else self.resolve
        verdicts = [ask(module, path) for module in self.star_imports]
        if self.is_part:
            verdicts.append(self._bound_elsewhere(path))
        if hasattr(builtins, path[0]):
            # A module that lacks the name may suspend as far as can be told.
            return strongest([Verdict.NEVER, *(verdict for verdict in verdicts if verdict.is_sure)])
        return strongest(verdicts) if verdicts else Verdict.MAY

    def _bound_elsewhere(self, path: tuple[str, ...]) -> Verdict:
        """Resolve a path whose first name another part of the module may bind, and bind anew."""
        verdict = self.resolve(self.module, path)
        return verdict if verdict.is_sure or verdict is Verdict.DEFLOW else Verdict.MAY

    def _bound(
        self, binding: ast.AST, name: str, rest: tuple[str, ...], aliases: frozenset[str]
    ) -> Verdict:
        """Resolve a path by one binding of its first name; `aliases` lead to it already."""
        match binding:
            case ast.Import(names=names):
                return self._imported_module(names, name, rest)
            case ast.ImportFrom(names=names):
                original = next((a.name for a in names if (a.asname or a.name) == name), name)
                return self._ask(self.absolute(binding), (original, *rest))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not rest:
                return Verdict.SUSPENDS if self.is_flow(binding) else Verdict.NEVER
            case ast.ClassDef() if rest:
                return self.in_class(binding, rest[0]) if len(rest) == 1 else Verdict.UNKNOWN
            case ast.ClassDef():
                return Verdict.NEVER
            case ast.Name():
                return self._assigned(binding, rest, aliases)
        return Verdict.MAY if not rest else Verdict.UNKNOWN

    def _assigned(
        self, target: ast.Name, rest: tuple[str, ...], aliases: frozenset[str]
    ) -> Verdict:
        """Resolve what a name is assigned: another name for a flow, or for `deflow`, is as good.

        What is plain now may be assigned anew by the time that it is called.
        """
        value = self.values.get(target)
        path = None if value is None else dotted(value)
        if path is not None and path[0] not in aliases:
            verdict = self._verdict((*path, *rest), aliases)
            if verdict.is_sure or verdict is Verdict.DEFLOW:
                return verdict
        return Verdict.UNKNOWN if rest else Verdict.MAY

    def _imported_module(
        self, aliases: list[ast.alias], name: str, rest: tuple[str, ...]
    ) -> Verdict:
        for alias in aliases:
            if alias.asname == name:
                return self._ask(alias.name, rest)
        return self._ask(name, rest)

    def _ask(self, module: str, path: tuple[str, ...]) -> Verdict:
        if module.partition(".")[0] == _HOME and path and path[-1] in _FORMS:
            return _FORMS[path[-1]]
        if module.partition(".")[0] == _HOME and path and path[-1] in _PLAIN_FORMS:
            return Verdict.NEVER
        return self.resolve(module, path)

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the full name of the module that a statement imports from."""
        if not node.level:
            return node.module or ""
        parents = self.package.split(".")
        base = parents[: len(parents) - (node.level - 1)]
        return ".".join([*base, *([node.module] if node.module else [])])

    def in_class(self, node: ast.ClassDef, method: str) -> Verdict:
        """Resolve a method in a class and its bases, as far as they are in the file."""
        for owner in self._with_bases(node):
            for member in owner.body:
                if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                if member.name == method:
                    if self.is_flow(member):
                        return Verdict.SUSPENDS
                    # With several bases, another may come before the one that has this.
                    return Verdict.NEVER if owner is node else Verdict.MAY
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
            for base in owner.bases:
                bindings = self.bindings.get(base.id, []) if isinstance(base, ast.Name) else []
                found += [b for b in bindings if isinstance(b, ast.ClassDef) and b not in found]
        return found

    def flows(self) -> list[Definition]:
        """Return the module's flows, in the order of the source."""
        return [flow for flow in self.source.definitions if self.is_flow(flow.node)]

    def is_flow(self, node: FunctionNode) -> bool:
        """Tell whether one of a function's decorators is longterm's `deflow`."""
        return any(self.is_deflow(decorator) for decorator in node.decorator_list)

    def is_deflow(self, decorator: ast.expr) -> bool:
        """Tell whether a decorator is longterm's `deflow`, under whatever name it is known here.

        One of which nothing can be found out, as in a function that imports it, goes by its name.
        """
        known = self._deflows.get(decorator)
        if known is None:
            path = dotted(decorator)
            guess = path is not None and path[-1] == "deflow"
            # A decorator may lead to what it decorates; then the name counts as well.
            self._deflows[decorator] = guess
            verdict = Verdict.NEVER if path is None else self.verdict(path)
            is_known = verdict not in (Verdict.MAY, Verdict.UNKNOWN)
            known = self._deflows[decorator] = verdict is Verdict.DEFLOW if is_known else guess
        return known


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
            return _without_name(callee)
        if path[0] in self.scope.local or path[0] in self.scope.declared_nonlocal:
            return self._local(path)
        around = self._enclosing_function_that_binds(path[0])
        if around is not None and path[0] not in self.scope.declared_global:
            return self._bound_in(around, path)
        return self.names.verdict(path)

    def _local(self, path: tuple[str, ...]) -> Verdict:
        parameters = self.scope.parameters
        if len(path) == 2 and self.definition.is_method and parameters[:1] == path[:1]:
            owner = self.definition.enclosing[-1]
            assert isinstance(owner, ast.ClassDef)
            return self.names.of_self(owner, path[1])
        return self._bound_in(self.scope, path)

    def _bound_in(self, scope: Scope, path: tuple[str, ...]) -> Verdict:
        name, *attributes = path
        if attributes:
            return Verdict.UNKNOWN
        bindings = scope.bindings.get(name, [])
        functions = [b for b in bindings if isinstance(b, ast.FunctionDef | ast.AsyncFunctionDef)]
        if not bindings or len(functions) < len(bindings):
            return Verdict.MAY
        flows = [self.names.is_flow(function) for function in functions]
        return Verdict.SUSPENDS if any(flows) else Verdict.NEVER

    def _enclosing_function_that_binds(self, name: str) -> Scope | None:
        for around in reversed(self.definition.enclosing):
            if not isinstance(around, ast.ClassDef):
                scope = self.names.scope_of(around)
                if name in scope.bindings or name in scope.parameters:
                    return scope
        return None


def dotted(node: ast.expr) -> tuple[str, ...] | None:
    """Return `a.b.c` as `("a", "b", "c")`, or None for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))


def _without_name(callee: ast.expr) -> Verdict:
    """Return the verdict of what has no dotted path; `", ".join`, of a literal, is no flow."""
    match callee:
        case ast.Attribute(value=value) if isinstance(value, _LITERALS):
            return Verdict.NEVER
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
            return Verdict.MAY
    return Verdict.UNKNOWN


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that counts of several."""
    return max(verdicts, key=lambda verdict: verdict.precedence)
