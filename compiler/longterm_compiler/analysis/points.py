"""Find the calls of a function at which it may suspend: its resume points, not yet numbered.

Requires `callees`. A call is a point when it suspends or may suspend; one whose callee is unknown
is a point if the text shows that it is likely a flow, or where it is the whole value of a
statement, since that costs nothing:

    approve(item)                       # a point: it suspends
    total += notify(item)               # a point: it may suspend
    total += int(client.ask(item))      # a point, if a class at hand has a flow `ask`
    price = client.price(item)          # a point: unknown, but a statement of its own
    total += client.price(item)         # none: it would have to be hoisted on suspicion
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from longterm._abi.verdict import Verdict
from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.consumers import consumer_of, taker_of
from longterm_compiler.analysis.scope import (
    Comprehension,
    comprehension_variables,
    free_names,
    is_generator,
)
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.syntax.tree import children, walk

_NESTED_SCOPES: tuple[type[ast.AST], ...] = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
)
if hasattr(ast, "TypeAlias"):  # from Python 3.12 on, by PEP 695
    _NESTED_SCOPES = (*_NESTED_SCOPES, getattr(ast, "TypeAlias"))  # noqa: B009
_METHODS = frozenset({"__anext__", "__next__", "asend", "athrow", "close", "send", "throw"})
"""By which a generator is asked for a value, or closed."""
_NEXT = frozenset({"anext", "next"})
"""The builtins that ask it once."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True, eq=False)
class Suspensions:
    """The calls at which one function may suspend, and the nodes that contain them."""

    calls: dict[ast.Call, Verdict]
    containing: set[ast.AST]
    """Every node of the function with such a call inside, the calls themselves included."""
    consumers: dict[ast.GeneratorExp, str] = field(default_factory=dict)
    """The generator expressions that are given to a builtin at once, with the name of that."""
    asks: dict[ast.AST, str] = field(default_factory=dict)
    """What asks a generator that may suspend inside itself: loops, comprehensions, `yield from`;
    and calls of builtins, with the name of that."""

    def may_suspend(self, *nodes: ast.AST | None) -> bool:
        """Tell whether any of these nodes contains a suspending call."""
        return any(node in self.containing for node in nodes)

    @property
    def calls_or_asks(self) -> bool:
        """Whether there is a point other than a `yield`."""
        return bool(self.calls or self.asks)

    def surely_suspends(self, call: ast.Call) -> bool:
        """Tell whether a call is a suspending one for certain."""
        return call in self.calls and self.calls[call].is_sure

    def rounds_may_suspend(self, node: Comprehension) -> bool:
        """Tell whether a comprehension's rounds suspend: its first iterable comes before them."""
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        first, *rest = node.generators
        parts = (*elements, first.target, *first.ifs, *rest)
        return first in self.asks or self.may_suspend(*parts)

    def has_waiting(self, consumer: str) -> bool:
        """Tell whether some generator expression that is given to this builtin may suspend."""
        return any(
            name == consumer and self.rounds_may_suspend(generator)
            for generator, name in self.consumers.items()
        )

    def record_copy(self, old: ast.AST, new: ast.AST) -> None:
        """Take a copy of a node for what the node is."""
        if isinstance(old, ast.Call) and isinstance(new, ast.Call) and old in self.calls:
            self.calls[new] = self.calls[old]
        if isinstance(old, ast.GeneratorExp) and old in self.consumers:
            assert isinstance(new, ast.GeneratorExp)
            self.consumers[new] = self.consumers[old]
        self.record_asking(old, new)
        if old in self.containing:
            self.containing.add(new)

    def record_asking(self, old: ast.AST, new: ast.AST) -> None:
        """Take a node for what asks a generator, if another one that it stands for does."""
        if old in self.asks:
            self.asks[new] = self.asks[old]

    def mark(self, node: ast.AST) -> bool:
        """Enter what contains a suspending call in a tree of new nodes around known ones."""
        if node in self.containing:
            return True
        found = [self.mark(child) for child in children(node)]
        is_point = any(found) or node in self.asks
        if is_point:
            self.containing.add(node)
        return is_point


def find_suspensions(function: FunctionNode, callees: Callees) -> Suspensions:
    """Return the suspending calls of a function's own body.

    A generator has its points where it yields. Other calls are points if the text shows that one of
    them suspends, or likely does: not only since it is awaited.
    """
    found = _found(function, callees, None)
    if not is_generator(function):
        return found
    awaited = {node.value for node in callees.scope.nodes if isinstance(node, ast.Await)}
    shown = (
        verdict.is_sure
        or (verdict is Verdict.LIKELY and (call not in awaited or _is_likely(call, callees)))
        for call, verdict in found.calls.items()
    )
    if found.asks or any(shown):
        return found
    return _found(function, callees, _Around(is_certain_only=True))


def _is_likely(call: ast.Call, callees: Callees) -> bool:
    """Tell whether a call likely suspends, whether it is awaited or not."""
    is_likely = callees.is_likely(call.func) or callees.verdict(call.func) is Verdict.LIKELY
    return is_likely or _is_method_of_generator(call, callees)


def _found(function: FunctionNode, callees: Callees, inside: _Around | None) -> Suspensions:
    """Return the suspending calls of a function, as if they stood in something else."""
    found = Suspensions({}, set())
    parents: dict[ast.AST, ast.AST] = {}
    for node, parent, around in _walk(function, found.consumers):
        parents[node] = parent
        if isinstance(node, _COMPREHENSIONS):
            parents[node.generators[0]] = node
        if isinstance(node, ast.Yield | ast.YieldFrom):
            _enter(node, parents, found.containing)
        can_ask = _is_point(Verdict.LIKELY, inside or around, whole=False)
        asks = _asks(node, callees) if can_ask else None
        if asks is not None:
            found.asks[node] = asks
            _enter(node, parents, found.containing)
        if not isinstance(node, ast.Call):
            continue
        consumer = consumer_of(node, callees)
        if consumer is not None and isinstance(node.args[0], ast.GeneratorExp):
            found.consumers[node.args[0]] = consumer
        verdict = _verdict(node, parent, callees, around)
        if asks in _NEXT or _is_method_of_generator(node, callees):
            verdict = Verdict.LIKELY
        if _is_point(verdict, inside or around, whole=_is_whole_value(node, parents)):
            found.calls[node] = verdict
            _enter(node, parents, found.containing)
    return found


def _asks(node: ast.AST, callees: Callees) -> str | None:
    """Return by which builtin a node asks a generator that may suspend inside itself.

    It is empty for other syntax that asks, and None if the text shows no such generator there.
    """
    asked: ast.expr | None = None
    name: str | None = ""
    match node:
        case ast.For(iter=asked) | ast.AsyncFor(iter=asked) | ast.comprehension(iter=asked):
            pass
        case ast.YieldFrom(value=asked):
            pass
        case ast.Call(args=[asked, *_]):
            name = taker_of(node, callees)
    is_asked = asked is not None and name is not None and callees.generates(asked)
    return name if is_asked else None


def _is_method_of_generator(call: ast.Call, callees: Callees) -> bool:
    """Tell whether it is a call such as `g.send(x)`, which asks such a generator for a value."""
    match call.func:
        case ast.Attribute(value=asked, attr=method) if method in _METHODS:
            return callees.generates(asked)
    return False


def _enter(node: ast.AST | None, parents: dict[ast.AST, ast.AST], containing: set[ast.AST]) -> None:
    """Note a node and all that it stands in as holding a resume point."""
    while node is not None and node not in containing:
        containing.add(node)
        node = parents.get(node)


class _Around(NamedTuple):
    """What is around a call, if it makes points of fewer calls than the body of the flow does."""

    variables: frozenset[str] = frozenset()
    """The names that comprehensions bind around it."""
    is_certain_only: bool = False
    """Whether only what surely suspends is a point; otherwise also what likely does."""


def _verdict(call: ast.Call, parent: ast.AST, callees: Callees, around: _Around | None) -> Verdict:
    path = dotted(call.func)
    is_variable = path is not None and around is not None and path[0] in around.variables
    # A comprehension's variable is no name that the resolver knows.
    verdict = Verdict.UNKNOWN if is_variable else callees.verdict(call.func)
    is_open = verdict is Verdict.UNKNOWN or (verdict is Verdict.MAY and around is not None)
    # To await something takes so long that a temporary more does not count.
    is_likely = is_open and (isinstance(parent, ast.Await) or callees.is_likely(call.func))
    return Verdict.LIKELY if is_likely else verdict


def _is_point(verdict: Verdict, around: _Around | None, *, whole: bool) -> bool:
    match verdict:
        case Verdict.LIKELY:
            return around is None or not around.is_certain_only
        case Verdict.MAY:
            return around is None
        case Verdict.UNKNOWN:
            return around is None and whole
    return verdict.is_sure


def _walk(
    function: FunctionNode, consumers: Container[ast.GeneratorExp]
) -> Iterator[tuple[ast.AST, ast.AST, _Around | None]]:
    """Yield each node that runs in the function, its parent, and what is around it.

    Parents come before their children. Of the `consumers` those are asked for that enclose a node.
    """
    pending: list[tuple[ast.AST, ast.AST, _Around | None]] = [
        (statement, function, None) for statement in function.body
    ]
    seen_outside: set[ast.AST] = set()
    while pending:
        node, parent, around = pending.pop()
        yield node, parent, around
        if isinstance(node, _COMPREHENSIONS):
            # The first iterable is evaluated before the comprehension begins.
            first = node.generators[0]
            pending.append((first.iter, first, around))
            seen_outside.add(first.iter)
            around = _in_rounds(node, around or _Around(), consumers)
        elif isinstance(parent, ast.TryStar) and isinstance(node, ast.ExceptHandler):
            around = _Around(is_certain_only=True)
        pending += [(part, node, around) for part in _parts(node) if part not in seen_outside]


def _in_rounds(
    node: Comprehension, around: _Around, consumers: Container[ast.GeneratorExp]
) -> _Around:
    """Return what is around the rounds of a comprehension, by what is around itself.

    What merely may be a flow is no reason to refuse a generator, or a lambda that captures.
    """
    variables = frozenset(comprehension_variables(node))
    is_generator = isinstance(node, ast.GeneratorExp) and node not in consumers
    is_fixed = is_generator or any(
        isinstance(part, ast.Lambda) and not variables.isdisjoint(free_names(part))
        for part in walk(node)
    )
    return _Around(around.variables | variables, around.is_certain_only or is_fixed)


def _parts(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that run where it stands."""
    if isinstance(node, _NESTED_SCOPES):
        return _run_at_definition(node)
    if isinstance(node, ast.AnnAssign):
        # The annotation of a local variable is never evaluated.
        return [node.target, *([node.value] if node.value else [])]
    return children(node)


def _run_at_definition(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a definition that run where it stands; of a `type` statement, none."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    found: list[ast.AST] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found += node.decorator_list
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        found += node.args.defaults
        found += [default for default in node.args.kw_defaults if default is not None]
    return found


def _is_whole_value(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    """Tell whether a call, awaited or not, is the whole value of a simple statement."""
    value: ast.expr = call
    around = parents[call]
    if isinstance(around, ast.Await):
        value, around = around, parents[around]
    if isinstance(around, ast.Expr | ast.Return | ast.Assign | ast.AnnAssign):
        return around.value is value
    return False
