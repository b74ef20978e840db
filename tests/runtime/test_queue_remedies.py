"""Every remedy that is named of queues is followed, and helps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from longterm import Engine, deflow
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
