"""The state of lowering one flow, and the few moves that every construct shares.

A construct's own file takes a `Lowering`, the author's node and the list of statements to add to.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from longterm_compiler.analysis.callees import dotted
from longterm_compiler.analysis.points import Suspensions
from longterm_compiler.analysis.scope import Scope, own_nodes
from longterm_compiler.syntax.build import NOWHERE, assign, at, call, load, runtime
from longterm_compiler.syntax.temporaries import Names, is_reserved

Out: TypeAlias = list[ast.stmt]
StatementLowerer: TypeAlias = Callable[["Lowering", ast.stmt, Out], None]
Merge: TypeAlias = Callable[[ast.expr, list[ast.expr]], ast.expr]
"""Makes the merging of a `**mapping`, from it and from what was evaluated before it."""
_NO_MERGES: Mapping[int, Merge] = MappingProxyType({})
ExpressionLowerer: TypeAlias = Callable[["Lowering", ast.expr, Out], ast.expr]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One resume point: the statement of the lowered flow whose call it is."""

    number: int
    call: ast.Call
    statement: ast.stmt


@dataclass(slots=True, eq=False)
class Exit:
    """A block whose way out is recorded, because its `finally` can suspend."""

    how: str
    """The temporary that says how it was left: `"raise"`, `"return"`, `"break"`, `"continue"`."""
    what: str
    """The temporary with the exception or the result that it was left with."""
    ways: set[str] = field(default_factory=set)
    """The ways out, exceptions aside, that occur in the block."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaving:
    """How to leave a `try` again, as it was left, when its `finally` has a point inside."""

    again: Out
    start: Out
    """How its `finally` begins then."""


@dataclass(eq=False)
class Lowering:
    """Everything that changes while one flow is lowered."""

    suspensions: Suspensions
    scope: Scope
    statements: dict[type[ast.stmt], StatementLowerer]
    expressions: dict[type[ast.expr], ExpressionLowerer]
    around: frozenset[str] = frozenset()
    """The names of the functions around the flow."""
    names: Names = field(default_factory=Names)
    points: list[Point] = field(default_factory=list)
    """The points so far, in the order in which they stand in the lowered text."""
    preludes: dict[ast.stmt, Out] = field(default_factory=dict)
    """What must run again before a statement is entered anew: the flags it starts with."""
    caught: dict[ast.ExceptHandler, str] = field(default_factory=dict)
    """The temporary that keeps the exception of a handler with a point inside."""
    pending: dict[ast.Try, Leaving] = field(default_factory=dict)
    """How to leave each `try` whose `finally` has a point inside."""
    exits: list[Exit | None] = field(default_factory=list)
    """The blocks around the current statement that record their way out; None is a loop's body."""

    def inside(self, *nodes: ast.AST | None) -> bool:
        """Tell whether any of these author's nodes contains a suspending call."""
        return self.suspensions.inside(*nodes)

    def copied(self, old: ast.AST, new: ast.AST) -> None:
        """Note that a node stands for another, which may be or contain a suspending call."""
        self.suspensions.copied(old, new)

    def mark(self, node: ast.AST) -> bool:
        """Note which nodes of a tree made by lowering contain suspending calls."""
        return self.suspensions.mark(node)

    def block(self, body: Iterable[ast.stmt]) -> Out:
        """Lower a block. What cannot suspend is the author's own node, untouched."""
        out: Out = []
        for statement in body:
            if self.inside(statement) or (any(self.exits) and has_exit(statement)):
                self.statements[type(statement)](self, statement, out)
            else:
                out.append(statement)
        return out

    def expression(self, node: ast.expr, out: Out) -> ast.expr:
        """Move what suspends out of an expression; return what is left to evaluate after it."""
        if not self.inside(node):
            return node
        return self.expressions[type(node)](self, node, out)

    def in_place(self, node: ast.expr, out: Out) -> ast.expr:
        """Lower an expression by whose place Python reports that its value is of no use."""
        return ast.copy_location(self.expression(node, out), node)

    def sequence(
        self, nodes: list[ast.expr], out: Out, merges: Mapping[int, Merge] = _NO_MERGES
    ) -> list[ast.expr]:
        """Lower expressions that Python evaluates from left to right.

        Whatever stands before a suspending one is evaluated, and kept, before it. `merges` are the
        places of `**mapping` arguments, which Python merges when their turn comes.
        """
        last = max((i for i, node in enumerate(nodes) if self.inside(node)), default=-1)
        done: list[ast.expr] = []
        for number, node in enumerate(nodes):
            left = self.expression(node, out)
            if number >= last:
                done.append(left)
            elif number in merges:
                done.append(self.keep("mapping", at(node, merges[number](left, done)), out))
            else:
                done.append(self.settle(left, nodes[number + 1 : last + 1], out))
        return done

    def settle(self, node: ast.expr, later: Iterable[ast.expr], out: Out) -> ast.expr:
        """Evaluate an expression now, so that nothing evaluated later can change its value."""
        if isinstance(node, ast.Constant) or self._is_stable(node, later):
            return node
        if isinstance(node, ast.Starred):
            display = at(node, ast.List([node], ast.Load()))
            return at(node, ast.Starred(self.keep("list", display, out), ast.Load()))
        if isinstance(node, ast.Slice):
            ends = [each or ast.Constant(None) for each in (node.lower, node.upper, node.step)]
            node = at(node, call(runtime("slice"), *ends))
        return self.keep("value", node, out)

    def keep(self, holds: str, node: ast.expr, out: Out) -> ast.Name:
        """Bind an expression's value to a new temporary and return a reading of it."""
        name = self.names.fresh(holds)
        out.append(at(node, assign(name, node)))
        return at(NOWHERE, load(name))

    def _is_stable(self, node: ast.expr, later: Iterable[ast.expr]) -> bool:
        if not isinstance(node, ast.Name):
            return False
        if is_reserved(node.id):
            return True
        if node.id not in self.scope.always_bound or node.id in self.scope.captured:
            return False
        return node.id not in self.scope.bound or not rebinds(node.id, later)

    def is_late(self, callee: ast.expr) -> bool:
        """Tell whether a callee is looked up at the call: a dotted path from a module-level name.

        The module may be a newer one after the suspend, and what it holds need not be storable.
        """
        path = dotted(callee)
        if path is None:
            return False
        if path[0] in self.scope.declared_global:
            return True
        return path[0] not in self.scope.local and path[0] not in self.around

    def add_point(self, call: ast.Call, statement: ast.stmt, out: Out) -> None:
        """Add a statement whose value is a suspending call: the next resume point."""
        self.points.append(Point(len(self.points) + 1, call, statement))
        out.append(statement)

    def recorded(self, way: str, value: ast.expr | None = None) -> Out:
        """Record a way out of the current statement in each block that it leaves."""
        records: Out = []
        for block in reversed(self.exits):
            if block is not None:
                block.ways.add(way)
                if value is not None:
                    records.append(assign(block.what, value))
                records.append(assign(block.how, ast.Constant(way)))
            elif way != "return":
                break
        return records

    def loop_body(self, body: Iterable[ast.stmt]) -> Out:
        """Lower the body of a loop: a `break` in it leaves no block around the loop."""
        self.exits.append(None)
        lowered = self.block(body)
        self.exits.pop()
        return lowered


def rebinds(name: str, nodes: Iterable[ast.expr]) -> bool:
    """Tell whether evaluating these expressions, or storing to them, may bind a name anew."""
    return any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
        for node in nodes
        for each in ast.walk(node)
    )


def has_exit(node: ast.stmt) -> bool:
    """Tell whether a statement may leave the block it stands in by a return, break or continue."""
    return any(
        isinstance(each, ast.Return | ast.Break | ast.Continue) for each in own_nodes([node])
    )
