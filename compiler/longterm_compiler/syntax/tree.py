"""The parts of a node, as every pass goes over them: like `ast.iter_child_nodes`, but quick.

A field is looked at only if nodes of its class can have a part there. Operators (`ast.Add`) and
contexts (`ast.Load`) are no parts: they hold nothing, and many nodes share one.
"""

from __future__ import annotations

import ast

_NEVER_PARTS = frozenset(
    {
        *("ctx", "op", "ops", "id", "attr", "module", "level", "asname", "rest", "kwd_attrs"),
        *("conversion", "simple", "is_async", "kind", "type_comment", "type_ignores", "tag", "str"),
    }
)
_OTHERS: dict[str, frozenset[str]] = {
    "Constant": frozenset({"value"}),
    "MatchSingleton": frozenset({"value"}),
    "Global": frozenset({"names"}),
    "Nonlocal": frozenset({"names"}),
    "arg": frozenset({"arg"}),
    "keyword": frozenset({"arg"}),
}
"""The fields of single classes that hold no parts."""
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_HAVE_BLOCKS = (ast.mod, ast.stmt, ast.ExceptHandler, ast.match_case)
_WITH_GAPS = (ast.Dict, ast.arguments)
"""The classes with a list of parts of which some may be missing."""


def _fields_with_parts(kind: type[ast.AST]) -> tuple[str, ...]:
    without = _NEVER_PARTS | _OTHERS.get(kind.__name__, frozenset())
    if kind.__name__ != "TypeAlias":  # its name is a node (PEP 695, from Python 3.12 on)
        without |= {"name"}
    return tuple(field for field in kind._fields if field not in without)


_KINDS = [
    kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)
]
_PARTS: dict[type[ast.AST], tuple[str, ...]] = {kind: _fields_with_parts(kind) for kind in _KINDS}
_BLOCK_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(field for field in kind._fields if field in _BLOCKS)
    for kind in _KINDS
    if issubclass(kind, _HAVE_BLOCKS)
}


def children(node: ast.AST) -> list[ast.AST]:
    """Return the parts right inside a node, in the order of its fields."""
    found: list[ast.AST] = []
    for name in _PARTS[type(node)]:
        part = getattr(node, name, None)
        if type(part) is list:
            found += part
        elif part is not None:
            found.append(part)
    if isinstance(node, _WITH_GAPS):
        return [part for part in found if part is not None]
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """Return a node and all that is inside it, the outer before the inner."""
    found = [node]
    for part in found:
        found += children(part)
    return found


def block_fields(node: ast.AST) -> tuple[str, ...]:
    """Return the fields with the blocks of a statement, and with its handlers or cases."""
    return _BLOCK_FIELDS[type(node)]


def in_blocks(node: ast.AST) -> list[ast.AST]:
    """Return the statements, handlers and cases right inside a statement, a handler or a case."""
    return [part for name in block_fields(node) for part in getattr(node, name)]
