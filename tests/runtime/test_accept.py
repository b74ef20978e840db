"""`longterm accept`: the upgrades that the runs of a store need, printed or written."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from longterm.cli.upgrade_lines import CannotWrite, with_upgrade

SHOP = """\
\"\"\"The shop.\"\"\"

from longterm import deflow, suspend


@deflow
def pay(amount):
    return suspend("card"), amount


@deflow
def sell(cart):
    price = len(cart)
    agreed = suspend("agreed")
    return price * 2, pay(agreed)


NAME = "shop"
"""


@pytest.fixture
def longterm(tmp_path):
    """Run a command in a process of its own, over the module as it is then."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "longterm.cli", "--app", "shop", *arguments],
            cwd=tmp_path,
            env={**os.environ, "LONGTERM_URL": "sqlite:///runs.db", "LONGTERM_CACHE": "off"},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    (tmp_path / "shop.py").write_text(SHOP)
    return run


BEGIN = "import shop; from longterm import start_flow; print(start_flow(shop.sell, 'ab').id)"


def begin(tmp_path):
    done = subprocess.run(
        [sys.executable, "-B", "-c", BEGIN],
        cwd=tmp_path,
        env={**os.environ, "LONGTERM_URL": "sqlite:///runs.db"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_deployment_is_stopped_accepted_and_done(longterm, tmp_path):
    """Two versions of a module, each in processes of their own."""
    run, other = begin(tmp_path), begin(tmp_path)
    new = SHOP.replace("price * 2, pay(agreed)", "price * 3, agreed")
    (tmp_path / "shop.py").write_text(new)

    status, out = longterm("check")
    assert status == 1
    assert "the same is under way at point 1, line 14, but not left to do (longterm accept)" in out
    status, positions = longterm("positions")
    (tmp_path / "positions.json").write_text(positions)

    status, out = longterm("accept", "--positions", "positions.json")
    assert status == 0, out
    assert 'shop.py: upgrade(sell, since="' in out
    assert "runs: 2; each waits at line 14, goes on at line 14, and reads price" in out
    assert (tmp_path / "shop.py").read_text() == new
    assert longterm("send", run, "agreed", "7")[0] == 1

    status, out = longterm("accept", "--write")
    assert status == 0
    written = (tmp_path / "shop.py").read_text()
    assert "from longterm import upgrade\n\n\n@deflow" in written
    assert '    return price * 3, agreed\n\n\nupgrade(sell, since="' in written
    status, out = longterm("check")
    assert status == 0
    assert "is needed by no run" not in out
    assert longterm("accept")[1] == "no version of a flow can be accepted\n"
    status, out = longterm("send", run, "agreed", "7")
    assert status == 0
    assert "complete" in out
    assert longterm("send", other, "agreed", "7")[0] == 0
    (line,) = longterm("check")[1].splitlines()[1:]
    assert line.startswith("the upgrade of shop:sell since ")
    assert line.endswith("is needed by no run (delete it)")


def test_what_cannot_be_accepted_is_counted(longterm, tmp_path):
    begin(tmp_path)
    changed = SHOP.replace('suspend("agreed")', 'suspend("agreed") or 1')
    (tmp_path / "shop.py").write_text(changed)
    status, out = longterm("accept", "--write")
    assert status == 1
    assert out == (
        "no version of a flow can be accepted\n"
        "runs that stay as they are: 1 (`longterm check` says why)\n"
    )


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (
            "import longterm\n@longterm.deflow\ndef f(): ...",
            "f",
            "import longterm\n@longterm.deflow\ndef f(): ...\n"
            + '\n\nlongterm.upgrade(f, since="12")\n',
        ),
        (
            "from longterm import upgrade as said\nclass A:\n    def f(self): ...\n\nx = 1\n",
            "A.f",
            "from longterm import upgrade as said\nclass A:\n    def f(self): ...\n"
            + '\n\nsaid(A.f, since="12")\n\nx = 1\n',
        ),
        (
            "from longterm import (\n    deflow,\n)\r\ndef f(): ...\r\n",
            "f",
            "from longterm import (\n    deflow,\n)\r\nfrom longterm import upgrade\r\n"
            'def f(): ...\r\n\r\n\r\nupgrade(f, since="12")\r\n',
        ),
    ],
)
def test_the_line_stands_below_the_flow(text, name, expected):
    assert with_upgrade(text, name, "12") == expected


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("def g(): ...", "f", "not defined at the top"),
        ("def g():\n    def f(): ...", "g.<locals>.f", "not defined at the top"),
        ("def f(:", "f", "no Python now"),
        ("def f(): ...", "f", "imports nothing"),
    ],
)
def test_what_cannot_be_written_is_said(text, name, why):
    with pytest.raises(CannotWrite, match=why):
        with_upgrade(text, name, "12")
