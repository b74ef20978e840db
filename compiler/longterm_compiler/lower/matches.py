"""Lower `match`: patterns are never evaluated twice; a guard that suspends splits the statement.

Suspends in the bodies of cases need nothing: a resume goes straight into the body. A guard with a
point inside becomes an `if` in its case, with the cases after it in a second `match` that runs when
nothing was taken yet.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.lower.expressions import lower_test
from longterm_compiler.syntax.build import NOWHERE, assign, at, load


def _match(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Match)
    subject = low.expression(node.subject, out)
    guarded = [i for i, case in enumerate(node.cases) if low.inside(case.guard)]
    if not guarded:
        out.append(_plain(low, node, subject, node.cases))
        return
    subject = low.keep("subject", subject, out)
    taken = low.names.fresh("taken")
    out.append(at(NOWHERE, assign(taken, ast.Constant(False))))
    groups = _groups(node.cases, guarded)
    for number, group in enumerate(groups):
        part: Out = [_group(low, node, subject, group, taken)]
        test = ast.UnaryOp(ast.Not(), load(taken))
        out += [at(NOWHERE, ast.If(test, part, []))] if number else part


def _plain(
    low: Lowering, node: ast.Match, subject: ast.expr, cases: list[ast.match_case]
) -> ast.stmt:
    lowered = [ast.match_case(each.pattern, each.guard, low.block(each.body)) for each in cases]
    return ast.copy_location(ast.Match(subject, lowered), node)


def _groups(cases: list[ast.match_case], guarded: list[int]) -> list[list[ast.match_case]]:
    """Cut the cases after each one whose guard suspends."""
    groups: list[list[ast.match_case]] = []
    start = 0
    for end in [*(i + 1 for i in guarded), len(cases)]:
        if cases[start:end]:
            groups.append(cases[start:end])
        start = end
    return groups


def _group(
    low: Lowering, node: ast.Match, subject: ast.expr, cases: list[ast.match_case], taken: str
) -> ast.stmt:
    lowered: list[ast.match_case] = []
    for case in cases:
        mark: Out = [at(NOWHERE, assign(taken, ast.Constant(True)))]
        if case.guard is not None and low.inside(case.guard):
            body: Out = []
            test = lower_test(low, case.guard, body)
            body.append(at(case.guard, ast.If(test, [*mark, *low.block(case.body)], [])))
            lowered.append(ast.match_case(case.pattern, None, body))
        else:
            lowered.append(ast.match_case(case.pattern, case.guard, [*mark, *low.block(case.body)]))
    return ast.copy_location(ast.Match(subject, lowered), node)


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {ast.Match: _match}
