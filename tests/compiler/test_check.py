"""What is refused, what is left alone, and what is said about several problems at once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import longterm
from longterm_compiler import (
    Diagnostic,
    ModuleNames,
    SourceFile,
    Verdict,
    check_file,
    compile_flow,
)


def problems(text: str) -> tuple[Diagnostic, ...]:
    source = SourceFile.parse("case.py", "from longterm import deflow, suspend\n" + dedent(text))
    return check_file(ModuleNames(source, "case", "", lambda module, path: Verdict.MAY))


def rules(text: str) -> list[str]:
    return [each.rule for each in problems(text)]


def flow(body: str) -> str:
    """Return a flow with a body."""
    lines = dedent(body).strip("\n").split("\n")
    return "@deflow\ndef flow(x, f):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    "body",
    [
        "return list(f(each) for each in x)",
        "return lambda: f(x)",
        "return lambda each=suspend('default'): each",
        "return lambda suspend: suspend(x)",
        "return list(each for each in suspend('all'))",
        "return [suspend(each) for each in x]",
        "def inner():\n    return f(x)\nreturn inner",
        "def inner(suspend):\n    return suspend(x)\nreturn inner",
        "@suspend('decorator')\ndef inner(y=suspend('default')):\n    return y\nreturn inner",
        "class Inner(suspend('base'), kind=suspend('keyword')):\n    pass\nreturn Inner",
        "class Inner:\n    def suspend(self): ...\n    y = suspend(1)\nreturn Inner",
        "def inner():\n    yield x\nreturn inner",
        "return lambda: (yield)",
        "def inner():\n    return locals()\nreturn inner",
        "return eval(x, {}), exec(x, {}), vars(x), dir(x)",
        "return eval(*x), exec(*x), vars(*x), dir(*x)",
        "locals = f\nreturn locals()",
        "import shop as sys\nreturn sys._getframe()",
        "return x._lt_name, f(_lt_name=1)",
        "try:\n    suspend('a')\nexcept* ValueError:\n    f(x)\nfinally:\n    suspend('b')",
        "try:\n    suspend('a')\nexcept f(x):\n    suspend('b')",
        "try:\n    f(x)\nexcept* BaseException:\n    pass\nsuspend('a')",
    ],
)
def test_left_alone(body: str) -> None:
    assert problems(flow(body)) == ()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("return [lambda: suspend(each) for each in x]", "suspend-in-lambda"),
        ("return iter([suspend(y) for y in z] for z in x)", "suspend-in-generator-expression"),
        ("return (1 for a in x for b in suspend(a))", "suspend-in-generator-expression"),
        ("class Inner:\n    if x:\n        y = suspend('y')", "suspend-in-class-body"),
        ("class Inner:\n    y: suspend('y')", "suspend-in-annotation"),
        ("async def inner():\n    await flow(x, f)", "suspend-in-plain-function"),
        ("def inner() -> suspend('type'): ...", "suspend-in-annotation"),
        ("def inner(*a: suspend('a')): ...", "suspend-in-annotation"),
        ("import builtins as b\nreturn b.locals()", "implicit-scope"),
        ("import sys as s\nreturn s._getframe(1)", "frame-access"),
        ("match x:\n    case [*_lt_rest]:\n        return suspend('a')", "reserved-name"),
        ("global _lt_g\n_lt_g = suspend('a')", "reserved-name"),
    ],
)  # fmt: skip
def test_refused(body: str, rule: str) -> None:
    assert rules(flow(body)) == [rule]


def test_one_mistake_is_reported_once_at_its_first_call() -> None:
    found = problems(flow("return lambda: suspend('a') + suspend('b') + suspend('c')"))

    assert [(each.span.line, each.span.column) for each in found] == [(4, 19)]


def test_all_problems_of_a_file_in_the_order_of_the_text() -> None:
    text = """
        @deflow
        def first(_lt_x):
            yield lambda: suspend("a")

        def plain():
            return lambda: suspend("never mind")

        @deflow
        def second():
            @deflow
            def inner():
                return locals(), iter(suspend(x) for x in "ab")
            return inner()
    """

    assert rules(text) == [
        "reserved-name",
        "suspend-in-lambda",
        "implicit-scope",
        "suspend-in-generator-expression",
    ]


def test_flow_inside_a_plain_function_inside_a_flow_is_checked() -> None:
    body = "def plain():\n    @deflow\n    def inner():\n        yield locals()\n    return inner"

    assert rules(flow(body)) == ["implicit-scope"]


@pytest.mark.parametrize(
    ("inner", "count"),
    [
        ("nonlocal n\nsuspend('a')\nn = 1", 1),
        ("nonlocal n\nn = suspend('a')", 1),
        ("nonlocal n\nn += suspend('a')", 1),
        ("nonlocal n\nfor _ in x:\n    n += 1\n    suspend('a')", 1),
        ("nonlocal n\ntry:\n    suspend('a')\nfinally:\n    n = 1", 1),
        ("nonlocal n\nn = 1\nsuspend('a')", 0),
        ("nonlocal n\nif x:\n    suspend('a')\nelse:\n    n = 1", 0),
        ("nonlocal n\nreturn suspend('a') if x else n", 0),
        ("nonlocal n\nf()\nn = 1", 0),
        ("suspend('a')\nreturn n", 0),
    ],
)
def test_variables_of_a_plain_function_around(inner: str, count: int) -> None:
    lines = "".join(f"        {line}\n" for line in inner.split("\n"))
    text = f"def outer(x, f):\n    n = 0\n    @deflow\n    def flow():\n{lines}    return flow, n\n"

    assert rules(text) == ["capture-from-plain-function"] * count
    assert rules(text.replace("def outer", "@deflow\ndef outer", 1)) == []


@pytest.mark.parametrize(
    ("decorators", "refused"),
    [
        (["deflow", "staticmethod"], True),
        (["deflow", "functools.wraps(f)"], False),
        (["deflow", "functools.lru_cache"], True),
        (["deflow", "abc.abstractmethod"], False),
        (["staticmethod", "deflow"], False),
        (["property", "deflow", "abc.abstractmethod"], False),
        (["deflow", "abc.abstractmethod", "property"], True),
    ],
)
def test_order_of_decorators(decorators: list[str], refused: bool) -> None:
    lines = "".join(f"@{each}\n" for each in decorators)
    text = f"import abc, functools\n\n{lines}def flow(x):\n    return suspend(x)\n"

    assert rules(text) == ["decorator-order"] * refused


def test_decoration_shows_the_problems_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_flows.py").write_text(
        "from longterm import deflow, suspend\n\n\n"
        "@deflow\ndef bad(x):\n    print(locals())\n    return lambda: suspend(x)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(longterm.CompileError) as caught:
        importlib.import_module("bad_flows")

    assert [each.rule for each in caught.value.diagnostics] == [
        "implicit-scope",
        "suspend-in-lambda",
    ]
    assert str(caught.value).startswith(
        "error[implicit-scope]: `locals()` cannot be used in a flow\n"
    )
    assert f"{tmp_path / 'bad_flows.py'}:6:11" in str(caught.value)
    assert "bad_flows" not in sys.modules


def test_what_python_warned_of_at_the_import_is_not_said_again() -> None:
    text = "from longterm import deflow, suspend\n" + flow("return suspend(x) is 1")
    source = SourceFile.parse("flows.py", text)

    compiled = compile_flow(
        source.definitions[-1], ModuleNames(source, "flows", "", lambda *_: Verdict.MAY)
    )

    assert compiled.code
    assert compiled.resume_code(1)


def test_what_another_decorator_made_of_a_function_is_no_flow() -> None:
    with pytest.raises(
        longterm.CompileError, match=r"test_check\.py:\d+ \(put @deflow directly above"
    ):

        @longterm.deflow
        @logged
        def flow(x: int) -> int:
            return x


def logged(function):  # type: ignore[no-untyped-def]
    def wrapper(*args):  # type: ignore[no-untyped-def]
        return function(*args)

    wrapper.__wrapped__ = function  # type: ignore[attr-defined]
    return wrapper
