"""`longterm check`: what becomes of the runs that wait, in the code that is here."""

from __future__ import annotations

import json
import linecache
import re
from datetime import timedelta
from pathlib import Path

import pytest

from longterm import Engine
from longterm.cli import main
from longterm.store import open_store
from tests.advice import is_told
from tests.runtime.deploying import deploying

SHOP = """\
from longterm import deflow, suspend


@deflow
def pay(amount):
    return suspend("card"), amount


@deflow
def sell(cart):
    agreed = suspend("agreed")
    return agreed, pay(len(cart))


@deflow
def hold(n):
    grown = lambda m: m + n
    paid = suspend("paid")
    return grown(paid)
"""


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Write the module of flows, as a process finds it that begins now."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGTERM_APP", "checked")
    monkeypatch.setenv("LONGTERM_URL", "sqlite:///runs.db")
    with deploying("checked", tmp_path, monkeypatch) as write:
        yield write


@pytest.fixture
def runs(deploy):
    """Runs that wait at four places, one of them to begin."""
    module = deploy(SHOP)
    engine = Engine("sqlite:///runs.db")
    for _ in range(3):
        engine.start_flow(module.sell, "ab")
    engine.process_event(engine.start_flow(module.sell, "ab").id, "agreed", 1)
    engine.start_flow(module.hold, 5)
    engine.start(module.hold, (5,), at=timedelta(days=1))
    ended = engine.start_flow(module.pay, 1)
    engine.process_event(ended.id, "card", 1)


def test_all_go_on_in_the_code_that_they_were_saved_from(runs, capsys):
    assert main(["check"]) == 0

    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["1", "1", "3", "1"]
    assert all("go on: the same code" in line for line in lines)


def test_what_goes_on_and_what_does_not_is_said_of_each_place(runs, deploy, capsys):
    deploy(
        SHOP.replace("    agreed = s", "    print\n    agreed = s")
        .replace("m + n", "m - n")
        .replace("    return suspend", "    print\n    return suspend")
    )

    assert main(["check"]) == 1

    said = capsys.readouterr().out
    lines = [re.split("  +", line.strip()) for line in said.splitlines()[1:]]
    assert [(line[0], line[1].split("@")[0], line[-1]) for line in lines] == [
        ("1", "checked:hold (begins)", "go on: the same code"),
        ("1", "checked:hold", "STAY: <lambda> inside checked:hold, which is held, has changed"),
        ("3", "checked:sell", "go on: the same rest: checked:sell at point 1, line 13"),
        ("1", "checked:sell", "go on: the same rest: checked:sell at point 2, line 14,"
         " checked:pay at point 1, line 7"),
    ]  # fmt: skip


def test_what_comes_after_and_what_is_gone_stays(runs, deploy, capsys):
    deploy(SHOP.replace("return agreed, pay", "return pay"))
    assert main(["check"]) == 1
    assert "STAY: checked:sell has changed: nowhere is the same left" in capsys.readouterr().out

    deploy(SHOP.replace("def hold", "def keep"))
    assert main(["check"]) == 1
    assert capsys.readouterr().out.count("STAY: checked:hold is not known here") == 2


def test_a_file_of_positions_says_the_same_and_holds_no_values(runs, deploy, capsys, monkeypatch):
    assert main(["positions"]) == 0
    written = capsys.readouterr().out
    with open("prod.json", "w") as file:
        file.write(written)
    assert sum(each["runs"] for each in json.loads(written)["positions"]) == 6
    assert '"ab"' not in written

    for text in (SHOP, SHOP.replace("return agreed, pay", "return pay")):
        deploy(text)
        of_store = main(["check"]), capsys.readouterr().out
        monkeypatch.delenv("LONGTERM_URL")
        of_file = main(["check", "--positions", "prod.json"]), capsys.readouterr().out
        monkeypatch.setenv("LONGTERM_URL", "sqlite:///runs.db")
        assert of_file == of_store


def test_no_run_is_changed_or_claimed(runs, capsys):
    engine = Engine("sqlite:///runs.db")
    before = engine.find_runs()

    assert main(["check"]) == 0

    assert Engine("sqlite:///runs.db").find_runs() == before


@pytest.mark.parametrize(
    "written", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "positions": [7]}']
)
def test_what_is_no_file_of_positions_is_refused(runs, tmp_path, capsys, written):
    (tmp_path / "prod.json").write_text(written)

    assert main(["check", "--positions", "prod.json"]) == 2
    assert "is not what this longterm's `longterm positions` writes" in capsys.readouterr().err


def test_wrong_use_is_told(deploy, capsys, monkeypatch):
    module = deploy(SHOP)
    assert main(["check", "--positions", "none.json"]) == 2
    assert "cannot read none.json" in capsys.readouterr().err

    Engine("sqlite:///runs.db").start_flow(module.pay, 1)
    monkeypatch.setattr("longterm.cli.check.known_names", set)
    assert main(["check"]) == 2
    assert "name their modules by --app" in capsys.readouterr().err


def test_runs_of_before_positions_are_not_known(runs, capsys):
    import sqlite3

    with sqlite3.connect("runs.db") as connection:
        connection.execute("UPDATE runs SET position = NULL, checksum = NULL")
    connection.close()

    assert main(["check"]) == 1
    assert "stored before longterm 0.2" in capsys.readouterr().out


def test_show_has_the_lines_that_were_and_says_what_the_file_has_now(runs, deploy, capsys):
    (run,) = Engine("sqlite:///runs.db").find_runs(waiting_for="card")
    deploy(SHOP.replace("    return agreed, pay", "\n    return agreed, pay"))
    linecache.clearcache()

    assert main(["show", run.id]) == 0

    said = capsys.readouterr().out
    line = "    > return agreed, pay(len(cart))\n"
    assert f"{line}      (so it was then; line 12 of the file is empty or gone now)" in said
    assert '    > return suspend("card"), amount\n    amount = 2\n' in said


def test_diff_shows_what_is_left_to_do_in_the_lines_of_the_author(runs, deploy, capsys):
    deploy(
        SHOP.replace("m + n", "m - n")
        .replace("return agreed, pay", "return pay")
        .replace("    agreed =", "    print(cart)\n    agreed =")
    )

    assert main(["check", "--diff"]) == 1

    said = re.sub(r"@\w{8}", "@V", capsys.readouterr().out)
    assert said.split("\n\n")[1:] == [
        "--- checked:hold@V, <lambda>, which is held\n"
        "+++ checked:hold today\n"
        "-    grown = lambda m: m + n\n"
        "+    grown = lambda m: m - n",
        "--- checked:sell@V, line 11: what is left to do\n"
        "+++ checked:sell today, line 12\n"
        '     agreed = suspend("agreed")\n'
        "-    return agreed, pay(len(cart))\n"
        "+    return pay(len(cart))",
        "--- checked:sell@V, line 12: what is left to do\n"
        "+++ checked:sell today, line 13\n"
        "-    return agreed, pay(len(cart))\n"
        "+    return pay(len(cart))\n",
    ]


def test_diff_says_where_there_is_nothing_to_compare(runs, deploy, capsys):
    store = open_store("sqlite:///runs.db")
    for name in store.find_versions("checked:sell@"):
        store.rewrite_version(name, b"damaged")
    store.close()
    text = SHOP.replace("return agreed, pay", "return pay").replace("= suspend(", "= print(")
    deploy(text.replace("grown(paid)", "grown, paid"))

    assert main(["check", "--diff"]) == 1

    said = capsys.readouterr().out
    assert "is not kept, or cannot be read)" in said
    assert "+++ checked:hold today: it waits nowhere\n-    paid = suspend" in said


def test_diff_says_so_where_only_the_meaning_differs(runs, deploy, capsys):
    deploy(SHOP.replace("    agreed = s", "    later = lambda: agreed\n    agreed = s"))

    assert main(["check", "--diff"]) == 1

    assert "(the lines are the same, and mean something else: a name is" in capsys.readouterr().out


def test_values_that_cannot_be_made_are_named(deploy, capsys):
    text = SHOP.replace("\n\n\n", "\n\nclass Cart:\n    pass\n\n\n", 1)
    text = "from dataclasses import dataclass\n" + text.replace("class C", "@dataclass\nclass C")
    text = text.replace("    pass", "    items: int")
    module = deploy(text)
    run = Engine("sqlite:///runs.db").start_flow(module.sell, module.Cart(3))
    assert main(["check", "--values"]) == 0
    assert "values: 1 of 1 places can be read (one run each)" in capsys.readouterr().out

    deploy(text.replace("    items: int", "    items: int\n    owner: str"))
    assert main(["check", "--values"]) == 1

    said = capsys.readouterr().out
    assert "go on: the same code" in said
    assert "values: 0 of 1 places can be read (one run each)" in said
    line = next(line for line in said.splitlines() if line.startswith("UNREADABLE"))
    assert run.id in line
    assert "checked.Cart" in line
    assert "owner" in line


def test_what_needs_the_store_is_refused_with_a_file(runs, capsys):
    assert main(["check", "--values", "--positions", "none.json"]) == 2
    assert "--values needs the store" in capsys.readouterr().err


def test_diff_goes_by_a_file_that_has_the_sources(runs, deploy, capsys, monkeypatch):
    main(["positions"])
    (Path("short.json")).write_text(capsys.readouterr().out)
    main(["positions", "--sources"])
    (Path("whole.json")).write_text(capsys.readouterr().out)
    deploy(SHOP.replace("m + n", "m - n").replace("return agreed, pay", "return pay"))
    of_store = main(["check", "--diff"]), capsys.readouterr().out
    monkeypatch.delenv("LONGTERM_URL")

    assert main(["check", "--diff", "--positions", "short.json"]) == 2
    assert is_told("write it by `longterm positions --sources`", capsys.readouterr().err)
    of_file = main(["check", "--diff", "--positions", "whole.json"]), capsys.readouterr().out
    assert of_file == of_store
    assert "-    grown = lambda m: m + n" in of_file[1]


def test_an_upgrade_of_several_versions_asks_for_more_digits(runs, deploy, capsys):
    """Six digits of two versions are seldom the same, so a file tells of them."""
    main(["positions"])
    written = json.loads(capsys.readouterr().out)
    (first,) = (each for each in written["positions"] if "hold@" in str(each["position"]))
    versions = [f"3f2a9c04{end:08}" for end in (1, 2)]
    written["positions"] = [json.loads(json.dumps(first)) for _ in versions]
    for each, version in zip(written["positions"], versions, strict=True):
        each["frames"][0][1] = version
    Path("both.json").write_text(json.dumps(written))
    deploy(f'{SHOP}\nfrom longterm import upgrade\nupgrade(hold, since="3f2a9c")\n')

    main(["check", "--positions", "both.json"])

    said = capsys.readouterr().out
    assert is_told("give more digits", said)
    assert f"is of several versions: {versions[0]}, {versions[1]} (" in said
    deploy(f'{SHOP}\nfrom longterm import upgrade\nupgrade(hold, since="{versions[0]}")\n')
    main(["check", "--positions", "both.json"])
    assert "several" not in capsys.readouterr().out
