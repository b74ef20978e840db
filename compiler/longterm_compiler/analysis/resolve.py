"""Resolve imported names by the source of their modules: the `Resolver` of the command line.

A name is followed through imports and aliases to the `def` or `class` that it stands for, as it is
when its module is loaded. Nothing is imported or executed but modules of the standard library. What
cannot be told may suspend.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from longterm._abi.verdict import Verdict, strongest
from longterm_compiler.analysis.bindings import (
    Alias,
    Binding,
    Def,
    Import,
    Path,
    Value,
    dotted,
)
from longterm_compiler.analysis.modules import Located, is_native, locate, read_source
from longterm_compiler.analysis.names import ModuleNames, Resolver, form
from longterm_compiler.analysis.scope import (
    bound_by,
    own_nodes,
    parameter_names,
)
from longterm_compiler.analysis.standard import import_standard, is_standard
from longterm_compiler.syntax.source import FunctionNode

_TRANSPARENT = frozenset({"staticmethod", "classmethod"})
_MAKE_OBJECTS = frozenset({"lru_cache", "cache", "property", "cached_property", "singledispatch"})
_Seen: TypeAlias = frozenset[tuple[str, Path]]


class SourceResolver:
    """A `Resolver` that reads source files; it remembers those that it has read."""

    def __init__(self, search_path: Sequence[str], live: Resolver) -> None:
        """Read modules, and remember them.

        Args:
            search_path: the folders in which they are, in order, as `sys.path` would have them.
            live: resolves what a loaded module holds: one of the standard library.
        """
        self._search_path = list(search_path)
        self._live = live
        self._modules: dict[str, _Module | Verdict | None] = {}
        self._standard: dict[str, bool] = {}

    def __call__(self, module: str, path: Path) -> Verdict:
        """Resolve a dotted path in a module."""
        return self._resolve(module, path, frozenset()) or Verdict.MAY

    def _resolve(self, module: str, path: Path, seen: _Seen) -> Verdict | None:
        """Resolve a path; None if the module has no such name, as far as its text tells."""
        known = form(module, path)
        if known is not None:
            return known
        if self._is_standard(module):
            return self._live(module, path) if import_standard(module, path) else None
        found = self._module(module)
        if not isinstance(found, _Module):
            return found or self._in_parent(module, path, seen)
        if not path:
            return Verdict.NEVER
        bindings = found.names.bound_to(path)
        if bindings and (module, path) not in seen:
            seen |= {(module, path)}
            return _strongest(self._bound(found, binding, seen) for binding in bindings)
        # `from . import name` in a package's own file means the module of that name.
        if found.is_package and self._module(f"{module}.{path[0]}") is not None:
            return self._resolve(f"{module}.{path[0]}", path[1:], seen)
        if (module, path) in seen:
            return Verdict.MAY  # a cycle of imports
        seen |= {(module, path)}
        return _strongest(self._resolve(star, path, seen) for star in found.names.star_imports)

    def _in_parent(self, module: str, path: Path, seen: _Seen) -> Verdict | None:
        """Resolve a path in a module without a file: what the one above it holds by its name.

        Running code puts such into `sys.modules`.
        """
        parent, _, name = module.rpartition(".")
        if not parent or (parent, (name, *path)) in seen:
            return None
        verdict = self._resolve(parent, (name, *path), seen)
        return Verdict.MAY if verdict is Verdict.UNKNOWN else verdict

    def _is_standard(self, module: str) -> bool:
        top = module.partition(".")[0]
        if top not in self._standard:
            self._standard[top] = is_standard(top, self._search_path)
        return self._standard[top]

    def _module(self, name: str) -> _Module | Verdict | None:
        """Return a module's text, or what to say of all of it; None if there is no such module."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> _Module | Verdict | None:
        located = locate(name, self._search_path)
        if located is None:
            return Verdict.NEVER if is_native(name, self._search_path) else None
        try:
            source = read_source(located.path)
        except (OSError, SyntaxError):
            return Verdict.MAY
        return _Module(located, ModuleNames(source, name, located.package, self))

    def _bound(self, module: _Module, binding: Binding, seen: _Seen) -> Verdict | None:
        match binding:
            case Import(module=name, path=path):
                return self._resolve(name, path, seen)
            case Alias(whole=whole):
                return self._named(module, whole, seen)
            case Def(node=ast.ClassDef() as node, path=path):
                return self._in_class(module, node, path, seen) if path else Verdict.NEVER
            case Def(node=ast.FunctionDef() | ast.AsyncFunctionDef() as node, path=()):
                return self._function(module, node, seen)
            case Value(node=ast.Call() as node, path=[method]):
                return self._of_object(module, node, method, seen)
        if binding.path and not isinstance(binding.node, ast.Name):
            return Verdict.UNKNOWN
        if isinstance(binding.node, ast.Call) and module.names.makes_step(binding.node):
            return Verdict.STEP
        # What binds a name and shows no value may well bind it to a class or a module.
        return Verdict.NEVER if isinstance(binding.node, ast.Lambda) else Verdict.MAY

    def _of_object(self, module: _Module, made: ast.Call, method: str, seen: _Seen) -> Verdict:
        """Resolve a method of an object that a call of its class makes: `shop = Shop()`."""
        cls = dotted(made.func)
        verdict = None if cls is None else self._named(module, (*cls, method), seen)
        if verdict is Verdict.GENERATES:
            return verdict
        is_flow = verdict is not None and verdict.is_sure
        return Verdict.LIKELY if is_flow else Verdict.UNKNOWN

    def _named(self, module: _Module, path: Path, seen: _Seen) -> Verdict | None:
        """Resolve a path that begins with a global or builtin name of a module."""
        if path[0] in module.names.bindings or not hasattr(builtins, path[0]):
            return self._resolve(module.located.module, path, seen)
        value: object = getattr(builtins, path[0])
        for name in path[1:]:
            value = getattr(value, name, None)
        return None if value is None else Verdict.NEVER

    def _in_class(
        self, module: _Module, node: ast.ClassDef, path: Path, seen: _Seen
    ) -> Verdict | None:
        """Resolve a path in a class by its body, then by its bases in order."""
        for member in reversed(node.body):
            if path[0] not in _bound_in(member):
                continue
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return self._bound(module, Def(member, path[1:]), seen)
            return Verdict.MAY
        for base in node.bases:
            name = dotted(base)
            if name is None:
                return Verdict.MAY
            found = self._named(module, (*name, *path), seen)
            if found is not None:
                return found
        return None

    def _function(self, module: _Module, node: FunctionNode, seen: _Seen) -> Verdict:
        """Return the verdict of a function, by what its decorators make of it."""
        for decorator in node.decorator_list:
            name = _decorator_name(decorator)
            if module.names.is_deflow(decorator):
                return module.names.of_function(node)
            if module.names.is_step(decorator):
                is_async = isinstance(node, ast.AsyncFunctionDef)
                return Verdict.ASYNC_STEP if is_async else Verdict.STEP
            if name in _MAKE_OBJECTS:
                return Verdict.MAY
            if name not in _TRANSPARENT and self._wraps(module, decorator, seen):
                return Verdict.NEVER
        return Verdict.NEVER

    def _wraps(self, module: _Module, decorator: ast.expr, seen: _Seen) -> bool:
        """Tell whether a decorator surely makes another function of the one it is given.

        Most that stand above `@deflow` only note it down, since no other can suspend.
        """
        name = module.located.module
        if isinstance(decorator, ast.Call):
            maker = self._definition(name, dotted(decorator.func), seen)
            found = None if maker is None else _returned_function(maker)
        else:
            found = self._definition(name, dotted(decorator), seen)
        if found is None or not _returned(found):
            return False
        return _returned(found) != {next(iter(parameter_names(found.args)), None)}

    def _definition(self, module: str, path: Path | None, seen: _Seen) -> FunctionNode | None:
        """Return the function that a path in a module leads to, if there is just one way."""
        found = self._module(module)
        if not isinstance(found, _Module) or not path or (module, path) in seen:
            return None
        seen |= {(module, path)}
        match found.names.bound_to(path):
            case [Def(node=ast.FunctionDef() | ast.AsyncFunctionDef() as node, path=())]:
                return node
            case [Alias(whole=whole)]:
                return self._definition(module, whole, seen)
            case [Import(module=other, path=rest)]:
                return self._definition(other, rest, seen)
            case [] if found.is_package:
                return self._definition(f"{module}.{path[0]}", path[1:], seen)
        return None


@dataclass(frozen=True, eq=False)
class _Module:
    located: Located
    names: ModuleNames = field(repr=False)

    @property
    def is_package(self) -> bool:
        return self.located.module == self.located.package


def _returned(node: FunctionNode) -> set[str | None]:
    """Return the names that a function returns; None is for anything else."""
    values = [part.value for part in own_nodes(node.body) if isinstance(part, ast.Return)]
    return {value.id if isinstance(value, ast.Name) else None for value in values}


def _returned_function(node: FunctionNode) -> FunctionNode | None:
    """Return the function inside another one that this returns, if it is just one."""
    inside = [part for part in own_nodes(node.body) if isinstance(part, FunctionNode)]
    found = [function for function in inside if {function.name} == _returned(node)]
    return found[0] if len(found) == 1 else None


def _strongest(verdicts: Iterable[Verdict | None]) -> Verdict | None:
    """Return the verdict that counts of several; None if none of them is one."""
    found = [verdict for verdict in verdicts if verdict is not None]
    return strongest(found) if found else None


def _decorator_name(node: ast.expr) -> str:
    path = dotted(node.func if isinstance(node, ast.Call) else node)
    return path[-1] if path else ""


def _bound_in(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of a class body binds, blocks inside included."""
    for part in own_nodes([node]):
        yield from bound_by(part)
