"""The command `longterm`: what it prints, what it changes, and how it ends; on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgpack
import pytest

from longterm import Engine, RunState
from longterm._flows.registry import flow_of
from longterm.cli import main
from longterm.store._rows import MIGRATIONS

ROOT = Path(__file__).parents[2]
FLOWS = '''\
"""Flows of a clinic."""

import logging
from datetime import timedelta

from longterm import deflow, respond, set_index, suspend


@deflow
def visit(patient):
    set_index(patient=patient, urgent=True)
    respond(f"hello {patient}")
    dose = ask("dose")
    respond({"dose": 100 / dose})
    return suspend("note", expires=timedelta(seconds=0.3), default=[])


@deflow
def ask(what):
    asked = [what]
    return suspend(what) + len(asked) - 1


@deflow
def consent():
    return suspend("consent", to=["nurses", "doctors"])


@deflow
def measured(value):
    set_index(value=value)
    return value


@deflow
def collects(values):
    respond(values)
    return [suspend("more"), values]


@deflow
def gives_back(value):
    return value


@deflow
async def call_back(patient):
    return suspend("answer") + await one()


async def one():
    return 1


@deflow
def overdue():
    answer = suspend("answer", expires=timedelta(microseconds=1), default="too late")
    logging.getLogger("clinic").info("no answer: %s", answer)
    return answer
'''


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """A module of flows in the present folder, made anew for each test."""
    name = f"clinic_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LONGTERM_APP", name)
    return __import__(name)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/runs.db"
    else:
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
    monkeypatch.setenv("LONGTERM_URL", url)
    return url


@pytest.fixture
def engine(url):
    engine = Engine(url)
    yield engine
    engine.store.close()


@pytest.fixture
def longterm(capsys, engine, clinic):
    """Run a command; return its status, and what it printed and complained of."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_runs_are_listed_as_a_table_and_as_json(longterm, engine, clinic):
    runs = [engine.start_flow(clinic.visit, patient) for patient in (1, 2)]

    status, out, _ = longterm("runs", "--state", "suspended")
    assert status == 0
    head, *lines = out.splitlines()
    assert head.split() == ["id", "flow", "state", "turn", "waiting", "for", "saved"]
    assert [line.split()[0] for line in lines] == sorted(run.id for run in runs)

    _, out, _ = longterm("runs", "--index", "patient=2", "--index", "urgent=true", "--json")
    (found,) = map(json.loads, out.splitlines())
    assert (found["id"], found["waiting_for"]) == (runs[1].id, "dose")
    assert found["index"] == {"patient": 2, "urgent": True}
    assert longterm("runs", "--index", "urgent=1", "--json") == (0, "", "")

    asked = engine.start_flow(clinic.consent)
    _, out, _ = longterm("runs", "--to", "nurses", "--json")
    assert json.loads(out)["id"] == asked.id
    assert longterm("runs", "--to", "nurse", "--json") == (0, "", "")


def test_a_run_that_no_worker_takes_is_seen(longterm, engine, clinic, monkeypatch):
    run = engine.start_flow(clinic.overdue)
    wait_until(lambda: engine.get_run(run.id).deadline <= engine.clock.now())
    assert "  suspended, overdue  " in longterm("runs")[1]
    assert re.search(r"^state: +suspended, overdue$", longterm("show", run.id)[1], re.M)
    monkeypatch.setattr(flow_of(clinic.overdue), "version", "another")
    monkeypatch.setattr(flow_of(clinic.overdue).fresh, "by_number", {})  # no rest is the same

    assert engine.run_pending() == 1

    assert "  suspended, parked  " in longterm("runs")[1]
    out = longterm("show", run.id)[1]
    assert re.search(r"^state: +suspended, parked$", out, re.M)
    assert "has changed since this run was suspended" in out


def test_the_newest_runs_are_listed_first_if_one_asks(longterm, engine, clinic):
    for patient in (1, 2):
        engine.start_flow(clinic.visit, patient)
    usual = longterm("runs", "--json")[1].splitlines()

    assert len(usual) == 2
    assert longterm("runs", "--json", "--newest-first")[1].splitlines() == usual[::-1]


def test_runs_are_listed_by_pages(longterm, engine, clinic):
    first, second = sorted(engine.start_flow(clinic.visit, patient).id for patient in (1, 2))

    _, out, err = longterm("runs", "--limit", "1")
    assert first in out
    assert f"--after {first}" in err
    _, out, _ = longterm("runs", "--limit", "1", "--after", first)
    assert second in out


def test_a_run_is_shown_with_its_lines_and_locals(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)

    status, out, _ = longterm("show", run.id)
    assert status == 0
    assert re.search(r"^waiting for: +dose$", out, re.M)
    assert '    > dose = ask("dose")\n' in out
    assert "    > return suspend(what) + len(asked) - 1\n    asked = ['dose']\n" in out

    _, out, _ = longterm("show", run.id, "--json")
    shown = json.loads(out)
    assert shown["response"] == ["hello 7"]
    assert "asked = ['dose']" in shown["stack"]


def test_a_run_of_a_module_that_was_started_as_a_script_is_shown_with_its_lines(
    longterm, engine, clinic, tmp_path
):
    script = tmp_path / "script.py"
    script.write_text(FLOWS + "\nfrom longterm import set_runstore, start_flow\n")
    with script.open("a") as text:
        text.write(f"set_runstore({os.environ['LONGTERM_URL']!r})\nstart_flow(visit, 7)\n")
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": path}, check=True, timeout=60
    )
    (run,) = engine.find_runs()

    status, out, _ = longterm("show", run.id)

    assert status == 0
    assert "frame 1: script:ask" in out
    assert "    > return suspend(what)" in out


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_has_no_words_for_are_shown_as_text(longterm, engine, clinic, value):
    engine.start_flow(clinic.measured, value)

    _, out, _ = longterm("runs", "--json")

    shown = json.loads(out, parse_constant=pytest.fail)
    assert shown["index"] == {"value": {"$text": str(value)}}
    assert shown["result"] == {"$text": str(value)}


def test_a_result_that_holds_a_run_of_elsewhere_is_shown(longterm, engine, clinic, monkeypatch):
    elsewhere = Engine("memory://").start_flow(clinic.visit, 1)
    monkeypatch.setattr("longterm._api._engine", Engine("memory://"))
    engine.start_flow(clinic.gives_back, elsewhere)

    status, out, _ = longterm("runs", "--json")

    assert status == 0
    assert elsewhere.id in json.loads(out)["result"]["$text"]


@pytest.mark.parametrize("line", ["9" * 5000, 2**62, -1, None])
def test_a_stack_with_a_line_that_is_none_is_shown(longterm, engine, clinic, line):
    run = engine.start_flow(clinic.visit, 1)
    stack = b"\x01\x01" + msgpack.packb([["clinic:visit", "v", 1, line, {"patient": 1}]])
    engine.store.create(run.changed(id="forged", stack=stack))

    status, out, _ = longterm("show", "forged", "--full")

    assert (status, "patient = 1" in out) == (0, True)


def test_long_lines_are_shortened_unless_somebody_wants_them_full(longterm, engine, clinic):
    items = list(range(50_000))
    run = engine.start_flow(clinic.collects, items)

    def longest(*arguments):
        status, out, _ = longterm(*arguments)
        assert status == 0
        return max(map(len, out.splitlines()))

    assert longest("show", run.id) < 600
    assert "characters: --full shows it)" in longterm("show", run.id)[1]
    assert longest("show", run.id, "--full") > 300_000
    assert json.loads(longterm("show", run.id, "--json")[1])["response"] == [items]
    assert longest("send", run.id, "more") < 600
    assert json.loads(longterm("runs", "--json")[1])["result"] == [None, items]


def test_an_event_is_sent(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)

    assert longterm("send", run.id, "dose", "4", "--key", "k1") == (
        0,
        f'run {run.id} is suspended, waiting for note\nresponse: [{{"dose": 25.0}}]\n',
        "",
    )
    status, out, _ = longterm("send", run.id, "dose", "4", "--key", "k1", "--json")
    assert (status, json.loads(out)["turn"]) == (0, 2)
    assert "(default of this wait) = []" in longterm("show", run.id)[1]

    status, out, _ = longterm("send", run.id, "note")
    assert (status, out) == (0, f"run {run.id} is complete\n")


def unread_values(engine, run):
    return [event.value for event in engine.unread_events(run.id)]


def test_a_flow_that_fails_is_shown_and_can_be_retried(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)

    status, out, err = longterm("send", run.id, "dose", "0")
    assert status == 1
    assert out == f"run {run.id} is failed, waiting for dose\n"
    assert "longterm: the flow raised ZeroDivisionError" in err
    assert 'respond({"dose": 100 / dose})' in err

    assert unread_values(engine, run) == [0]
    status, out, err = longterm("retry", run.id)
    assert (status, out) == (1, f"run {run.id} is failed, waiting for dose\n")
    assert "longterm: the flow raised ZeroDivisionError" in err


def test_runs_of_async_flows_are_sent_events_and_cancelled(longterm, engine, clinic):
    run = asyncio.run(engine.astart_flow(clinic.call_back, "Ada"))
    assert longterm("send", run.id, "answer", "3")[:2] == (
        0,
        f"run {run.id} is complete\nresult: 4\n",
    )

    run = asyncio.run(engine.astart_flow(clinic.call_back, "Bob"))
    assert longterm("send", run.id, "answer", '"no"')[0] == 1
    assert longterm("retry", run.id)[:2] == (1, f"run {run.id} is failed, waiting for answer\n")
    assert longterm("delete", run.id, "--yes")[:2] == (0, "deleted 1 run\n")


def test_a_run_is_cancelled_and_pruned(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)

    assert longterm("cancel", run.id) == (0, f"run {run.id} is cancelled\n", "")
    assert longterm("prune", "--older-than", "1") == (0, "deleted 0 runs\n", "")
    assert longterm("prune", "--older-than", "0") == (0, "deleted 1 run\n", "")
    assert longterm("prune", "--older-than", "0", "--json") == (0, '{"deleted": 0}\n', "")


def test_a_run_without_its_code_is_cancelled_by_force(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)
    position = run.position.replace(run.flow, "gone:visit")
    lost = run.changed(id="lost", flow="gone:visit", position=position)
    engine.store.create(lost)

    status, _, err = longterm("cancel", "lost")
    assert (status, "--force ends the run without its code" in err) == (1, True)
    assert longterm("cancel", "lost", "--force") == (0, "run lost is cancelled\n", "")


def test_runs_are_deleted_by_id_or_facts_when_somebody_says_yes(
    longterm, engine, clinic, monkeypatch
):
    run, waiting = engine.start_flow(clinic.visit, 7), engine.start_flow(clinic.visit, 7)
    engine.cancel(run.id)

    status, _, err = longterm("delete", run.id)
    assert (status, "give --yes" in err) == (2, True)
    assert longterm("delete", waiting.id, "--yes")[2].startswith("longterm: run")

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, status in (("", 1), ("no", 1), ("y", 0)):
        monkeypatch.setattr("sys.stdin.readline", lambda answer=answer: answer, raising=False)
        found = longterm("delete", run.id)
        assert found[0] == status
        assert f"Delete run {run.id} of {clinic.__name__}:visit, which is cancelled?" in found[2]

    engine.cancel(waiting.id)
    status, out, err = longterm("delete", "--index", "patient=7")
    assert (status, out, "Delete 1 run?" in err) == (0, "deleted 1 run\n", True)
    assert longterm("delete", "--index", "patient=7", "--yes", "--json")[1] == '{"deleted": 0}\n'
    assert longterm("delete")[0] == longterm("delete", "x", "--index", "a=1")[0] == 2


def test_refusals_say_why(longterm, engine, clinic):
    run = engine.start_flow(clinic.visit, 7)

    for arguments, status, words in (
        (["show", "nope"], 1, "there is no run 'nope' in this store"),
        (["send", run.id, "name"], 1, "it waits for 'dose'"),
        (["send", run.id, "dose", "yes"], 2, "the value 'yes' is not JSON"),
        (["--app", "no_such_module", "runs"], 2, "cannot import no_such_module"),
        (["--app", "no_such_module", "--app", "clinic", "runs"], 2, "cannot import no_such_module"),
        (["--store", "sqlite:///typo.db", "runs"], 1, "there is no file"),
        (["--store", "mysql://host/shop", "runs"], 1, "no store has the URL mysql://"),
        (["--store", "memory://", "migrate"], 1, "MemoryStore does not offer a schema to migrate"),
        (["runs", "--limit", "0"], 2, "'0' is no number from 1 on"),
        (["runs", "--index", "patient"], 2, "'patient' is not NAME=VALUE"),
        (["runs", "--index", "a=[1]"], 2, "'[1]' is no plain value"),
        (["runs", "--index", "a=1", "--index", "a=2"], 2, "--index gives a twice"),
        (["runs", "--older-than", "long"], 2, "'long' is no number of days"),
        (["prune", "--older-than", "-1"], 2, "'-1' is no number of days"),
        (["worker", "--poll", "0"], 2, "'0' is no number of seconds up to 300"),
        (["worker", "--lease", "0"], 2, "'0' is no number of seconds (write 30"),
        (["worker", "--threads", "0"], 2, "'0' is no number from 1 on"),
        (["worker", "--batch", "0"], 2, "'0' is no number from 1 on"),
        (["worker", "--turn-seconds", "0"], 2, "'0' is no number of seconds (write 30"),
        (["worker", "--grace-seconds", "nan"], 2, "'nan' is no number of seconds (write 30"),
        (["--app", "./clinic.py", "runs"], 2, "cannot import ./clinic.py: it is a path"),
        (["send", run.id, "dose", "[" * 100_000], 2, "is not JSON"),
        (["runs", "--limit", "9" * 20], 2, f"'{'9' * 20}' is no number from 1 on"),
        (["runs", "--older-than", "9999999"], 2, "'9999999' is no number of days"),
        (["prune", "--older-than", "9999999"], 2, "'9999999' is no number of days"),
    ):
        found, _, err = longterm(*arguments)
        assert (found, words in err) == (status, True), err
        assert "Traceback" not in err
    assert not Path("typo.db").exists()


def test_a_missing_store_is_wrong_usage(capsys, monkeypatch):
    monkeypatch.delenv("LONGTERM_URL", raising=False)

    assert main(["runs"]) == 2
    assert "no store (give --store" in capsys.readouterr().err


def test_the_schema_is_made_once(longterm):
    assert longterm("migrate") == (0, f"migrated by {len(MIGRATIONS)} steps\n", "")
    assert longterm("migrate") == (0, "the schema is up to date\n", "")
    assert longterm("migrate", "--sql") == (0, "-- the schema is up to date\n", "")


def test_a_dba_can_apply_the_schema(longterm, engine, clinic, url):
    status, sql, _ = longterm("migrate", "--sql")
    assert status == 0

    if url.startswith("sqlite"):
        with closing(sqlite3.connect("runs.db")) as connection:
            connection.executescript(sql)
    else:
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql)

    assert longterm("migrate") == (0, "the schema is up to date\n", "")
    assert engine.start_flow(clinic.visit, 1).state is RunState.SUSPENDED


def test_what_has_ended_is_kept_by_month_if_so_asked_for(longterm, engine, clinic, url):
    run = engine.start_flow(clinic.visit, 1)
    engine.cancel(run.id)

    if url.startswith("sqlite"):
        status, _, err = longterm("migrate", "--ended-by-month")
        assert status == 1
        assert "SQLiteStore does not offer keeping ended runs by month" in err
        return
    begin, end = "the schema is up to date\nruns that end are kept by month", "that had ended\n"
    assert longterm("migrate", "--ended-by-month") == (0, f"{begin} from now on\nmoved 1 {end}", "")
    assert longterm("migrate", "--ended-by-month") == (0, f"{begin} already\nmoved 0 {end}", "")
    assert "CREATE TRIGGER id_of_ended_run" in longterm("migrate", "--ended-by-month", "--sql")[1]
    assert engine.get_run(run.id).state is RunState.CANCELLED
    assert longterm("prune", "--older-than", "0", "--whole-months")[1] == "deleted 0 runs\n"
    assert longterm("prune", "--older-than", "0")[1] == "deleted 1 run\n"


@pytest.fixture
def worker(url, clinic):
    """A real process that works, and its log."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    process = subprocess.Popen(
        [sys.executable, "-m", "longterm.cli", "worker", "--poll", "0.2"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_waits_and_stops_when_told_to(engine, clinic, worker, number):
    due = [engine.start_flow(clinic.overdue) for _ in range(3)]
    stuck = engine.start_flow(clinic.visit, 1)
    dead = Engine(engine.store, lease=timedelta(seconds=0.1))
    dead.store.claim(stuck.id, "dose", now=dead.clock.now(), until=dead.clock.now())

    wait_until(lambda: all(engine.get_run(run.id).state == "complete" for run in due))
    wait_until(lambda: engine.get_run(stuck.id).state == "suspended")
    worker.send_signal(number)
    _, log = worker.communicate(timeout=20)

    assert worker.returncode == 0
    assert "worker started" in log
    assert "worker stopped" in log
    assert f"run={due[0].id} no answer: too late" in log
    assert f"run {stuck.id}: its process died in turn 2; it is suspended" in log
    assert engine.get_run(due[0].id).result == "too late"


def wait_until(is_so, seconds=30):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
