"""A flow that was moved or renamed goes on, if the application keeps its old name importable."""

from __future__ import annotations

import gc
import importlib
import re
import subprocess
import sys
from datetime import timedelta

import pytest

from longterm import Engine, FlowChanged, UnknownFlow
from longterm._flows import registry
from longterm._flows.kept_names import kept_names
from longterm.testing import FakeClock
from longterm.worker import Worker

IMPORTS = "from longterm import deflow, suspend\nfrom datetime import timedelta\n"
ASK = IMPORTS + (
    "@deflow\ndef ask(x):\n    return x + suspend('e', expires=timedelta(days=1), default=1)\n"
)
PAY = ASK + "@deflow\ndef pay(x):\n    y = ask(x)\n    return [y, suspend('f')]\n"
SHOP = IMPORTS + (
    "class Shop:\n"
    "    @deflow\n    def order(self, x):\n        return x + self.__ask()\n"
    "    @deflow\n    def __ask(self):\n        return suspend('e')\n"
    "    @staticmethod\n    @deflow\n    def open(x):\n        return x + suspend('e')\n"
    "    @classmethod\n    @deflow\n    def close(cls, x):\n        return x + suspend('e')\n"
    "    class Till:\n"
    "        @deflow\n        def ring(self, x):\n            return x + suspend('e')\n"
)
INNER = IMPORTS + (
    "@deflow\ndef outer(x):\n"
    "    @deflow\n    def inner(y):\n        return x + y + suspend('e')\n"
    "    return inner(1)\n"
)
OUTER = INNER.replace("return inner(1)", "plain = lambda y: y * 10\n    return plain(inner(1))")


@pytest.fixture
def engine():
    return Engine("memory://", clock=FakeClock())


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Write modules, and import them as a process would that knows nothing of those before."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(registry, "_flows", {})
    names = ("kept_old", "kept_new")

    def forget():
        for name in names:
            sys.modules.pop(name, None)
        registry._flows.clear()
        importlib.invalidate_caches()

    def write(**modules):
        for name in names:
            (tmp_path / f"{name}.py").unlink(missing_ok=True)
        forget()
        for name, text in modules.items():
            (tmp_path / f"kept_{name}.py").write_text(text)
        return [importlib.import_module(f"kept_{name}") for name in modules]

    yield write
    forget()


MOVES = {
    "import": (PAY, "pay", {"new": PAY, "old": "from kept_new import pay, ask\n"}),
    "star": (PAY, "pay", {"new": PAY, "old": "from kept_new import *\n"}),
    "alias": (
        PAY,
        "pay",
        {"new": PAY, "old": "import kept_new\npay = kept_new.pay\nask = kept_new.ask\n"},
    ),
    "one of two": (
        PAY,
        "pay",
        {"new": ASK, "old": PAY.replace(ASK, "from kept_new import *\n")},
    ),
    "renamed": (ASK, "ask", {"old": ASK.replace("def ask", "def ask_again") + "ask = ask_again\n"}),
    "moved and renamed": (
        ASK,
        "ask",
        {
            "new": ASK.replace("def ask", "def ask_again"),
            "old": "from kept_new import ask_again as ask\n",
        },
    ),
    "class": (SHOP, "Shop().order", {"new": SHOP, "old": "from kept_new import Shop\n"}),
    "class renamed": (
        SHOP,
        "Shop().order",
        {"old": SHOP.replace("class Shop", "class Store") + "Shop = Store\n"},
    ),
    "staticmethod": (SHOP, "Shop.open", {"new": SHOP, "old": "from kept_new import Shop\n"}),
    "classmethod": (SHOP, "Shop.close", {"new": SHOP, "old": "from kept_new import Shop\n"}),
    "nested class": (SHOP, "Shop.Till().ring", {"new": SHOP, "old": "from kept_new import Shop\n"}),
    "pulled up": (
        SHOP,
        "Shop().order",
        {"old": SHOP.replace("class Shop", "class Base") + "class Shop(Base):\n    pass\n"},
    ),
    "method renamed": (
        SHOP,
        "Shop().order",
        {"old": SHOP.replace("def order", "def buy") + "Shop.order = Shop.buy\n"},
    ),
    "inner": (OUTER, "outer", {"new": OUTER, "old": "from kept_new import outer\n"}),
    "inner of a renamed one": (
        OUTER,
        "outer",
        {"old": OUTER.replace("def outer", "def around") + "outer = around\n"},
    ),
}


@pytest.mark.parametrize("case", MOVES)
def test_run_goes_on_under_the_new_name(engine, deploy, case):
    text, entry, after = MOVES[case]
    (module,) = deploy(old=text)
    run = engine.start_flow(eval(entry, vars(module)), 1)
    expected = engine.process_event(engine.start_flow(eval(entry, vars(module)), 1).id, "e", 4)

    deploy(**after)
    done = engine.process_event(run.id, "e", 4)

    assert done.result == expected.result
    assert done.waiting_for == expected.waiting_for
    assert done.flow == run.flow
    if done.waiting_for:
        assert engine.process_event(run.id, "f", 7).result == [5, 7]


@pytest.mark.parametrize("case", MOVES)
def test_a_worker_takes_the_runs_of_kept_names(engine, deploy, case):
    text, entry, after = MOVES[case]
    (module,) = deploy(old=text)
    run = engine.start_flow(eval(entry, vars(module)), 1)

    deploy(**after)

    assert run.flow in registry.known_names()


def test_a_run_under_a_kept_name_ends_its_wait_by_itself(engine, deploy):
    (module,) = deploy(old=ASK)
    run = engine.start_flow(module.ask, 1)

    deploy(new=ASK, old="from kept_new import ask\n")
    engine.clock.advance(timedelta(days=2))
    assert Worker(engine).run_once() == 1

    assert engine.get_run(run.id).result == 2


def test_what_has_also_changed_is_refused_as_ever(engine, deploy):
    (module,) = deploy(old=ASK)
    run = engine.start_flow(module.ask, 1)

    for text in (ASK.replace("return x", "return 2 * x"), ASK.replace("def ask", "def pay")):
        changed = text.replace("return x", "return 2 * x")
        deploy(new=changed, old="from kept_new import *\nask = globals().get('ask') or pay\n")
        with pytest.raises(FlowChanged, match="kept_old:ask"):
            engine.process_event(run.id, "e", 4)

    deploy(old=ASK)
    assert engine.process_event(run.id, "e", 4).result == 5


@pytest.mark.parametrize(
    ("text", "entry", "after", "words"),
    [
        (ASK, "ask", {}, "import kept_old before"),
        (ASK, "ask", {"new": ASK}, "keep a module kept_old with `from new_module import ask`"),
        (SHOP, "Shop.open", {"new": SHOP}, "with `from new_module import Shop`"),
        (ASK, "ask", {"new": ASK, "old": ""}, "write `from new_module import ask` there"),
        (SHOP, "Shop.open", {"new": SHOP, "old": ""}, "write `from new_module import Shop`"),
        (ASK, "ask", {"old": ASK.replace("def ask", "def new_name")}, "`ask = new_name`"),
        (
            SHOP,
            "Shop().order",
            {"old": SHOP.replace("def order", "def buy") + "new_name = Shop.buy\n"},
            "`Shop.order = new_name`",
        ),
        (ASK, "ask", {"old": ASK.replace("@deflow\ndef ask", "def ask")}, "put @deflow above"),
        (INNER, "outer", {"new": INNER, "old": ""}, "keep the flow outer in kept_old"),
    ],
)
def test_the_remedy_works_when_it_is_followed_literally(engine, deploy, text, entry, after, words):
    (module,) = deploy(old=text)
    run = engine.start_flow(eval(entry, vars(module)), 1)
    expected = engine.process_event(engine.start_flow(eval(entry, vars(module)), 1).id, "e", 4)

    deploy(**after)
    with pytest.raises(UnknownFlow, match=re.escape(words)) as caught:
        engine.process_event(run.id, "e", 4)

    deploy(**followed(after, words, text))
    assert caught.value.flow.startswith(run.flow)
    assert engine.process_event(run.id, "e", 4).result == expected.result


def followed(after, words, text):
    """Do what an error says, to the modules that are there."""
    order = {"new": after["new"]} if "new" in after else {}
    line = re.search(r"`(.*)`", words)
    if line is None:
        return {**order, "old": text}
    written = line[1].replace("new_module", "kept_new")
    return {**order, "old": f"{after.get('old', '')}{written}\n"}


@pytest.mark.parametrize(
    "name",
    [
        "kept_old:kept_new.ask",
        "kept_old:deflow",
        "kept_old:suspend",
        "kept_old:number",
        "kept_old:partial",
        "kept_old:Lazy.ask",
        "kept_old:Meta.ask",
        "kept_old:missing",
        "kept_old:",
        "kept_old",
        "kept_old:ask.__globals__",
        "kept_old:ask.__wrapped__",
        "kept_old:<locals>.ask",
        "os:system",
        "",
    ],
)
def test_a_name_leads_through_nothing_but_one_module_and_its_classes(deploy, name):
    deploy(
        new=ASK,
        old="import kept_new\nfrom functools import partial as bound\n"
        "from longterm import deflow, suspend\nfrom kept_new import ask\nnumber = 1\n"
        "partial = bound(ask, 1)\n"
        "class Lazy:\n    @property\n    def ask(self):\n        return kept_new.ask\n"
        "class Kind(type):\n    def __getattribute__(self, name):\n        raise SystemExit\n"
        "class Meta(metaclass=Kind): pass\n"
        "def __getattr__(name):\n    return kept_new.ask\n",
    )

    with pytest.raises(UnknownFlow):
        registry.flow_named(name)
    assert registry.flow_named("kept_old:ask").name == "kept_new:ask"


def test_class_may_hold_a_subclass_of_itself(deploy):
    deploy(
        old=SHOP
        + "class Branch(Shop):\n    pass\nBranch.__qualname__ = 'Shop.Branch'\n"
        + "Shop.Branch = Branch\ndel Branch\n"
    )

    found = {name for name, _ in kept_names()}

    assert {"kept_old:Shop.open", "kept_old:Shop.Branch.open"} <= found


def test_modules_may_be_imported_while_names_are_looked_for(deploy):
    deploy(old=ASK)
    imported = []

    def import_another(phase, details):
        if len(imported) < 50:
            imported.append(f"kept_another_{len(imported)}")
            sys.modules[imported[-1]] = sys.modules["kept_old"]

    # Where a garbage collection begins, other threads may run.
    before = gc.get_threshold()
    gc.callbacks.append(import_another)
    gc.freeze()  # what other tests have left is not gone over at each collection
    gc.set_threshold(1)
    try:
        found = [name for name, _ in kept_names()]
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        gc.callbacks.remove(import_another)
        for name in imported:
            del sys.modules[name]

    assert "kept_old:ask" in found


def test_another_process_shows_and_resumes_what_was_moved(tmp_path):
    def program(*arguments):
        command = [sys.executable, "-m", "longterm.cli", "--store", "sqlite:///runs.db", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    (tmp_path / "kept_old.py").write_text(PAY)
    begin = (
        "import longterm, kept_old\nlongterm.set_runstore('sqlite:///runs.db')\n"
        "print(longterm.start_flow(kept_old.pay, 1).id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    run_id = done.stdout.strip()
    (tmp_path / "kept_new.py").write_text(PAY)
    (tmp_path / "kept_old.py").write_text("from kept_new import ask, pay\n")

    assert "kept_old:pay" in program("runs").stdout
    assert "kept_old:ask" in program("show", run_id).stdout
    program("--app", "kept_old", "send", run_id, "e", "4")
    assert "kept_new:pay" in program("show", run_id).stdout
    assert run_id in program("runs", "--flow", "kept_old:pay").stdout
    assert "[5, 7]" in program("--app", "kept_old", "send", run_id, "f", "7").stdout
