"""Lower `match`: patterns are never evaluated twice; a guard that suspends splits the statement.

    match subject:                      _lt_subject1 = subject
        case "order" if ask("sure?"):   _lt_taken1 = False
            n = 1                       match _lt_subject1:
        case _:                             case "order":
            n = 2                               _lt_value1 = ask("sure?")
                                                if _lt_value1:
                                                    _lt_taken1 = True
                                                    n = 1
                                        if not _lt_taken1:
                                            match _lt_subject1:
                                                case _:
                                                    _lt_taken1 = True
                                                    n = 2

Suspends in the bodies of cases need nothing: a resume goes straight into the body.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.booleans import lower_test
from longterm_compiler.lower.context import Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import NOWHERE, assign, at, load


def _lower_match(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.Match)
    subject = low.expression(node.subject, out)
    guarded = [i for i, case in enumerate(node.cases) if low.may_suspend(case.guard)]
    if not guarded:
        out.append(_plain(low, node, subject, node.cases))
        return
    subject = low.spill("subject", subject, out)
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
    lowered = [ast.match_case(case.pattern, case.guard, low.block(case.body)) for case in cases]
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
        if case.guard is not None and low.may_suspend(case.guard):
            body: Out = []
            test = lower_test(low, case.guard, body)
            body.append(at(case.guard, ast.If(test, [*mark, *low.block(case.body)], [])))
            lowered.append(ast.match_case(case.pattern, None, body))
        else:
            lowered.append(ast.match_case(case.pattern, case.guard, [*mark, *low.block(case.body)]))
    return ast.copy_location(ast.Match(subject, lowered), node)


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {ast.Match: _lower_match}
