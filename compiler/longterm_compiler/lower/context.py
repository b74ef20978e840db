"""The state of lowering one flow, and the few moves that every construct shares.

A construct's file takes a `Lowering`, the author's node, and `out`: the list of the statements that
come before what it returns. The moves are

- `block`, `expression`: lower what is inside;
- `spill`: evaluate an expression now, into a temporary;
- `in_order`: lower operands that Python evaluates from left to right. Those before a suspending one
  are spilled, since Python has them on its value stack while the call runs, and no value stack can
  be stored. Those after it stay where the author wrote them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from longterm._abi import YIELD
from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.analysis.points import Suspensions
from longterm_compiler.analysis.scope import Scope, own_nodes
from longterm_compiler.syntax.build import (
    NOWHERE,
    PointExpression,
    asked_at,
    assign,
    at,
    call,
    load,
    runtime,
)
from longterm_compiler.syntax.temporaries import Names, is_reserved

Out: TypeAlias = list[ast.stmt]
StatementLowerer: TypeAlias = Callable[["Lowering", ast.stmt, Out], None]
ExpressionLowerer: TypeAlias = Callable[["Lowering", ast.expr, Out], ast.expr]
Merge: TypeAlias = Callable[[ast.expr, list[ast.expr]], ast.expr]
"""Makes the merging of a `**mapping`, from it and from what was evaluated before it."""
_NO_MERGES: Mapping[int, Merge] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class ResumePoint:
    """A place where a flow may wait: a call, and the statement of the lowered body that it is in.

    The call, awaited or not, is the whole value of the statement. So a resume goes on by running
    the statement with the event's value in the place of the call.
    """

    number: int
    """From 1, in the order of the lowered body."""
    call: PointExpression
    statement: ast.stmt
    suspends: bool
    """Whether the call surely suspends; otherwise it may."""
    within: tuple[ast.stmt, ...] = ()
    """The author's statements that the call stands in, outermost first."""
    asks: tuple[str, ...] = ()
    """The path of the method by which something is asked for its next value, if the point is that
    it is: `("_lt_iter1", "__next__")`."""
    is_again: bool = False
    """Whether a resume runs the statement again as it is: what it asks goes on by itself."""

    @property
    def line(self) -> int:
        """The line of the call in the author's file."""
        return self.call.lineno

    @property
    def end(self) -> tuple[int, int]:
        """Where the call ends there (line, column in bytes): no two calls end at one place.

        Of a loop that asks a generator it is where the loop begins, and no call ends.
        """
        if isinstance(self.statement, ast.For | ast.AsyncFor):
            return asked_at(self.statement)
        assert self.call.end_lineno is not None
        assert self.call.end_col_offset is not None
        return self.call.end_lineno, self.call.end_col_offset

    @property
    def callee(self) -> tuple[str, ...]:
        """What is called, as a dotted path: `("self", "approve")`."""
        return self.asks or self.written

    @property
    def written(self) -> tuple[str, ...]:
        """The path by which the text calls it."""
        if not isinstance(self.call, ast.Call):
            return YIELD
        path = dotted(self.call.func)
        assert path is not None, "a callee without a path is bound to a temporary"
        return path


@dataclass(frozen=True, slots=True, eq=False)
class PointCall:
    """A suspending call that is lowered, and still wants a statement to stand in."""

    call: PointExpression
    value: ast.expr
    """The call, or the `await` of it."""
    suspends: bool
    """Whether the call surely suspends; otherwise it may."""
    asks: tuple[str, ...] = ()
    """By what something is asked for its next value; see `ResumePoint`."""
    is_again: bool = False
    """Whether a resume runs the statement again as it is."""


@dataclass(slots=True, eq=False)
class ExitRecord:
    """A block that records how it is left, since its `finally` can suspend.

    A resume inside the `finally` leaves the block again in the same way: in the end it raises the
    same exception, say, or returns the same result.
    """

    way: str
    """The temporary for how it was left: `"raise"`, `"return"`, `"break"` or `"continue"`; None at
    its end, and `"suspend"` while a suspension passes."""
    value: str
    """The temporary for the exception or the result that it was left with."""
    jumps: set[str] = field(default_factory=set)
    """The ways that occur as statements in the block: `"return"`, `"break"`, `"continue"`."""


@dataclass(frozen=True, slots=True, eq=False)
class FinallyEntry:
    """How a resume enters a `finally` with a point inside: by a `try` with these parts."""

    leave: Out
    """The body of the `try`: it leaves the block as it was left before the suspend."""
    begin: Out
    """What the `finally` begins with."""


@dataclass(eq=False)
class Lowering:
    """Everything that changes while one flow is lowered."""

    suspensions: Suspensions
    scope: Scope
    statements: dict[type[ast.stmt], StatementLowerer]
    expressions: dict[type[ast.expr], ExpressionLowerer]
    around: frozenset[str] = frozenset()
    """The names of the functions around the flow."""
    returns_values: bool = True
    """Whether a `return` may have a value: that of an asynchronous generator has none."""
    names: Names = field(default_factory=Names)
    points: list[ResumePoint] = field(default_factory=list)
    """The points so far, in the order in which they stand in the lowered text."""
    preludes: dict[ast.stmt, Out] = field(default_factory=dict)
    """What must run again before a statement is entered anew: the flags it starts with."""
    caught: dict[ast.ExceptHandler, str] = field(default_factory=dict)
    """The temporary that keeps the exception of a handler with a point inside."""
    finally_entries: dict[ast.Try, FinallyEntry] = field(default_factory=dict)
    """How to enter the `finally` of each `try` that has a point inside it."""
    exit_records: list[ExitRecord | None] = field(default_factory=list)
    """The blocks around the current statement that record how they are left, outermost first.

    None is the body of a loop, which a `break` or `continue` inside it does not leave.
    """

    def may_suspend(self, *nodes: ast.AST | None) -> bool:
        """Tell whether any of these author's nodes contains a suspending call."""
        return self.suspensions.may_suspend(*nodes)

    def block(self, body: Iterable[ast.stmt]) -> Out:
        """Lower a block.

        A statement that cannot suspend is left untouched, unless it holds a `return`, `break` or
        `continue` that a block around must record.
        """
        out: Out = []
        for statement in body:
            if self.may_suspend(statement) or (self.records_exits and has_exit(statement)):
                self.names.within.append(statement)
                self.statements[type(statement)](self, statement, out)
                self.names.within.pop()
            else:
                out.append(statement)
        return out

    @property
    def records_exits(self) -> bool:
        """Whether some block around the current statement records how it is left."""
        return any(self.exit_records)

    def loop_body(self, body: Iterable[ast.stmt]) -> Out:
        """Lower the body of a loop: a `break` in it leaves no block around the loop."""
        self.exit_records.append(None)
        lowered = self.block(body)
        self.exit_records.pop()
        return lowered

    def expression(self, node: ast.expr, out: Out) -> ast.expr:
        """Move what suspends out of an expression; return what is left to evaluate after it."""
        if not self.may_suspend(node):
            return node
        return self.expressions[type(node)](self, node, out)

    def in_place(self, node: ast.expr, out: Out) -> ast.expr:
        """Lower an expression, and give what is left the place of the whole.

        Python points there if it cannot use the value, as in `for x in ask("which"): ...`.
        """
        return ast.copy_location(self.expression(node, out), node)

    def in_order(
        self, nodes: list[ast.expr], out: Out, merges: Mapping[int, Merge] = _NO_MERGES
    ) -> list[ast.expr]:
        """Lower expressions that Python evaluates from left to right.

            f(a.b, ask("x"), c.d)       _lt_value1 = a.b
                                        _lt_value2 = ask("x")
                                        f(_lt_value1, _lt_value2, c.d)

            f(**a, b=ask("x"))          _lt_mapping1 = __longterm__.merged(f, a)
                                        _lt_value1 = ask("x")
                                        f(**_lt_mapping1, b=_lt_value1)

        Args:
            nodes: the operands.
            out: where the statements go that evaluate the operands up to the last suspending one.
            merges: by their indexes the `**mapping` arguments, which Python merges into the
                keywords so far before it evaluates the next one.
        """
        last = max((i for i, node in enumerate(nodes) if self.may_suspend(node)), default=-1)
        done: list[ast.expr] = []
        for index, node in enumerate(nodes):
            left = self.expression(node, out)
            if index >= last:
                done.append(left)
            elif index in merges:
                done.append(self.spill("mapping", at(node, merges[index](left, done)), out))
            else:
                done.append(self.spill_unless_stable(left, nodes[index + 1 : last + 1], out))
        return done

    def spill(self, holds: str, node: ast.expr, out: Out) -> ast.Name:
        """Evaluate an expression into a new temporary, and return a reading of it."""
        name = self.names.fresh(holds)
        out.append(at(node, assign(name, node)))
        return at(NOWHERE, load(name))

    def spill_unless_stable(self, node: ast.expr, later: Iterable[ast.expr], out: Out) -> ast.expr:
        """Evaluate an expression now, unless nothing that is evaluated later can change it."""
        if isinstance(node, ast.Constant) or self._is_stable(node, later):
            return node
        if isinstance(node, ast.Starred):
            # `*items` is no value. A list of the items is one, and is unpacked in its place.
            display = at(node, ast.List([node], ast.Load()))
            return at(node, ast.Starred(self.spill("list", display, out), ast.Load()))
        if isinstance(node, ast.Slice):
            ends = [end or ast.Constant(None) for end in (node.lower, node.upper, node.step)]
            node = at(node, call(runtime("slice"), *ends))
        return self.spill("value", node, out)

    def _is_stable(self, node: ast.expr, later: Iterable[ast.expr]) -> bool:
        """Tell whether an expression is a name that has the same value after these others."""
        if not isinstance(node, ast.Name):
            return False
        if is_reserved(node.id):
            return True  # a temporary, which nothing later binds
        if node.id not in self.scope.always_bound:
            return False  # to read it now may fail, and then nothing later may run
        if node.id in self.scope.captured:
            return False  # what is called later may bind it, by `nonlocal`
        return node.id not in self.scope.bound or not rebinds(node.id, later)

    def is_late_bound(self, callee: ast.expr) -> bool:
        """Tell whether a callee is looked up at the call: a dotted path from a module-level name.

        The module may be a newer one after the suspend, and what it holds need not be storable.
        """
        path = dotted(callee)
        if path is None:
            return False
        if path[0] in self.scope.declared_global:
            return True
        return path[0] not in self.scope.local and path[0] not in self.around

    def add_point(self, point: PointCall, statement: ast.stmt, out: Out) -> None:
        """Add a statement whose value is a suspending call: the next resume point."""
        number = len(self.points) + 1
        within = tuple(self.names.within)
        how = point.suspends, within, point.asks, point.is_again
        self.points.append(ResumePoint(number, point.call, statement, *how))
        out.append(statement)

    def record_exit(self, way: str, value: ast.expr | None = None) -> Out:
        """Return what records a jump out of the current statement in each block that it leaves.

        Args:
            way: `"return"`, `"break"` or `"continue"`.
            value: what is returned.
        """
        recording: Out = []
        for record in reversed(self.exit_records):
            if record is not None:
                record.jumps.add(way)
                if value is not None:
                    recording.append(assign(record.value, value))
                recording.append(assign(record.way, ast.Constant(way)))
            elif way != "return":
                break  # a loop's body: a `break` or `continue` goes no further
        return recording


def rebinds(name: str, nodes: Iterable[ast.expr]) -> bool:
    """Tell whether evaluating these expressions, or storing to them, may bind a name anew."""
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
        for node in nodes
        for part in ast.walk(node)
    )


def has_exit(statement: ast.stmt) -> bool:
    """Tell whether a statement may leave the block it stands in by a return, break or continue."""
    return any(
        isinstance(node, ast.Return | ast.Break | ast.Continue) for node in own_nodes([statement])
    )
