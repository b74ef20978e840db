"""Every remedy that `longterm-compile` names is followed literally, and the command then works."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longterm_compiler import cli
from longterm_compiler.cli import main, targets
from tests.advice import advice_of, is_told, tried_in

CLI = Path(cli.__file__).parent
FLOW = """\
from longterm import deflow, suspend


@deflow
def approve(x):
    return suspend("q") + x
"""


def nothing() -> None:
    """Another command is all that it takes."""


def decorate() -> None:
    Path("plain.py").write_text(FLOW)


def shorten() -> None:
    Path("deep.py").write_text(FLOW.replace("+ x", f"+ x{'.g' * 10}"))


# What is told, and by which command; what is done about it, and which command then works.
CASES: list[tuple[str, str, Callable[[], Any], str]] = [
    ("write `@deflow`, from longterm, above a function", "plain.py", decorate, "plain.py"),
    ("name *", "shop/orders.py:approve --cache", nothing, "shop/orders.py --cache"),
    ("name one with flows in it", "empty --cache", nothing, "shop --cache"),
    ("name the file it was made of", "made/orders.py", nothing, "shop/orders.py"),
    ("name its files, as in *", "shop/", nothing, "shop/orders.py shop/payments.py"),
    ("did you mean *?", "shop/order.py", nothing, "shop/orders.py"),
    ("did you mean *?", "shop/orders.py:aprove", nothing, "shop/orders.py:approve"),
    ("it has *", "shop/orders.py:x", nothing, "shop/orders.py:approve"),
    ("write module.py, module.py:flow, package.module or package.module:flow",
     "shop-orders", nothing, "plain_flow.py plain_flow.py:approve shop.orders shop.orders:approve"),
    ("for the file, write *.py", "v1.flows", nothing, "v1.flows.py"),
    ("run this where `import *` works, or name its file", "orders", nothing, "shop/orders.py"),
    ("run this where `import *` works, or name its file",
     "orders", lambda: os.chdir("shop"), "orders"),
    ("check the name, or name its file", "shop.orderz", nothing, "shop.orders"),
    ("check the name, or name its file", "shop.orderz", nothing, "shop/orders.py"),
    ("give parts of its longest expression names", "deep.py", shorten, "deep.py"),
    ("name another folder, such as build",
     "shop/orders.py --output .", nothing, "shop/orders.py --output build"),
    ("name a folder that can be written",
     "shop/orders.py --output plain.py", nothing, "shop/orders.py --output build"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGTERM_CACHE", "")
    for name in ("shop", "empty"):
        Path(name).mkdir()
    for name in ("shop/__init__", "shop/orders", "shop/payments", "v1.flows", "plain_flow"):
        Path(f"{name}.py").write_text(FLOW)
    Path("plain.py").write_text(FLOW.replace("@deflow\n", ""))
    Path("deep.py").write_text(FLOW.replace("+ x", f"+ x{'.g' * 30_000}"))
    main(["shop/orders.py", "--output", "written"])
    shutil.copytree("written/shop", "made")


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:30] for each, *_ in CASES])
def test_a_remedy_works_when_it_is_followed(number: int, capsys: Any) -> None:
    remedy, refused, follow, works = CASES[number]
    capsys.readouterr()

    assert main(refused.split()) == 2
    assert is_told(remedy, capsys.readouterr().err)
    follow()

    assert main(works.split()) == 0
    assert capsys.readouterr().err == ""


def test_a_cache_that_is_turned_off(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("LONGTERM_CACHE", "off")

    assert main(["shop/orders.py", "--cache"]) == 2
    assert is_told("unset it, or set it to a folder", capsys.readouterr().err)

    monkeypatch.setenv("LONGTERM_CACHE", "cache")
    assert main(["shop/orders.py", "--cache"]) == 0
    monkeypatch.delenv("LONGTERM_CACHE")
    assert main(["shop/orders.py", "--cache"]) == 0


def test_a_cache_that_cannot_be_written(monkeypatch: Any, capsys: Any) -> None:
    Path("shop/__pycache__").write_text("no folder")

    assert main(["shop/orders.py", "--cache"]) == 2
    assert is_told(
        "make its folder writable, or set LONGTERM_CACHE to one that is", capsys.readouterr().err
    )

    monkeypatch.setenv("LONGTERM_CACHE", "cache")
    assert main(["shop/orders.py", "--cache"]) == 0
    monkeypatch.setenv("LONGTERM_CACHE", "")
    Path("shop/__pycache__").unlink()
    assert main(["shop/orders.py", "--cache"]) == 0


def denied(*_: object) -> None:
    """Refuse, as the system does for users who are not root."""
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_file_that_cannot_be_read(monkeypatch: Any, capsys: Any) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(targets, "read_source", denied)
        assert main(["plain_flow.py"]) == 2
    assert is_told("let this user read it", capsys.readouterr().err)

    assert main(["plain_flow.py"]) == 0


def test_a_file_that_cannot_be_replaced(monkeypatch: Any, capsys: Any) -> None:
    text = FLOW.replace("    return", "    ask = lambda: suspend('a')\n    ask()\n    return")
    Path("plain_flow.py").write_text(text)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", denied)
        assert main(["plain_flow.py", "--fix"]) == 2
    assert is_told("let this user write to its folder", capsys.readouterr().err)

    assert main(["plain_flow.py", "--fix"]) == 0


def test_colours_without_pygments(monkeypatch: Any, capsys: Any) -> None:
    pytest.importorskip("pygments")
    with monkeypatch.context() as patched:
        patched.setattr(cli, "can_highlight", lambda: False)
        main(["shop/orders.py", "--color", "always"])
        assert is_told("pip install pygments", capsys.readouterr().err)

    main(["shop/orders.py", "--color", "always"])  # where it is installed
    assert capsys.readouterr().err == ""


ELSEWHERE = {
    "nor a folder *": "no advice",
    "shop/orders.py:approve, shop.orders:Shop.approve": "no advice",
}


def test_no_remedy_is_forgotten() -> None:
    tried = tried_in(__file__) | {remedy for remedy, *_ in CASES}

    # Of a word or two are some.
    assert (tried | set(ELSEWHERE)) - {"it has *", "name *"} == advice_of(CLI)
