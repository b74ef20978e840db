"""Flows of the program itself: other processes go on with its runs by the name of its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longterm import Engine, NotImportable, RunState
from longterm._main import import_name
from tests.runtime.test_cells import cells  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]

SHOP = """\
import multiprocessing
import sys
from dataclasses import dataclass
from enum import Enum

from longterm import deflow, process_event, respond, set_runstore, start_flow, suspend


NOT_GIVEN = object()


class Size(Enum):
    SMALL = 1


@dataclass
class Order:
    name: str
    size: Size = Size.SMALL

    @deflow
    def confirm(self):
        return self.name, suspend("confirmed")


def plain(order):
    return order.name


@deflow
def sell(name):
    order = Order(name)
    keep, default = plain, NOT_GIVEN
    add = lambda text: order.name + text
    respond(order)
    answer = suspend("answer")
    confirmed = order.confirm()
    is_same = isinstance(order, Order) and order.size is Size.SMALL and default is NOT_GIVEN
    return is_same, keep(order), add(answer), confirmed


@deflow
def sell_in_vain(order):
    respond(order)
    raise ValueError(order.name)


def begin(url):
    set_runstore(url)
    print(start_flow(sell, "tea").id)


def go_on(url, run_id):
    set_runstore(url)
    process_event(run_id, "answer", "!")


if __name__ == "__main__":
    url, how, *rest = sys.argv[1:]
    if how == "spawn":
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=begin, args=(url,))
        child.start()
        child.join()
    elif how == "go-on-in-spawn":
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=go_on, args=(url, *rest))
        child.start()
        child.join()
        sys.exit(child.exitcode)
    elif how == "go-on":
        go_on(url, *rest)
    elif how == "twice":
        import shop as twin

        twin.begin(url)
    else:
        begin(url)
"""

ENDED = [True, "tea", "tea!", ["tea", "yes"]]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def place(tmp_path):
    """A folder with the program, by itself and in a package."""
    (tmp_path / "shop.py").write_text(SHOP)
    package = tmp_path / "store" / "parts"
    package.mkdir(parents=True)
    (tmp_path / "store" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "shop.py").write_text(SHOP)
    (package / "__main__.py").write_text(SHOP)
    return tmp_path


def python(place, *arguments, **environment):
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def send(place, module, url, run_id, event, value):
    """Bring an event by the command line, which imports the module by its name."""
    arguments = ("--store", url, "--app", module, "send", run_id, event, json.dumps(value))
    python(place, "-m", "longterm.cli", *arguments)


STARTS = {
    "script": (["shop.py"], "shop"),
    "script in a package": (["store/parts/shop.py"], "shop"),
    "module": (["-m", "store.parts.shop"], "store.parts.shop"),
    "package": (["-m", "store.parts"], "store.parts.__main__"),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("how", ["begin", "spawn"])
def test_run_that_a_program_starts_goes_on_in_one_that_imports_it(place, url, start, how):
    if start == "package" and how == "spawn":
        pytest.skip("spawn cannot import such a program itself")
    arguments, module = STARTS[start]

    run_id = python(place, *arguments, url, how)

    where = place / "store" / "parts" if start == "script in a package" else place
    listed = python(where, "-m", "longterm.cli", "--store", url, "--app", module, "runs", "--json")
    assert json.loads(listed)["flow"] == f"{module}:sell"
    send(where, module, url, run_id, "answer", "!")
    send(where, module, url, run_id, "confirmed", "yes")
    with Engine(url).store as store:
        run = store.get(run_id)
    assert (run.state, json.loads(json.dumps(run.result))) == (RunState.COMPLETE, ENDED)


@pytest.mark.parametrize("how", ["go-on", "go-on-in-spawn"])
@pytest.mark.parametrize("start", ["script", "module"])
def test_run_that_another_process_started_goes_on_in_the_program(place, url, how, start):
    arguments, module = STARTS[start]
    begin = f"import sys, {module} as shop; shop.begin(sys.argv[1])"
    run_id = python(place, "-c", begin, url, PYTHONSAFEPATH="")

    python(place, *arguments, url, how, run_id)

    with Engine(url).store as store:
        assert store.get(run_id).waiting_for == "confirmed"


def test_program_that_imports_itself_goes_on_as_what_it_imported(place, url):
    run_id = python(place, "shop.py", url, "twice")

    python(place, "shop.py", url, "go-on", run_id)
    send(place, "shop", url, run_id, "confirmed", "yes")

    with Engine(url).store as store:
        assert store.get(run_id).state is RunState.COMPLETE


def test_worker_ends_the_waits_of_a_program(place, url):
    expires = 'suspend("answer", expires=timedelta(microseconds=1), default="!")'
    text = "from datetime import timedelta\n" + SHOP.replace('suspend("answer")', expires)
    (place / "shop.py").write_text(text)
    run_id = python(place, "shop.py", url, "begin")
    once = (
        "import sys, shop\nfrom longterm import Engine\nfrom longterm.worker import Worker\n"
        "Worker(Engine(sys.argv[1])).run_once()"
    )

    python(place, "-c", once, url)

    with Engine(url).store as store:
        assert store.get(run_id).waiting_for == "confirmed"


def test_flow_of_a_notebook_is_kept_in_memory_only(cells, tmp_path):  # noqa: F811
    assert Engine("memory://").start_flow(cells.by_form, ["a"]).waiting_for == "a"

    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    with pytest.raises(NotImportable, match=r"flow __main__:by_form .*write the flow in a file"):
        engine.start_flow(cells.by_form, ["a"])
    assert engine.find_runs() == []
    engine.store.close()


NAMES = {
    "script": ({"__spec__": None, "__file__": "{place}/shop.py"}, "shop"),
    "module": ({"__spec__": "store.parts.shop", "__file__": "{place}/x.py"}, "store.parts.shop"),
    "shell": ({"__spec__": None}, "__main__"),
    "folder": ({"__spec__": "__main__", "__file__": "{place}/__main__.py"}, "__main__"),
    "hidden by another": ({"__spec__": None, "__file__": "{place}/json.py"}, "__main__"),
    "no name": ({"__spec__": None, "__file__": "{place}/my-shop.py"}, "__main__"),
    "elsewhere": ({"__spec__": None, "__file__": "{place}/store/shop.py"}, "__main__"),
    "gone": ({"__spec__": None, "__file__": "{place}/never_there.py"}, "__main__"),
    "profiled": ({"__spec__": "__main__", "__file__": "{place}/shop.py"}, "shop"),
}


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
def test_main_module_has_the_name_by_which_others_find_it(place, monkeypatch, case, main):
    given, expected = NAMES[case]
    (place / "store" / "shop.py").touch()
    (place / "json.py").touch()
    (place / "my-shop.py").touch()
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    spec = given["__spec__"]
    namespace = {"__spec__": None if spec is None else type("Spec", (), {"name": spec})()}
    if "__file__" in given:
        namespace["__file__"] = given["__file__"].format(place=place)

    assert import_name(main, namespace) == (main if expected == "__main__" else expected)


def test_other_modules_have_the_names_that_they_have():
    assert import_name(__name__) == __name__
