"""What type checkers see through the interface; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, assert_type

from longterm import (
    Child,
    CurrentRun,
    Engine,
    Event,
    Run,
    RunState,
    acting_as,
    afind_runs,
    astart_flow,
    call,
    cancel,
    current_run,
    deflow,
    find_runs,
    gather,
    get_run,
    now,
    process_event,
    send,
    sleep,
    spawn,
    start_flow,
    step,
    step_key,
    suspend,
)
from longterm.database import Database
from longterm.history import HistoryEntry
from longterm.telemetry import Telemetry


@deflow(also="old_shop:approve")
def approve_kept(order: int) -> str:
    """Return who approved, under the name that it had."""
    return approve(order)


assert_type(approve_kept(1), str)


@deflow
def approve(order: int, *, urgent: bool = False) -> str:
    """Return who approved."""
    return str(suspend("approval")) if urgent else f"nobody for {order}"


@deflow
async def chat(name: str) -> list[str]:
    """Return what was said."""
    return [name, suspend("text")]


class Shop:
    """A class with a flow among its methods."""

    @deflow
    def sell(self, item: str) -> float:
        """Return the price."""
        return float(suspend(item))


@step
def charge(order: int, *, currency: str = "EUR") -> float:
    """Return what was paid."""
    assert_type(step_key(), str)
    return float(order)


@step(max_attempts=3, retry_on=(OSError, ValueError), timeout=timedelta(seconds=1))
async def quote(order: int) -> str:
    """Return a price."""
    return f"{order}"


class Till:
    """A class with a step among its methods."""

    @step(backoff=lambda attempt: timedelta(seconds=attempt))
    def open(self, drawer: int) -> bool:
        """Return whether it opens."""
        return drawer > 0


assert_type(charge(1, currency="USD"), float)
assert_type(Till().open(1), bool)
assert_type(step(charge, max_attempts=3)(1), float)
charge("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
charge(1, money="EUR")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
step(retry_on=KeyboardInterrupt)  # type: ignore[arg-type]  # pyright: ignore


def _any_step(function: Callable[[int], Coroutine[Any, Any, str]]) -> None: ...


_any_step(quote)


async def _awaited() -> None:
    assert_type(await quote(1), str)
    assert_type(await step(quote, max_attempts=2)(1), str)
    assert_type(await chat("Ann"), list[str])
    assert_type(await astart_flow(chat, "Ann"), Run[list[str]])
    assert_type(await astart_flow(approve, 1), Run[str])
    assert_type(await Engine("memory://").astart_flow(chat, "Ann"), Run[list[str]])
    assert_type(await Engine("memory://").astart(chat, ("Ann",), id="a"), Run[list[str]])
    assert_type(await Engine("memory://").astart(approve, (1,)), Run[str])
    assert_type(await afind_runs(flow=chat, older_than=timedelta(days=1)), list[Run])
    await afind_runs(older_than=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await astart_flow(chat, 1)  # type: ignore[call-overload]  # pyright: ignore
    await sleep(timedelta(days=1))


def _any_run(run: Run) -> Run[int]:
    """Take a run of whatever flow: its result can be anything."""
    assert_type(run.to_dict(), dict[str, Any])
    return run


assert_type(approve(1, urgent=True), str)
assert_type(Shop().sell("tea"), float)
assert_type(call(approve, 1, urgent=True), str)
assert_type(start_flow(approve, 1, urgent=True), Run[str])
assert_type(Engine("memory://").start_flow(Shop().sell, "tea"), Run[float])
assert_type(Engine("memory://").start(approve, (1,), {"urgent": True}, id="order 1"), Run[str])
assert_type(Engine("memory://").start(chat, ("Ann",), at=timedelta(days=1)), Run[list[str]])
assert_type(Engine("runs.db").within(object()).start(approve, (1,)), Run[str])
assert_type(Engine("memory://").join("id", timeout=1).revision, int)
assert_type(start_flow(approve, 1).result, str | Any)
start_flow(approve, 1).result.upper()
assert_type(process_event("id", "approval", "yes", key="click"), Run[Any])
assert_type(get_run("id").result, Any)
assert_type(find_runs(state="suspended"), list[Run[Any]])
assert_type(find_runs(index={"patient": 1}, limit=5), list[Run])
assert_type(Engine("memory://").delete(index={"patient": 1}), int)
assert_type(Engine("memory://", history="frames").history("id"), list[HistoryEntry])
assert_type(Engine("memory://").fork("id", at=2, id="another").state, RunState)
assert_type(Engine("memory://").rewind("id", to=0).revision, int)
with acting_as("ada"):
    pass
assert_type(cancel("id", force=True), Run[Any])

later = timedelta(days=1)
vote, anything = Event("vote", int), Event("anything")
assert_type(suspend(vote), int)
assert_type(suspend(vote, expires=later), int)
assert_type(suspend(vote, expires=later, default=None), int | None)
assert_type(suspend(Event("nothing", None)), None)
assert_type(suspend(anything), Any)
assert_type(suspend("vote"), Any)
assert_type(suspend("vote", type=int), int)
assert_type(suspend("vote", type=int, expires=later, default=None), int | None)
assert_type(suspend("vote", type=list[int], to="all", ask={"n": 1}), list[int])
assert_type(suspend("vote", type=Literal["yes", "no"]), Any)
assert_type(suspend(vote, to=["Ada"], ask="How many?"), int)
suspend("vote", to=7)  # type: ignore[call-overload]  # pyright: ignore
assert_type(suspend("vote", expires=later, default=None), Any)
assert_type(suspend(vote, "nudge", expires=later, default=None), Any)
assert_type(suspend(*["a", "b"]), Any)
process_event("id", vote, 1, revision=3)
suspend(vote, 7)  # type: ignore[call-overload]  # pyright: ignore

# Children: what `spawn` returns knows the result of its flow.
approved, said = spawn(approve, 1, urgent=True), spawn(chat, "Ann")
assert_type(approved, Child[str])
assert_type(said, Child[list[str]])
assert_type(approved.run_id, str)
assert_type(suspend(approved), str)
assert_type(suspend(said, expires=later), list[str])
assert_type(suspend(approved, expires=later, default=None), str | None)
assert_type(gather(approved, spawn(approve, 2)), list[str])
assert_type(suspend(approved, said, vote), Any)
assert_type(send("id", vote, 1, key="click").number, int | None)
spawn(approve, "1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
spawn(approve)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
gather(vote)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(now(), datetime)
assert_type(current_run(), CurrentRun)

ledger = Database("books.db")


@step(db=ledger, max_attempts=3)
def book(tx: Any, item: str) -> int:
    return 1


assert_type(book("tea"), int)
assert_type(ledger.once("key", lambda tx: "tea"), str)
book(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

sleep(datetime.now(UTC))
sleep(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
approve("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
start_flow(approve, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
start_flow(approve, 1, urgent="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
find_runs(customer=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
start_flow(approve, 1).result.uper()  # type: ignore[union-attr]  # pyright: ignore
call(Shop().sell, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def observes() -> Engine:
    return Engine("memory://", observer=Telemetry(exceptions=True))
