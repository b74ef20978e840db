"""`longterm picture` draws a flow: with no store, or with the counts of one."""

from __future__ import annotations

import logging

import pytest

from fixtures.pictures.claim import settle
from longterm import Engine
from longterm.cli import main
from longterm.pictures import picture_of, to_mermaid, to_svg
from longterm.store import open_store

NAME = "fixtures.pictures.claim:settle"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.delenv("LONGTERM_URL", raising=False)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])


@pytest.mark.parametrize(("options", "draw"), [([], to_mermaid), (["--svg"], to_svg)])
def test_it_draws_without_a_store(options, draw, capsys):
    assert main(["picture", NAME, *options]) == 0

    assert capsys.readouterr().out == draw(picture_of(settle))


def test_it_counts_the_runs_of_a_store(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with open_store(url) as store:
        Engine(store).start_flow(settle, 1)

    assert main(["--store", url, "picture", NAME, "--counts"]) == 0

    assert "waits for submitted<br/>for 14 days at most<br/>1 run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([NAME, "--counts"], 2, "no store (give --store"),
        (["settle"], 2, "'settle' is no flow's name (write module:function)"),
        (["fixtures.pictures.nowhere:settle"], 2, "cannot import fixtures.pictures.nowhere"),
        (["fixtures.pictures.claim:nothing"], 1, "is not known in this process"),
        (["fixtures.pictures.claim:rate"], 1, "it is a step (draw a flow that calls it)"),
    ],
)
def test_what_cannot_be_drawn_is_told(arguments, status, words, capsys):
    assert main(["picture", *arguments]) == status

    assert words in capsys.readouterr().err
