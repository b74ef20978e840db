"""What a dotted path is bound to, as data: read from the tree of one scope, nothing decided.

    from shop import price          # price.cut   Import("shop", ("price", "cut"))
    import shop.orders              # shop.f      Import("shop", ("f",))
    len                             # len         Import("builtins", ("len",))
    def approve(x): ...             # approve     Def(<approve>, ())
    class Shop: ...                 # Shop.sell   Def(<Shop>, ("sell",))
    ask = approve                   # ask.x       Alias(("approve",), ("x",))
    table = make_table()            # table.ask   Value(<make_table()>, ("ask",))

A name may have several bindings, in the branches of an `if` for example.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from longterm_compiler.analysis.scope import Bindings
from longterm_compiler.syntax.source import ScopeNode

Path: TypeAlias = tuple[str, ...]
"""A dotted path: a name, and the attributes that are read of what it stands for."""


@dataclass(frozen=True, slots=True)
class Import:
    """What a module holds under a path."""

    module: str
    path: Path

    @property
    def origin(self) -> str:
        """The place where it comes from, such as `sys._getframe`."""
        return ".".join((self.module, *self.path))


@dataclass(frozen=True, slots=True, eq=False)
class Def:
    """A function or a class that is defined here, or what is read of it."""

    node: ScopeNode
    path: Path


@dataclass(frozen=True, slots=True)
class Alias:
    """Whatever another path of the scope stands for, or what is read of it."""

    target: Path
    path: Path

    @property
    def whole(self) -> Path:
        """The path to follow."""
        return (*self.target, *self.path)


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """Anything else: the value, if it stands in the text, or the node that binds the name."""

    node: ast.AST
    path: Path


Binding: TypeAlias = Import | Def | Alias | Value


def dotted(node: ast.expr) -> Path | None:
    """Return `a.b.c` as `("a", "b", "c")`, or None for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))


def bound_to(
    path: Path, scope: Bindings, values: Mapping[ast.AST, ast.expr], package: str
) -> list[Binding]:
    """Return the bindings of a path, by all that bind its first name in a scope.

    Args:
        path: the names.
        scope: the nodes that bind names there.
        values: what simple assignments assign, by the node of the name.
        package: the package from which `from . import x` counts.
    """
    return [_binding(node, path, values, package) for node in scope.get(path[0], ())]


def builtin(path: Path) -> list[Binding]:
    """Return the binding of a path that no scope binds; none if Python has no such name."""
    return [Import("builtins", path)] if hasattr(builtins, path[0]) else []


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module that a statement imports from."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _binding(
    node: ast.AST, path: Path, values: Mapping[ast.AST, ast.expr], package: str
) -> Binding:
    name, rest = path[0], path[1:]
    match node:
        case ast.Import(names=aliases):
            return Import(next((a.name for a in aliases if a.asname == name), name), rest)
        case ast.ImportFrom(names=aliases):
            original = next((a.name for a in aliases if (a.asname or a.name) == name), name)
            return Import(absolute(node, package), (original, *rest))
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return Def(node, rest)
    value = values.get(node)
    alias = None if value is None else dotted(value)
    return Value(value or node, rest) if alias is None else Alias(alias, rest)
