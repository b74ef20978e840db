"""What a flow that cannot be drawn is told is followed literally, and it is drawn then."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import longterm
from longterm.pictures import picture_of, to_mermaid
from longterm_compiler.cli import main
from tests.advice import advice_of, printed, tried_in

SUM = " + ".join(["each"] * 500)
PARTS = f"half = {' + '.join(['each'] * 20)}\n    return suspend(half)"
LABELS = {"if it is true", "if it is not", "if it is there already"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def flow_of_module(folder: Path, name: str, body: str):
    (folder / f"{name}.py").write_text(text_of_module(body))
    return importlib.import_module(name).ask


def text_of_module(body: str) -> str:
    return f"from longterm import deflow, suspend\n\n\n@deflow\ndef ask(each):\n    {body}\n"


def test_module_that_was_compiled_ahead(folder, monkeypatch, capsys):
    own = folder / "own"
    own.mkdir()
    (own / "drawn.py").write_text(text_of_module("return suspend(each)"))
    assert main(["--output", str(folder), str(own / "drawn.py")]) == 0

    with printed("import it from its own source"):
        picture_of(importlib.import_module("drawn").ask)

    monkeypatch.delitem(sys.modules, "drawn")
    monkeypatch.syspath_prepend(str(own))
    assert "waits for each" in to_mermaid(picture_of(importlib.import_module("drawn").ask))


def test_expression_that_is_nested_too_deeply(folder):
    with printed("give parts of its longest expression names"):
        picture_of(flow_of_module(folder, "drawn_deep", f"return suspend({SUM})"))

    assert "waits for half" in to_mermaid(picture_of(flow_of_module(folder, "drawn_flat", PARTS)))


def test_no_remedy_is_forgotten():
    assert tried_in(__file__) | LABELS == advice_of(Path(longterm.__file__).parent / "pictures")
