"""Imported names are resolved by source as the running application resolves them by value."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from longterm_compiler import ModuleNames, SourceFile, Verdict
from longterm_compiler.analysis.modules import Located, locate, root_of
from longterm_compiler.analysis.resolve import SourceResolver
from longterm_compiler.cli.targets import Target, find_target
from longterm_compiler.pipeline import compile_flow

FILES = {
    "market/__init__.py": """
from market.flows import approve
from .flows import Shop as Store, plain
from . import deep
import sys
from market import flows as made
sys.modules["market.made"] = made
""",
    "market/flows.py": """
import functools
import time
from longterm import deflow, respond, suspend
from longterm._flows.primitives import call as dial

@deflow
def approve(x):
    return suspend("x")

def plain(x):
    return x

def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

@decorated
@deflow
def wrapped(x):
    return suspend("x")

@functools.lru_cache
def cached(x):
    return x

class Base:
    @deflow
    def inherited(self):
        return suspend("x")

    @staticmethod
    @deflow
    def static():
        return suspend("x")

class Shop(Base):
    @deflow
    def sell(self):
        return suspend("x")

    def look(self):
        return 1

    open = sell
    number = 5

    class Till:
        @classmethod
        @deflow
        def ring(cls):
            return suspend("x")

class Broken(ValueError):
    pass

alias = approve
also: object = plain
short = lambda: 1
number = 5
table = {"a": approve}
shop = Shop()

if number:
    chosen = approve
else:
    chosen = plain

try:
    from not_installed_anywhere import maybe
except ImportError:
    maybe = None
""",
    "market/steps.py": """
import longterm
from longterm import deflow, step
from longterm import step as once

@step
def charge(x):
    return x

@longterm.step(max_attempts=3)
async def quote(x):
    return x

class Shop:
    @once(at_most_once=True)
    def ship(self):
        return 1

    @staticmethod
    @step
    def pack():
        return 1

def plain(x):
    return x

inline = step(plain, max_attempts=3)
later = step(max_attempts=3)(plain)
decorator = step(max_attempts=3)
alias = charge

@deflow
async def order(x):
    return charge(x) + await quote(x)
""",
    "market/deep/__init__.py": "",
    "market/deep/inner.py": """
from ..flows import approve as renamed
from ..flows import *
from market import flows
import market.flows as m
import os.path
""",
    "market/deep/again.py": """
from .inner import renamed as twice, m, alias
from market.deep import inner
""",
    "market/circle_a.py": "from market.circle_b import around\n",
    "market/circle_b.py": "from market.circle_a import around\n",
    "market/unreadable.py": "def broken(:\n",
    "market/circle_c.py": "from market.circle_c.made import around\n",
}

ORDINARY = [
    ("market", ("approve",)),
    ("market", ("Store", "sell")),
    ("market", ("Store", "inherited")),
    ("market", ("Store", "static")),
    ("market", ("Store", "look")),
    ("market", ("Store", "Till", "ring")),
    ("market", ("Store", "nothing")),
    ("market", ("Store",)),
    ("market", ("plain",)),
    ("market", ("deep",)),
    ("market", ("flows", "approve")),
    ("market", ("deep", "inner", "renamed")),
    ("market", ("nothing",)),
    ("market.flows", ("wrapped",)),
    ("market.flows", ("cached",)),
    ("market.flows", ("alias",)),
    ("market.flows", ("also",)),
    ("market.flows", ("short",)),
    ("market.flows", ("number",)),
    ("market.flows", ("table",)),
    ("market.flows", ("shop",)),
    ("market.flows", ("shop", "sell")),
    ("market.flows", ("chosen",)),
    ("market.flows", ("maybe",)),
    ("market.flows", ("suspend",)),
    ("market.flows", ("dial",)),
    ("market.flows", ("respond",)),
    ("market.flows", ("deflow",)),
    ("market.flows", ("time", "sleep")),
    ("market.flows", ("Broken", "sell")),
    ("market.steps", ("charge",)),
    ("market.steps", ("quote",)),
    ("market.steps", ("Shop", "ship")),
    ("market.steps", ("Shop", "pack")),
    ("market.steps", ("inline",)),
    ("market.steps", ("later",)),
    ("market.steps", ("step",)),
    ("market.steps", ("alias",)),
    ("market.steps", ("longterm", "step_key")),
    ("market.deep.inner", ("renamed",)),
    ("market.deep.inner", ("alias",)),
    ("market.deep.inner", ("m", "Shop", "sell")),
    ("market.deep.inner", ("os", "path", "join")),
    ("market.deep.again", ("twice",)),
    ("market.deep.again", ("m", "approve")),
    ("market.deep.again", ("alias",)),
    ("market.deep.again", ("inner", "flows", "plain")),
    ("longterm", ("start_flow",)),
    ("longterm", ("Engine",)),
    ("longterm._flows.primitives", ("suspend",)),
    ("longterm", ("ops", "call")),
    ("dataclasses", ("dataclass",)),
    ("datetime", ("datetime",)),
    ("json", ("dumps",)),
    ("math", ("sqrt",)),
    ("os.path", ("join",)),
    ("os.path", ("nothing",)),
    ("collections.abc", ("Sequence",)),
    ("hashlib", ("sha256",)),
    ("random", ("choice",)),
    ("sys", ("stdout", "write")),
    ("xml", ("etree", "ElementTree", "parse")),
    ("types", ("SimpleNamespace",)),
    ("winreg", ("OpenKey",)),
    ("market.made", ("approve",)),
    ("market.made", ("plain",)),
    ("market.deep.made", ("approve",)),
    ("not_installed_anywhere", ("x",)),
]


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on `sys.path`, forgotten afterwards."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [each for each in sys.modules if each.partition(".")[0] == "market"]:
        del sys.modules[name]


def ordinary(case: tuple[str, tuple[str, ...]]) -> str:
    return ".".join([case[0], *case[1]])


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(("module", "path"), ORDINARY, ids=[ordinary(each) for each in ORDINARY])
def test_source_is_judged_as_the_live_module_is(module: str, path: tuple[str, ...]) -> None:
    resolve = SourceResolver(sys.path, live)
    shown = resolve(module, path)
    for name in ("market.deep.again", module):
        try:
            importlib.import_module(name)
        except ImportError:
            assert module in ("not_installed_anywhere", "winreg", "market.deep.made")

    assert shown is live(module, path)


def live(module: str, path: tuple[str, ...]) -> Verdict:
    """What the runtime says of a name."""
    from longterm._flows.resolve import resolve

    return Verdict(resolve(module, path))


@pytest.mark.usefixtures("market")
def test_nothing_is_imported() -> None:
    resolve = SourceResolver(sys.path, live)

    verdict = resolve("market.deep.again", ("twice",))

    assert verdict is Verdict.SUSPENDS
    assert not [each for each in sys.modules if each.partition(".")[0] == "market"]


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(
    "module", ["market.circle_a", "market.circle_c", "market.unreadable", "market.deep.nothing"]
)
def test_what_cannot_be_told_may_suspend(module: str) -> None:
    assert SourceResolver(sys.path, live)(module, ("around",)) is Verdict.MAY


def test_a_file_in_the_place_of_a_standard_module_counts(tmp_path: Path) -> None:
    text = "from longterm import deflow, suspend\n@deflow\ndef choice(x):\n    return suspend(x)\n"
    (tmp_path / "random.py").write_text(text)

    assert SourceResolver([str(tmp_path)], live)("random", ("choice",)) is Verdict.SUSPENDS
    assert SourceResolver(sys.path, live)("random", ("choice",)) is Verdict.NEVER


def test_what_does_something_when_it_is_imported_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert SourceResolver(sys.path, live)("this", ("d",)) is Verdict.MAY
    assert "this" not in sys.modules
    assert not capsys.readouterr().out


def test_module_in_folders_without_init_files_is_found(tmp_path: Path) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "inner" / "flows.py").write_text("")

    located = locate("outer.inner.flows", [str(tmp_path)])

    assert located is not None
    assert located.path == tmp_path / "outer" / "inner" / "flows.py"
    assert located.package == "outer.inner"
    assert "outer" not in sys.modules


def test_module_is_found_without_running_its_parents(market: Path) -> None:
    (market / "market" / "__init__.py").write_text("raise SystemExit\n")

    located = locate("market.deep.inner", [str(market)])

    path = market / "market" / "deep" / "inner.py"
    assert located == Located(path, "market.deep.inner", "market.deep")
    assert Located.of_file(path) == located
    assert root_of(path) == market


def test_package_is_its_init_file(market: Path) -> None:
    path = market / "market" / "deep" / "__init__.py"

    assert locate("market.deep", [str(market)]) == Located(path, "market.deep", "market.deep")
    assert Located.of_file(path) == Located(path, "market.deep", "market.deep")


@pytest.mark.parametrize("module", ["math", "sys", "nowhere_at_all", "os.nothing.more"])
def test_module_without_source_is_not_found(module: str) -> None:
    assert locate(module, sys.path) is None


def orders(market: Path, text: str) -> Target:
    """Write a module beside the package, and return it with its flows."""
    path = market / "orders.py"
    path.write_text(text)
    return find_target(str(path))


def points(target: Target) -> list[tuple[tuple[str, ...], bool]]:
    """Return what the first flow of a module calls at its points, and whether that suspends."""
    compiled = compile_flow(target.flows[0], target.names)
    return [(each.callee, each.suspends) for each in compiled.points]


def test_flow_of_another_module_is_a_point(market: Path) -> None:
    target = orders(
        market,
        "import market.deep.inner\nfrom market import Store, plain\nfrom longterm import deflow\n"
        "@deflow\ndef order(x):\n"
        "    return [plain(x), market.deep.inner.renamed(x), Store.static(), len(x)]\n",
    )

    assert points(target) == [
        (("market", "deep", "inner", "renamed"), True),
        (("Store", "static"), True),
    ]


def test_what_is_imported_by_a_star_is_judged(market: Path) -> None:
    target = orders(
        market,
        "from longterm import *\nfrom market.flows import *\n"
        "@deflow\ndef order(x):\n"
        "    return [suspend(each) for each in x], [approve(x) for _ in x], len(x)\n",
    )

    assert points(target) == [
        (("suspend",), True),
        (("approve",), True),
    ]


def test_a_path_is_no_form_because_it_ends_like_one(market: Path) -> None:
    target = orders(
        market,
        "from longterm import *\nfrom market.flows import *\n"
        "@deflow\ndef order(x):\n    return sorted(x, key=lambda each: shop.call(each))\n",
    )

    assert target.names.verdict(("shop", "call")) is Verdict.MAY
    assert points(target) == []


def test_what_a_function_makes_global_is_not_what_a_star_brings(market: Path) -> None:
    target = orders(
        market,
        "from longterm import *\nfrom market.flows import *\n"
        "def set_up():\n    global plain\n"
        "    @deflow\n    def plain(x):\n        return suspend(x)\n"
        "@deflow\ndef order(x):\n    return plain(x)\n",
    )

    assert target.names.verdict(("plain",)) is Verdict.MAY


def test_a_star_may_put_a_flow_in_the_place_of_a_builtin(market: Path) -> None:
    (market / "market" / "flows.py").write_text(
        "from longterm import *\n@deflow\ndef input(x):\n    return suspend(x)\n"
    )
    target = orders(
        market,
        "from longterm import deflow\nfrom market.flows import *\n"
        "@deflow\ndef order(x):\n    print([input(each) for each in x])\n",
    )

    assert points(target) == [(("input",), True)]


ALIASED = {
    "aliased/__init__.py": "",
    "aliased/words.py": """
import longterm
from longterm import suspend as pause
flow = longterm.deflow
""",
    "aliased/other.py": "def deflow(function):\n    return function\n",
    "aliased/a.py": """
from aliased import b, other, words
from aliased.words import flow as step
from longterm import deflow
mark = deflow
again = mark

@again
def ask(x):
    return words.pause(x)

@step
def reply(x):
    return [words.pause(x) for _ in "ab"]

@other.deflow
def plain(x):
    return x

@words.flow
def main(x):
    return [ask(x), [reply(y) for y in x], plain(x) + plain(x), b.main(x), b.plain(x)]
""",
    "aliased/b.py": """
import hashlib
import random
from os.path import join

import aliased.a as a
from aliased.other import deflow
from aliased.words import flow, pause

@deflow
def plain(x):
    return x

@flow
def main(x):
    name = random.choice(x)
    return [a.ask(1) + 1, [a.reply(y) for y in x], a.plain(x), plain(x), sorted([pause(x)]),
            join(name, name), hashlib.sha256(x)]
""",
}
ORDERS = [
    ["aliased.a"],
    ["aliased.b"],
    ["aliased.words", "aliased.other", "aliased.b", "aliased.a"],
]


@pytest.fixture
def aliased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in ALIASED.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LONGTERM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def versions_in_process(folder: Path, modules: list[str]) -> dict[str, str]:
    """Import modules in another process; return the versions of all flows that it knows then."""
    program = f"""
import importlib, json, sys
sys.path.insert(0, {str(folder)!r})
for name in {modules!r}:
    importlib.import_module(name)
from longterm._flows.registry import known_flows
print(json.dumps({{each.name: each.version for each in known_flows()}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_flow_has_one_version_in_every_order_of_imports(aliased: Path) -> None:
    first, *others = [versions_in_process(aliased, order) for order in ORDERS]

    assert sorted(first) == ["aliased.a:ask", "aliased.a:main", "aliased.a:reply", "aliased.b:main"]
    assert others == [first, first]
    # With the cache that the processes before have written:
    assert versions_in_process(aliased, ORDERS[1]) == first


def test_the_command_line_shows_the_version_that_a_process_has(aliased: Path) -> None:
    targets = [find_target(f"aliased.{name}") for name in "ab"]
    shown = {
        f"{target.names.module}:{flow.qualname}": compile_flow(flow, target.names)
        for target in targets
        for flow in target.flows
    }

    assert {name: each.version for name, each in shown.items()} == versions_in_process(
        aliased, ORDERS[0]
    )
    assert [(".".join(p.callee), p.suspends) for p in shown["aliased.b:main"].points] == [
        ("a.ask", True),
        ("a.reply", True),
        ("pause", True),
    ]
    assert [(".".join(p.callee), p.suspends) for p in shown["aliased.a:main"].points] == [
        ("ask", True),
        ("reply", True),
        ("b.main", True),
    ]


@pytest.mark.parametrize(
    ("text", "is_flow"),
    [
        ("from longterm import deflow\n@deflow\ndef f(): ...", True),
        ("from longterm import deflow as flow\n@flow\ndef f(): ...", True),
        ("from longterm import *\n@deflow\ndef f(): ...", True),
        ("import longterm as L\n@L.deflow\ndef f(): ...", True),
        ("import longterm\nflow: object = longterm.deflow\n@flow\ndef f(): ...", True),
        ("from longterm import deflow\ndef g():\n    @deflow\n    def f(): ...", True),
        ("def g():\n    from longterm import deflow\n    @deflow\n    def f(): ...", True),
        ("from nowhere_at_all import deflow\n@deflow\ndef f(): ...", True),
        (
            "try:\n    from longterm import deflow\nexcept ImportError:\n    deflow = None\n"
            "flow = deflow\n@flow\ndef f(): ...",
            True,
        ),
        ("from market.flows import deflow as flow\n@flow\ndef f(): ...", True),
        ("from market import flows as m\nflow = m.deflow\n@flow\ndef f(): ...", True),
        ("def deflow(function): return function\n@deflow\ndef f(): ...", False),
        ("from market.flows import plain as deflow\n@deflow\ndef f(): ...", False),
        ("flow = flow\n@flow\ndef f(): ...", False),
        ("a = b\nb = a\n@a.deflow\ndef f(): ...", True),
        ("@f\ndef f(): ...", False),
        ("@deflow\ndef deflow(): ...\n@deflow\ndef f(): ...", False),
        ("from longterm import suspend\n@suspend\ndef f(): ...", False),
    ],
)
@pytest.mark.usefixtures("market")
def test_a_decorator_is_deflow_by_what_it_stands_for(text: str, is_flow: bool) -> None:
    source = SourceFile.parse("orders.py", text)
    names = ModuleNames(source, "orders", "", SourceResolver(sys.path, live))
    function = source.definitions[-1]

    assert function.node.name == "f"
    assert names.is_flow(function.node) is is_flow
