"""`longterm runs --stuck`: the runs that cannot go on in the code that is here, and why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

import pytest

from longterm import Engine, NotSupported
from longterm.cli import main
from tests.runtime.test_check import SHOP
from tests.runtime.test_check import deploy as deploy
from tests.runtime.test_check import runs as runs
from tests.runtime.test_first_turn import FourMethods

CHANGED = SHOP.replace("return agreed, pay", "return pay").replace("m + n", "m - n")
SOLD = (
    "checked:sell has changed: the same is under way at point 1, line 11, but not left to do "
    "(longterm accept)"
)
PAYS = (
    "checked:sell has changed: nowhere is the same left to do; nowhere is the same statement under "
    "way, in the same blocks"
)
HELD = "<lambda> inside checked:hold, which is held, has changed"
GONE = "checked:hold is not known here"


@pytest.fixture
def engine(runs):
    engine = Engine("sqlite:///runs.db")
    yield engine
    engine.store.close()


def test_no_run_is_stuck_in_the_code_that_it_was_saved_from(engine, capsys):
    assert engine.stuck_runs() == []
    assert main(["runs", "--stuck"]) == 0
    assert capsys.readouterr().out == "no run is stuck\n"


def test_each_stuck_run_is_told_with_the_reason(engine, deploy, capsys):
    deploy(CHANGED)

    found = engine.stuck_runs()

    # Runs that began in one millisecond may be in any order.
    assert sorted(why for _, why in found) == sorted([SOLD, SOLD, SOLD, PAYS, HELD])
    assert [run.id for run, _ in found] == sorted(run.id for run, _ in found)
    assert found == asyncio.run(engine.astuck_runs())
    of_hold = [pair for pair in found if pair[1] == HELD]
    assert engine.stuck_runs(flow="checked:hold") == of_hold

    assert main(["runs", "--stuck"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [run.id for run, _ in found]
    for line, (run, why) in zip(lines, found, strict=True):
        assert run.position in line
        assert why in line


def test_pages_together_are_the_whole(engine, deploy, capsys):
    deploy(CHANGED)
    whole, paged, after = engine.stuck_runs(), [], None

    while page := engine.stuck_runs(limit=2, after=after):
        assert len(page) <= 2
        paged += page
        after = page[-1][0].id
    assert paged == whole

    assert main(["runs", "--stuck", "--limit", "3"]) == 0
    assert f"--after {whole[2][0].id}" in capsys.readouterr().err
    assert main(["runs", "--stuck", "--json", "--after", whole[2][0].id]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(run["id"], run["stuck"]) for run in shown] == [(r.id, why) for r, why in whole[3:]]


def test_runs_that_have_not_begun_are_stuck_if_their_flow_is_gone(engine, deploy):
    deploy(SHOP.replace("def hold", "def keep"))

    found = engine.stuck_runs()

    assert {why for _, why in found} == {GONE}
    assert sorted(run.waiting_for for run, _ in found) == ["longterm.start", "paid"]


def test_runs_of_before_positions_are_judged_one_by_one(engine, deploy):
    import sqlite3

    with contextlib.closing(sqlite3.connect("runs.db")) as connection, connection:
        connection.execute("UPDATE runs SET position = NULL, checksum = NULL")

    assert engine.stuck_runs() == []
    deploy(CHANGED)
    found = [why for _, why in engine.stuck_runs()]
    assert sorted(found) == sorted([SOLD, SOLD, SOLD, PAYS, HELD])  # some began in one millisecond
    deploy(SHOP.replace("def hold", "def keep"))
    assert [why for _, why in engine.stuck_runs(limit=1)] == [GONE]


def test_the_runs_of_a_place_are_found(engine, capsys):
    (run,) = engine.find_runs(waiting_for="card", state="suspended")

    assert engine.find_runs(position=run.position) == [run]
    assert engine.find_runs(position=run.position, flow="checked:hold") == []
    assert main(["runs", "--position", run.position]) == 0
    assert run.id in capsys.readouterr().out


FAILING = """\
from longterm import deflow, step, suspend


@step
def charge(amount):
    raise ValueError(amount)


@deflow
def sell(cart):
    return charge(len(cart)), suspend("paid")


@deflow
def give(lock):
    raise ValueError
"""


def test_a_run_that_failed_by_a_step_is_judged_by_where_it_is_tried_again(deploy, capsys):
    module = deploy(FAILING)
    engine = Engine("sqlite:///runs.db")
    with pytest.raises(ValueError, match="2"):
        engine.start_flow(module.sell, "ab")
    (failed,) = engine.find_runs()
    with pytest.raises(ValueError, match="2"):
        engine.retry(failed.id)
    assert engine.get_run(failed.id).position == failed.position
    assert failed.position.startswith("checked:sell@")
    assert main(["check"]) == 0
    assert engine.stuck_runs() == []

    deploy(FAILING.replace("(cart):\n", "(cart):\n    print\n", 1))
    assert main(["check"]) == 0
    assert "the same rest" in capsys.readouterr().out

    deploy(FAILING.replace('"paid"', '"card"'))
    assert main(["check"]) == 1
    assert engine.stuck_runs() == [(engine.get_run(failed.id), PAYS)]
    engine.store.close()


def test_a_call_that_could_not_be_stored_is_no_matter_of_the_code(deploy, capsys):
    module = deploy(FAILING)
    engine = Engine("sqlite:///runs.db")
    with pytest.raises(ValueError):  # noqa: PT011
        engine.start_flow(module.give, threading.Lock())

    assert main(["check"]) == 0
    assert engine.stuck_runs() == []
    engine.store.close()


@pytest.mark.parametrize("option", ["--state=failed", "--waiting-for=e", "--position=p", "--to=x"])
def test_what_does_not_go_together_is_told(runs, capsys, option):
    assert main(["runs", "--stuck", option]) == 2
    assert "--stuck goes with --flow, --limit, --after and --json alone" in capsys.readouterr().err


def test_without_flows_nothing_is_judged(runs, capsys, monkeypatch):
    monkeypatch.setattr("longterm.cli.look.known_names", set)
    assert main(["runs", "--stuck"]) == 2
    assert "name their modules by --app" in capsys.readouterr().err


def test_a_store_that_counts_no_positions_cannot_tell():
    engine = Engine(FourMethods())
    with pytest.raises(NotSupported, match="counting runs by their positions"):
        engine.stuck_runs()
