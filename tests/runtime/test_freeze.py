"""`longterm freeze`: an old version of a flow as a file, in which its runs go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longterm import Engine, frozen
from longterm._flows.flow import flow_of
from longterm._turns.kept_sources import find_source
from longterm.cli.arguments import WrongUsage
from longterm.cli.freeze import _full_name
from longterm.cli.frozen_text import CannotFreeze, frozen_text, prove
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
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

COMPILE = "import sys; from longterm_compiler.cli import main; sys.exit(main())"
NO_NEW_RUNS = """
import shop, old
from longterm._flows.flow import flow_of, flow_of_today, known_flows
from longterm.errors import UnknownFlow

assert known_flows() == [flow_of(shop.pay)]
try:
    flow_of_today("shop:sell")
except UnknownFlow:
    print("none begins")
"""


class Shop:
    """A folder with an application, whose commands run in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = "shop"
        self.write(SHOP)

    def write(self, text: str) -> None:
        (self.folder / "shop.py").write_text(text)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-B", *arguments],
            cwd=self.folder,
            env={**os.environ, "LONGTERM_URL": "sqlite:///runs.db", "LONGTERM_CACHE": "off"},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def begin(self, text: str = BEGIN) -> str:
        done = self.python("-c", text)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def __call__(self, *arguments: str) -> tuple[int, str]:
        done = self.python("-m", "longterm.cli", "--app", self.app, *arguments)
        return done.returncode, done.stdout + done.stderr

    def version(self, flow: str = "shop:sell") -> str:
        store = SQLiteStore(self.folder / "runs.db")
        try:
            (found,) = store.find_versions(f"{flow}@")
        finally:
            store.close()
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_run_goes_on_in_the_file_and_a_new_one_in_the_code_of_today(shop):
    """The story of a deployment, each step in a process of its own."""
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
    assert f"go on: shop:sell in its frozen code at {shop.folder}/frozen/sell_{short}.py:" in out
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
    assert shop.begin(NO_NEW_RUNS) == "none begins"


def test_the_file_can_be_compiled_ahead_of_time(shop):
    plain = SHOP.replace('where.join("a", "b")', "0").replace("json.dumps(", "(")
    shop.write(plain)
    run = shop.begin()
    version = shop.version()
    shop.write(plain.replace("return ([", "return ([0, "))
    shop("freeze", version, "--output", "old.py")
    done = shop.python("-c", COMPILE, "--output", "out", "old.py")
    assert done.returncode == 0, done.stderr
    (shop.folder / "out" / "old.py").replace(shop.folder / "old.py")
    shop.app = "shop,old"

    assert shop("check")[0] == 0
    assert "waiting for card" in shop("send", run, "agreed", "5")[1]
    assert "is complete" in shop("send", run, "card", "6")[1]
    assert "[6, tuple(6, 5), 0]" in shop("show", run)[1]


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
    assert is_told("write the file anew: `longterm freeze *@* --output * --force`", out)
    remedy = out.split("`longterm ")[1].split("`")[0]
    shop.app = "shop"
    assert shop(*remedy.split())[0] == 0
    shop.app = "shop,old"
    assert shop("check")[0] == 0


def test_what_the_store_does_not_keep_is_said(shop):
    shop.begin(
        BEGIN.replace(
            "import shop", "import os; os.environ['LONGTERM_VERSIONS'] = 'off'; import shop"
        )
    )
    status, out = shop("freeze", "shop:sell@3f2a9c04")
    assert status == 2
    assert "no source of shop:sell is kept in this store" in out


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
        frozen_text(source)


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
    made = frozen_text(source)

    prove(made.text, source)
    with pytest.raises(CannotFreeze, match="another version"):
        prove(made.text.replace("return a", "return -a"), source)
