"""`longterm freeze`: an old version of a flow as a file, in which its runs go on."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from longterm import Engine, UnknownFlow, frozen
from longterm._codec import decode, encode
from longterm._flows import former_names, registry, upgrades
from longterm._flows.registry import flow_of
from longterm._turns.kept_sources import find_source
from longterm.cli import main
from longterm.cli.arguments import WrongUsage
from longterm.cli.freeze import _full_name
from longterm.cli.frozen_text import CannotFreeze, frozen_text, prove
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from longterm_compiler.cli import main as compile_command
from tests.advice import is_told, printed

SHOP = """\
from __future__ import annotations

import json
import os.path as where

from longterm import deflow, suspend

RATE = 2


def double(x):
    return x * RATE


@deflow
def pay(amount):
    return suspend("card"), amount


# what is sold
@deflow
def sell(cart: list[str]) -> str:
    def add(n):
        return n + RATE

    price = double(len(cart))
    agreed = suspend("agreed")  # by the boss
    paid = pay(agreed)
    return json.dumps([add(price), paid, where.join("a", "b")])
"""
NEW = SHOP.replace("n + RATE", "n - RATE").replace("json.dumps([", "json.dumps([0, ")
BEGIN = "import shop; from longterm import start_flow; print(start_flow(shop.sell, 'ab').id)"


class Shop:
    """A folder with an application. Each command is as in a process that has just begun."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.url = folder, f"sqlite:///{folder / 'runs.db'}"
        self.app = "shop"
        self._capsys = capsys
        self.write(SHOP)

    def write(self, text: str, name: str = "shop.py") -> None:
        (self.folder / name).write_text(text)

    def anew(self) -> None:
        """Forget the modules of before, and the flows."""
        for name in [each for each in sys.modules if each.partition(".")[0] in MODULES]:
            del sys.modules[name]
        tables = (registry._flows, registry._frozen, upgrades._upgrades, former_names._now)
        for table in tables:
            table.clear()
        importlib.invalidate_caches()

    def begin(self) -> str:
        self.anew()
        engine = Engine(SQLiteStore(self.folder / "runs.db"))
        try:
            sell = importlib.import_module("shop").sell
            if flow_of(sell).is_async:
                return asyncio.run(engine.astart_flow(sell, "ab")).id
            return engine.start_flow(sell, "ab").id
        finally:
            engine.store.close()

    def __call__(self, *arguments: str) -> tuple[int, str]:
        self.anew()
        try:
            status = main(["--store", self.url, "--app", self.app, *arguments])
        except SystemExit as end:
            status = int(str(end.code))
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def python(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-B", *arguments],
            cwd=self.folder,
            env={**os.environ, "LONGTERM_URL": self.url, "LONGTERM_CACHE": "off"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def version(self, flow: str = "shop:sell") -> str:
        store = SQLiteStore(self.folder / "runs.db")
        try:
            *_, found = store.find_versions(f"{flow}@")
        finally:
            store.close()
        return found


MODULES = ("shop", "frozen", "old", "other")


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(registry, "_flows", {})
    monkeypatch.setattr(registry, "_frozen", {})
    monkeypatch.setattr(upgrades, "_upgrades", {})
    monkeypatch.setattr(former_names, "_now", {})
    made = Shop(tmp_path, capsys)
    yield made
    made.anew()


def test_a_run_goes_on_in_the_file_and_a_new_one_in_the_code_of_today(shop):
    """The story of a deployment."""
    run = shop.begin()
    version = shop.version()
    short = version.partition("@")[2][:8]
    shop.write(NEW)
    assert shop("check")[0] == 1

    status, out = shop("freeze", version[:-10])
    assert status == 0, out
    assert f"frozen/sell_{short}.py: {version}, proven to be that version" in out
    shop.app = f"shop,frozen.sell_{short}"

    status, out = shop("check")
    assert status == 0, out
    where = f"shop:sell in its frozen code at {shop.folder}/frozen/sell_{short}.py:14"
    assert f"go on: {where}" in out
    assert f"in this code:  goes on: {where}" in shop("show", run)[1]
    assert "no run is stuck" in shop("runs", "--stuck")[1]
    other = shop.begin()
    assert "waiting for card" in shop("send", run, "agreed", "5")[1]
    assert "shop:sell@" + short in shop("positions")[1]  # it is of the old version still
    assert "is complete" in shop("send", run, "card", "6")[1]
    assert '[6, [6, 5], "a/b"]' in shop("show", run)[1]

    status, out = shop("check")
    assert is_told("delete the file", out)
    (shop.folder / "frozen" / f"sell_{short}.py").unlink()
    shop.app = "shop"
    shop("send", other, "agreed", "5")
    shop("send", other, "card", "6")
    assert '[0, 2, [6, 5], "a/b"]' in shop("show", other)[1]


def test_the_file_is_readable_source(shop):
    shop.begin()
    version = shop.version()

    shop("freeze", version, "--output", "old.py")

    text = (shop.folder / "old.py").read_text()
    assert (
        text
        == f'''\
"""{version.replace("@", " as it was in version ")}, for the runs that wait in it.

Delete this file when `longterm check` says that no run needs it.
"""

from __future__ import annotations

import json
import os.path as where
from longterm import frozen, suspend
from shop import RATE, double, pay


@frozen("shop:sell", version="{version.partition("@")[2]}")
{SHOP[SHOP.index("def sell") :]}'''
    )


def test_its_runs_go_on_where_the_flow_of_today_is_gone(shop):
    run = shop.begin()
    version = shop.version()
    shop.write(SHOP.partition("# what is sold")[0])
    shop("freeze", version, "--output", "old.py")
    shop.app = "shop,old"

    assert shop("check")[0] == 0
    assert "waiting for card" in shop("send", run, "agreed", "5")[1]
    assert "in this code:  goes on: shop:sell in its frozen code at" in shop("show", run)[1]
    with pytest.raises(UnknownFlow):
        registry.flow_of_today("shop:sell")


def test_the_file_can_be_compiled_ahead_of_time(shop):
    run = shop.begin()
    version = shop.version()
    shop.write(NEW)
    shop("freeze", version, "--output", "old.py")
    assert compile_command(["--output", "out", "old.py"]) == 0
    (shop.folder / "out" / "old.py").replace(shop.folder / "old.py")
    shop.app = "shop,old"

    assert shop("check")[0] == 0
    assert "waiting for card" in shop("send", run, "agreed", "5")[1]
    assert "is complete" in shop("send", run, "card", "6")[1]
    assert '[6, [6, 5], "a/b"]' in shop("show", run)[1]


def test_remedies_of_the_command_are_followed(shop):
    shop.begin()
    status, out = shop("freeze", "shop:sell")
    assert status == 2
    assert is_told("write shop:sell@3f2a9c04", out)
    first = shop.version()
    shop.write(NEW)
    status, out = shop("freeze", "shop:sell@ffffffff")
    assert status == 2
    assert first in out  # what is kept
    assert shop("freeze", first, "--output", "old.py")[0] == 0
    (shop.folder / "old.py").write_text("mine")
    status, out = shop("freeze", first, "--output", "old.py")
    assert status == 2
    assert is_told("give --force to overwrite it", out)
    assert (shop.folder / "old.py").read_text() == "mine"
    assert shop("freeze", first, "--output", "old.py", "--force")[0] == 0

    edited = (shop.folder / "old.py").read_text().replace("len(cart)", "2 * len(cart)")
    (shop.folder / "old.py").write_text(edited)
    shop.app = "old"
    status, out = shop("check")
    assert status == 1
    assert is_told("write the file anew: `longterm freeze * --output * --force`", out)
    remedy = out.split("`longterm ")[1].split("`")[0]
    shop.app = "shop"
    assert shop(*remedy.split())[0] == 0
    shop.app = "shop,old"
    assert shop("check")[0] == 0


def test_what_the_store_does_not_keep_is_said():
    with pytest.raises(WrongUsage, match="no source of shop:sell is kept in this store"):
        _full_name(Engine("memory://"), "shop:sell@3f2a9c04")


def test_a_name_that_is_gone_is_put_back(shop):
    shop.begin()
    version = shop.version()
    shop.write(SHOP.replace("double(", "twice("))

    status, out = shop("freeze", version)

    assert status == 1
    assert is_told("put it back, as it was then", out)
    assert "shop.double" in out
    assert not (shop.folder / "frozen").exists()
    shop.write(NEW)
    assert shop("freeze", version)[0] == 0


def test_the_flow_has_moved(shop):
    run = shop.begin()
    version = shop.version()
    shop.write(NEW.replace("# what is sold\n@deflow", '@deflow(also="shop:sell")'), "other.py")
    (shop.folder / "shop.py").unlink()
    shop.app = "other"

    status, out = shop("freeze", version, "--output", "old.py")

    assert status == 0, out
    assert "from other import RATE, double, pay\n" in (shop.folder / "old.py").read_text()
    shop.app = "other,old"
    assert "waiting for card" in shop("send", run, "agreed", "5")[1]


def test_a_flow_that_calls_what_waits_no_more_is_refused(shop):
    shop.begin()
    version = shop.version()
    shop.write(SHOP.replace("@deflow\ndef pay(amount):\n    return suspend(\"card\"), amount",
                            "def pay(amount):\n    return 0, amount"))  # fmt: skip

    status, out = shop("freeze", version)

    assert status == 1
    assert "with what its names stand for today it is another version" in out


def test_of_several_versions_one_is_asked_for():
    store = MemoryStore()
    for version in ("3f2a9c0400000000", "3f2a9c04ffffffff"):
        store.keep_version(f"shop:sell@{version}", b"")
    engine = Engine(store)

    with pytest.raises(WrongUsage, match="several") as raised:
        _full_name(engine, "shop:sell@3f2a9c04")

    assert is_told("give more digits", str(raised.value))
    assert _full_name(engine, "shop:sell@3f2a9c04f") == "shop:sell@3f2a9c04ffffffff"


REFUSED = {
    "it is defined inside a function": (
        "def make():\n    @deflow\n    def inner():\n        return suspend('q')\n"
        "    return inner\nflow = make()\n"
    ),
    "it is a method": (
        "class Shop:\n    @staticmethod\n    @deflow\n    def sell():\n"
        "        return suspend('q')\n"
        "flow = Shop.sell\n"
    ),
    "its def is indented": "if True:\n    @deflow\n    def flow():\n        return suspend('q')\n",
    "it assigns `global COUNT`": (
        "COUNT = 0\n@deflow\ndef flow():\n    global COUNT\n    COUNT = suspend('q')\n"
    ),
    "it reads __name__": "@deflow\ndef flow():\n    return suspend('q'), __name__\n",
    "@noted stands above its @deflow": (
        "def noted(f):\n    return f\n@noted\n@deflow\ndef flow():\n    return suspend('q')\n"
    ),
    "there is a flow inside it": (
        "@deflow\ndef flow():\n    @deflow\n    def inner():\n        return suspend('q')\n"
        "    return inner()\n"
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_stand_in_a_file_is_refused_by_name(reason, tmp_path, monkeypatch):
    name = f"refused_{abs(hash(reason))}"
    (tmp_path / f"{name}.py").write_text(f"from longterm import deflow, suspend\n{REFUSED[reason]}")
    monkeypatch.syspath_prepend(tmp_path)
    function = __import__(name).flow
    engine = Engine("memory://")
    engine.start_flow(function)
    flow = flow_of(function)
    source = find_source(engine.store, flow.name, flow.version)
    assert source is not None

    with pytest.raises(CannotFreeze, match=reason):
        frozen_text(source, source.module)


def test_two_files_of_one_version_are_refused_by_name(shop):
    shop.begin()
    version = shop.version()
    shop.write(NEW)
    for name in ("old", "other"):
        assert shop("freeze", version, "--output", f"{name}.py")[0] == 0
    shop.app = "shop,old,other"

    status, out = shop("check")

    assert status == 1
    assert is_told("delete one of them", out)
    assert f"{version} stands in two files: " in out
    assert f"{shop.folder}/old.py:14 and {shop.folder}/other.py:14" in out
    (shop.folder / "old.py").unlink()
    shop.app = "shop,other"
    assert shop("check")[0] == 0


def test_a_file_that_is_imported_again_is_the_same(shop):
    shop.begin()
    shop("freeze", shop.version(), "--output", "old.py")
    shop.anew()

    importlib.reload(importlib.import_module("old"))

    (flow,) = registry.frozen_flows()
    assert flow not in registry.known_flows()
    assert flow is registry.flow_of(sys.modules["old"].sell)


MATCHED = NEW.replace("return json.dumps([0, ", "return json.dumps([9, ")
UPGRADE = """
from longterm import upgrade
upgrade(sell, since="{version}")
"""


def test_an_upgrade_of_the_same_version_comes_first_and_the_file_takes_the_rest(shop):
    """At the first wait `price` is an operand that is stored; at the second one all is there."""
    early, late = shop.begin(), shop.begin()
    version = shop.version()
    shop("send", late, "agreed", "5")
    gone = SHOP.replace("agreed = suspend", "agreed = 1 + suspend").replace("([add", "([0, add")
    shop.write(gone)
    shop("freeze", version, "--output", "old.py")
    shop.app = "shop,old"
    assert [run in shop("show", run)[1] for run in (early, late)] == [True, True]
    shop.write(gone + UPGRADE.format(version=version.partition("@")[2]))

    status, out = shop("check")

    assert status == 0, out
    first, second = (line for line in out.splitlines() if "go on:" in line)
    assert "by the upgrade at" in second
    assert "in its frozen code" in first
    assert "waiting for card" in shop("send", early, "agreed", "5")[1]
    assert "is complete" in shop("send", late, "card", "6")[1]
    assert '[0, 6, [6, 5], "a/b"]' in shop("show", late)[1]


ASYNC = NEW.replace("def sell", "async def sell").replace("= suspend(", "= await suspend(")


@pytest.mark.parametrize("order", [(SHOP, ASYNC), (ASYNC, SHOP)], ids=["to async", "to sync"])
@pytest.mark.parametrize("is_awaited", [False, True], ids=["called", "awaited"])
def test_the_file_is_of_another_kind_than_the_flow_of_today(shop, order, is_awaited):
    """Whether a turn needs an event loop is asked before the stack is decoded."""
    before, after = order
    shop.write(before)
    run = shop.begin()
    version = shop.version()
    shop.write(after)
    shop("freeze", version, "--output", "old.py")
    shop.anew()
    importlib.import_module("shop")
    importlib.import_module("old")
    engine = Engine(SQLiteStore(shop.folder / "runs.db"), inline=False)
    try:
        for event in ("agreed", "card"):
            engine.send(run, event, 5)
            assert (asyncio.run(engine.arun_pending()) if is_awaited else engine.run_pending()) == 1
        result = engine.get_run(run).result
        if is_awaited:
            run = asyncio.run(engine.astart_flow(sys.modules["old"].sell, "ab")).id
            done = asyncio.run(engine.aprocess_event(run, "agreed", 5))
            assert done.waiting_for == "card"
    finally:
        engine.store.close()
    assert json.loads(result) == ([6, [5, 5], "a/b"] if before is SHOP else [0, 2, [5, 5], "a/b"])


LETTERS = """\
from longterm import deflow, suspend


@deflow
def letters(text):
    for letter in text:
        yield letter


@deflow
def sell(cart):
    return [each + str(suspend("agreed")) for each in letters(cart)]
"""


def test_a_generator_in_a_file_makes_generators_that_can_be_stored(shop):
    shop.write(LETTERS)
    run = shop.begin()
    version = flow_of(importlib.import_module("shop").letters.__wrapped__).version
    shop.write(LETTERS.replace("yield letter", "yield letter.upper()"))
    text = LETTERS.replace("import deflow", "import frozen").partition("@deflow\ndef sell")[0]
    shop.write(text.replace("@deflow", f'@frozen("shop:letters", version="{version}")'), "old.py")
    shop.app = "shop,old"

    assert "waiting for agreed" in shop("send", run, "agreed", "1")[1]
    assert "is complete" in shop("send", run, "agreed", "2")[1]
    assert "['a1', 'b2']" in shop("show", run)[1]
    made = importlib.import_module("old").letters("xy")
    assert next(made) == "x"
    assert list(decode(encode(made))) == ["y"]


def test_a_worker_goes_on_in_the_file(shop):
    """With processes of its own: one that begins a run, and a worker."""
    with shop.python("-c", BEGIN) as begun:
        assert begun.stdout is not None
        run = begun.stdout.read().strip()
    version = shop.version()
    shop.write(NEW)
    shop("freeze", version, "--output", "old.py")
    engine = Engine(SQLiteStore(shop.folder / "runs.db"), inline=False)
    command = ("-m", "longterm.cli", "--app", "shop,old", "worker", "--poll", "0.1")
    with shop.python(*command) as worker:
        try:
            for event in ("agreed", "card"):
                engine.send(run, event, 5)
            done = engine.join(run, timeout=30)
            while done.state == "suspended" and done.unread:
                done = engine.join(run, timeout=30)
        finally:
            worker.terminate()
            engine.store.close()

    assert done.result == '[6, [5, 5], "a/b"]'


@pytest.mark.parametrize("value", [len, Shop])
def test_what_is_no_function_of_a_module_cannot_be_frozen(value):
    with printed("put it directly above the def, as `longterm freeze` does"):
        frozen("shop:sell", version="3f2a9c04d1b75e88")(value)


def test_what_is_made_is_proven(tmp_path, monkeypatch):
    (tmp_path / "proven.py").write_text(
        "from longterm import deflow, suspend\n@deflow\ndef flow(a):\n    return a, suspend('q')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    function = __import__("proven").flow
    engine = Engine("memory://")
    engine.start_flow(function, 1)
    source = find_source(engine.store, "proven:flow", flow_of(function).version)
    assert source is not None
    made = frozen_text(source, source.module)

    prove(made.text, source)
    with pytest.raises(CannotFreeze, match="another version"):
        prove(made.text.replace("return a", "return -a"), source)
