"""Find the calls of a function at which it may suspend: its resume points, not yet numbered.

Requires `callees`. A call is a point when it suspends or may suspend; one whose callee is unknown
is a point only where it is the whole value of a statement, since that costs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from longterm_compiler.callees import Callees, Verdict, dotted
from longterm_compiler.scope import Comprehension
from longterm_compiler.source import FunctionNode

_NESTED_SCOPES: tuple[type[ast.AST], ...] = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
)
if hasattr(ast, "TypeAlias"):  # from 3.12 on
    _NESTED_SCOPES = (*_NESTED_SCOPES, getattr(ast, "TypeAlias"))  # noqa: B009
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True, eq=False)
class Suspensions:
    """The calls at which one function may suspend, and the nodes that contain them."""

    calls: dict[ast.Call, Verdict]
    containing: set[ast.AST]
    """Every node of the function with such a call inside, the calls themselves included."""

    def inside(self, *nodes: ast.AST | None) -> bool:
        """Tell whether any of these nodes contains a suspending call."""
        return any(node in self.containing for node in nodes)

    def copied(self, old: ast.AST, new: ast.AST) -> None:
        """Take a copy of a node for what the node is."""
        if isinstance(old, ast.Call) and isinstance(new, ast.Call) and old in self.calls:
            self.calls[new] = self.calls[old]
        if old in self.containing:
            self.containing.add(new)

    def mark(self, node: ast.AST) -> bool:
        """Enter what contains a suspending call in a tree of new nodes around known ones."""
        if node in self.containing:
            return True
        found = [self.mark(child) for child in ast.iter_child_nodes(node)]
        if any(found):
            self.containing.add(node)
        return any(found)


def find_suspensions(function: FunctionNode, callees: Callees) -> Suspensions:
    """Return the suspending calls of a function's own body."""
    whole = {id(value) for value in _whole_values(function)}
    calls: dict[ast.Call, Verdict] = {}
    containing: set[ast.AST] = set()
    parents: dict[ast.AST, ast.AST] = {}
    for node, parent, around in _walk(function):
        parents[node] = parent
        if isinstance(node, _COMPREHENSIONS):
            parents[node.generators[0]] = node
        if not isinstance(node, ast.Call) or _is_bound(node.func, around):
            continue
        verdict = callees.verdict(node.func)
        if _is_point(verdict, certain_only=around is not None, whole=id(node) in whole):
            calls[node] = verdict
            inside: ast.AST | None = node
            while inside is not None and inside not in containing:
                containing.add(inside)
                inside = parents.get(inside)
    return Suspensions(calls, containing)


def _is_point(verdict: Verdict, *, certain_only: bool, whole: bool) -> bool:
    if verdict is Verdict.MAY:
        return not certain_only
    if verdict is Verdict.UNKNOWN:
        return whole and not certain_only
    return verdict is Verdict.SUSPENDS


_Around: TypeAlias = frozenset[str] | None
"""Where only what surely suspends is a point: the names that comprehensions bind around it."""


def _is_bound(callee: ast.expr, around: _Around) -> bool:
    """Tell whether a callee is a variable of a comprehension around the call."""
    path = dotted(callee)
    return bool(path and around and path[0] in around)


def _walk(function: FunctionNode) -> Iterator[tuple[ast.AST, ast.AST, _Around]]:
    """Yield each node that runs in the function, its parent, and what is around it.

    Parents come before their children.
    """
    pending: list[tuple[ast.AST, ast.AST, _Around]] = [(s, function, None) for s in function.body]
    seen_outside: set[ast.AST] = set()
    while pending:
        node, parent, around = pending.pop()
        yield node, parent, around
        if isinstance(node, _COMPREHENSIONS):
            # The first iterable is evaluated before the comprehension begins.
            first = node.generators[0]
            pending.append((first.iter, first, around))
            seen_outside.add(first.iter)
            around = (around or frozenset()) | _targets(node)
        if isinstance(parent, ast.TryStar) and isinstance(node, ast.ExceptHandler):
            around = around or frozenset()
        children = [each for each in _children(node) if each not in seen_outside]
        pending.extend((child, node, around) for child in children)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that run where it stands."""
    if isinstance(node, _NESTED_SCOPES):
        yield from _run_at_definition(node)
    elif isinstance(node, ast.AnnAssign):
        # The annotation of a local variable is never evaluated.
        yield from (node.target, *([node.value] if node.value else []))
    else:
        yield from ast.iter_child_nodes(node)


def _targets(node: Comprehension) -> set[str]:
    parts = [part for each in node.generators for part in ast.walk(each.target)]
    return {part.id for part in parts if isinstance(part, ast.Name)}


def _run_at_definition(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a definition that run where it stands; of a `type` statement, none."""
    if isinstance(node, ast.ClassDef):
        yield from [*node.decorator_list, *node.bases, *node.keywords]
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from node.decorator_list
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        yield from node.args.defaults
        yield from (each for each in node.args.kw_defaults if each is not None)


def _whole_values(function: FunctionNode) -> Iterator[ast.expr]:
    """Yield each call, awaited or not, that is the whole value of a simple statement."""
    for node, _, _ in _walk(function):
        match node:
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                pass
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                pass
            case _:
                continue
        yield value.value if isinstance(value, ast.Await) else value
