"""The text of compiled flows: it is what runs, in the author's own words."""

from __future__ import annotations

import ast
import builtins
import os
import re
import sysconfig
from pathlib import Path

import pytest

from longterm_compiler import (
    CompiledFlow,
    InternalError,
    ModuleNames,
    Refused,
    SourceFile,
    Verdict,
    compile_flow,
)
from longterm_compiler.listing import listing, listing_parts
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.text import FlowText
from tests.compiler.trees import assert_text_is_what_runs

LIBRARY = Path(sysconfig.get_path("stdlib"))
CORPUS = ["argparse", "ast", "configparser", "dataclasses", "smtplib", "shutil", "tokenize"]
FILES = [LIBRARY / f"{each}.py" for each in CORPUS]
LONGEST = 60
MOST_POINTS = 8
if os.environ.get("LONGTERM_PROFILE") == "long":
    OTHERS = {"site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo"}
    FILES = [each for each in sorted(LIBRARY.rglob("*.py")) if OTHERS.isdisjoint(each.parts)]
    LONGEST = 1_000


class EveryFunction(ModuleNames):
    """Takes every function for a flow, and a third of all functions for flows that suspend."""

    def is_flow(self, node: FunctionNode) -> bool:
        return True

    def verdict(self, path: tuple[str, ...]) -> Verdict:
        is_known = self.is_defined(path[0]) or hasattr(builtins, path[0])
        is_flow = is_known and len("".join(path)) % 3 == 0
        return Verdict.SUSPENDS if is_flow else Verdict.NEVER

    def is_defined(self, name: str) -> bool:
        """Whether the module's text defines or imports a name."""
        statement = rf"^(def|class|import|from .* import) .*\b{name}\b"
        return re.search(statement, self.source.text, re.MULTILINE) is not None


def flow(text: str, path: str = "shop.py") -> CompiledFlow:
    """Compile the first function of a text."""
    source = SourceFile.parse(path, text)
    names = ModuleNames(source, "shop", "", lambda module, path: Verdict.MAY)
    return compile_flow(source.definitions[0], names)


def fresh(text: str) -> str:
    """The text of the fresh body, without the header."""
    return listing(flow(text)).split("\n\n\n")[1]


def body(text: str) -> list[str]:
    """The fresh body of some statements."""
    lines = ["def f(x, y, items):", *(f"    {each}" if each else "" for each in text.split("\n"))]
    return [each[4:] for each in fresh("\n".join([*lines, ""])).rstrip("\n").split("\n")[1:]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_text_of_any_code_is_what_runs(path: Path) -> None:
    source = SourceFile.parse(path.name, path.read_text(encoding="utf-8"))
    names = EveryFunction(source, path.stem, "", lambda module, path: Verdict.MAY)
    refused = 0

    for definition in source.definitions:
        node = definition.node
        if (node.end_lineno or 0) - node.lineno > LONGEST:
            continue
        try:
            compiled = compile_flow(definition, names)
        except Refused:
            refused += 1
            continue
        if len(compiled.points) <= MOST_POINTS:
            assert_text_is_what_runs(compiled)

    assert refused <= len(source.definitions) / 2


def test_odd_separators_in_strings_end_no_line() -> None:
    assert body("x = '\x0c\u2028\x85'\nreturn suspend('a')") == [
        "x = '\x0c\u2028\x85'",
        "return suspend('a')  # point 1, line 3",
    ]


def test_header_names_flow_file_version_and_nothing_of_the_machine() -> None:
    text = "def f():\n    suspend('a')\n"

    first, second, *_ = listing(flow(text, "shop/orders.py")).splitlines()

    assert first == "# f, a flow of shop/orders.py: what runs. Generated, do not edit."
    assert re.fullmatch(r"# longterm ABI \d+, version [0-9a-f]{16}", second)


def test_parts_make_up_the_whole() -> None:
    compiled = flow("def f():\n    suspend('a')\n    suspend('b')\n")

    assert "".join(listing_parts(compiled)) == listing(compiled)
    assert len(list(listing_parts(compiled))) == 4


def test_line_ends_of_another_system_change_nothing() -> None:
    text = "def f(x):\n    # one\n    y = x + suspend('a')  # two\n    return '''a\n  b'''\n"

    assert listing(flow(text)) == listing(flow(text.replace("\n", "\r\n")))


def test_note_of_a_point_has_the_authors_line_only_where_it_differs() -> None:
    first, second, *_ = body("a = suspend(x)\nb = 1 + suspend(x)")

    assert first == "a = suspend(x)  # point 1, line 2"
    assert second == "_lt_value1 = suspend(x)  # point 2, line 3: b = 1 + suspend(x)"


def test_long_line_is_cut_in_a_note() -> None:
    line = body(f"a = suspend(x) + {' + '.join(['x'] * 40)}")[0]

    assert line.endswith("…")
    assert len(line) + 4 == 88


def test_note_of_a_long_call_stands_at_its_end() -> None:
    lines = body("a = suspend(\n    x\n)  # why")

    assert lines == ["a = suspend(", "    x", ")  # why  # point 1, line 2"]


def test_temporaries_stand_below_the_comment_of_their_statement() -> None:
    lines = body("z = 1\n\n# all of them\nfor x in items:  # each\n    suspend(x)")

    assert lines == [
        "z = 1",
        "",
        "# all of them",
        "_lt_iter1 = __longterm__.iter(items)",
        "for x in __longterm__.rest(_lt_iter1):  # each",
        "    suspend(x)  # point 1, line 6",
    ]


def test_comment_behind_a_statement_stands_behind_the_last_that_it_became() -> None:
    lines = body("a = [suspend(x), y]  # both")

    assert lines[-1] == "a = [_lt_value1, y]  # both"
    assert "both" not in lines[0]


def test_comment_that_has_lost_its_place_stands_above() -> None:
    lines = body("z = (\n    suspend(x)  # first\n    and y  # then\n)")

    assert lines[:2] == ["# first", "# then"]
    assert "suspend(x)" in lines[2]


def test_comment_of_a_with_stands_behind_its_first_line() -> None:
    assert body("with x as z:  # in\n    suspend(z)")[0] == "_lt_manager1 = x  # in"


def test_comment_at_the_end_of_a_block_stays_in_it() -> None:
    lines = body("if x:\n    suspend(x)\n    # end of if\n# before y\ny()")

    assert lines == [
        "if x:",
        "    suspend(x)  # point 1, line 3",
        "    # end of if",
        "# before y",
        "y()  # point 2, line 6",
    ]


def test_changed_call_keeps_its_layout_and_comments() -> None:
    lines = body("a = x.get(\n    1,  # one\n    [\n        suspend(y),\n    ],\n)")

    assert lines == [
        "_lt_value1 = x.get",
        "_lt_value2 = suspend(y)  # point 1, line 5: suspend(y)",
        "a = _lt_value1(",
        "    1,  # one",
        "    [",
        "        _lt_value2,",
        "    ],",
        ")  # point 2, line 2: a = x.get(",
    ]


def test_parentheses_around_a_suspend_go_with_it() -> None:
    assert body("return (suspend(x)) + (1)")[-1] == "return _lt_value1 + (1)"


def test_parentheses_that_several_lines_need_come_along() -> None:
    lines = body("z = (\n    x\n    < y\n    < x\n) and suspend(x)")

    assert lines[:5] == ["_lt_value1 = (", "    x", "    < y", "    < x", ")"]


def test_strings_of_several_lines_do_not_move() -> None:
    text = 'def f(x, y):\n    if suspend(x):\n        return """\n  a\n"""\n'
    text += '    y("""\n b""", suspend(y))\n'

    shown = fresh(text)

    assert '        return """\n  a\n"""\n' in shown
    assert '    y("""\n b""", _lt_value2)' in shown


def test_elif_becomes_if_where_it_must() -> None:
    lines = body("if x:\n    pass\nelif suspend(x):\n    pass\nelif y:  # last\n    z = 1")

    assert lines == [
        "if x:",
        "    pass",
        "else:",
        "    _lt_value1 = suspend(x)  # point 1, line 4: elif suspend(x):",
        "    if _lt_value1:",
        "        pass",
        "    elif y:  # last",
        "        z = 1",
    ]


def test_several_statements_in_a_line_get_a_line_each() -> None:
    assert body("a = 1; b = suspend(x); return b  # all") == [
        "a = 1",
        "b = suspend(x)  # point 1, line 2",
        "return b  # all",
    ]


def test_signature_is_the_authors_own() -> None:
    text = "@deflow  # mark\n@other(\n    1\n)\nasync def f(\n    x: int = 1,  # one\n"
    text += ") -> 'list[int]':  # so\n"

    assert fresh(f"{text}    return await suspend(x)\n").startswith(text)


def test_long_signature_of_a_resume_body_is_broken() -> None:
    names = [f"a_rather_long_name_{i}" for i in range(6)]
    compiled = flow(f"def f({', '.join(names)}):\n    return suspend('a'), {', '.join(names)}\n")

    resumed = listing(compiled).split("\n\n\n")[2]

    assert "def f(\n    _lt_next,\n    a_rather_long_name_0,\n" in resumed
    assert "\n):\n    _lt_value1 = _lt_next()" in resumed


def test_method_is_printed_on_its_own() -> None:
    text = "class Shop:\n    @deflow\n    def sell(self):\n        if self.__open:\n"
    text += "            return suspend('a')\n"

    shown = listing(flow(text))

    assert shown.startswith("# Shop.sell, a flow of shop.py")
    assert "\n@deflow\ndef sell(self):\n    if self.__open:\n        return suspend('a')" in shown


@pytest.mark.parametrize(
    "text",
    [
        "return f\"{x!r:>{suspend('w')}} {{}} {y['a']}\\n\"",
        "return f'''{suspend(\"a\")}\n\"{x}\" '''",
        "return f'{suspend(x)}{ {1: 2} }'",
        "return f'{suspend(x)}{(lambda: 1)()}\\\\'",
        "return -suspend(x) ** -y, not suspend(x), (yield_ := suspend(x)), *items",
        "return x[suspend(x):, ::y], x[*items, suspend(y)]",
        "a, (b, *c) = x.y[suspend(x)] = d = suspend(y)",
        "return {**x, suspend(x): suspend(y), **y}, {suspend(x), *y}",
        "return lambda a, /, b=1, *, c=suspend(x), **d: a",
        "try:\n    pass\nexcept (x,\n        y) as e:  # é\n    suspend(x)\nfinally:\n    y()",
        "global g\ng = suspend(x)\ng += suspend(y)",
        "assert suspend(x), f'{y}'",
        "match x:\n    case (1 |\n      2) as n if suspend(n): pass\n    case 3, 4: y()",
        "x.y: int = suspend(x)\nz: str\nsuspend(y)",
        "raise suspend(x) from suspend(y)",
        "del x[suspend(x)], (y, items[suspend(y)])",
        "for x.y, [x[suspend(x)], z] in suspend(items): break\nelse: suspend(y)",
        "return 1 .real + suspend(x), (1).real, 1.5.real",
        "@x\nclass C(suspend(x), metaclass=suspend(y)):\n    '''Doc\n  it.'''\n    a = 1",
        "@suspend(x)\ndef g(a=suspend(x)):\n    # own\n    return a",
        "return [suspend(a) for a, b in items for c in b if c if suspend(c)], [a for a in y(x)]",
        "if x:\n    pass\nelif y:\n    while x: x -= 1; suspend(x)\n    else: pass",
        "return x if suspend(x) else (y\n  if y else\n  suspend(y))",
        "x = 'a' 'b' \"c\" + suspend(x) + '''d\n  e'''",
        "return x(\\\n    suspend(y), \\\n  1)",
        "return f'{x - y[suspend(x):]} {y[x + suspend(y)]} {x}'",
        "return f'{x=} {suspend(y)=} {x!r:>{y}}' f'{y}' 'z'",
        "return(suspend(x)),[suspend(y)]",
        "return[a for a in(x)if(a)and y],suspend(x),f'{y!r:{x}}',None.x",
        "return[suspend(x)]",
        "return {suspend(x), *y, [], suspend(y)}, [*suspend(x), y], x(*suspend(y), *x)",
        "z = 'a'if(suspend(x))else'b'",
        "z = not(suspend(x)),(suspend(x))and(y),1 if x else(suspend(y))",
        "z = [a for a in(suspend(x))if(y)], -(suspend(y)), x in(suspend(x))",
        "if(suspend(x)):pass\nelif(suspend(y)):pass\nwhile(suspend(x)):break",
        "for z in(suspend(x)):y\nwith(suspend(x)):pass\nassert(suspend(x)),(suspend(y))",
        "raise(suspend(x))from(suspend(y))",
        "match(suspend(x)):\n    case[1,a]if(suspend(a)):pass\n    case{'k':b}:suspend(b)",
        "try:suspend(x)\nexcept(x)as e:suspend(y)\nelse:x\nfinally:y",
        "del(x[suspend(x)]),\nx = suspend(x),",
        "return lambda*a,b=suspend(x):a, (yield_:=suspend(x)), x[(suspend(x)):(y)]",
        "return 'a' % suspend(x), \"b\" 'c' % (suspend(y),), 1 .real, x.y.z(suspend(x)).w",
        "x = {\n 'a': suspend(x),  # one\n **y,\n # two\n 'b': suspend(y)\n}",
        "x = (yield_\n  # why\n  + suspend(x)) if y else (\n  # or\n  suspend(y))",
    ],
)
def test_text_of_odd_statements_is_what_runs(text: str) -> None:
    lines = ["def f(x, y, items):", *(f"    {each}" for each in text.split("\n")), ""]

    assert_text_is_what_runs(flow("\n".join(lines)))


def test_everything_is_pure_text(tmp_path: Path) -> None:
    compiled = flow("def f():\n    suspend('a')\n", str(tmp_path / "nowhere.py"))

    assert ast.parse(listing(compiled))


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n\x0c    y = x\n    return suspend(y)\n",
        "\x0cdef f(x):\n    return suspend(x)\n\x0c\n",
        "def f(x):\n\tif x:\n\t\ty = suspend(x)\n\t# end\n",
        "def f(x): return suspend(x) \\\n\nf\n",
        "def f(x): y = suspend(x); \\\n  return y\n",
        "def f(x):\n    return suspend(x)  # \\\n    # end \\\n",
        "class C:\n  def f(self):\n   return suspend(self), super().f()\n\n  # below\n",
        "if f:\n    if f:\n        @deflow\n        def f(x):\n            return suspend(x)\n",
        "def f(\u00e9):\n    return '\u00e9' + suspend(\u00e9), '\u00e9'  # \u00e9\n",
        "def f(x):\n    return suspend(x)",
    ],
    ids=repr,
)
def test_layout_of_any_kind_is_read(text: str) -> None:
    for each in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        source = SourceFile.parse("shop.py", each)
        names = ModuleNames(source, "shop", "", lambda module, path: Verdict.SUSPENDS)

        assert_text_is_what_runs(compile_flow(source.definitions[0], names))


def test_text_that_is_not_the_plan_is_an_error_of_the_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FlowText, "fresh", lambda self, plan: "def f():\n    return 2\n")

    with pytest.raises(InternalError, match=r"value=2.* instead of .*suspend"):
        flow("def f():\n    return suspend(1)\n")
