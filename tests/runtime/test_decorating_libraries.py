"""Decorators and import hooks of other libraries on flows: the real ones, each refused by name."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from longterm import CannotSuspend, CompileError, Engine, NotAFlow
from tests.advice import said_by_python

DECORATORS = {
    "beartype": "beartype.beartype",
    "icontract": "icontract.require(lambda x: x > 0)",
    "pydantic": "pydantic.validate_call",
    "tenacity": "tenacity.retry(stop=tenacity.stop_after_attempt(3))",
    "typeguard": "typeguard.typechecked",
}
BELOW = """\
import {library}
from longterm import deflow, suspend

@deflow
@{decorator}
def ask(x: int) -> int:
    return suspend("e") + x
"""
ABOVE = """\
import {library}
from longterm import deflow, suspend

@{decorator}
@deflow
def ask(x: int) -> int:
    return suspend("e") + x

@deflow
def ask_by_name(x):
    first = ask(x)
    return first

@deflow
def ask_inside(x):
    return [ask(x)]
"""
HOOKS = {
    "beartype": "from beartype.claw import beartype_package as hook",
    "typeguard": "from typeguard import install_import_hook as hook",
}
HOOKED = """\
from longterm import deflow, suspend

@deflow
def ask(x: int) -> int:
    return suspend("e") + x

def plain(x: int) -> int:
    return x
"""
PROGRAM = """\
{hook}
hook("hooked")
import hooked, longterm
try:
    hooked.plain("no number")
except Exception as error:
    print("checked", type(error).__name__)
run = longterm.start_flow(hooked.ask, 1)
print(longterm.process_event(run.id, "e", 2).result)
"""


@pytest.fixture(params=DECORATORS)
def library(request: Any) -> str:
    name: str = request.param
    pytest.importorskip(name, reason=f"NOT TESTED: {name} is missing (group test-decorators)")
    return name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def module(folder: Path, library: str, text: str) -> ModuleType:
    name = f"flows_under_{library}_{folder.name.replace('-', '_')}"
    written = text.format(library=library, decorator=DECORATORS[library])
    (folder / f"{name}.py").write_text(written, "utf-8")
    return importlib.import_module(name)


def test_a_decorator_below_deflow_is_not_lost_in_silence(library: str, folder: Path) -> None:
    with pytest.raises(CompileError, match="was put on what another decorator made of"):
        module(folder, library, BELOW)


def test_a_decorator_above_deflow_is_named_wherever_it_is_met(library: str, folder: Path) -> None:
    flows = module(folder, library, ABOVE)
    engine = Engine("memory://")

    with pytest.raises(NotAFlow, match=r"was made of the flow ask \(.*no decorator above it"):
        engine.start_flow(flows.ask, 1)
    for flow in (flows.ask_by_name, flows.ask_inside):
        with pytest.raises(CannotSuspend, match="is a wrapper of the flow ask, as a decorator"):
            engine.start_flow(flow, 1)
    assert engine.find_runs() == []


@pytest.mark.parametrize(
    ("library", "said"), [("beartype", "leave its module out of import hooks"), ("typeguard", "3")]
)
def test_an_import_hook_does_no_harm_or_is_named(library: str, said: str, folder: Path) -> None:
    pytest.importorskip(library, reason=f"NOT TESTED: {library} is missing (group test-decorators)")
    (folder / "hooked.py").write_text(HOOKED, "utf-8")
    (folder / "program.py").write_text(PROGRAM.format(hook=HOOKS[library]), "utf-8")

    printed = said_by_python("program.py", cwd=folder)

    assert "checked" in printed
    assert said in printed.splitlines()[-1]
