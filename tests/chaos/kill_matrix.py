"""The kill matrix: a turn that reads, spawns and sends dies at each call of the store in turn.

`python -m tests.chaos.kill_matrix sqlite|postgres [--callers …] [--quick]`. A process kills itself
before its first call of the store, another one after it, others at the second call, and so on,
until one lives to its end. After each, another process makes good what was left. Then each event
must have been read once, each run begun once, and nothing may wait in an inbox or in the outbox;
histories have what was saved, once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from longterm import Engine, Run
from longterm.store import open_store
from longterm.worker import Worker
from tests.chaos.chaos import opened
from tests.chaos.faulty_store import FaultyStore
from tests.chaos.flows import letterbox, messenger


class Later:
    """The machine's clock ten minutes ahead: every lease has run out."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=10)


def process_event(engine: Engine, run_id: str) -> None:
    engine.process_event(run_id, "go", "one", key="go")


def aprocess_event(engine: Engine, run_id: str) -> None:
    asyncio.run(engine.aprocess_event(run_id, "go", "one", key="go"))


def run_pending(engine: Engine, run_id: str) -> None:
    engine.send(run_id, "go", "one", key="go")
    engine.run_pending()


def worker(engine: Engine, run_id: str) -> None:
    engine.send(run_id, "go", "one", key="go")
    while Worker(engine, threads=2).run_once():
        pass


Caller: TypeAlias = Callable[[Engine, str], None]
CALLERS: dict[str, Caller] = {
    caller.__name__: caller for caller in (process_event, aprocess_event, run_pending, worker)
}
"""Who runs the turn."""


def kill_everywhere(url: str, callers: Sequence[str], whens: Sequence[str]) -> Counter[str]:
    """Kill each caller at each of its calls; return how many kills there were of each."""
    kills: Counter[str] = Counter()
    for name, when in itertools.product(callers, whens):
        for number in itertools.count(1):
            place = f"{name} {when} call {number}"
            with closing(open_store(url)) as store:
                engine = Engine(store, history="frames")
                box = engine.start_flow(letterbox).id
                run_id = engine.start_flow(messenger, box).id
            was_killed = _live(url, CALLERS[name], run_id, when, number)
            with closing(open_store(url)) as store:
                engine = Engine(store, clock=Later(), history="frames")
                engine.release_stale()
                CALLERS[name](engine, run_id)  # the sender, who got no answer, comes again
                while engine.run_pending():
                    pass
                _judge(engine, run_id, box, place)
            if not was_killed:
                break
            kills[name] += 1
    return kills


def _live(url: str, caller: Caller, run_id: str, when: str, number: int) -> bool:
    """Run a caller in a process that dies at one of its calls; tell whether it came so far."""
    pid = os.fork()
    if not pid:
        try:
            store: Any = FaultyStore(open_store(url), _dying(when, number))
            caller(Engine(store, history="frames"), run_id)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), f"{caller.__name__} failed"
    return status != 0


def _dying(when: str, number: int) -> Callable[..., None]:
    """Return a fault that kills the process at a call of the store, whichever that is."""
    left = number

    def die(_method: str, now: str, _step: object) -> None:
        nonlocal left
        if now == when:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return die


def _judge(engine: Engine, run_id: str, box: str, place: str) -> None:
    """Compare all runs with what they must be, and delete them."""
    closed = engine.process_event(box, "close")
    assert closed.result == ["one", "two"], f"{place}: letters {closed.result}"
    runs = engine.find_runs()
    assert sorted(map(_told, runs)) == [
        "errand complete done for child",
        "errand complete done for nobody's child",
        "idle cancelled None",
        "letterbox complete ['one', 'two']",
        "messenger complete done for child",
    ], f"{place}: {[_told(run) for run in runs]}"
    for run in runs:
        assert not run.unread, f"{place}: {run.flow} has not read {run.unread}"
        assert not run.children, f"{place}: {run.flow} has children"
        assert run.parent in (None, run_id), f"{place}: {run.flow} is without its parent"
        _judge_history(engine, run, place)
        engine.delete(run.id)
        assert not engine.store.entries(run.id)  # type: ignore[attr-defined]
    tomorrow = engine.clock.now() + timedelta(days=1)
    left = engine.store.claim_outgoing(now=tomorrow, until=tomorrow, limit=9)  # type: ignore[attr-defined]
    assert not left, f"{place}: {left} was not delivered"


def _judge_history(engine: Engine, run: Run, place: str) -> None:
    """Each event that was read has one entry, however often processes died around it."""
    entries = engine.history(run.id)
    places = [entry.place for entry in entries]
    assert places == sorted(set(places)), f"{place}: {places}"
    begun = [entry for entry in entries if entry.event == "longterm.start"]
    assert begun[0].turn == 1, f"{place}: nobody has started {run.flow}"
    read = [entry.value for entry in entries if entry.event in ("letter", "go", "close")]
    expected = {"letterbox": ["one", "two", None], "messenger": ["one"]}
    assert read == expected.get(run.flow.rpartition(":")[2], []), f"{place}: {read}"
    ends = [entry.event for entry in entries if entry.event.startswith("run:")]
    assert len(ends) == len(set(ends)), f"{place}: {ends}"
    assert entries[-1].outcome == run.state, f"{place}: {run.flow} {entries[-1].outcome}"


def _told(run: Run) -> str:
    return f"{run.flow.rpartition(':')[2]} {run.state} {run.result}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--callers", nargs="+", choices=CALLERS, default=list(CALLERS))
    # After one call is before the next, but for what the process does in between.
    parser.add_argument("--quick", action="store_true", help="die before the calls only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, _):
        whens = ["before"] if options.quick else ["before", "after"]
        kills = kill_everywhere(url, options.callers, whens)
    print(json.dumps({"kill_matrix": options.store, **kills}))


if __name__ == "__main__":
    main()
