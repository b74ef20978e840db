"""A machine whose clock is wrong takes no turn from anybody, and says what is wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longterm import Engine, RunState, deflow, suspend
from longterm._turns.claim import Claim
from longterm.errors import ClockSkew
from tests.store.postgres_server import PostgresServer
from tests.store.shim import build_shim

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import _clock, _connection  # noqa: E402
from longterm.store.postgres import _store as _postgres_store  # noqa: E402
from longterm.store.postgres._clock import ServerClock  # noqa: E402
from longterm.store.postgres._connection import Reading  # noqa: E402

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@deflow
def charge():
    return suspend("paid")


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


@pytest.mark.parametrize(
    ("asked", "heard", "ahead"),
    [(-1, 1, 0), (0, 3, 0), (90, 91, 90), (-91, -90, -90), (0.5, 0.7, 0.5)],
)
def test_what_the_way_there_and_back_may_explain_is_no_difference(
    asked: float, heard: float, ahead: float
) -> None:
    clock = ServerClock()

    clock.note(Reading(NOON.timestamp() + asked, NOON, NOON.timestamp() + heard))

    assert clock.ahead.total_seconds() == pytest.approx(ahead)


def test_a_difference_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, noon = ServerClock(), NOON.timestamp()
    with caplog.at_level(logging.WARNING, "longterm"):
        for ahead in (0.9, 5.0, 5.1, 5.2, 0.0, -7.0):
            clock.note(Reading(noon + ahead, NOON, noon + ahead))

    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the clock of this machine is 5.0 seconds ahead of the database's",
        "the clock of this machine is 7.0 seconds behind the database's",
    ]


class ShiftedClock:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def time(self) -> float:
        return time.time() + self.seconds


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], ShiftedClock]:
    """Return a function that sets this process's clock wrong."""

    def to(seconds: float) -> ShiftedClock:
        clock = ShiftedClock(seconds)
        monkeypatch.setattr(_clock, "time", clock.time)
        monkeypatch.setattr(_connection, "time", clock.time)
        monkeypatch.setattr(_postgres_store, "time", clock.time)
        return clock

    return to


@pytest.mark.parametrize("seconds", [90, -90])
def test_a_machine_far_from_the_database_claims_nothing(
    url: str, shift: Callable[[float], ShiftedClock], seconds: float
) -> None:
    with Engine(url).store as store:
        right = Engine(store)
        waiting, failed = right.start_flow(charge), right.start_flow(charge)
        claim = Claim(right._claims)
        live = claim.take(right.start_flow(charge).id, "paid")
        assert live is not None
        clock = shift(seconds)
        with Engine(url).store as other:
            wrong = Engine(other, clock=clock)
            for step in (
                lambda: wrong.process_event(live.id, "paid", 1),
                lambda: wrong.process_event(waiting.id, "paid", 1),
                lambda: wrong.retry(failed.id),
                wrong.run_pending,
                wrong.release_stale,
            ):
                with pytest.raises(ClockSkew, match=r"(89|90)\.\d seconds (ahead|behind).* by NTP"):
                    step()
            assert wrong.get_run(live.id) == live

            clock.seconds = 0  # set right; nothing is restarted
            assert wrong.process_event(waiting.id, "paid", 2).result == 2
        assert claim.release().state is RunState.SUSPENDED


def test_a_clock_that_is_set_wrong_later_is_found_out(
    url: str, shift: Callable[[float], ShiftedClock]
) -> None:
    with Engine(url).store as store:
        engine = Engine(store)
        run = engine.start_flow(charge)
        engine.release_stale()

        shift(40)

        with pytest.raises(ClockSkew):
            engine.process_event(run.id, "paid", 1)


def test_to_claim_asks_the_server_nothing_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(url).store as store:
        engine = Engine(store)
        run = engine.start_flow(charge)
        asked: list[str] = []
        execute = store._database.execute

        def noted(statement: str, *arguments: object, **options: object) -> object:
            asked.append(statement)
            return execute(statement, *arguments, **options)

        monkeypatch.setattr(store._database, "execute", noted)

        engine.process_event(run.id, "paid", 1)

    assert len(asked) == 2  # claim and save


def test_a_process_on_a_machine_that_is_ahead_leaves_a_live_turn_alone(
    url: str, tmp_path: Path
) -> None:
    """The same with a real clock: that of a process whose machine says another time."""
    program = (
        "import sys\n"
        "from longterm import Engine\n"
        "from longterm.errors import ClockSkew\n"
        "engine = Engine(sys.argv[1])\n"
        "try:\n"
        "    print(engine.release_stale())\n"
        "except ClockSkew as error:\n"
        "    print(round(error.ahead.total_seconds()))\n"
    )
    with Engine(url).store as store:
        engine = Engine(store)
        claim = Claim(engine._claims)
        live = claim.take(engine.start_flow(charge).id, "paid")
        assert live is not None
        path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "LD_PRELOAD": str(build_shim(tmp_path)),
            "SHIM_CLOCK_AHEAD": "90",
        }

        said = subprocess.run(
            [sys.executable, "-c", program, url],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

        assert said.stdout == "90\n"
        assert engine.get_run(live.id) == live
        claim.release()
