"""Every remedy that is named when a step is made, or cannot run, is followed literally.

A remedy has two texts of a module: one that is refused with it, and the same with what it says to
do, whose flow `main` then runs to its end. Where it has none, that calls the step `pay`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import longterm
from longterm import Engine, RunState, StepUnknown, deflow, step
from longterm.database import Database
from longterm.testing import FakeClock
from tests.advice import advice_of, is_told, printed, tried_in

PRELUDE = """\
import asyncio, sqlite3
from datetime import timedelta
from longterm import Retry, deflow, start_flow, step, step_key, suspend
from longterm.database import Database

def charge(order="o"):
    return f"charged {order}"

def open_ledger():
    return sqlite3.connect("ledger.db")

ledger = Database("ledger.db")
ledger.migrate()

"""
MAIN = """
    @deflow
    def main():
        return pay()
"""
PLAIN = "pay = step(charge)\n"
ASYNC = """
    @step(timeout=timedelta(seconds=30))
    async def pay():
        return await asyncio.sleep(0, "paid")

    @deflow
    async def main():
        return await pay()
"""
IN_ITSELF = (
    "call it in the flow itself, such as in a list: `[*(each) for each in values]`; "
    "`*.__wrapped__` is the plain function, which is not saved"
)
MAPPED = """
    @step
    def pay(order):
        return "paid " + order

    @deflow
    def main():
        return list(map(pay, "ab"))
"""
WAITS = "wait in the flow, before or after it; or take @step away and put @deflow there"
WAITING = """
    @step
    def pay():
        return suspend("a")
"""


def made_with(options: str) -> str:
    """Write a module whose step is made with some options."""
    return f"pay = step(charge, {options})"


# The remedy; what is refused; what follows it.
CASES: list[tuple[str, str, str]] = [
    ("put @step on a function", "pay = step('charge')", PLAIN),
    ("put @step on a plain function", "pay = step(step(charge))", PLAIN),
    ("return a list", """
        @step
        def pay():
            yield "paid"
    """, """
        @step
        def pay():
            return ["paid"]
    """),
    ("write @* above @step, not below", """
        class Till:
            @step
            @staticmethod
            def pay():
                return "paid"

        pay = Till.pay
    """, """
        class Till:
            @staticmethod
            @step
            def pay():
                return "paid"

        pay = Till.pay
    """),
    ("give 1 or more", made_with("max_attempts=0"), made_with("max_attempts=1")),
    ("give a class such as ConnectionError, or a tuple of classes", made_with("retry_on='all'"),
     made_with("retry_on=ConnectionError")),
    ("give a function: `lambda attempt: timedelta(seconds=10)`", made_with("backoff=10"),
     made_with("backoff=lambda attempt: timedelta(seconds=10)")),
    ("give timedelta(seconds=30)", ASYNC.replace("timedelta(seconds=30)", "30"), ASYNC),
    ("make it an `async def`, or give a timeout to what it calls",
     made_with("timeout=timedelta(seconds=30)"), ASYNC),
    ("leave one of them out", made_with("at_most_once=True, max_attempts=2"),
     made_with("at_most_once=True")),
    ("give the queue, too: queue='mail'", made_with("partition='a'"), PLAIN),
    ("give longterm.database.Database(what opens it)", """
        @step(db=open_ledger)
        def pay(ledger):
            return ledger.execute("SELECT 'paid'").fetchone()
    """, """
        @step(db=Database(open_ledger))
        def pay(ledger):
            return ledger.execute("SELECT 'paid'").fetchone()
    """),
    ("leave that out", """
        @step(db=ledger, at_most_once=True)
        def pay(ledger):
            return "paid"
    """, """
        @step(db=ledger)
        def pay(ledger):
            return "paid"
    """),
    ("write `def`", """
        @step(db=ledger)
        async def pay(ledger):
            return "paid"
    """, """
        @step(db=ledger)
        def pay(ledger):
            return "paid"
    """),
    (IN_ITSELF, MAPPED, MAPPED.replace('list(map(pay, "ab"))', '[pay(each) for each in "ab"]')),
    (IN_ITSELF, MAPPED, MAPPED.replace("map(pay,", "map(pay.__wrapped__,")),
    (WAITS, WAITING, """
        @step
        def pay(answer):
            return answer

        @deflow
        def main():
            return pay(suspend("a"))
     """),
    (WAITS, WAITING, WAITING.replace("@step", "@deflow")),
    ("call it in the function with @step", """
        @deflow
        def main():
            return step_key()
    """, """
        @step
        def pay():
            return step_key()
    """),
    ("give timedelta(minutes=5)", """
        @deflow
        def main():
            raise Retry(after=5)
    """, """
        tried = []

        @step(max_attempts=2)
        def pay():
            tried.append(1)
            if len(tried) == 1:
                raise Retry(after=timedelta(minutes=5))
    """),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    longterm.set_runstore("memory://")


def run_main(name: str, text: str) -> RunState:
    """Write a module, import it, and run its flow `main` until it has ended."""
    whole = PRELUDE + dedent(text) + ("" if "def main" in text else dedent(MAIN))
    Path(f"{name}.py").write_text(whole, "utf-8")
    flow = import_module(name).main
    clock = FakeClock()
    engine = Engine("memory://", clock=clock)
    if inspect.iscoroutinefunction(flow):
        return asyncio.run(engine.astart_flow(flow)).state
    run = engine.start_flow(flow)
    while run.waiting_for:
        if run.waiting_for == "a":
            run = engine.process_event(run.id, "a", 1)
        else:
            clock.advance(timedelta(hours=1))  # the pause between two attempts
            assert engine.run_pending() == 1
            run = engine.get_run(run.id)
    return run.state


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:40] for each, *_ in CASES])
def test_a_remedy_works_when_it_is_followed(number: int) -> None:
    remedy, refused, followed = CASES[number]

    with printed(remedy):
        run_main(f"step_refused_{number}", refused)

    assert run_main(f"step_followed_{number}", followed) == "complete"


def test_an_asynchronous_database_has_asynchronous_steps() -> None:
    asynchronous = pytest.importorskip("sqlalchemy.ext.asyncio", reason="NOT TESTED: SQLAlchemy")
    for name in ("aiosqlite", "greenlet"):
        pytest.importorskip(name, reason=f"NOT TESTED: {name} is missing")
    ledger = Database(asynchronous.create_async_engine("sqlite+aiosqlite:///shop.db"))

    def pay(tx: Any) -> None:
        pass

    async def pay_soon(tx: Any) -> None:
        pass

    with printed("write `async def`"):
        step(pay, db=ledger)

    step(pay_soon, db=ledger)


SHOP = """\
from datetime import timedelta
from longterm import deflow, step

@step(max_attempts=2, backoff=lambda attempt: timedelta(hours=1))
def pay():
    if not tried:
        tried.append(1)
        raise OSError("no network")
    return "paid"

tried = []

@deflow
def main():
    return pay()
"""


def test_a_step_that_is_a_plain_function_today() -> None:
    Path("steps_shop.py").write_text(SHOP)
    shop = import_module("steps_shop")
    engine = Engine("memory://", clock=FakeClock())
    run = engine.start_flow(shop.main)
    made, shop.pay = shop.pay, shop.pay.__wrapped__

    with printed("put @step on it"):
        engine.expire(run.id)
    shop.pay = made

    assert engine.expire(run.id).result == "paid"


launched: list[str] = []
told: list[str] = []


@step(at_most_once=True)
def launch(rocket: str) -> None:
    launched.append(rocket)
    raise KeyboardInterrupt


@deflow
def launches(rocket: str) -> str:
    try:
        launch(rocket)
    except StepUnknown as error:
        told.append(str(error))
    return "found out"


def test_a_step_of_which_nobody_knows() -> None:
    engine = Engine("memory://", clock=FakeClock())
    with pytest.raises(KeyboardInterrupt):
        engine.start_flow(launches, "R7")

    assert engine.run_pending() == 1

    assert is_told(
        "find out whether it was done, and catch StepUnknown to go on; it is not begun again",
        told[0],
    )
    (run,) = engine.find_runs()
    assert (run.result, launched) == ("found out", ["R7"])


ledger = Database("ledger.db")


@step(db=ledger)
def book(tx: Any) -> str:
    return "booked"


@deflow
def books_out_of_sight() -> str:
    @step(db=ledger)
    def hidden(tx: Any) -> str:
        return "booked"

    return hidden()


@deflow
def books() -> str:
    return book()


def test_a_step_that_nobody_finds_by_its_name() -> None:
    ledger.migrate()
    engine = Engine("memory://")

    with printed("put @step(db=…) on a function of a module"):
        engine.start_flow(books_out_of_sight)

    assert engine.start_flow(books).result == "booked"


TRIED = tried_in(__file__) | {remedy for remedy, *_ in CASES}
"""What is tried here; that nothing is forgotten is tested with the other remedies."""


def test_every_remedy_is_one_of_today() -> None:
    assert advice_of(Path(longterm.__file__).parent) >= TRIED
