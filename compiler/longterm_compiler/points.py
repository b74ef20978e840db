"""Find the calls of a function at which it may suspend: its resume points, not yet numbered.

Requires `callees`. A call is a point when it suspends or may suspend; one whose callee is unknown
is a point only where it is the whole value of a statement, since that costs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from longterm_compiler.callees import Callees, Verdict
from longterm_compiler.source import FunctionNode

_NESTED_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
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
    for node, parent, in_comprehension in _walk(function):
        parents[node] = parent
        if isinstance(node, _COMPREHENSIONS):
            parents[node.generators[0]] = node
        if not isinstance(node, ast.Call):
            continue
        verdict = callees.verdict(node.func)
        if _is_point(verdict, certain_only=in_comprehension, whole=id(node) in whole):
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


def _walk(function: FunctionNode) -> Iterator[tuple[ast.AST, ast.AST, bool]]:
    """Yield each node that runs in the function, its parent, and whether a comprehension is around.

    Parents come before their children.
    """
    pending: list[tuple[ast.AST, ast.AST, bool]] = [(s, function, False) for s in function.body]
    seen_outside: set[ast.AST] = set()
    while pending:
        node, parent, in_comprehension = pending.pop()
        yield node, parent, in_comprehension
        if isinstance(node, _COMPREHENSIONS):
            # The first iterable is evaluated before the comprehension begins.
            first = node.generators[0]
            pending.append((first.iter, first, in_comprehension))
            seen_outside.add(first.iter)
            in_comprehension = True
        if isinstance(node, _NESTED_SCOPES):
            children = _run_at_definition(node)
        elif isinstance(node, ast.AnnAssign):
            # The annotation of a local variable is never evaluated.
            children = iter([node.target, *([node.value] if node.value else [])])
        else:
            children = ast.iter_child_nodes(node)
        pending.extend(
            (child, node, in_comprehension) for child in children if child not in seen_outside
        )


def _run_at_definition(node: ast.AST) -> Iterator[ast.AST]:
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
