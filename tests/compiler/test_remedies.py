"""Every `help` of a diagnostic is followed literally, and the flow does what its text says.

A help has two texts of a module: one that is refused with it, and the same with what the help says
to do, which is then run in the three ways of the oracle. A help that is new in the code has no
case, and fails the last test.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import longterm_compiler
from longterm_compiler import Diagnostic, ModuleNames, SourceFile, Verdict, check_file
from tests.advice import advice_of, pattern_of
from tests.property.oracle import Program, check

COMPILER = Path(longterm_compiler.__file__).parent
PRELUDE = """\
import contextlib, functools, inspect, sys, types
from math import prod
from longterm import call, deflow, respond, sleep, step, suspend

class Opened:
    def __enter__(self):
        return self
    def __exit__(self, *exception):
        respond("closed")
    async def __aenter__(self):
        return self
    async def __aexit__(self, *exception):
        respond("closed")

async def looked_up(name):
    return name

@deflow
def letters():
    yield "a"
    yield "b"

def failing(number):
    raise ExceptionGroup("both", [ValueError(number), KeyError(number)])

"""
SUM = " + ".join(["n"] * 1_300)
HALF = " + ".join(["n"] * 650)
BLOCKS = "\n".join(" " * depth + "with Opened():" for depth in range(25)) + 'suspend("a")'

LIST = "use a list comprehension, which may suspend, or a `for` loop"
INNER = "write an inner function and put `@deflow` on it"
ASYNC_STEP = "make the flow an `async def` and `await` the step, or make the step a plain `def`"
QUOTE = "@step\nasync def quote(order):\n    return 2 * order\n"
ANOTHER_NAME = (
    "give the value another name before the `class` statement, and use that name in its body"
)
BROAD = "catch `Exception`, or write `except BaseException` without the star"
CAPTURE = "pass `*` to the flow as an argument, or put `@deflow` on `*`"
NAMED = 'name the variables that you need: `{"x": x, "y": y}`'
SCOPE = 'give it the variables it may use: `*(..., {"x": x})`'
BELOW = "put `@deflow` directly above the `def`, below `@*`"
METHOD = "leave out `@*`, and call the method"
RESULTS = "leave out `@*`, and keep the results in a variable of the flow that calls it"
DISPATCH = "leave out `@*`, and choose the flow by the type: `call(flows[type(x)], x)`"
SHALLOW = "give intermediate results names, or move parts into functions of their own"

# The help; what is refused with it; what follows it. A body is that of a flow `main`.
CASES: list[tuple[str, str, str]] = [
    (LIST, 'return prod(suspend(n) for n in "ab")', 'return prod([suspend(n) for n in "ab"])'),
    (LIST, 'return prod(suspend(n) for n in "ab")', """
        answers = []
        for n in "ab":
            answers.append(suspend(n))
        return answers
    """),
    (INNER, """
        ask = lambda: suspend("a")
        return ask()
    """, """
        @deflow
        def ask():
            return suspend("a")
        return ask()
    """),
    (ANOTHER_NAME, """
        class Answer:
            number = suspend("a")
        return Answer.number
    """, """
        given = suspend("a")
        class Answer:
            number = given
        return Answer.number
    """),
    ("put `@deflow` on `*`", """
        def ask():
            return suspend("a")
        return ask()
    """, """
        @deflow
        def ask():
            return suspend("a")
        return ask()
    """),
    (BROAD, """
        try:
            failing(suspend("a"))
        except* BaseException:
            respond("failed")
    """, """
        try:
            failing(suspend("a"))
        except* Exception:
            respond("failed")
    """),
    (BROAD, """
        try:
            failing(suspend("a"))
        except* BaseException:
            respond("failed")
    """, """
        try:
            failing(suspend("a"))
        except BaseException:
            respond("failed")
    """),
    ("give the value a name in a statement before, and write that name here", """
        n: suspend("a") = 1
        return n
    """, """
        kind = suspend("a")
        n: kind = 1
        return n
    """),
    ("give the value a name in a statement before, and write that name here", """
        # needs Python 3.12
        type Answer = suspend("a")
        return Answer.__value__
    """, """
        kind = suspend("a")
        type Answer = kind
        return Answer.__value__
    """),
    ("give the value a name in the line before, and write that name here", """
        # needs Python 3.14
        return t"{suspend("a")}!".values
    """, """
        name = suspend("a")
        return t"{name}!".values
    """),
    (ASYNC_STEP, f"{QUOTE}\n@deflow\ndef main():\n    return quote(3)",
                 f"{QUOTE}\n@deflow\nasync def main():\n    return await quote(3)"),
    (ASYNC_STEP, f"{QUOTE}\n@deflow\ndef main():\n    return quote(3)",
                 f"{QUOTE.replace('async ', '')}\n@deflow\ndef main():\n    return quote(3)"),
    ("leave out the `await`, and put one right before each part that is awaitable",
     'return await (suspend("a") or looked_up("b"))',
     'return suspend("a") or await looked_up("b")'),
    ("leave out the `await`, and put one right before each part that is awaitable",
     'return await (sleep(None) or looked_up("b"))',
     'return suspend("a") or await looked_up("b")'),
    ("choose a name that does not begin with `*`", """
        _lt_name = suspend("a")
        return _lt_name
    """, """
        name = suspend("a")
        return name
    """),
    (NAMED, 'n = suspend("a")\nreturn locals()["n"]', 'n = suspend("a")\nreturn {"n": n}["n"]'),
    (NAMED, 'n = suspend("a")\nreturn vars()["n"]', 'n = suspend("a")\nreturn {"n": n}["n"]'),
    (NAMED, 'n = suspend("a")\nreturn dir()', 'n = suspend("a")\nreturn list({"n": n})'),
    (SCOPE, 'n = suspend("a")\nreturn eval("n + 1")',
            'n = suspend("a")\nreturn eval("n + 1", {"n": n})'),
    (SCOPE, 'seen = []\nexec("seen.append(1)")\nsuspend("a")\nreturn seen',
            'seen = []\nexec("seen.append(1)", {"seen": seen})\nsuspend("a")\nreturn seen'),
    ("pass on the value that you would look for in the frame",
     'suspend("a")\nreturn sys._getframe().f_code.co_name',
     'name = "main"\nsuspend("a")\nreturn name'),
    (CAPTURE, """
        @deflow
        def main():
            return counting()()

        def counting():
            count = 0
            @deflow
            def step():
                nonlocal count
                suspend("a")
                count += 1
                return count
            return step
    """, """
        @deflow
        def main():
            return step(0)

        @deflow
        def step(count):
            suspend("a")
            count += 1
            return count
    """),
    (CAPTURE, """
        @deflow
        def main():
            return counting()()

        def counting():
            count = 0
            @deflow
            def step():
                nonlocal count
                suspend("a")
                count += 1
                return count
            return step
    """, """
        @deflow
        def main():
            return call(counting())

        @deflow
        def counting():
            count = 0
            @deflow
            def step():
                nonlocal count
                suspend("a")
                count += 1
                return count
            return step
    """),
    ("give the lambda the value as a default: `lambda *=*: …`",
     'return [each() for each in [lambda: n for n in "ab" if suspend(n)]]',
     'return [each() for each in [lambda n=n: n for n in "ab" if suspend(n)]]'),
    (BELOW, """
        class Shop:
            @deflow
            @staticmethod
            def order(item):
                return suspend(item)

        @deflow
        def main():
            return Shop.order("a")
    """, """
        class Shop:
            @staticmethod
            @deflow
            def order(item):
                return suspend(item)

        @deflow
        def main():
            return Shop.order("a")
    """),
    (BELOW, """
        class Shop:
            @deflow
            @classmethod
            def order(cls, item):
                return suspend(item)

        @deflow
        def main():
            return Shop.order("a")
    """, """
        class Shop:
            @classmethod
            @deflow
            def order(cls, item):
                return suspend(item)

        @deflow
        def main():
            return Shop.order("a")
    """),
    *[(METHOD, f"""
        class Shop:
            @deflow
            @{decorator}
            def order(self):
                return suspend("a")

        @deflow
        def main():
            return Shop().order
     """, """
        class Shop:
            @deflow
            def order(self):
                return suspend("a")

        @deflow
        def main():
            return Shop().order()
     """) for decorator in ("property", "functools.cached_property")],
    *[(RESULTS, f"""
        @deflow
        @{decorator}
        def ask(question):
            return suspend(question)

        @deflow
        def main():
            return [ask("a"), ask("a")]
     """, """
        @deflow
        def ask(question):
            return suspend(question)

        @deflow
        def main():
            answers = {}
            for each in "aa":
                if each not in answers:
                    answers[each] = ask(each)
            return answers
     """) for decorator in ("functools.cache", "functools.lru_cache(maxsize=9)")],
    *[(DISPATCH, f"""
        @deflow
        @functools.{decorator}
        def ask(question):
            return suspend(question)

        @deflow
        def main():
            return ask("a")
     """, """
        @deflow
        def ask_for_text(question):
            return suspend(question)

        flows = {str: ask_for_text}

        @deflow
        def main():
            x = "a"
            return call(flows[type(x)], x)
     """) for decorator in ("singledispatch", "singledispatchmethod")],
    ("leave out `@deflow`, and write a class with `__enter__` and `__exit__`; suspend in the "
     "`with`", """
        @deflow
        @contextlib.contextmanager
        def opened():
            yield 1

        @deflow
        def main():
            with opened():
                return suspend("a")
     """, """
        with Opened():
            return suspend("a")
     """),
    ("leave out `@deflow`, and write a class with `__aenter__` and `__aexit__`; suspend in the "
     "`async with`", """
        @deflow
        @contextlib.asynccontextmanager
        async def opened():
            yield 1

        @deflow
        async def main():
            async with opened():
                return suspend("a")
     """, """
        async with Opened():
            return await looked_up(suspend("a"))
     """),
    ("leave out `@*`, and write `async def`", """
        @deflow
        @types.coroutine
        def main():
            return suspend("a")
    """, 'return await looked_up(suspend("a"))'),
    (SHALLOW, f'n = suspend("a")\nreturn {SUM}',
              f'n = suspend("a")\nhalf = {HALF}\nreturn half + ({HALF})'),
    (SHALLOW, f'n = suspend("a")\nreturn {SUM}', f"""
        def half(n):
            return {HALF}

        @deflow
        def main():
            n = suspend("a")
            return half(n) + half(n)
    """),
    ("move the inner blocks into a flow of their own", BLOCKS, """
        @deflow
        def inner():
            with Opened(), Opened():
                return suspend("a")

        @deflow
        def main():
            with Opened(), Opened():
                return inner()
    """),
]  # fmt: skip


def module(text: str) -> str:
    """Return the text of a module whose flow `main` has this body, if it is not whole already."""
    text = dedent(text).strip() + "\n"
    if "@deflow\ndef main" not in text and "@deflow\nasync def main" not in text:
        head = "async def" if re.search(r"\bawait |\basync ", text) else "def"
        text = f"@deflow\n{head} main():\n" + "".join(f"    {each}\n" for each in text.split("\n"))
    return PRELUDE + text


def refusals(text: str) -> list[Diagnostic]:
    names = ModuleNames(SourceFile.parse("case.py", text), "case", "", lambda *_: Verdict.MAY)
    return list(check_file(names))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:40] for each, *_ in CASES])
def test_a_help_works_when_it_is_followed(number: int) -> None:
    remedy, refused, followed = CASES[number]
    needs = re.search(r"# needs Python 3\.(\d+)", refused)
    if needs and sys.version_info < (3, int(needs[1])):
        pytest.skip("its syntax is newer than this Python")

    found = refusals(module(refused))

    assert [each for each in found if re.fullmatch(pattern_of(remedy), each.help)]
    assert refusals(module(followed)) == []
    assert not check(Program(module(followed), events=(1, 2, 3))).halted


ELSEWHERE = {
    "install it with `pip install 'libcst>=1.8'`, which needs a Rust compiler where there is no "
    "wheel; or compile elsewhere, with `longterm-compile --output`, whose modules run without it":
        "test_libcst",
    "take form feeds out of it": "test_fixes",
    "write a list comprehension, in which it is a resume point": "test_out_of_reach",
    "put `@deflow` on that function": "test_out_of_reach",
    "give the lambda the value as a default: `lambda x=x: …`": "test_out_of_reach",
    "give the value a name before the `class` statement": "test_out_of_reach",
    "keep what it needs, and call it after the `try` statement": "test_out_of_reach",
    "make the call a statement of its own, write `call(*, …)`, or import the class at the top of "
    "the file": "test_out_of_reach",
    r"^[ \t\f]*#.*?coding[:=][ \t]*": "no advice",
    "unicode error": "no advice",
}  # fmt: skip


def test_no_help_is_forgotten() -> None:
    printed = advice_of(COMPILER, but=[COMPILER / "cli", COMPILER / "checks" / "support.py"])

    assert {each for each, *_ in CASES} | set(ELSEWHERE) == printed
