"""Every remedy that is named of queues and schedules is followed, and helps."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from longterm import Engine, RunState, cron, deflow
from longterm.testing import FakeClock
from tests.advice import printed


@deflow
def is_done() -> str:
    return "done"


@pytest.fixture
def engine() -> Engine:
    return Engine("memory://", clock=FakeClock())


def test_a_queue_that_was_never_declared(engine: Engine) -> None:
    with printed(
        "check the name, or declare it first: `engine.queue(*)`, with `concurrency=`, "
        "`per_partition=` or `rate=` if it is to be limited"
    ):
        engine.start(is_done, queue="mail")

    engine.queue("mail", concurrency=1, per_partition=1, rate=(500, timedelta(minutes=1)))
    engine.start(is_done, queue="mail")
    assert engine.run_pending() == 1


def test_a_name_that_is_none(engine: Engine) -> None:
    with printed("give it a printable name of 1 to * characters, such as 'mail'"):
        engine.queue("")

    engine.queue("mail")
    engine.queue("x" * 100)


def test_a_partition_that_is_none(engine: Engine) -> None:
    engine.queue("mail")
    with printed("give printable text of up to * characters, such as str(tenant)"):
        engine.start(is_done, queue="mail", partition=7)  # type: ignore[call-overload]

    engine.start(is_done, queue="mail", partition=str(7))
    engine.start(is_done, queue="mail", partition="x" * 200)


def test_a_partition_without_a_queue(engine: Engine) -> None:
    engine.queue("mail")
    with printed("give the queue, too: queue='mail'"):
        engine.start(is_done, partition="a")

    engine.start(is_done, queue="mail", partition="a")


def test_a_limit_that_allows_nothing(engine: Engine) -> None:
    with printed("give a number from 1 to *, or leave it out"):
        engine.queue("mail", concurrency=0)

    engine.queue("mail", concurrency=1)
    engine.queue("mail", concurrency=2**31 - 1)
    engine.queue("mail")


def test_a_rate_without_a_time(engine: Engine) -> None:
    with printed("give a number and a timedelta, as one tuple"):
        engine.queue("mail", rate=500)  # type: ignore[arg-type]

    engine.queue("mail", rate=(500, timedelta(minutes=1)))


def test_an_expression_that_is_none(engine: Engine) -> None:
    with printed("give minute, hour, day of month, month and day of week, such as '0 3 * * *'"):
        engine.schedule(is_done, "@daily")
    with printed("write it as crontab(5) says, such as '0 3 * * *': *"):
        engine.schedule(is_done, "0 25 * * *")

    engine.schedule(is_done, "0 3 * * *")


def test_a_day_that_never_comes() -> None:
    with printed("check day and month: it is never due"):
        cron("0 0 */30 * FRI#3")

    cron("0 0 */30 * FRI#1")


def test_a_zone_that_is_none(engine: Engine) -> None:
    with printed(
        "give the name of a zone, such as 'Europe/Vienna'; a system without them needs tzdata"
    ):
        engine.schedule(is_done, "0 3 * * *", tz="Vienna")

    engine.schedule(is_done, "0 3 * * *", tz="Europe/Vienna")


def test_a_moment_without_a_zone() -> None:
    with printed("give an aware moment, such as datetime.now(UTC)"):
        cron("0 3 * * *", after=datetime(2026, 1, 1))

    cron("0 3 * * *", after=datetime.now(UTC))


def test_a_name_of_a_schedule_that_is_none(engine: Engine) -> None:
    with printed("give it a printable name of 1 to * characters"):
        engine.schedule(is_done, "0 3 * * *", name="")

    engine.schedule(is_done, "0 3 * * *", name="x" * 450)
    assert engine.expire("schedule:" + "x" * 450).index["last"] == "x" * 450 + "@2026-01-01T03:00Z"


def test_words_that_are_none(engine: Engine) -> None:
    for _ in range(2):
        with printed("choose from *"):
            engine.schedule(is_done, "0 3 * * *", catch_up="some")
    with printed("choose from *"):
        engine.schedule(is_done, "0 3 * * *", overlap="some")
    with printed("give overlap='allow' too, since several begin at once"):
        engine.schedule(is_done, "0 3 * * *", catch_up="all")

    engine.schedule(is_done, "0 3 * * *", catch_up="all", overlap="allow")


def test_a_schedule_that_was_cancelled(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    run = engine.schedule(is_done, "0 3 * * *")
    engine.cancel(run.id)
    engine.schedule(is_done, "0 3 * * *")
    assert "delete its run first, if it is to be declared anew" in caplog.text

    engine.delete(run.id)
    assert engine.schedule(is_done, "0 3 * * *").state is RunState.SUSPENDED


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "cronsim", None)
        with printed("install cronsim, by pip install 'longterm[schedules]': *"):
            cron("0 3 * * *")

    cron("0 3 * * *")
