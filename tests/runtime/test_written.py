"""Modules written by `longterm-compile --output`: they run without the compiler, as the others do.

Runs of a written module and of the decorated one take each other's frames, in both directions.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longterm_compiler.cli import main
from longterm_compiler.cli.targets import find_target
from longterm_compiler.written import write_module
from tests.compiler.golden import CASES

ROOT = Path(__file__).parents[2]
ORDERS = '''\
"""Orders of the shop."""
from __future__ import annotations

import functools

from longterm import deflow, respond, suspend

LIMIT = 3  # at most


class Shop:
    """A shop."""

    def __init__(self, name):
        self.name = name
        self.__open = True

    @deflow
    def sell(self, what):
        # Ask first.
        __rate = 2
        price = suspend("price") * __rate  # twice
        dearer = lambda x: x + __rate
        if self.__open:
            price += self.discount()
        return f"{self.name} sells {what} for {dearer(price)}"

    @deflow
    def discount(self):
        return suspend("discount")


class Market(Shop):
    @deflow
    def sell(self, what):
        first = super().sell(what)
        suspend("again")
        return [first, super().sell(what)]


@deflow
def market(what):
    return Market("ann").sell(what)


@deflow
def outer(items):
    total = 0
    add = lambda v: v + total

    @deflow
    def inner(each):
        nonlocal total
        total += suspend(f"item {each}")
        return add(1)

    for each in items:
        if each > LIMIT:
            late = each
        last = inner(each)
    suspend("end")
    try:
        return total, last, add(0), late
    except UnboundLocalError as error:
        return total, last, str(error)


@deflow
def scaling():
    @deflow
    def scaled(x):
        """Scale a value."""
        return suspend("value") * x

    bound = functools.partial(scaled, 3)
    return bound()


@deflow
async def both(x):
    # wait
    a = await later(x)
    return a + await later(x)  # again


@deflow
async def later(x):
    async with door() as opened:
        y = suspend("later")
    return opened + y + x
    # the end


class door:
    async def __aenter__(self):
        return 1

    async def __aexit__(self, *error):
        return False


@deflow
def guarded(x):
    try:
        x[suspend("key")]
    except KeyError as error:
        answer = suspend("retry")
        return answer, repr(error)
    finally:
        respond("bye")


class Outer:
    @deflow
    def run(self, __y=3):
        def inner():
            return __y

        @deflow
        def deeper(__x):
            __z = suspend("z")
            return __z, __y, __x

        first = deeper(1)
        suspend("zz")
        return first, inner(), super().__init__()


@deflow
def private():
    return Outer().run()


@deflow
def table(rows):
    text = """
  rows"""
    return [f"{row!r}{text}: {suspend(f'row {row}')}" for row in rows], (lambda: text)()
'''
PLAYS: dict[str, tuple[list[Any], list[tuple[str, Any]]]] = {
    "market": (
        ["pears"],
        [("price", 4), ("discount", 1), ("again", 0), ("price", 5), ("discount", 2)],
    ),
    "outer": ([[1, 2]], [("item 1", 10), ("item 2", 20), ("end", None)]),
    "scaling": ([], [("value", 7)]),
    "both": ([1], [("later", 2), ("later", 3)]),
    "guarded": ([{}], [("key", 1), ("retry", "yes")]),
    "private": ([], [("z", 1), ("zz", 2)]),
    "table": ([[1, 2]], [("row 1", "a"), ("row 2", "b")]),
}
DRIVER = """\
import asyncio, json, sys
folder, kind = sys.argv[1:]
sys.path.insert(0, folder)
if kind == "written":
    sys.modules["libcst"] = sys.modules["longterm_compiler"] = None
import longterm
from shop import orders

for line in sys.stdin:
    store, flow, given = json.loads(line)
    engine = longterm.Engine(store)
    if "run" in given:
        step, *given = engine.process_event, given["run"], *given["event"]
    else:
        step, *given = engine.start_flow, getattr(orders, flow), *given["args"]
    if flow == "both":
        run = asyncio.run(getattr(longterm.Engine(store), f"a{step.__name__}")(*given))
    else:
        run = step(*given)
    is_complete = run.state == "complete"
    print(json.dumps([run.id, run.state, run.result if is_complete else run.response]), flush=True)
"""


class Process:
    """A process that has one form of the module."""

    def __init__(self, folder: Path, kind: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LONGTERM")}
        path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(folder), kind],
            env={**kept, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self, store: Path, flow: str, **given: Any) -> list[Any]:
        """Start a run, or bring it an event."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([f"sqlite:///{store}", flow, given]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]

    def end(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
        assert process.returncode == 0


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Process]]:
    """Processes with the module decorated, written, and written into a zip file."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    (source / "shop").mkdir()
    (source / "shop" / "__init__.py").touch()
    (source / "shop" / "orders.py").write_text(ORDERS)
    assert main(["--output", str(target), str(source / "shop")]) == 0
    archive = target / "app.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for each in sorted((target / "shop").glob("*.py")):
            file.write(each, f"shop/{each.name}")
    processes = {
        "decorated": Process(source, "decorated"),
        "written": Process(target, "written"),
        "zip": Process(archive, "written"),
    }
    yield processes
    for each in processes.values():
        each.end()


@pytest.mark.parametrize("flow", PLAYS)
@pytest.mark.parametrize(
    "order",
    [["written"], ["zip"], ["decorated", "written"], ["written", "decorated"]],
    ids=" then ".join,
)
def test_runs_go_on_in_either_form(
    flow: str, order: list[str], forms: dict[str, Process], tmp_path: Path
) -> None:
    store = tmp_path / "runs.db"

    assert play(flow, order, forms, store) == play(flow, ["decorated"], forms, store)


def play(flow: str, order: list[str], forms: dict[str, Process], store: Path) -> list[Any]:
    """Play a flow, its turns in processes in this order; return what every turn says."""
    args, events = PLAYS[flow]
    processes = itertools.cycle(forms[each] for each in order)
    run_id, *said = next(processes).turn(store, flow, args=args)
    turns: list[Any] = [said]
    for event in events:
        turns.append(next(processes).turn(store, flow, run=run_id, event=event)[1:])
    assert turns[-1][0] == "complete"
    return turns


PLAY_ALL = """\
import copy, importlib, sys
if sys.argv[1] == "written":
    sys.modules["libcst"] = sys.modules["longterm_compiler"] = None
import longterm.testing
for number in range(int(sys.argv[2])):
    module = importlib.import_module(f"case{number}")
    for flow, args, events in module.PLAYS:
        print(number, longterm.testing.play(flow, copy.deepcopy(args), events))
"""


def test_every_golden_flow_does_the_same_in_a_written_module(tmp_path: Path) -> None:
    for number, case in enumerate(CASES):
        names = find_target(str(case)).names
        for kind, text in ("decorated", names.source.text), ("written", write_module(names)):
            path = tmp_path / kind / f"case{number}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")

    played = [play_all(tmp_path / kind, kind) for kind in ("decorated", "written")]

    assert played[0] == played[1]
    assert len(played[0]) >= len(CASES)


def play_all(folder: Path, kind: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PLAY_ALL, kind, str(len(CASES))],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")]),
            "PYTHONHASHSEED": "0",  # the order of sets in what is printed
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    return re.sub(r" at 0x[0-9a-f]+", "", done.stdout).splitlines()


ONE = """\
from longterm import deflow, suspend


@deflow
def one():
    return suspend("a")
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A written module, in a folder below that of the author's."""
    monkeypatch.chdir(tmp_path)
    return write(ONE)


def write(text: str) -> Path:
    Path("one.py").write_text(text)
    assert main(["--output", "build", "one.py"]) == 0
    return Path.cwd() / "build" / "one.py"


def error_of(path: Path, statement: str = "import one") -> str:
    """What a process says last that runs a statement beside a module."""
    done = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_module_for_another_python_is_refused(written: Path) -> None:
    here = f"{sys.version_info[0]}, {sys.version_info[1]}"
    written.write_text(written.read_text().replace(here, "3, 9"))

    error = error_of(written)

    assert "was written for Python 3.9 and " in error
    assert "(write it again with `longterm-compile --output`, under this Python)" in error


def test_edited_module_is_refused(written: Path) -> None:
    written.write_text(written.read_text().replace("@deflow", "\n@deflow"))

    error = error_of(written, "import one, longterm; longterm.start_flow(one.one)")

    assert "does not describe its flow one at line " in error
    assert "(it was changed after longterm-compile wrote it: write it anew)" in error


@pytest.mark.usefixtures("written")
def test_flow_that_waits_while_its_module_is_imported_is_refused() -> None:
    path = write(f"{ONE}\nimport longterm\nlongterm.start_flow(one)\n")

    error = error_of(path)

    assert "is used while its module " in error
    assert "(use the flow after the import)" in error


@pytest.mark.usefixtures("written")
def test_traceback_shows_the_written_file() -> None:
    path = write(ONE.replace('"a")', '"a") / 0'))

    error = error_of(
        path, "import one, longterm as l; l.process_event(l.start_flow(one.one).id, 'a', 1)"
    )

    assert f'File "{path}", line ' in error
    assert "return _lt_value1 / 0" in error


def test_head_of_a_module_stays_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = ["#!/usr/bin/python", "# -*- coding: latin-1 -*-", "'Gr\xfcn'"]
    (tmp_path / "one.py").write_bytes("\n".join([*head, ONE]).encode("latin-1"))

    assert main(["--output", "build", "one.py"]) == 0

    lines = (tmp_path / "build" / "one.py").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [head[0], "# -*- coding: utf-8 -*-", head[2]]
    assert lines[6].startswith("__longterm_written__ = (")


def test_files_without_flows_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("# nothing\n")
    (tmp_path / "shop" / "one.py").write_text(ONE)

    assert main(["--output", "build", "shop"]) == 0

    assert (tmp_path / "build" / "shop" / "__init__.py").read_text() == "# nothing\n"
    assert "__longterm_flows__" in (tmp_path / "build" / "shop" / "one.py").read_text()


@pytest.mark.usefixtures("written")
def test_author_file_is_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", ".", "one.py"]) == 2

    assert "is the file itself (name another folder, such as build)" in capsys.readouterr().err
    assert Path("one.py").read_text() == ONE


@pytest.mark.parametrize("option", [["--check"], ["--cache"], ["--output", "again"]])
def test_written_module_is_not_compiled_again(
    option: list[str], written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*option, str(written)]) == 2

    assert "was written by `longterm-compile --output`" in capsys.readouterr().err
