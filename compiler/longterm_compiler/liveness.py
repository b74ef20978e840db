"""Which names a body reads before it binds them: what a frame must keep to run that body.

Classic backward data flow over a graph of statements. Where the graph is unsure (which handler
catches, whether a manager swallows) it takes every way, so a name too many may be live, never one
too few. For each live name the line of a read is kept, so that a refusal can say why it is live.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from longterm_compiler.scope import (
    bound_by,
    free_in_comprehension,
    free_names,
    own_nodes,
)

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def live_at_entry(body: list[ast.stmt], one_round: str) -> dict[str, int]:
    """Return the names that are live when a body is entered, each with the line of a read.

    Args:
        body: the statements, run from the first.
        one_round: the target of the loops that run exactly once.
    """
    graph = _Graph(one_round)
    end = graph.add()
    entry = graph.block(body, end, _Ways(returned=end, raised=end))
    return dict(sorted(graph.solve()[entry].items()))


@dataclass(slots=True)
class _Step:
    """One step of control: what it reads, what it surely binds, where it goes."""

    reads: dict[str, int] = field(default_factory=dict)
    binds: frozenset[str] = frozenset()
    after: list[int] = field(default_factory=list)
    raised: int | None = None


@dataclass(frozen=True, slots=True)
class _Ways:
    """Where control goes from inside a block, other than on."""

    returned: int
    raised: int
    broken: int | None = None
    continued: int | None = None


class _Graph:
    def __init__(self, one_round: str) -> None:
        self._steps: list[_Step] = []
        self._one_round = one_round

    def add(
        self,
        reads: Iterable[ast.AST] = (),
        binds: Iterable[str] = (),
        after: Iterable[int] = (),
        raised: int | None = None,
    ) -> int:
        step = _Step(_reads(reads), frozenset(binds), list(after), raised)
        self._steps.append(step)
        return len(self._steps) - 1

    def solve(self) -> list[dict[str, int]]:
        """Return what is live before each step."""
        live: list[dict[str, int]] = [{} for _ in self._steps]
        before: list[list[int]] = [[] for _ in self._steps]
        for number, step in enumerate(self._steps):
            for target in [*step.after, *([] if step.raised is None else [step.raised])]:
                before[target].append(number)
        pending = list(range(len(self._steps)))
        while pending:
            number = pending.pop()
            found = self._before(self._steps[number], live)
            if found.keys() != live[number].keys():
                live[number] = found
                pending.extend(before[number])
        return live

    @staticmethod
    def _before(step: _Step, live: list[dict[str, int]]) -> dict[str, int]:
        found: dict[str, int] = {}
        for target in step.after:
            found.update(
                (name, line) for name, line in live[target].items() if name not in step.binds
            )
        if step.raised is not None:
            found.update(live[step.raised])
        found.update(step.reads)
        return found

    def block(self, body: list[ast.stmt], after: int, ways: _Ways) -> int:
        for node in reversed(body):
            after = self._statement(node, after, ways)
        return after

    def _statement(self, node: ast.stmt, after: int, ways: _Ways) -> int:
        match node:
            case ast.If():
                then = self.block(node.body, after, ways)
                otherwise = self.block(node.orelse, after, ways)
                return self.add([node.test], (), [then, otherwise], ways.raised)
            case ast.While():
                return self._while(node, after, ways)
            case ast.For() | ast.AsyncFor():
                return self._for(node, after, ways)
            case ast.Try() | ast.TryStar():
                return self._try(node, after, ways)
            case ast.With() | ast.AsyncWith():
                return self._with(node, after, ways)
            case ast.Match():
                return self._match(node, after, ways)
            case ast.Return():
                return self.add(
                    [node.value] if node.value else [], (), [ways.returned], ways.raised
                )
            case ast.Raise():
                return self.add([node], (), [], ways.raised)
            case ast.Break() if ways.broken is not None:
                return self.add(after=[ways.broken])
            case ast.Continue() if ways.continued is not None:
                return self.add(after=[ways.continued])
        return self.add([node], _binds(node), [after], ways.raised)

    def _while(self, node: ast.While, after: int, ways: _Ways) -> int:
        head = self.add([node.test], raised=ways.raised)
        body = self.block(node.body, head, replace(ways, broken=after, continued=head))
        self._steps[head].after.append(body)
        if not (isinstance(node.test, ast.Constant) and node.test.value):
            self._steps[head].after.append(self.block(node.orelse, after, ways))
        return head

    def _for(self, node: ast.For | ast.AsyncFor, after: int, ways: _Ways) -> int:
        finished = self.block(node.orelse, after, ways)
        if isinstance(node.target, ast.Name) and node.target.id == self._one_round:
            return self.block(node.body, finished, replace(ways, broken=after, continued=finished))
        head = self.add(raised=ways.raised)
        body = self.block(node.body, head, replace(ways, broken=after, continued=head))
        bind = self.add([node.target], _binds(node.target), [body], ways.raised)
        self._steps[head].after += [bind, finished]
        return self.add([node.iter], (), [head], ways.raised)

    def _try(self, node: ast.Try | ast.TryStar, after: int, ways: _Ways) -> int:
        inner = ways
        if node.finalbody:
            exits = [after, ways.raised, ways.returned]
            exits += [each for each in (ways.broken, ways.continued) if each is not None]
            final = self.block(node.finalbody, self.add(after=exits), ways)
            after = final
            inner = _Ways(
                final,
                final,
                None if ways.broken is None else final,
                None if ways.continued is None else final,
            )
        caught = self.add(after=[inner.raised])
        for handler in node.handlers:
            entry = self.block(handler.body, after, inner)
            names = [handler.name] if handler.name else []
            bind = self.add((), names, [entry])
            test = self.add([handler.type] if handler.type else [], (), [bind], inner.raised)
            self._steps[caught].after.append(test)
        otherwise = self.block(node.orelse, after, inner)
        return self.block(node.body, otherwise, replace(inner, raised=caught))

    def _with(self, node: ast.With | ast.AsyncWith, after: int, ways: _Ways) -> int:
        swallowed = self.add(after=[after, ways.raised])
        entry = self.block(node.body, after, replace(ways, raised=swallowed))
        for item in reversed(node.items):
            if item.optional_vars is not None:
                target = item.optional_vars
                entry = self.add([target], _binds(target), [entry], swallowed)
            entry = self.add([item.context_expr], (), [entry], swallowed)
        return entry

    def _match(self, node: ast.Match, after: int, ways: _Ways) -> int:
        entry = after
        for case in reversed(node.cases):
            taken = self.block(case.body, after, ways)
            if case.guard is not None:
                taken = self.add([case.guard], (), [taken, entry], ways.raised)
            bind = self.add((), _binds(case.pattern), [taken])
            entry = self.add([case.pattern], (), [bind, entry], ways.raised)
        return self.add([node.subject], (), [entry], ways.raised)


def _reads(nodes: Iterable[ast.AST]) -> dict[str, int]:
    """Return the names that are read when these nodes run, each with its line."""
    found: dict[str, int] = {}
    for node in own_nodes(nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found[node.id] = node.lineno
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node.lineno
        elif isinstance(node, _COMPREHENSIONS):
            found.update(dict.fromkeys(free_in_comprehension(node), node.lineno))
        elif isinstance(node, _SCOPES):
            found.update(dict.fromkeys(free_names(node), node.lineno))
    return found


def _binds(node: ast.AST) -> set[str]:
    """Return the names that are surely bound when this node has run."""
    maybe = {each.target.id for each in own_nodes([node]) if isinstance(each, ast.NamedExpr)}
    return {name for each in own_nodes([node]) for name in bound_by(each)} - maybe
