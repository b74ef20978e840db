"""A flow has one version, in whatever order its application's modules are imported first."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from math import factorial
from pathlib import Path

import pytest

from longterm_compiler.analysis.modules import Located
from longterm_compiler.cli.targets import names_in
from longterm_compiler.pipeline import compile_flow

FORMS = """
import longterm as L
from longterm import deflow as flow, suspend as pause
again = L.deflow
"""
CALLS = "[{m}.ask(1) + 1, sorted([{m}.renamed(2)]), {m}.plain(3) + 1, {m}.Shop.sell(4) + 1]"

CASES = {
    "aliases": {
        "forms": FORMS,
        "a": "import forms, b, c\nstep = forms.flow\n"
        "@step\ndef ask(x): return forms.pause(x)\n"
        "def plain(x): return x\nrenamed = ask\n"
        "class Shop:\n    @staticmethod\n    @forms.again\n    def sell(x): return forms.pause(x)\n"
        f"@step\ndef main(x): return {CALLS.format(m='b')}\n",
        "b": "from forms import again, pause\nimport c, a\n"
        "@again\ndef ask(x): return pause(x)\n"
        "def plain(x): return x\nrenamed = plain\n"
        "class Base:\n    @staticmethod\n    @again\n    def sell(x): return pause(x)\n"
        "class Shop(Base): pass\n"
        f"@again\ndef main(x): return {CALLS.format(m='c')}\n",
        "c": "import a, forms as f\nfrom a import *\n"
        "@f.flow\ndef ask(x): return f.pause(x)\n"
        "renamed = ask\nplain = len\n"
        "class Shop:\n    @classmethod\n    @f.flow\n    def sell(cls, x): return f.pause(x)\n"
        f"@f.flow\ndef main(x): return {CALLS.format(m='a')}\n",
    },
    "re-exports": {
        "home": "from longterm import deflow, suspend\n"
        "@deflow\ndef ask(x): return suspend(x)\n"
        "def plain(x): return x\n"
        "class Shop:\n    @staticmethod\n    @deflow\n    def sell(x): return suspend(x)\n",
        "shelf": "import desk\nfrom home import ask, plain, Shop\n"
        "renamed = ask\nfrom longterm import deflow\n"
        f"@deflow\ndef main(x): return {CALLS.format(m='desk')}\n",
        "desk": "import door\nfrom home import *\n"
        "from home import ask as renamed\nfrom longterm import deflow\n"
        f"@deflow\ndef main(x): return {CALLS.format(m='door')}\n",
        "door": "import shelf, home as own\nask, plain = own.ask, own.plain\n"
        "renamed = own.ask\nShop = own.Shop\nfrom longterm import deflow\n"
        f"@deflow\ndef main(x): return {CALLS.format(m='shelf')}\n",
    },
    "decorators above": {
        "tools": "import functools\nseen = []\n"
        "def registered(function):\n    seen.append(function)\n    return function\n"
        "def named(name):\n    def register(function):\n"
        "        seen.append(function)\n        return function\n    return register\n"
        "def wrapping(function):\n    @functools.wraps(function)\n"
        "    def wrapper(*args):\n        return function(*args)\n    return wrapper\n"
        "class App:\n    def task(self, function):\n"
        "        seen.append(function)\n        return function\n"
        "app = App()\n",
        "x": "import y, tools\nfrom longterm import deflow, suspend\n"
        "@tools.registered\n@deflow\ndef ask(x): return suspend(x)\n"
        "@tools.wrapping\n@deflow\ndef renamed(x): return suspend(x)\n"
        "@tools.named('plain')\n@deflow\ndef plain(x): return suspend(x)\n"
        "class Shop:\n    @staticmethod\n    @tools.app.task\n    @deflow\n"
        "    def sell(x): return suspend(x)\n"
        f"@deflow\ndef main(x): return {CALLS.format(m='y')}\n",
        "y": "import x, functools\nfrom tools import *\nfrom longterm import deflow, suspend\n"
        "@registered\n@deflow\ndef ask(x): return suspend(x)\n"
        "@functools.lru_cache\ndef renamed(x): return x\n"
        "@wrapping\ndef plain(x): return x\n"
        "class Shop:\n    @staticmethod\n    @registered\n    @named('y')\n    @deflow\n"
        "    def sell(x): return suspend(x)\n"
        f"@deflow\ndef main(x): return {CALLS.format(m='x')}\n",
    },
}
DECIDED = {
    "p": "import q\nfrom longterm import deflow, suspend\n"
    "@deflow\ndef ask(x): return suspend(x)\n"
    "def plain(x): return x\n"
    "if len('ab') > 5:\n    chosen, other = ask, plain\nelse:\n    chosen, other = plain, ask\n"
    "again = ask\nagain = plain\n"
    "table = {'made': ask}\nmade = table['made']\n"
    "@deflow\ndef main(x): return [q.ask(x) + 1, [q.ask(y) for y in 'b'], q.number(1) + 1]\n",
    "q": "import p\nfrom longterm import deflow, suspend\n"
    "def first(function): return function\n"
    "ask = None\ndef number(x): return suspend(x)\n"
    "@deflow\ndef main(x): return [\n"
    "    p.chosen(1) + 1, p.other(x) + 1, p.again(1) + 1,\n"
    "    [p.made(y) for y in 'b'], p.plain(1) + 1\n"
    "]\n"
    "@deflow\ndef own(x): return suspend(x)\n"
    "globals()['ask'] = own\n"
    "def number(x): return x\n",
}
"""What a name stands for is found out only while its module runs."""
PROGRAM = """
import importlib, json, os, sys
sys.path.insert(0, sys.argv[1])
from longterm._flows import loader
from longterm._flows.registry import known_flows
from longterm.testing import interpret, play
import longterm_compiler.text
for order in json.loads(sys.argv[2]):
    child = os.fork()
    if not child:
        for name in order:
            importlib.import_module(name)
        print(json.dumps({each.name: each.version for each in known_flows()}, sort_keys=True))
        for name in {"p", "q"} & set(sys.modules):
            played = play(sys.modules[name].main, ["x"], [2, 3])
            assert played.error is None, played.error
            assert played == interpret(sys.modules[name].main, ["x"], [2, 3]), order
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, order
"""


def write(folder: Path, modules: dict[str, str]) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def versions(folder: Path, orders: list[tuple[str, ...]]) -> list[dict[str, str]]:
    """Import modules in each order, each in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), json.dumps(orders)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("case", CASES)
def test_all_orders_give_the_versions_that_the_command_line_shows(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = CASES[case]
    write(tmp_path, modules)
    monkeypatch.setenv("LONGTERM_CACHE", "off")
    monkeypatch.syspath_prepend(tmp_path)

    found = versions(tmp_path, [*permutations(modules)])
    shown = {
        f"{name}:{flow.qualname}": compile_flow(flow, names).version
        for name in modules
        for names in [names_in(Located.of_file(tmp_path / f"{name}.py"))]
        for flow in names.flows()
    }

    assert len(found) == factorial(len(modules))
    assert found == [shown] * len(found)


@pytest.mark.parametrize("cache", ["off", "cache"])
def test_what_running_code_decides_is_the_same_in_all_orders(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, DECIDED)
    monkeypatch.setenv("LONGTERM_CACHE", "off" if cache == "off" else str(tmp_path / cache))

    first, *others = versions(tmp_path, [*permutations("pq")] * 2)

    assert sorted(first) == ["p:ask", "p:main", "q:main", "q:own"]
    assert others == [first] * 3


@pytest.mark.parametrize("module", "pq")
def test_a_cache_holds_for_modules_that_import_each_other(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, DECIDED)
    monkeypatch.setenv("LONGTERM_CACHE", str(tmp_path / "cache"))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module}\n"
        "from longterm._flows.registry import known_flows\n"
        "print(len(known_flows()), 'longterm_compiler' in sys.modules)"
    )
    command = [sys.executable, "-c", program]

    said = [subprocess.check_output(command, text=True).strip() for _ in range(2)]

    assert said == ["4 True", "4 False"]
