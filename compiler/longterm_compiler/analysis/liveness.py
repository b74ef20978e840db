"""Which names a body reads before it binds them: what a frame must keep to run that body.

Classic backward data flow over a graph of statements. Where the graph is unsure (which handler
catches, whether a manager swallows) it takes every way, so a name too many may be live, never one
too few. For each live name the line of a read is kept, so that a refusal can say why it is live.

    def f(_lt_next, …):                 # live at entry: `item` (line 3), `total` (line 2)
        total += _lt_next()             # reads `total`, then binds it
        reply = item                    # binds `reply`, so that it is not live before
        return total, reply

The method is in every textbook on compilers (Aho, Lam, Sethi, Ullman, *Compilers*, section 9.2.5):
live before a step is what it reads, and what is live after it without what it binds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from longterm_compiler.analysis.scope import bound_by, free_in_comprehension, free_names, own_nodes

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
    binds: set[str] = field(default_factory=set)
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
        node: ast.AST | None = None,
        after: Iterable[int] = (),
        raised: int | None = None,
    ) -> int:
        """Add a step that runs a node, if there is one, and return its number."""
        reads, binds = ({}, set()) if node is None else _uses(node)
        return self._append(_Step(reads, binds, list(after), raised))

    def _append(self, step: _Step) -> int:
        self._steps.append(step)
        return len(self._steps) - 1

    def solve(self) -> list[dict[str, int]]:
        """Return what is live before each step.

        Steps are added after those that they lead to, loops aside: few rounds settle them all.
        """
        live: list[dict[str, int]] = [{} for _ in self._steps]
        settled = False
        while not settled:
            settled = True
            for number, step in enumerate(self._steps):
                found = self._before(step, live)
                if found.keys() != live[number].keys():
                    live[number] = found
                    settled = False
        return live

    @staticmethod
    def _before(step: _Step, live: list[dict[str, int]]) -> dict[str, int]:
        found: dict[str, int] = {}
        for target in step.after:
            found |= live[target]
        for name in step.binds:
            found.pop(name, None)
        if step.raised is not None:
            found |= live[step.raised]
        found |= step.reads
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
                return self.add(node.test, [then, otherwise], ways.raised)
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
                return self.add(node.value, [ways.returned], ways.raised)
            case ast.Raise():
                return self.add(node, [], ways.raised)
            case ast.Break() if ways.broken is not None:
                return self.add(after=[ways.broken])
            case ast.Continue() if ways.continued is not None:
                return self.add(after=[ways.continued])
        return self.add(node, [after], ways.raised)

    def _while(self, node: ast.While, after: int, ways: _Ways) -> int:
        head = self.add(node.test, raised=ways.raised)
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
        bind = self.add(node.target, [body], ways.raised)
        self._steps[head].after += [bind, finished]
        return self.add(node.iter, [head], ways.raised)

    def _try(self, node: ast.Try | ast.TryStar, after: int, ways: _Ways) -> int:
        inner = ways
        if node.finalbody:
            exits = [after, ways.raised, ways.returned]
            exits += [exit_ for exit_ in (ways.broken, ways.continued) if exit_ is not None]
            final = self.block(node.finalbody, self.add(after=exits), ways)
            after = final
            inner = _Ways(
                final,
                final,
                None if ways.broken is None else final,
                None if ways.continued is None else final,
            )
        clauses: list[int] = []
        for handler in node.handlers:
            entry = self.block(handler.body, after, inner)
            bind = self._append(_Step({}, set(bound_by(handler)), [entry]))
            clauses.append(self.add(handler.type, [bind], inner.raised))
        caught = self.add(after=[inner.raised, *clauses])
        otherwise = self.block(node.orelse, after, inner)
        return self.block(node.body, otherwise, replace(inner, raised=caught))

    def _with(self, node: ast.With | ast.AsyncWith, after: int, ways: _Ways) -> int:
        swallowed = self.add(after=[after, ways.raised])
        entry = self.block(node.body, after, replace(ways, raised=swallowed))
        for item in reversed(node.items):
            if item.optional_vars is not None:
                entry = self.add(item.optional_vars, [entry], swallowed)
            entry = self.add(item.context_expr, [entry], swallowed)
        return entry

    def _match(self, node: ast.Match, after: int, ways: _Ways) -> int:
        entry = after
        for case in reversed(node.cases):
            taken = self.block(case.body, after, ways)
            if case.guard is not None:
                taken = self.add(case.guard, [taken, entry], ways.raised)
            reads, binds = _uses(case.pattern)
            bind = self._append(_Step({}, binds, [taken]))
            entry = self._append(_Step(reads, set(), [bind, entry], ways.raised))
        return self.add(node.subject, [entry], ways.raised)


def _uses(node: ast.AST) -> tuple[dict[str, int], set[str]]:
    """Return the names that are read when a node runs, each with its line, and the surely bound."""
    reads: dict[str, int] = {}
    binds: set[str] = set()
    maybe: set[str] = set()
    for part in own_nodes([node]):
        binds.update(bound_by(part))
        if isinstance(part, ast.Name):
            if not isinstance(part.ctx, ast.Store):
                reads[part.id] = part.lineno
        elif isinstance(part, ast.NamedExpr):
            maybe.add(part.target.id)
        elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            reads[part.target.id] = part.lineno
        elif isinstance(part, _COMPREHENSIONS):
            reads.update(dict.fromkeys(free_in_comprehension(part), part.lineno))
        elif isinstance(part, _SCOPES):
            reads.update(dict.fromkeys(free_names(part), part.lineno))
    return reads, binds - maybe
