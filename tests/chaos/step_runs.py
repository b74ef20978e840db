"""Runs of steps: how processes take them on, and how they are judged by the diary of all calls."""

from __future__ import annotations

import os
import traceback
from collections import Counter, defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from longterm import Engine, RunState
from longterm.store import open_store
from tests.chaos.faulty_store import FaultyStore
from tests.chaos.step_flows import Process, async_sale, ledger, may_die, open_ledger, sale

CALLS = {"pay": 1, "charge": 1, "insist": 3, "come_back": 2, "book": 1, "pay again": 1}
"""How often each step is called if no process dies."""
DONE, RESTS = 0, 3
"""With what status a process ends that has taken a run on."""
LATER = timedelta(minutes=10)
"""After that leases have run out, and pauses are over."""


class Later:
    """The machine's clock, ahead by some time."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"slept for {seconds} s")


class Places(NamedTuple):
    """Where the runs, the diaries and the ledger are."""

    url: str
    folder: Path
    ledger: str

    def settle(self, token: str) -> None:
        """Tell this process where the steps find theirs."""
        Process.diary = self.folder / f"{token}.diary"
        Process.ledger = self.ledger

    def prepare(self) -> None:
        """Make the ledger, and run two runs in which nobody dies: forks need not load much then."""
        self.settle("nobody")
        ledger.migrate()
        with closing(open_ledger()) as books:
            books.execute("CREATE TABLE bookings (token text)")
            books.commit()
        for token in ("t0", "t1"):
            for ahead in (timedelta(0), LATER):
                take_on(self, token, ahead)
            judge(self, token)


def fork_and_take_on(places: Places, token: str, ahead: timedelta) -> int:
    """Take a run on in a process of its own, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os._exit(DONE if take_on(places, token, ahead) else RESTS)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def take_on(places: Places, token: str, ahead: timedelta) -> bool:
    """Begin a run, unless it is there, and take it on; tell whether it has ended."""
    places.settle(token)

    def fault(method: str, when: str, _step: object) -> None:
        may_die(f"{when} {method}")

    with closing(open_store(places.url)) as store:
        engine = Engine(FaultyStore(store, fault), clock=Later(ahead), max_attempts=10**6)  # type: ignore[arg-type]
        engine.release_stale()
        flow = async_sale if int(token[1:]) % 3 == 0 else sale
        engine.start(flow, (token,), id=token, at=timedelta(0))
        engine.run_pending()
        return store.get(token).state is RunState.COMPLETE


def judge(places: Places, token: str, deaths: int = 0, *, zombies: int = 0) -> Counter[str]:
    """Compare what the run says with the diary; return where its processes died."""
    with closing(open_store(places.url)) as store:
        run = store.get(token)
    lines = [line.split("|") for line in _diary(places, token)]
    killed = Counter(line[1] for line in lines if line[0] == "killed")
    assert killed.total() == deaths, f"{token}: {deaths} deaths, and {killed}"
    calls: dict[str, int] = Counter()
    keys: dict[str, set[str]] = defaultdict(set)
    order: list[str] = []
    for _, name, _, key in (line for line in lines if line[0] == "called"):
        is_second = name == "pay" and order[-1:] in (["book"], ["pay again"])
        step = "pay again" if is_second else name
        calls[step] += 1
        keys[step].add(key)
        if not order or order[-1] != step:
            order.append(step)
    assert run.state is RunState.COMPLETE, f"{token} is {run.state}: {run.error}"
    expected = [f"{name.split()[0]} for {token}" for name in CALLS]
    assert calls["charge"] <= 1, f"{token}: called twice at most once"
    if run.result[1] == "unknown":
        expected[1] = "unknown"
        assert deaths + zombies, f"{token}: nobody has died, and a step is unknown"
    else:
        assert calls["charge"] == 1, f"{token}: has a result, and was not called"
    assert run.result == expected, f"{token}: {run.result}"
    assert order == [name for name in CALLS if name in order], f"{token}: again after {order}"
    assert all(len(each) == 1 for each in keys.values()), f"{token}: {dict(keys)}"
    assert len({key for each in keys.values() for key in each}) == len(keys), f"{token}: one key"
    too_few = {name for name, least in CALLS.items() if calls[name] < least}
    assert too_few <= {"charge"}, f"{token}: {too_few} were called too seldom"
    extra = sum(calls.values()) - sum(CALLS.values())
    assert extra <= deaths + zombies, f"{token}: {extra} more calls than needed"
    return killed


def _diary(places: Places, token: str) -> list[str]:
    return (places.folder / f"{token}.diary").read_text().splitlines()


def judge_ledger(places: Places, tokens: list[str]) -> None:
    places.settle("nobody")
    with closing(open_ledger()) as books:
        rows = books.execute("SELECT token FROM bookings").fetchall()
    booked = Counter(row[0] for row in rows)
    assert booked == Counter(["t0", "t1", *tokens]), f"not once: {booked - Counter(tokens)}"
