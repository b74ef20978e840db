"""Every remedy that is named when a flow is made, or cannot suspend, is followed literally.

A remedy has two texts of a module: one that is refused with it, and the same with what it says to
do, whose flow `main` then runs to its end. What takes another process, or another start of Python,
has a test of its own below. A remedy that is new in the code has no case, and fails the last test.
"""

from __future__ import annotations

import asyncio
import inspect
import linecache
import os
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

import longterm
from longterm import Run
from longterm._flows import upgrades
from longterm_compiler import SourceFile
from tests.advice import advice_of, is_told, printed, tried_in
from tests.advice import said_by_python as python
from tests.runtime import test_former_names, test_freeze, test_step_remedies

PRELUDE = """\
import asyncio, functools, operator, types
from datetime import timedelta
import longterm
from longterm import call, deflow, spawn, suspend

@deflow
def ask(question="q"):
    return suspend(question)

@deflow
async def ask_soon(question="q"):
    await asyncio.sleep(0)
    return suspend(question)

def wrapping(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

def rewriting(function):
    code = function.__code__.replace(co_consts=(*function.__code__.co_consts, "checked"))
    again = types.FunctionType(code, function.__globals__, function.__name__)
    again.__qualname__, again.__module__ = function.__qualname__, function.__module__
    return again

class Client:
    def ask(self):
        return 1

class AskingClient(Client):
    @deflow
    def ask(self):
        return suspend("q")

class Shop:
    @property
    def client(self):
        return AskingClient()

"""
ONE_PLACE = (
    "await flows one after the other, not by asyncio.gather, a TaskGroup or the like, or begin a "
    "run for each by `spawn`"
)
BOTH = """
    @deflow
    async def main():
        return await asyncio.gather(ask_soon("a"), ask_soon("b"))
"""
LET_PASS = (
    "make the function that caught it a flow with @deflow, in which `except BaseException` lets it "
    "pass"
)
CAUGHT = """
    def careful():
        try:
            return ask()
        except BaseException:
            return None

    @deflow
    def main():
        return careful()
"""
PLAIN = "make it a flow with @deflow, or call the flow from a flow"
STANDS_BETWEEN = """
    def helper(flow):
        return flow() + 1

    @deflow
    def main():
        return helper(ask)
"""
IN_ASYNCIO = "await the flow itself; a limit of time is the wait's own: `suspend(name, expires=…)`"
RUN_INSIDE = """
    @deflow
    def main():
        return asyncio.run(ask_soon("a"))
"""
WRAPPED = (
    "take the decorator away, or make of it a flow that takes the other one as an argument: "
    "`@deflow def retried(flow, *args)`"
)
WRAPPER = """
    @wrapping
    @deflow
    def wrapped(question):
        return suspend(question)

    @deflow
    def main():
        return wrapped("a") + 1
"""
SHARED = "pass it as an argument, or make the outer function a flow"
OUTER = """
    def made():
        secret = 41
        @deflow
        def inner():
            suspend("q")
            return secret
        return inner

    inner = made()

    @deflow
    def main():
        return inner()
"""
MADE_OF = "put @deflow directly above the def, below all other decorators"
ELSEWHERE = {
    "call * in the `for` that goes through it, or write `call(next, generator)`, which is a resume "
    "point wherever it stands": "tests/runtime/test_asked_generators.py",
    "call its `close()` before, where the flow may wait": "tests/runtime/test_asked_generators.py",
    "wait in the flow itself, before the `with` or inside it": (
        "tests/runtime/test_asked_generators.py"
    ),
    "wait in the flow itself, before it closes the generator": (
        "tests/runtime/test_asked_async_generators.py"
    ),
    "call * in the `async for` that goes through it*": (
        "tests/runtime/test_asked_async_generators.py"
    ),
    "longterm accept": "tests/runtime/test_accept.py",
    "it was kept by another one": "no advice",
    "-B or PYTHONDONTWRITEBYTECODE": "no advice",
    "please report it with *": "of the compiler: no input is known that leads to it",
    "please report it with this file": "of the compiler: no input is known that leads to it",
}
PACKAGE = Path(longterm.__file__).parent
FLOWS = PACKAGE / "_flows"

# The remedy; what is refused; what follows it.
CASES: list[tuple[str, str, str]] = [
    (ONE_PLACE, BOTH, """
        @deflow
        async def main():
            return [await ask_soon("a"), await ask_soon("b")]
    """),
    (ONE_PLACE, BOTH, """
        @deflow
        async def main():
            return [spawn(ask_soon, each).run_id for each in "ab"]
    """),
    (LET_PASS, CAUGHT, CAUGHT.replace("def careful", "@deflow\n    def careful")),
    (IN_ASYNCIO, RUN_INSIDE, """
        @deflow
        async def main():
            return await ask_soon("a")
    """),
    (IN_ASYNCIO, RUN_INSIDE, """
        @deflow
        async def main():
            return suspend("a", expires=timedelta(minutes=5), default=None)
    """),
    (WRAPPED, WRAPPER, WRAPPER.replace("@wrapping", "")),
    (WRAPPED, WRAPPER, """
        @deflow
        def retried(flow, *args):
            return flow(*args)

        @deflow
        def main():
            return retried(ask, "a")
    """),
    (PLAIN, STANDS_BETWEEN, STANDS_BETWEEN.replace("def helper", "@deflow\n    def helper")),
    (PLAIN, STANDS_BETWEEN, """
        def helper(answer):
            return answer + 1

        @deflow
        def main():
            return helper(ask())
    """),
    (SHARED, OUTER, """
        @deflow
        def inner(secret):
            suspend("q")
            return secret

        @deflow
        def main():
            return inner(41)
    """),
    (SHARED, OUTER, """
        @deflow
        def made():
            secret = 41
            @deflow
            def inner():
                suspend("q")
                return secret
            return inner

        @deflow
        def main():
            return call(made())
    """),
    ("make it a flow that takes it as an argument, `@deflow def retried(*, *args)`", """
        def retry(function):
            @deflow
            def retried(*args):
                for _ in range(2):
                    try:
                        return function(*args)
                    except ValueError:
                        pass
            return retried

        main = retry(ask)
    """, """
        @deflow
        def retried(function, *args):
            for _ in range(2):
                try:
                    return function(*args)
                except ValueError:
                    pass

        @deflow
        def main():
            return retried(ask)
    """),
    ("make it a flow that takes the other one as an argument: `@deflow def retried(flow, *args)`",
     "main = deflow(wrapping(ask))", """
        @deflow
        def retried(flow, *args):
            return flow(*args)

        @deflow
        def main():
            return retried(ask)
     """),
    ("call the flow itself, from a flow, or by `call(f, x)`", """
        @deflow
        def main():
            in_order = sorted
            return in_order(["a"], key=ask)
    """, """
        @deflow
        def main():
            return sorted([(ask("a"), "a")])
    """),
    ("call the flow itself, from a flow, or by `call(f, x)`", """
        @deflow
        def main():
            cached = functools.lru_cache(ask)
            return cached("a")
    """, """
        @deflow
        def main():
            f = ask
            return call(f, "a")
    """),
    ("write `*call(*, …)`, which is one wherever it stands", """
        @deflow
        def main():
            here = types.SimpleNamespace(asked=ask)
            return 1 + here.asked("a")
    """, """
        @deflow
        def main():
            here = types.SimpleNamespace(asked=ask)
            return 1 + call(here.asked, "a")
    """),
    ("write `*call(*, …)`, which is one wherever it stands", """
        @deflow
        async def main():
            soon = types.SimpleNamespace(asked=ask_soon).asked("a")
            return 1 + await soon
    """, """
        @deflow
        async def main():
            here = types.SimpleNamespace(asked=ask_soon)
            return 1 + await call(here.asked, "a")
    """),
    ("write `*call(*, …)`, which reads it once", """
        @deflow
        def main():
            shop = Shop()
            return shop.client.ask()
    """, """
        @deflow
        def main():
            shop = Shop()
            return call(shop.client.ask)
    """),
    ("write `call(f, x)` in it", """
        @deflow
        def main():
            f = ask
            return [f(x) for x in "ab"]
    """, """
        @deflow
        def main():
            f = ask
            return [call(f, x) for x in "ab"]
    """),
    ("give the flow a name, and call that", """
        class Sum:
            @deflow
            def __add__(self, other):
                return suspend("q") + other

        @deflow
        def main():
            return Sum() + 1
    """, """
        class Sum:
            @deflow
            def add(self, other):
                return suspend("q") + other

        @deflow
        def main():
            return Sum().add(1)
    """),
    ("write it as a def with @deflow above", """
        @deflow
        def main():
            f = ask
            return (lambda: f("a"))()
    """, """
        @deflow
        def main():
            f = ask
            @deflow
            def asked():
                return f("a")
            return asked()
    """),
    ("make it a list comprehension, with `call(f, x)` in it", """
        @deflow
        def main():
            f = ask
            return tuple(f(x) for x in "ab")
    """, """
        @deflow
        def main():
            f = ask
            return tuple([call(f, x) for x in "ab"])
    """),
    ("make it a function that returns a list, with @deflow above", """
        def asked(f):
            for x in "ab":
                yield f(x)

        @deflow
        def main():
            return list(asked(ask))
    """, """
        @deflow
        def asked(f):
            answers = []
            for x in "ab":
                answers.append(f(x))
            return answers

        @deflow
        def main():
            return list(asked(ask))
    """),
    (MADE_OF, """
        @deflow
        @wrapping
        def main():
            return ask()
    """, """
        @deflow
        def main():
            return ask()
    """),
    (f"{MADE_OF}; one that rewrites the function's code cannot be used on a flow", """
        @deflow
        @rewriting
        def main():
            return ask()
    """, """
        @deflow
        def main():
            return ask()
    """),
    ("put it nearest to the def", "main = deflow(functools.partial(ask, 'a'))", """
        @deflow
        def main():
            return ask("a")
    """),
    ("put it on its methods", """
        @deflow
        class Order:
            def begin(self):
                return suspend("q")
    """, """
        class Order:
            @deflow
            def begin(self):
                return suspend("q")

        main = Order().begin
    """),
    ("write @* above @deflow, not below it", """
        def begin():
            return suspend("q")

        main = deflow(staticmethod(begin))
    """, """
        class Order:
            @staticmethod
            @deflow
            def begin():
                return suspend("q")

        main = Order.begin
    """),
    ("write it as a def, with @deflow above it", "main = deflow(lambda: ask())", """
        @deflow
        def main():
            return ask()
    """),
    ("define flows in a module's file, not by exec or in an interactive shell", """
        text = '@deflow\\ndef main():\\n    return suspend("q")'
        exec(text)
    """, """
        @deflow
        def main():
            return suspend("q")
    """),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    longterm.set_runstore("memory://")
    yield
    longterm.set_runstore("memory://")


def run_main(name: str, text: str) -> Run:
    """Write a module, import it, and run its flow `main` until it has ended."""
    Path(f"{name}.py").write_text(PRELUDE + dedent(text), "utf-8")
    sys.modules.pop(name, None)
    return driven(import_module(name))


def driven(module: ModuleType) -> Run:
    flow = module.main
    if inspect.iscoroutinefunction(flow):
        return asyncio.run(driven_soon(flow))
    run = longterm.start_flow(flow)
    while run.waiting_for:
        run = longterm.process_event(run.id, run.waiting_for, 1)
    return run


async def driven_soon(flow: Any) -> Run:
    run = await longterm.astart_flow(flow)
    while run.waiting_for:
        run = await longterm.aprocess_event(run.id, run.waiting_for, 1)
    return run


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:40] for each, *_ in CASES])
def test_a_remedy_works_when_it_is_followed(number: int) -> None:
    remedy, refused, followed = CASES[number]
    if remedy == "write `call(f, x)` in it" and sys.version_info >= (3, 12):
        remedy = "write `call(f, …)`, which is one wherever it stands"  # it is inlined: PEP 709

    with printed(remedy):
        run_main(f"refused_{number}", refused)
    run = run_main(f"followed_{number}", followed)

    assert run.state == "complete"


# The remedy; what `suspend` is given and refuses; what it is given instead.
ASKED: list[tuple[str, str, list[str]]] = [
    ("declare each: vote = Event('vote', int)", "'vote', 'b', type=int",
     ["vote, 'b', expires=timedelta(0), default=1"]),
    ("name whom it is for: a text of 1 to * characters, or a list of 1 to *", "'a', to=7",
     ["'a', to='Ada'", "'a', to=['Ada', 'Bob']"]),
    ("give a text, or plain data as JSON has it: dicts with texts for keys, lists, texts, finite "
     "numbers, bools and None; of at most * bytes, * levels deep", "'a', ask={1: b''}",
     ["'a', ask='Why?'", "'a', ask={'why': [1.5, True, None]}"]),
]  # fmt: skip


def test_what_is_gathered() -> None:
    program = """
        from longterm import gather, spawn

        @deflow
        def done():
            return 1

        @deflow
        def main():
            return gather({})
    """

    with printed("give what `spawn` returned"):
        run_main("refused_gather", program.format("'a child'"))

    assert run_main("followed_gather", program.format("spawn(done)")).state == "complete"


def test_what_a_child_is_to_return() -> None:
    program = """
        from longterm import spawn

        @deflow
        def child():
            return {}

        @deflow
        def main():
            return suspend(spawn(child){})
    """

    with printed("check what a child returns in its own flow"):
        run_main("child_wrongly", program.format("1", ", type=int"))
    assert run_main("child_rightly", program.format("int('1')", "")).result == 1


@pytest.mark.parametrize("number", range(len(ASKED)))
def test_what_a_wait_may_ask_for_is_told(number: int) -> None:
    remedy, refused, followed = ASKED[number]
    program = """
        from longterm import Event
        vote = Event('vote', int)

        @deflow
        def main():
            return suspend({})
    """

    with printed(remedy):
        run_main(f"asked_wrongly_{number}", program.format(refused))
    for place, given in enumerate(followed):
        assert run_main(f"asked_{number}_{place}", program.format(given)).state == "complete"


ONE = """\
from longterm import deflow, suspend


@deflow
def main():
    return suspend("q") + 1
"""
START = "import one, longterm; print(longterm.start_flow(one.main).state)"


def test_code_without_a_module() -> None:
    code = compile(ONE, "one_in_a_cell.py", "exec")
    lines = ONE.splitlines(keepends=True)
    with patch.dict(linecache.cache, {code.co_filename: (len(ONE), None, lines, code.co_filename)}):
        with printed("give them one: `exec(code, {'__name__': 'shop'})`"):
            exec(code, {})
        namespace = {"__name__": "shop"}
        exec(code, namespace)
        run = longterm.start_flow(namespace["main"])
        assert longterm.process_event(run.id, "q", 1).result == 2


def test_expression_that_the_parser_does_not_read_where_it_is_called(monkeypatch: Any) -> None:
    """How deep it goes depends on the place: what an import could read, it may refuse here."""

    def parse(path: str, text: str) -> SourceFile:
        if "-" * 500 in text:
            raise RecursionError
        return parsed(path, text)

    parsed = SourceFile.parse
    monkeypatch.setattr(SourceFile, "parse", parse)

    with printed("give parts of its longest expression names"):
        run_main("deep", f"@deflow\ndef main():\n    return {'-' * 500}ask()\n")
    text = f"@deflow\ndef main():\n    x = {'-' * 250}ask()\n    return {'-' * 250}x\n"

    assert run_main("less_deep", text).result == 1


def test_python_without_columns() -> None:
    Path("one.py").write_text(ONE)

    said = python("-X", "no_debug_ranges", "-c", START, PYTHONNODEBUGRANGES="1")
    assert is_told("unset PYTHONNODEBUGRANGES, and start Python without -X no_debug_ranges", said)

    assert python("-c", START) == "suspended\n"


def write_one() -> None:
    python("-m", "longterm_compiler", "one.py", "--output", "made")


def test_written_module_whose_byte_code_lacks_columns() -> None:
    Path("one.py").write_text(ONE)
    write_one()
    compiled = python("-X", "no_debug_ranges", "-m", "compileall", "made")
    assert "Listing" in compiled

    said = python("-c", START, cwd="made")
    assert is_told(
        "remove its file in __pycache__, and start Python without -X no_debug_ranges", said
    )
    for file in Path("made/__pycache__").iterdir():
        file.unlink()

    assert python("-c", START, cwd="made") == "suspended\n"


def test_written_module_for_another_python() -> None:
    Path("one.py").write_text(ONE)
    write_one()
    written = Path("made/one.py")
    here = f"{sys.version_info[0]}, {sys.version_info[1]}"
    written.write_text(written.read_text().replace(here, "3, 9"))

    said = python("-c", START, cwd="made")
    assert is_told("write it again with `longterm-compile --output`, under this Python", said)
    write_one()

    assert python("-c", START, cwd="made") == "suspended\n"


def test_written_module_that_was_edited() -> None:
    Path("one.py").write_text(ONE)
    write_one()
    written = Path("made/one.py")
    written.write_text(written.read_text().replace("@deflow", "\n@deflow"))

    said = python("-c", START, cwd="made")
    assert is_told("it was changed after longterm-compile wrote it: write it anew", said)
    write_one()

    assert python("-c", START, cwd="made") == "suspended\n"


def test_flow_of_a_written_module_that_is_being_imported() -> None:
    Path("one.py").write_text(f"{ONE}\nimport longterm\nlongterm.start_flow(main)\n")
    write_one()

    assert is_told("use the flow after the import", python("-c", START, cwd="made"))
    Path("one.py").write_text(ONE)
    write_one()

    assert python("-c", START, cwd="made") == "suspended\n"


def test_file_that_has_changed_since_it_was_imported() -> None:
    later = "import pathlib\npathlib.Path(__file__).write_text('# other\\n' * 9)\n"
    Path("one.py").write_text(later + ONE)

    said = python("-c", START)
    assert is_told(
        "the file has changed since it was imported: start the process again, without the old byte "
        "code in __pycache__",
        said,
    )
    Path("one.py").write_text(ONE)  # what stood there since is whole
    shutil.rmtree("__pycache__", ignore_errors=True)

    assert python("-c", START) == "suspended\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
def test_cache_behind_a_link_of_another_user() -> None:
    Path("one.py").write_text(ONE)
    Path("kept").mkdir()
    Path("cache").symlink_to("kept")
    os.lchown("cache", 12345, 12345)
    cache = ["-m", "longterm_compiler", "--cache", "one.py"]

    said = python(*cache, LONGTERM_CACHE="cache")
    assert is_told("remove it, or set LONGTERM_CACHE to a folder of your own", said)

    assert "one.py: 1 flow" in python(*cache, LONGTERM_CACHE="own")
    Path("cache").unlink()
    assert "one.py: 1 flow" in python(*cache, LONGTERM_CACHE="cache")


def test_python_that_writes_no_byte_code() -> None:
    Path("one.py").write_text(ONE)
    tell = f"import logging; logging.basicConfig(level='INFO'); {START}"

    said = python("-B", "-c", tell)
    assert is_told(
        "set LONGTERM_CACHE to a folder, or run longterm-compile --cache ahead of time", said
    )

    first = python("-B", "-c", tell, LONGTERM_CACHE="cache")
    python("-m", "longterm_compiler", "--cache", "one.py")
    second = python("-B", "-c", tell)
    assert "set LONGTERM_CACHE" not in first + second
    assert list(Path("cache").rglob("*")) != []


BEFORE = """\
from longterm import deflow, suspend, upgrade


@deflow
def main():
    return suspend("q") + 1
"""
AFTER = """\
from longterm import deflow, suspend, upgrade


@deflow
def main():
    extra = 40
    answer = suspend("q", to="Ada")
    return answer + extra


@upgrade(main, since="{}")
def _(frame):
    {}
"""
GO_ON = """\
import longterm, one
longterm.set_runstore("sqlite:///../runs.db")
run, = longterm.find_runs()
print(longterm.process_event(run.id, "q", 1).result)
"""


# The remedy; the body that is refused; the one that follows it; of which form of the module.
EDITS = [
    ("say where the run goes on: frame.goto(…)",
     "frame.slots['extra'] = 41", "frame.slots['extra'] = 41; frame.goto('q')", "plain"),
    ("give it a value: frame.slots[…] = …",
     "frame.goto('q')", "frame.goto('q'); frame.slots['extra'] = 41", "plain"),
    ("give the number of the point", "frame.slots['extra'] = 41; frame.goto('q')",
     "frame.slots['extra'] = 41; frame.goto(1)", "made"),
]  # fmt: skip


@pytest.mark.parametrize(("remedy", "refused", "followed", "folder"), EDITS)
def test_body_of_an_upgrade(remedy: str, refused: str, followed: str, folder: str) -> None:
    Path("plain").mkdir()
    source = Path("plain/one.py")
    source.write_text(BEFORE)
    begin = "import longterm as l, one; l.set_runstore('sqlite:///../runs.db'); "
    begin += "l.start_flow(one.main); from longterm._flows.registry import flow_named; "
    version = python("-c", f"{begin}print(flow_named('one:main').version)", cwd="plain").strip()

    def goes_on(body: str) -> str:
        source.write_text(AFTER.format(version, body))
        shutil.rmtree("plain/__pycache__", ignore_errors=True)
        if folder == "made":
            shutil.rmtree("made", ignore_errors=True)
            python("-m", "longterm_compiler", "one.py", "--output", "../made", cwd="plain")
        return python("-c", GO_ON, cwd=folder)

    assert is_told(remedy, goes_on(refused))

    assert goes_on(followed) == "42\n"


def test_upgrades_that_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrades, "_upgrades", {})  # other tests are told of them otherwise

    def judged(name: str, lines: str, *versions: str) -> str:
        module = import_text(name, "from longterm import upgrade\n" + BEFORE + lines)
        found = {(f"{module.__name__}:main", version) for version in versions}
        return "\n".join(each for each in upgrades.upgrades_judged(found) if name in each)

    first, second = "abcdef11" * 2, "abcdef22" * 2
    short, long = 'upgrade(main, since="abcdef")', 'upgrade(main, since="abcdef1")'

    assert is_told("give more digits", judged("judged_short", short, first, second))
    assert judged("judged_long", long, first, second) == ""

    assert is_told("delete it", judged("judged_for_none", long, second))
    assert judged("judged_deleted", "", second) == ""


def import_text(name: str, text: str) -> ModuleType:
    Path(f"{name}.py").write_text(text, "utf-8")
    return import_module(name)


def test_no_remedy_is_forgotten() -> None:
    tried = tried_in(__file__) | tried_in(test_former_names.__file__)
    tried |= {remedy for remedy, *_ in [*CASES, *ASKED]}
    tried |= {remedy for remedy, *_ in EDITS}

    named = advice_of(FLOWS, PACKAGE / "_abi")
    tried |= tried_in(test_freeze.__file__) & named

    assert tried | set(ELSEWHERE) | (test_step_remedies.TRIED & named) == named
