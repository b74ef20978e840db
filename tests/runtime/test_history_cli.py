"""The commands about what runs were: `longterm history`, `fork` and `rewind`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from longterm import Engine, acting_as
from longterm.cli import main
from longterm.run import Run
from longterm.testing import FakeClock
from tests.runtime.test_history import adds


@pytest.fixture
def url(tmp_path: Any) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def run(url: str, clock: FakeClock) -> Iterator[Run]:
    """Return a run with two turns, and one that has failed it."""
    engine = Engine(url, clock=clock, history="frames")
    run = engine.start_flow(adds, 1)
    clock.advance(timedelta(hours=1))
    with acting_as("ada\x1b[31m"):
        run = engine.process_event(run.id, "number", 2)
        with pytest.raises(ValueError, match="too much"):
            engine.process_event(run.id, "number", 100)
    yield run
    engine.store.close()  # type: ignore[attr-defined]


def test_a_history_is_shown(url: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", url, "history", run.id]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[:7] == [
        "turn 1: longterm.start, 2026-01-01 00:00:00 UTC",
        '    response: [{"total": 1}]',
        "    then suspended, waiting for number, 2026-01-01 00:00:00 UTC (revision 0 is kept)",
        r"turn 2: number, by ada\x1b[31m, 2026-01-01 01:00:00 UTC",
        "    value: 2",
        '    response: [{"total": 3}]',
        "    then suspended, waiting for number, 2026-01-01 01:00:00 UTC (revision 1 is kept)",
    ]
    assert lines[9] == "    then failed, 2026-01-01 01:00:00 UTC (revision 2 is kept)"
    assert "    ValueError: 103 is too much" in lines


def test_a_history_is_shown_as_json(url: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", url, "history", run.id, "--json"]) == 0

    first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["actor"], first["value"]) == ("longterm.start", None, None)
    assert second == {
        "run_id": run.id,
        "turn": 2,
        "number": 0,
        "event": "number",
        "value": 2,
        "actor": "ada\x1b[31m",
        "sent_at": "2026-01-01T01:00:00+00:00",
        "saved_at": "2026-01-01T01:00:00+00:00",
        "outcome": "suspended",
        "waiting_for": "number",
        "response": [{"total": 3}],
        "error": None,
        "revision": 1,
        "has_frames": True,
    }
    assert "ValueError: 103 is too much" in third["error"]


def test_a_run_is_forked_and_put_back(
    url: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    app = ["--store", url, "--history", "frames", "--actor", "bob"]

    assert main([*app, "fork", run.id, "--at", "1", "--id", "mine"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run mine is suspended, waiting for number",
        'response: [{"total": 1}]',
    ]
    assert main([*app, "send", "mine", "number", "5"]) == 0
    capsys.readouterr()
    assert main([*app, "rewind", "mine", "--to", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["response"] == [{"total": 1}]

    assert main([*app, "history", "mine", "--json"]) == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(row["event"], row["actor"], row["value"]) for row in rows] == [
        ("longterm.fork", "bob", [run.id, 1]),
        ("number", "bob", 5),
        ("longterm.rewind", "bob", 1),
    ]


def test_the_environment_says_what_is_kept(
    url: str, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["--store", url, "fork", run.id, "--at", "1", "--id", "mine"])
    monkeypatch.setenv("LONGTERM_HISTORY", "events")
    assert main(["--store", url, "send", "mine", "number", "5"]) == 0
    capsys.readouterr()
    assert main(["--store", url, "history", "mine", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1

    monkeypatch.setenv("LONGTERM_HISTORY", "much")
    assert main(["--store", url, "history", "mine"]) == 1
    assert "set off, events or frames" in capsys.readouterr().err


def test_old_entries_are_forgotten(url: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    prune = ["--store", url, "prune", "--histories", "--older-than", "0"]

    assert main([*prune, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"forgotten": 3}
    assert main(prune) == 0
    assert capsys.readouterr().out == "forgot 0 entries\n"
    assert main(["--store", url, "show", run.id]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["fork", "RUN", "--at", "-1"], 2, "is no revision"),
        (["fork", "RUN", "--at", "9"], 1, "longterm history RUN"),
        (["fork", "RUN", "--id", ""], 1, "id"),
        (["rewind", "RUN"], 2, "--to"),
        (["--actor", "", "fork", "RUN"], 1, "the name of an actor"),
        (["history", "unknown"], 1, "unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(
    url: str,
    run: Run,
    arguments: list[str],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [run.id if argument == "RUN" else argument for argument in arguments]
    try:
        found = main(["--store", url, *given])
    except SystemExit as error:
        found = int(error.code or 0)

    assert found == status
    assert said.replace("RUN", run.id) in capsys.readouterr().err
