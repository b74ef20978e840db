"""Names that surely have a value at a point: a written module trusts in them."""

from __future__ import annotations

import textwrap

import pytest

from longterm_compiler import CompiledFlow, ModuleNames, SourceFile, Verdict, compile_flow
from longterm_compiler.resume.bound import surely_bound
from longterm_compiler.written.table import maybe_unbound


def flow(body: str) -> CompiledFlow:
    text = f"def f(p, q):\n{textwrap.indent(body, '    ')}\n    return p, q, a, b, c\n"
    source = SourceFile.parse("f.py", f"from longterm import suspend\n{text}")
    names = ModuleNames(source, "f", "", lambda module, path: Verdict.NEVER)
    return compile_flow(source.definitions[0], names)


@pytest.mark.parametrize(
    ("body", "sure"),
    [
        ("suspend(1)", "pq"),
        ("a = 1\nsuspend(1)\nb = 2", "apq"),
        ("a, (b, *c) = p\nsuspend(1)", "abcpq"),
        ("if p:\n    a = b = 1\nelse:\n    a = 2\nsuspend(1)", "apq"),
        ("if p:\n    a = b = 1\nelse:\n    return 2\nsuspend(1)", "abpq"),
        ("if p:\n    a = 1\nsuspend(1)", "pq"),
        ("for a in p:\n    b = 1\n    suspend(1)\n    c = 1", "abpq"),
        ("for a in p:\n    b = 1\nsuspend(1)", "pq"),
        ("while p:\n    a = 1\nelse:\n    b = 1\n    suspend(1)", "bpq"),
        ("try:\n    a = 1\n    suspend(1)\nexcept ValueError:\n    pass", "apq"),
        ("try:\n    a = 1\nexcept ValueError:\n    b = 1\n    suspend(1)", "bpq"),
        ("try:\n    a = 1\nexcept ValueError:\n    return 1\nelse:\n    suspend(1)", "apq"),
        ("try:\n    a = 1\nfinally:\n    b = 1\nsuspend(1)", "bpq"),
        ("with p as a:\n    b = 1\nsuspend(1)", "apq"),
        ("match p:\n    case [a, b]:\n        c = 1\n        suspend(1)", "cpq"),
        ("a = 1\nsuspend(1)\ndel a", "pq"),
        ("del p\na = 1\nsuspend(1)", "aq"),
        ("try:\n    p()\nexcept ValueError as a:\n    suspend(1)", "pq"),
        ("import a\nclass b: pass\ndef c(): pass\nsuspend(1)", "abcpq"),
    ],
)
def test_names_that_surely_have_a_value(body: str, sure: str) -> None:
    compiled = flow(body)

    found = surely_bound(compiled.lowered, compiled.points[0], compiled.scope)

    assert {each for each in found if not each.startswith("_lt_")} == set(sure)


def test_temporaries_are_sure() -> None:
    compiled = flow(
        "a = b = c = [suspend(1), p + suspend(2) if p else 1, *[suspend(x) for x in p]]"
    )

    assert [maybe_unbound(compiled, each) for each in compiled.points] == [[], [], []]
