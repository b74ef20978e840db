"""The command `longterm-compile`: what it prints, its exit status, and what it leaves alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from longterm_compiler.cli import main
from longterm_compiler.cli.highlight import highlight
from tests.compiler.golden import CASES, ROOT, golden_of

ORDERS = '''\
"""Orders."""

raise SystemExit("this module must not be imported")

from longterm import deflow, suspend


@deflow
def approve(order, total=0):
    for item in order:
        total += suspend(item)
    return total


def helper():
    pass


class Shop:
    @deflow
    def sell(self, what):
        return suspend(what)

    @deflow
    def close(self):
        return "closed"
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package `shop`, to stand in."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('nor this package')\n")
    (package / "orders.py").write_text(ORDERS)
    (package / "plain.py").write_text("def nothing():\n    pass\n")
    (package / "broken.py").write_text("def broken(:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return package


def test_file_is_printed_whole(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shop/orders.py"]) == 0

    text = capsys.readouterr().out
    assert re.findall(r"^# (\S+), a flow of (\S+):", text, re.M) == [
        ("approve", "shop/orders.py"),
        ("Shop.sell", "shop/orders.py"),
        ("Shop.close", "shop/orders.py"),
    ]
    assert "helper" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("target", "flows"),
    [
        ("shop/orders.py:approve", ["approve"]),
        ("shop.orders:approve", ["approve"]),
        ("shop.orders:Shop.sell", ["Shop.sell"]),
        ("shop.orders:sell", ["Shop.sell"]),
        ("shop.orders", ["approve", "Shop.sell", "Shop.close"]),
    ],
)
@pytest.mark.usefixtures("shop")
def test_one_flow_is_named_by_file_or_module(
    target: str, flows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([target]) == 0

    assert re.findall(r"^# (\S+), a flow of shop/orders", capsys.readouterr().out, re.M) == flows


@pytest.mark.usefixtures("shop")
def test_points_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--points", "shop.orders:approve", "shop.orders:close"]) == 0

    title, head, row, blank, other, never = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"approve, shop/orders\.py:9, version [0-9a-f]{16}", title)
    assert head.split() == ["point", "line", "suspends", "slots", "cells", "author's", "text"]
    assert row.split(None, 3)[:3] == ["1", "11", "surely"]
    assert row.split("  ")[-1] == "total += suspend(item)"
    assert "_lt_iter1" in row
    assert blank == ""
    assert other.startswith("Shop.close, ")
    assert never == "never suspends"


@pytest.mark.usefixtures("shop")
def test_point_that_only_may_suspend_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maybe.py").write_text(
        "from longterm import deflow\nfrom nowhere import step\n\n\n"
        "@deflow\ndef run(log):\n    add = lambda: log\n    step(1)\n    return add, log\n"
    )

    assert main(["--points", "maybe.py"]) == 0

    row = capsys.readouterr().out.splitlines()[2]
    assert row.split() == ["1", "8", "maybe", "add", "log", "step(1)"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("shop/order.py", "there is no file shop/order.py (did you mean shop/orders.py?)"),
        ("nowhere/order.py", "there is no file nowhere/order.py (nor a folder nowhere)"),
        ("shop.nothing", "there is no module shop.nothing written in Python, though there is a"),
        ("nothing", "there is no module nothing written in Python (run this where `import"),
        ("shop.orders:aprove", "shop/orders.py has no flow aprove (did you mean approve?)"),
        ("shop.orders:helper", "has no flow helper (it has approve, Shop.sell, Shop.close)"),
        ("shop/plain.py", "shop/plain.py has no flows (write `@deflow`, from longterm, above"),
        ("shop/plain.py:order", "shop/plain.py has no flow order (it has none)"),
        ("shop/", "shop/ is a folder (name its files, as in shop/*.py)"),
        ("a b", "'a b' is neither a file nor a module's name (write module.py"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_unusable_target_is_told_with_a_remedy(
    target: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([target]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("longterm-compile: ")
    assert message in err


@pytest.mark.usefixtures("shop")
def test_check_passes_a_file_without_flows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "shop/plain.py", "shop/orders.py"]) == 0

    assert capsys.readouterr().out == "shop/plain.py: no flows\n"


@pytest.mark.usefixtures("shop")
def test_syntax_error_is_told_in_the_words_of_cpython(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shop/broken.py"]) == 2

    err = capsys.readouterr().err
    assert 'File "shop/broken.py", line 1' in err
    assert "    def broken(:" in err
    assert re.search(r"^SyntaxError: ", err, re.M)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"return 1\n", "'return' outside function"),
        (b"# coding: nonsense\n", "nonsense"),
        (b"x = '\xff'\n", "SyntaxError: "),
        (b"x = '\0'\n", "null byte"),
    ],
)
def test_text_that_is_not_python_is_told(
    text: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.py").write_bytes(text)

    assert main(["odd.py"]) == 2

    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("shop")
def test_other_targets_are_shown_when_one_is_unusable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing.py", "shop.orders:approve"]) == 2

    out, err = capsys.readouterr()
    assert "# approve, a flow of" in out
    assert "nothing.py" in err


@pytest.fixture
def refused(shop: Path) -> str:
    """A file with two problems."""
    (shop / "bad.py").write_text(
        "from longterm import deflow, suspend\n\n\n"
        "@deflow\ndef one(reviewers):\n    return map(suspend(r) for r in reviewers)\n\n\n"
        "@deflow\ndef two():\n    _lt_x = suspend('a')\n    return _lt_x\n"
    )
    return "shop/bad.py"


def test_check_prints_the_problems_of_a_file(
    refused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", refused]) == 1

    out, err = capsys.readouterr()
    assert "error[suspend-in-generator-expression]: " in out
    assert " --> shop/bad.py:6:16" in out
    assert out.count("error[") == 2
    assert out.count("= help: ") == 2
    assert out.endswith("\n\n2 problems\n")
    assert err == ""


def test_check_of_one_flow_leaves_the_others_out(
    refused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", f"{refused}:one"]) == 1

    assert capsys.readouterr().out.endswith("\n\n1 problem\n")


@pytest.mark.usefixtures("shop")
def test_check_of_good_flows_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "shop.orders"]) == 0

    assert capsys.readouterr() == ("", "")


def test_code_of_a_refused_flow_is_not_shown_but_why(
    refused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([refused, "shop.orders:approve"]) == 1

    out, err = capsys.readouterr()
    assert "# approve, " in out
    assert "bad.py" not in out
    assert "error[suspend-in-generator-expression]: " in err


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["--color=auto"], {"NO_COLOR": ""}, False),
    ],
)
@pytest.mark.usefixtures("shop")
def test_colour_is_the_choice_of_the_reader(
    arguments: list[str],
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert main(["shop.orders:approve", *arguments]) == 0

    assert ("\x1b[" in capsys.readouterr().out) is coloured


@pytest.mark.parametrize("case", CASES[::5], ids=str)
def test_colours_change_no_letter(case: Path) -> None:
    text = golden_of(case).read_text(encoding="utf-8")

    coloured = highlight(text)

    assert coloured != text
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text


def test_colours_change_no_letter_below_odd_separators() -> None:
    text = '\n\nx = "\x0c\u2028"\nreturn 1'

    assert re.sub(r"\x1b\[[\d;]*m", "", highlight(text)) == text


@pytest.mark.usefixtures("shop")
def test_without_pygments_code_has_no_colours_and_whoever_insists_on_them_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pygments", None)  # as if it were not installed

    assert main(["shop.orders:approve"]) == 0
    plain = capsys.readouterr()
    assert main(["shop.orders:approve", "--color", "always"]) == 0
    asked = capsys.readouterr()

    assert plain.err == ""
    assert asked.err == "longterm-compile: no colours in code (pip install pygments)\n"
    assert asked.out == plain.out


def test_reader_that_has_enough_is_no_error() -> None:
    script = f"{sys.executable} -m longterm_compiler {CASES[0]} {CASES[1]} | head -c 10"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'compiler'}",
        "PYTHONUNBUFFERED": "1",
    }

    done = subprocess.run(
        ["bash", "-c", f"{script}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_terminal_that_lacks_a_letter_gets_an_escape(shop: Path) -> None:
    (shop / "long.py").write_text(
        "from longterm import deflow, suspend\n\n\n@deflow\ndef long(x):\n"
        f"    return suspend('a') + {'1 + ' * 30}1\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "longterm_compiler", "shop/long.py"],
        capture_output=True,
        cwd=shop.parent,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'compiler'}",
            "PYTHONIOENCODING": "ascii",
            "PYTHONUTF8": "0",
        },
        check=True,
    )

    assert rb"\u2026" in done.stdout


def test_wrong_options_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--points", "--check", "x.py"])

    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_flow_that_is_deeply_nested_is_shown_or_refused(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = "".join(f"    elif x == {i}:\n        return suspend('e{i}')\n" for i in range(300))
    calls = "x" + ".add(suspend('a'))" * 60
    (shop / "deep.py").write_text(
        "from longterm import deflow, suspend\n\n\n@deflow\ndef arms(x):\n    if not x:\n"
        f"        return x\n{arms}\n\n@deflow\ndef calls(x):\n    return {calls}\n"
    )

    assert main(["shop/deep.py", "--points"]) in (0, 1)
    assert main(["shop/deep.py:calls"]) in (0, 1)

    assert capsys.readouterr().out or capsys.readouterr().err


@pytest.mark.usefixtures("shop")
def test_failure_of_the_compiler_is_never_called_the_authors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("longterm_compiler.cli.check_file", fails)

    assert main(["shop.orders", "nothing.py"]) == 3

    err = capsys.readouterr().err
    assert "RuntimeError: oh" in err
    assert "longterm-compile: internal error: please report it with shop.orders" in err
    assert "there is no file nothing.py" in err


def caches(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*.longterm"))


def test_cache_of_a_package_is_written_for_every_file_with_flows(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "broken.py").unlink()

    assert main(["--cache", "shop"]) == 0

    (name,) = caches(shop)
    written = shop / "__pycache__" / name
    assert capsys.readouterr().out.splitlines() == [
        "shop/__init__.py: no flows",
        f"shop/orders.py: 3 flows, 2 resume points, in {written}",
        "shop/plain.py: no flows",
    ]


@pytest.mark.parametrize("target", ["shop/orders.py", "shop.orders"])
def test_cache_of_one_file(target: str, shop: Path) -> None:
    assert main(["--cache", target]) == 0

    assert len(caches(shop)) == 1


def test_cache_goes_where_the_runtime_looks(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTERM_CACHE", str(tmp_path / "elsewhere"))

    assert main(["--cache", "shop/orders.py"]) == 0

    assert caches(shop) == []
    assert len(caches(tmp_path / "elsewhere")) == 1


def test_cache_leaves_hidden_folders_alone(shop: Path, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "orders.py").write_text(ORDERS)
    (shop / "broken.py").unlink()

    assert main(["--cache", "."]) == 0

    assert len(caches(tmp_path)) == 1


def test_file_that_cannot_be_read_does_not_keep_the_others_from_the_cache(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cache", "shop"]) == 2

    assert "SyntaxError" in capsys.readouterr().err
    assert len(caches(shop)) == 1


def test_problems_are_shown_instead_of_a_cache(
    refused: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cache", refused]) == 1

    err = capsys.readouterr().err
    assert " --> shop/bad.py:6:16" in err
    assert err.endswith("\n\n2 problems\n")
    assert caches(shop) == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("target", "cache", "message"),
    [
        ("shop/orders.py", "off", "LONGTERM_CACHE turns the cache off (unset it, or set it to"),
        ("shop/orders.py", "blocked", "(make its folder writable, or set LONGTERM_CACHE to one"),
        (
            "shop/orders.py:approve",
            "",
            "is one flow, and this is done to whole files (name shop/or",
        ),
        ("empty", "", "there is no Python file in empty (name one with flows in it)"),
        ("shop.nothing", "", "there is no module shop.nothing"),
    ],
)
def test_cache_that_cannot_be_written_is_told_with_a_remedy(
    target: str,
    cache: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A file in the place of the folder: root may write anywhere, but not into that.
    (tmp_path / "blocked").write_text("")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("LONGTERM_CACHE", cache)

    assert main(["--cache", target]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("longterm-compile: ")
    assert message in err


def test_cache_without_columns_would_serve_nobody_and_is_not_written(shop: Path) -> None:
    code = f"from longterm_compiler.cli import main; main(['--cache', {str(shop)!r}])"

    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "-c", code], capture_output=True, text=True
    )

    assert "longterm-compile: Python runs without columns in code objects" in done.stderr
    assert not list(shop.rglob("*.longterm"))
