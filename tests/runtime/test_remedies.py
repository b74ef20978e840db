"""Every remedy that the engine, a turn or a worker names is followed literally, and helps.

Most have a line in a table: what is refused with the remedy, and the same as the remedy says. The
others have a test of their own. A remedy that is new in the code has neither, and fails the last
test.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

import longterm
from longterm import Engine, Event, Run, RunState, deflow, set_index, sleep, suspend
from longterm._codec.types import registered
from longterm._names import LONGEST
from longterm._turns.claim import Claim
from longterm.store import open_store
from longterm.store.memory import MemoryStore
from longterm.testing import EXPIRE, FakeClock, interpret, play
from longterm.testing._sample_runs import suspended_run
from longterm.worker import Worker
from tests.advice import advice_of, is_told, printed, said_by_python, tried_in
from tests.runtime import test_step_remedies
from tests.sealing import envelope, forget

__all__ = ["envelope"]

PACKAGE = Path(longterm.__file__).parent
DAY = timedelta(days=1)


@deflow
def asks(question: str = "q") -> Any:
    return suspend(question)


@deflow
async def asks_soon() -> Any:
    await asyncio.sleep(0)
    return suspend("q")


@deflow
def waits_for(*events: Any, **options: Any) -> Any:
    return suspend(*events, **options)


@deflow
def sleeps(how_long: Any) -> None:
    sleep(how_long)


@deflow
def is_found_by(**facts: Any) -> Any:
    set_index(**facts)
    return suspend("q")


@deflow
def fails_at_first() -> Any:
    suspend("q")
    if "mended" not in Path("state").read_text():
        raise LookupError("not mended")
    return "mended"


@deflow
def takes(lock: Any) -> Any:
    with lock:
        if not Path("state").read_text():
            raise LookupError("not mended")
    del lock
    return suspend("q")


@deflow
def holds(size: int) -> Any:
    text = "x" * size
    suspend("q")
    return len(text)


@deflow
def dives(depth: int) -> Any:
    return dives(depth - 1) if depth else suspend("q")


@deflow
def is_slow() -> str:
    suspend("q", expires=DAY, default=None)
    time.sleep(float(Path("state").read_text()))
    return "done"


def plain() -> None:
    pass


@pytest.fixture
def engine(envelope: None, tmp_path: Path, monkeypatch: Any) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    engine = Engine("memory://", clock=FakeClock())
    longterm.set_runstore(engine.store)
    yield engine
    longterm.set_runstore("memory://")


def a_run(engine: Engine, event: str = "q") -> str:
    return engine.start_flow(asks, event).id


def ended(engine: Engine) -> str:
    return engine.process_event(a_run(engine), "q", 1).id


async def acall(run: Run) -> None: ...


whole = Event("whole", Sequence[int])
OF_CLASSES = "give a class, or a type made of classes such as list[Order] or Literal['yes', 'no']"
DEADLINE = "write *, or give an aware datetime"
EVENT = 'write suspend("approved"), process_event(run_id, "approved", value)'
QUERY = "give a string without NUL"

Step = Callable[[Engine], object]
CASES: list[tuple[str, Step, Step]] = [
    ("check the id, and the store's URL",
     lambda e: e.get_run("r"), lambda e: e.get_run(a_run(e))),
    ("write start(flow, (), {'item': item}), or start_flow(flow, item=item)",
     lambda e: e.start(asks, kwargs=["q"]),  # type: ignore[arg-type]
     lambda e: (e.start(asks, (), {"question": "q"}), e.start_flow(asks, question="q"))),
    ("choose another id",
     lambda e: [e.store.create(suspended_run("r")) for _ in range(2)],
     lambda e: [e.store.create(suspended_run(each)) for each in ("r1", "r2")]),
    ("give `run.id`",
     lambda e: e.get_run(e.start_flow(asks)),  # type: ignore[arg-type]
     lambda e: e.get_run(e.start_flow(asks).id)),
    ("use `await a*(...)`",
     lambda e: e.start_flow(asks_soon), lambda e: asyncio.run(e.astart_flow(asks_soon))),
    ("use `await a*(...)`",
     lambda e: e.process_event(asyncio.run(e.astart_flow(asks_soon)).id, "q"),
     lambda e: asyncio.run(e.aprocess_event(asyncio.run(e.astart_flow(asks_soon)).id, "q"))),
    ("put @deflow on the function",
     lambda e: e.start_flow(plain), lambda e: e.start_flow(asks)),
    ("start the flow with start_flow, or try it with longterm.testing.interpret",
     lambda e: asks(), lambda e: e.start_flow(asks)),
    ("start the flow with start_flow, or try it with longterm.testing.interpret",
     lambda e: asks(), lambda e: interpret(asks, [], [1])),
    ("give EXPIRE", lambda e: play(sleeps, [DAY], ["late"]),
     lambda e: play(sleeps, [DAY], [EXPIRE])),
    # -- events, keys and exceptions
    ("it waits for *", lambda e: e.process_event(a_run(e), "other"),
     lambda e: e.process_event(a_run(e), "q")),
    (EVENT, lambda e: e.start_flow(waits_for, 5), lambda e: e.start_flow(waits_for, "approved")),
    (EVENT, lambda e: e.process_event(a_run(e), ""),
     lambda e: e.process_event(a_run(e, "approved"), "approved", 1)),
    ("give each name once", lambda e: e.start_flow(waits_for, "a", "a"),
     lambda e: e.start_flow(waits_for, "a", "b")),
    ("send one that does; nothing has changed",
     lambda e: e.process_event(e.start_flow(waits_for, "q", type=int).id, "q", "x"),
     lambda e: e.process_event(e.start_flow(waits_for, "q", type=int).id, "q", 5)),
    ("give the type itself", lambda e: e.start_flow(waits_for, "q", type="int"),
     lambda e: e.start_flow(waits_for, "q", type=int)),
    *((OF_CLASSES, lambda e: e.start_flow(waits_for, "q", type=5),
       lambda e, wanted=wanted: e.start_flow(waits_for, "q", type=wanted))
      for wanted in (int, list[int], Literal["yes", "no"])),
    ("name = Event('name', the type)",
     lambda e: e.start_flow(waits_for, "whole", type=Sequence[int]),
     lambda e: e.start_flow(waits_for, whole)),
    ("give a `def`, no `async def`",
     lambda e: Engine(e.store, on_turn=acall),
     lambda e: Engine(e.store, on_turn=print)),
    ("wait for fewer, or give them shorter names",
     lambda e: e.start_flow(waits_for, *(f"{n:0{LONGEST}}" for n in range(200))),
     lambda e: e.start_flow(waits_for, *(f"{n}" * LONGEST for n in range(3)))),
    ("wait for fewer, or give them shorter names",
     lambda e: e.start_flow(waits_for, *(f"{n:0{LONGEST}}" for n in range(200))),
     lambda e: e.start_flow(waits_for, *(f"{n}" for n in range(200)))),
    ("give the message's id in the queue, as text",
     lambda e: e.process_event(a_run(e), "q", key=4711),  # type: ignore[arg-type]
     lambda e: e.process_event(a_run(e), "q", key="4711")),
    ("give each delivery a key of its own, such as the message's id in the queue",
     lambda e: [e.send(run, "q", n, key="k") for run in [a_run(e)] for n in range(2)],
     lambda e: [e.send(run, "q", n, key=f"m-{n}") for run in [a_run(e)] for n in range(2)]),
    ('give an instance such as ValueError("too late"), or its class',
     lambda e: e.throw(a_run(e), "too late"),  # type: ignore[arg-type]
     lambda e: raised(ValueError, lambda: e.throw(a_run(e), ValueError("too late")))),
    ('give an instance such as ValueError("too late"), or its class',
     lambda e: e.throw(a_run(e), "too late"),  # type: ignore[arg-type]
     lambda e: raised(ValueError, lambda: e.throw(a_run(e), ValueError))),
    ("send it again when the run has read some: `longterm show` says what it waits for; or raise "
     "the limit: Engine(store, max_unread=*)",
     lambda e: fill(e), lambda e: e.process_event(fill(e, 0), "q")),
    # -- deadlines
    (DEADLINE, lambda e: e.start_flow(waits_for, "q", default=1),
     lambda e: e.start_flow(waits_for, "q", expires=timedelta(days=3), default=None)),
    (DEADLINE, lambda e: e.start_flow(waits_for, "q", expires=3),
     lambda e: e.start_flow(waits_for, "q", expires=datetime(2030, 1, 1, tzinfo=UTC))),
    (DEADLINE, lambda e: e.start_flow(waits_for, "q", expires=timedelta.max),
     lambda e: e.start_flow(waits_for, "q", expires=timedelta(days=3), default=None)),
    (DEADLINE, lambda e: e.start_flow(sleeps, datetime(2030, 1, 1)),
     lambda e: e.start_flow(sleeps, timedelta(days=3))),
    # -- facts and queries
    ("set a string, a number, a bool or None",
     lambda e: e.start_flow(is_found_by, who=["Ada"]),
     lambda e: [e.start_flow(is_found_by, who=each) for each in ("Ada", 1, 1.5, True, None)]),
    ("give it a name of at most * bytes",
     lambda e: e.start_flow(is_found_by, **{"n" * 101: 1}),
     lambda e: e.start_flow(is_found_by, **{"n" * 100: 1})),
    ("set a text of at most * bytes",
     lambda e: e.start_flow(is_found_by, who="x" * 2_001),
     lambda e: e.start_flow(is_found_by, who="x" * 1_998)),
    ("set an integer of at most * bits",
     lambda e: e.start_flow(is_found_by, who=1 << 2_000),
     lambda e: e.start_flow(is_found_by, who=(1 << 2_000) - 1)),
    ("choose from *", lambda e: e.find_runs(state="open"),
     lambda e: [e.find_runs(state=each) for each in RunState]),
    ("give a number of runs, such as 100",
     lambda e: e.find_runs(limit=-1), lambda e: e.find_runs(limit=100)),
    ("give the id of a run",
     lambda e: e.find_runs(after="\0"), lambda e: e.find_runs(after=a_run(e))),
    (QUERY, lambda e: e.find_runs(flow="\0"), lambda e: e.find_runs(flow="shop:order")),
    ("give a shorter time",
     lambda e: e.prune(timedelta(days=10**6)), lambda e: e.prune(timedelta(days=10**3))),
    ("give a run's id, or at least one fact",
     lambda e: e.delete(), lambda e: e.delete(ended(e))),
    ("give a run's id, or at least one fact",
     lambda e: e.delete(), lambda e: e.delete(index={"who": "Ada"})),
    ("give a run's id or facts, not both",
     lambda e: e.delete(ended(e), index={"who": "Ada"}), lambda e: e.delete(ended(e))),
    ("give a run's id or facts, not both",
     lambda e: e.delete(ended(e), index={"who": "Ada"}), lambda e: e.delete(index={"who": "Ada"})),
    # -- states
    ("start a new run", lambda e: e.process_event(ended(e), "q"), lambda e: a_run(e)),
    ("start a new run",
     lambda e: e.process_event(e.cancel(a_run(e), force=True).id, "q"), lambda e: a_run(e)),
    ("cancel it first: cancel(run_id), or cancel(run_id, force=True) if its code is gone",
     lambda e: e.delete(a_run(e)), lambda e: e.delete(cancelled(e, a_run(e)))),
    ("cancel it first: cancel(run_id), or cancel(run_id, force=True) if its code is gone",
     lambda e: e.delete(a_run(e)), lambda e: e.delete(e.cancel(a_run(e), force=True).id)),
    ("see get_run", lambda e: e.retry(a_run(e)), lambda e: e.get_run(a_run(e))),
    # -- limits
    ("keep what is large elsewhere and hold its key, or raise the limit: "
     "Engine(store, max_bytes=*)",
     lambda e: Engine(e.store, max_bytes=1_000).start_flow(holds, 2_000),
     lambda e: Engine(e.store, max_bytes=1_000).start_flow(asks, "q")),
    ("give timedelta(seconds=60)",
     lambda e: Engine(e.store, lease=timedelta(0)),
     lambda e: Engine(e.store, lease=timedelta(seconds=60))),
    ("give *, 64 MiB", lambda e: Engine(e.store, max_bytes=0),
     lambda e: Engine(e.store, max_bytes=64 * 2**20)),
    ("give *, 16 MiB", lambda e: Engine(e.store, max_event_bytes=0),
     lambda e: Engine(e.store, max_event_bytes=16 * 2**20)),
    ("give timedelta(seconds=1)", lambda e: Worker(e, poll=timedelta(0)),
     lambda e: Worker(e, poll=timedelta(seconds=1))),
    ("give 30, or None", lambda e: Worker(e, turn_seconds=0),
     lambda e: [Worker(e, turn_seconds=each) for each in (30, None)]),
    ("give 30, or 0", lambda e: Worker(e, grace_seconds=-1),
     lambda e: [Worker(e, grace_seconds=each) for each in (30, 0)]),
]  # fmt: skip


def raised(kind: type[Exception], step: Callable[[], object]) -> None:
    with pytest.raises(kind):
        step()


def cancelled(engine: Engine, run_id: str) -> str:
    with contextlib.suppress(longterm.Cancelled):
        engine.cancel(run_id)
    return run_id


def fill(engine: Engine, more: int = 1) -> str:
    """Send a run as many events as the engine allows, and some more."""
    run = a_run(engine)
    small = Engine(engine.store, clock=engine.clock, max_unread=3)
    for _ in range(3 + more):
        small.send(run, "other")
    return run


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:40] for each, *_ in CASES])
def test_a_remedy_works_when_it_is_followed(engine: Engine, number: int) -> None:
    remedy, refused, followed = CASES[number]

    with printed(remedy):
        refused(engine)

    followed(engine)


# -- limits --------------------------------------------------------------------------------------


def limit_in(error: pytest.ExceptionInfo[BaseException]) -> dict[str, int]:
    """Return the argument that an error says to give."""
    found = re.search(r"(max_\w+)=(\d+)\)", str(error.value))
    assert found is not None
    return {found[1]: int(found[2])}


def test_limits_are_raised_as_the_error_says(engine: Engine) -> None:
    store = engine.store
    with printed(
        "keep what is large elsewhere and hold its key, or raise the limit: "
        "Engine(store, max_bytes=*)"
    ) as caught:
        Engine(store, max_bytes=1_000).start_flow(holds, 2_000)
    run = Engine(store, **limit_in(caught)).start_flow(holds, 2_000)
    with printed("raise the limit if you trust who wrote it: Engine(store, max_bytes=*)") as caught:
        Engine(store, max_bytes=1_000).process_event(run.id, "q")
    assert Engine(store, **limit_in(caught)).process_event(run.id, "q").result == 2_000

    run = engine.start_flow(asks)
    with printed(
        "keep what is large elsewhere and send its key, or raise the limit: "
        "Engine(store, max_event_bytes=*)"
    ) as caught:
        Engine(store, max_event_bytes=1_000).process_event(run.id, "q", "x" * 2_000)
    assert Engine(store, max_event_bytes=1_000).process_event(run.id, "q", "key").result == "key"
    run = engine.start_flow(asks)
    Engine(store, **limit_in(caught)).process_event(run.id, "q", "x" * 2_000)

    with printed(
        "send it again when the run has read some: `longterm show` says what it waits for; or "
        "raise the limit: Engine(store, max_unread=*)"
    ) as caught:
        fill(engine)
    Engine(store, **limit_in(caught)).send(fill(engine, 0), "other")


def test_a_stack_that_is_deeper_than_this_process_lets_calls_nest(engine: Engine) -> None:
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(3_000)
        run = engine.start_flow(dives, 900)
        sys.setrecursionlimit(500)
        with printed("raise that where the application starts: sys.setrecursionlimit(*)") as caught:
            engine.process_event(run.id, "q", 1)
        found = re.search(r"setrecursionlimit\((\d+)\)", str(caught.value))
        assert found is not None
        sys.setrecursionlimit(int(found[1]))
        assert engine.process_event(run.id, "q", 1).result == 1
    finally:
        sys.setrecursionlimit(before)


# -- turns ---------------------------------------------------------------------------------------


def test_a_turn_whose_claim_was_lost(engine: Engine) -> None:
    run = engine.start_flow(asks)
    claimed = engine.store.unsuspend(run.id, "q")
    assert claimed is not None
    engine.cancel(run.id, force=True)

    with printed("nothing of the turn is stored; get_run shows how the run stands"):
        engine.store.update(claimed.changed(state=RunState.COMPLETE))

    assert engine.get_run(run.id).state == "cancelled"


def test_a_run_in_the_middle_of_a_turn(engine: Engine) -> None:
    run = engine.start_flow(asks)
    claimed = engine.store.unsuspend(run.id, "q")
    assert claimed is not None

    with printed("wait for it to end"):
        engine.process_event(run.id, "q")
    engine.store.update(claimed.changed(state=RunState.SUSPENDED, waiting_for="q"))

    assert engine.process_event(run.id, "q", 1).result == 1


def test_an_event_that_is_not_unread(engine: Engine) -> None:
    run = engine.start_flow(asks)
    engine.send(run.id, "later", 1)

    with printed("see unread_events and refused_events for those that it has"):
        engine.discard_event(run.id, 7)

    (event,) = engine.unread_events(run.id)
    assert engine.discard_event(run.id, event.number) == event


def test_an_exception_that_cannot_wait_for_the_end_of_a_turn(engine: Engine) -> None:
    run = engine.start_flow(asks)
    claimed = engine.store.unsuspend(run.id, "q")
    assert claimed is not None

    with printed("throw an Exception, or wait until the run is suspended"):
        engine.throw(run.id, GeneratorExit)

    assert engine.throw(run.id, ValueError("no")).unread == ("longterm.throw",)
    engine.store.update(claimed.changed(state=RunState.SUSPENDED))
    raised(GeneratorExit, lambda: engine.throw(run.id, GeneratorExit))


def test_a_run_that_has_failed(engine: Engine) -> None:
    Path("state").write_text("")
    run = engine.start_flow(fails_at_first)
    raised(LookupError, lambda: engine.process_event(run.id, "q"))

    with printed("see get_run(...).error, then retry it"):
        engine.process_event(run.id, "q")

    assert "LookupError: not mended" in str(engine.get_run(run.id).error)
    Path("state").write_text("mended")
    assert engine.retry(run.id).result == "mended"


def test_a_run_whose_turns_died_too_often(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = Engine("memory://", clock=clock, max_attempts=1)
    run = engine.start_flow(asks)
    Claim(engine._claims).take(run.id, "q")  # and its process dies
    clock.advance(DAY)

    with printed("find out what kills it; then retry(*)"):
        engine.process_event(run.id, "q")
    engine.retry(run.id)

    assert engine.process_event(run.id, "q", 1).result == 1


def test_a_turn_that_took_too_long(engine: Engine) -> None:
    Path("state").write_text("0.5")
    run = engine.start_flow(is_slow)
    engine.clock.advance(2 * DAY)

    Worker(engine, turn_seconds=0.05).run_once()
    assert is_told(
        "find out what it waits for, or give the worker a longer --turn-seconds; then retry the "
        "run",
        str(engine.get_run(run.id).error),
    )
    engine.retry(run.id)
    Worker(engine, turn_seconds=60).run_once()

    assert engine.get_run(run.id).result == "done"


def test_a_run_that_cannot_be_started_again(engine: Engine) -> None:
    Path("state").write_text("")
    raised(LookupError, lambda: engine.start_flow(takes, threading.Lock()))
    (run,) = engine.find_runs(state="failed")

    with printed("start a new run"):
        engine.retry(run.id)
    Path("state").write_text("mended")

    assert engine.start_flow(takes, threading.Lock()).waiting_for == "q"


# -- stores and keys -----------------------------------------------------------------------------


class LeastStore:
    """The four methods that every store has, and nothing more."""

    def __init__(self) -> None:
        kept = MemoryStore()
        self.create, self.get = kept.create, kept.get
        self.unsuspend, self.update = kept.unsuspend, kept.update


class FindingStore(LeastStore):
    """The same, and one more, as the page of the contract says."""

    def __init__(self) -> None:
        super().__init__()
        self.find = MemoryStore().find


def test_a_store_that_lacks_a_capability() -> None:
    with printed(
        "use a built-in store, or give yours the methods that docs/store-contract.md lists"
    ):
        Engine(LeastStore()).find_runs()

    assert Engine("memory://").find_runs() == []
    assert Engine(FindingStore()).find_runs() == []


def test_a_store_that_was_closed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    store = open_store(url)
    store.close()

    with printed("open it again with `open_store`"):
        Engine(store).find_runs()

    assert Engine(open_store(url)).find_runs() == []


def test_whether_versions_are_kept_is_said_by_the_environment(monkeypatch: Any) -> None:
    monkeypatch.setenv("LONGTERM_VERSIONS", "no")
    with printed("set on or off"):
        longterm.set_runstore("memory://")

    for wanted in ("on", "off"):
        monkeypatch.setenv("LONGTERM_VERSIONS", wanted)
        longterm.set_runstore("memory://")
        assert longterm.start_flow(asks).waiting_for == "q"


def test_a_key_that_is_too_short(engine: Engine) -> None:
    with printed(
        "make a key with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
    ) as caught:
        longterm.set_keys("secret")

    command = re.search(r"python3 (-c) '(.*)'\)$", str(caught.value))
    assert command is not None
    made = subprocess.run([sys.executable, *command.groups()], capture_output=True, text=True)
    longterm.set_keys(made.stdout.strip())
    assert engine.start_flow(asks).waiting_for == "q"


def test_runs_that_were_stored_before_there_was_a_key(engine: Engine, monkeypatch: Any) -> None:
    runs = [engine.start_flow(asks) for _ in range(2)]
    key = secrets.token_urlsafe(32)
    longterm.set_keys(key)

    with printed(
        "if runs were stored before there was a key, set LONGTERM_ACCEPT_UNSEALED=yes, or call "
        "set_keys(..., accept_unsealed=True), until each has gone on or was pruned"
    ):
        engine.process_event(runs[0].id, "q", 1)
    longterm.set_keys(key, accept_unsealed=True)

    assert engine.process_event(runs[0].id, "q", 1).result == 1
    forget()  # as a new process has not heard of it
    monkeypatch.setenv("LONGTERM_KEY", key)
    monkeypatch.setenv("LONGTERM_ACCEPT_UNSEALED", "yes")
    assert engine.process_event(runs[1].id, "q", 1).result == 1


class Colour:
    def __init__(self, name: str) -> None:
        self.name = name


@deflow
def paints(colour: Colour) -> str:
    suspend("q")
    return colour.name


def test_a_function_of_the_application_that_raises_while_a_value_is_decoded(
    engine: Engine, monkeypatch: Any
) -> None:
    for table in ("_by_class", "_by_name"):
        monkeypatch.setattr(registered, table, dict(getattr(registered, table)))
    longterm.register_type(Colour, encode=lambda each: each.name, decode=lambda name: KNOWN[name])
    run = engine.start_flow(paints, Colour("red"))

    with printed("it must work on a value as it was stored") as caught:
        engine.process_event(run.id, "q")
    assert isinstance(caught.value.__cause__, KeyError)
    KNOWN["red"] = Colour("red")

    assert engine.process_event(run.id, "q").result == "red"


KNOWN: dict[str, Colour] = {}


# -- code that another process has ---------------------------------------------------------------

SHOP = """\
from longterm import deflow, suspend


@deflow
def order():
    return suspend("q") + 1


@deflow
def outer():
    @deflow
    def inner():
        return suspend("q")
    return inner()
"""
START = "import longterm, shop; print(longterm.start_flow(shop.{}).id)"
GO_ON = "import longterm; print(longterm.process_event('{}', 'q', 1).state)"


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a program as a new process of the application."""

    def run(code: str) -> str:
        return said_by_python(
            "-c", code, cwd=tmp_path, LONGTERM_URL="sqlite:///runs.db", LONGTERM_CACHE="off"
        )

    (tmp_path / "shop.py").write_text(SHOP)
    return run


def test_a_flow_whose_module_is_not_imported(run_python: Any, tmp_path: Path) -> None:
    runs = [run_python(START.format("order")).strip() for _ in range(2)]

    assert is_told(
        "import * before the event is processed; if the flow was moved, keep a module * with `from "
        "new_module import *` in it",
        run_python(GO_ON.format(runs[0])),
    )

    assert run_python(f"import shop; {GO_ON.format(runs[0])}") == "complete\n"
    (tmp_path / "shop.py").rename(tmp_path / "new_module.py")
    (tmp_path / "shop.py").write_text("from new_module import order\n")
    assert run_python(f"import shop; {GO_ON.format(runs[1])}") == "complete\n"


@pytest.mark.parametrize("follow", ["moved", "renamed", "is still there"])
def test_a_flow_that_its_module_lacks(run_python: Any, tmp_path: Path, follow: str) -> None:
    shop = tmp_path / "shop.py"
    run = run_python(START.format("order")).strip()
    undecorated = SHOP.replace("@deflow\ndef order", "def order")
    wanted = {
        "moved": "from new_module import order\n",
        "renamed": SHOP.replace("def order", "def new_name") + "order = new_name\n",
        "is still there": SHOP,
    }
    (tmp_path / "new_module.py").write_text(SHOP)
    shop.write_text(undecorated if follow == "is still there" else "")

    assert is_told(
        "if it was moved, write `from new_module import *` there; if it was renamed, `* = "
        "new_name`; if it is still there, put @deflow above its def",
        run_python(f"import shop; {GO_ON.format(run)}"),
    )
    shop.write_text(wanted[follow])

    assert run_python(f"import shop; {GO_ON.format(run)}") == "complete\n"


def test_a_flow_inside_another_that_is_gone(run_python: Any, tmp_path: Path) -> None:
    run = run_python(START.format("outer")).strip()
    (tmp_path / "shop.py").write_text(SHOP.replace("def outer", "def outermost"))

    assert is_told(
        "keep the flow * in *, with the flows that are defined in it",
        run_python(f"import shop; {GO_ON.format(run)}"),
    )
    (tmp_path / "shop.py").write_text(SHOP)

    assert run_python(f"import shop; {GO_ON.format(run)}") == "complete\n"


def test_a_flow_that_has_changed(run_python: Any, tmp_path: Path) -> None:
    run, other, third = (run_python(START.format("order")).strip() for _ in "abc")
    (tmp_path / "shop.py").write_text(SHOP.replace("+ 1", "+ 2"))

    said = run_python(f"import shop; {GO_ON.format(run)}")
    assert is_told(
        "process the event with the code it was saved from, or undo what was changed of what comes "
        "after the wait and of the loops and blocks around it, or say beside the flow how such "
        'runs go on: @upgrade(*, since="*"), or keep the old code as a file: '
        "`longterm freeze *@*`",
        said,
    )
    (command,) = re.findall(r"`longterm (freeze shop:order@[0-9a-f]+)`", said)
    run_python(f"from longterm.cli import main; main({command.split()} + ['--output', 'old.py'])")
    assert run_python(f"import shop, old; {GO_ON.format(third)}") == "complete\n"
    undone = SHOP.replace("def order():", 'def order():\n    print("before the wait")\n')
    (tmp_path / "shop.py").write_text(undone)
    assert run_python(f"import shop; {GO_ON.format(run)}") == "complete\n"

    # The line is told as it is to be written; its body says where the run goes on.
    (line,) = re.findall(r"@(upgrade\(order, since=\"[0-9a-f]+\"\))", said)
    kept = f"import longterm\n@longterm.{line}\ndef go_on(frame):\n    frame.goto(1)\n"
    (tmp_path / "shop.py").write_text(SHOP.replace("+ 1", "+ 2") + kept)
    assert run_python(f"import shop; {GO_ON.format(other)}") == "complete\n"


def test_a_flow_of_a_program_that_cannot_be_imported(run_python: Any, tmp_path: Path) -> None:
    begin = "import longterm\nprint(longterm.start_flow(order).waiting_for)\n"
    program = tmp_path / "my-program.py"
    program.write_text(SHOP + begin)

    def run_program() -> str:
        return run_python("import runpy; runpy.run_path('my-program.py', run_name='__main__')")

    assert is_told(
        "write the flow in a file such as shop.py, and import it here; or keep its runs in memory, "
        "by set_runstore('memory://')",
        run_program(),
    )
    program.write_text("from shop import order\n" + begin)
    assert run_program() == "q\n"
    program.write_text(SHOP + "import longterm\nlongterm.set_runstore('memory://')\n" + begin)
    assert run_program() == "q\n"


def test_histories_of_no_such_kind() -> None:
    with printed("choose 'off', 'events' or 'frames'"):
        Engine("memory://", history="all")
    assert Engine("memory://", history="events")

    for wanted in ("all", "frames"):
        env = {"LONGTERM_HISTORY": wanted, "LONGTERM_URL": "memory://"}
        said = said_by_python("-c", "import longterm; print(longterm.find_runs())", **env)
        assert is_told("set off, events or frames", said) is (wanted == "all")
    assert said == "[]\n"


def test_a_revision_that_is_not_kept() -> None:
    store = MemoryStore()
    run = Engine(store).start_flow(waits_for, "q", "r")
    Engine(store).process_event(run.id, "q")
    with printed(
        'Engine(store, history="frames") keeps that from then on; '
        "`longterm history *` lists the revisions that are kept"
    ):
        Engine(store).fork(run.id, at=7)

    keeping = Engine(MemoryStore(), history="frames")
    run = keeping.start_flow(asks)
    keeping.process_event(run.id, "q")
    with printed("give an earlier revision: `longterm history *` lists them"):
        keeping.fork(run.id)
    kept = [entry.revision for entry in keeping.history(run.id) if entry.has_frames]
    assert keeping.fork(run.id, at=kept[-1]).waiting_for == "q"


def test_a_call_that_could_not_be_stored_is_started_anew() -> None:
    @deflow
    def fails(value: object) -> None:
        raise ValueError(value)

    engine = Engine("memory://")
    with contextlib.suppress(ValueError):
        engine.start_flow(fails, (number for number in [1]))
    (run,) = engine.find_runs()
    with printed("start it anew"):
        engine.fork(run.id)

    with pytest.raises(ValueError, match="1"):
        engine.start_flow(fails, 1)


def test_what_a_history_cannot_hold() -> None:
    unstorable = (number for number in [1])
    keeping = Engine("memory://", history="events")
    run = keeping.start_flow(asks)
    with printed('send plain data, or use Engine(store, history="off")'):
        keeping.process_event(run.id, "q", unstorable)
    assert keeping.process_event(run.id, "q", [1]).result == [1]

    plain = Engine("memory://", history="off")
    run = plain.start_flow(takes_the_next)
    assert plain.process_event(run.id, "q", unstorable).result == 1


@deflow
def takes_the_next() -> Any:
    return next(suspend("q"))


def test_an_actor_without_a_name() -> None:
    with printed("give the user's name or id, as text"), longterm.acting_as(4711):  # type: ignore[arg-type]
        pass
    with longterm.acting_as("4711"):
        assert Engine("memory://", history="events").start_flow(asks).waiting_for == "q"


TESTS = Path(__file__).parents[1]
OTHERS = [
    *(TESTS / "runtime" / f"test_{of}_remedies.py" for of in ("child", "queue")),
    TESTS / "database" / "test_database_remedies.py",
]
ELSEWHERE = {
    "make it in the `with` statement itself": "tests/runtime/test_generators.py",
    "await that task before the suspend": "tests/runtime/test_async_generators.py",
    "restore it from a backup; or, if somebody changed it by hand and it is right, set its "
    "checksum to NULL, and retry it if it is failed by now": "tests/store/test_remedies.py",
    "set the clocks of all machines by NTP; nothing need be restarted":
        "tests/store/test_remedies.py",
    "it tries again": "no advice",
    "check again": "the run that was looked at has gone on at this very moment",
    "try again": "a key that was pruned at this very moment is there no more",
    "to delete one that is replaced": "no advice",
    "deadlines and an outbox": "no advice",
    "most recent call last": "no advice",
    "pip install 'longterm[telemetry]'": "the extra is installed where its tests run",
    "the error cannot be read: *": "no advice",
    r"?P<name>(captured )?[^\s=]+|\([a-z ]+\)": "a pattern",
    **dict.fromkeys(
        ("deadline of this wait", "default of this wait", "events of this wait",
         "type of this wait", "step under way", "steps begun"), "what a slot is for"
    ),
    "so it was then; line * of the file *": "no advice",
    "the lines are the same, and mean something else: a name is another variable now, or a global "
    "or captured one; or the function or the class around is of another kind": "no advice",
}  # fmt: skip


def test_no_remedy_is_forgotten() -> None:
    tried = {remedy for remedy, *_ in CASES}.union(*map(tried_in, [__file__, *OTHERS]))
    others = [PACKAGE / each for each in ("_codec", "_flows", "_abi", "store", "cli", "testing",
                                          "demo", "pictures", "web", "links.py",
                                          "_engine/linking.py")]  # fmt: skip

    named = advice_of(PACKAGE, but=others) | advice_of(PACKAGE / "testing" / "__init__.py")

    assert tried | set(ELSEWHERE) | (test_step_remedies.TRIED & named) == named
