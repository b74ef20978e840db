"""The kill matrix of steps that work in a database: their process dies at each moment in turn.

`python -m tests.chaos.step_kills sqlite|postgres [--own] [--callers …] [--rounds N]`. A process
kills itself at its first call of the store or of the ledger, another one at the second, and so on,
until one lives to its end: before and after each statement, in the function, around the commit.
After each, another process goes on. Then each booking must be there once, and the flow has its
value. With `--own` the ledger is in the store's own database, and no keys are kept.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sqlite3
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from longterm import Engine, deflow, step, suspend
from longterm.database import Database
from longterm.store import open_store
from tests.chaos.chaos import opened
from tests.chaos.faulty_store import FaultyStore
from tests.chaos.kill_matrix import CALLERS, Later


class Ledger:
    """Where the steps write: a database of its own."""

    address = ""
    is_own = False
    left = 0
    """At how many calls from now this process dies; 0: at none."""

    @classmethod
    def open(cls) -> Any:
        if cls.address.startswith("postgresql"):
            import psycopg

            return psycopg.connect(cls.address)
        return sqlite3.connect(cls.address, timeout=20)

    @classmethod
    def point(cls) -> None:
        """Die here, if it is time to."""
        if cls.left:
            cls.left -= 1
            if cls.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @classmethod
    def ask(cls, statement: str) -> list[Any]:
        with closing(cls.open()) as connection:
            cursor = connection.execute(statement)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
            return [row[0] for row in found]


class Mortal:
    """An adapter before the real one: the process can die on both sides of each call."""

    is_sync, is_async, place, url = True, False, "the ledger", None

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    @contextmanager
    def begin(self) -> Iterator[Any]:
        Ledger.point()
        with self._adapter.begin() as begun:
            yield MortalTransaction(begun)
            Ledger.point()
        Ledger.point()


class MortalTransaction:
    def __init__(self, begun: Any) -> None:
        self._begun = begun
        self.tx, self.dialect, self.check_open = begun.tx, begun.dialect, begun.check_open

    def execute(self, statement: str, **parameters: object) -> Any:
        Ledger.point()
        rows = self._begun.execute(statement, **parameters)
        Ledger.point()
        return rows


ledger = Database(Ledger.open)
ledger._adapter = Mortal(ledger._adapter)  # type: ignore[assignment]


@step(db=ledger)
def book(tx: Any, item: str) -> dict[str, str]:
    Ledger.point()
    tx.execute(f"INSERT INTO bookings VALUES ('{item}')")
    Ledger.point()
    return {"booked": item}


@deflow
def trade() -> list[dict[str, str]]:
    item = suspend("go")
    return [book(item), book(f"{item} again")]


def kill_everywhere(url: str, callers: Sequence[str]) -> Counter[str]:
    """Kill each caller at each moment; return how many kills there were of each."""
    kills: Counter[str] = Counter()
    for name in callers:
        for number in itertools.count(1):
            with closing(open_store(url)) as store:
                run_id = Engine(store).start_flow(trade).id
            was_killed = _live(url, name, run_id, number)
            with closing(open_store(url)) as store:
                engine = Engine(store, clock=Later())
                engine.release_stale()
                CALLERS[name](engine, run_id)  # the sender, who got no answer, comes again
                while engine.run_pending():
                    pass
                _judge(engine, run_id, f"{name}, moment {number}")
            if not was_killed:
                break
            kills[name] += 1
    return kills


def _live(url: str, name: str, run_id: str, number: int) -> bool:
    """Run a caller in a process that dies at one moment; tell whether it came so far."""
    pid = os.fork()
    if not pid:
        try:
            store: Any = open_store(url)
            if not Ledger.is_own:  # nobody else's store can save in the ledger's transactions
                store = FaultyStore(store, _at_calls)
            Ledger.left = number
            CALLERS[name](Engine(store), run_id)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), f"{name} failed"
    return status != 0


def _at_calls(_name: str, _when: str, _step: Callable[[], Any]) -> None:
    Ledger.point()


def _judge(engine: Engine, run_id: str, moment: str) -> None:
    """Compare the ledger and the run with what they must be, and begin anew."""
    run = engine.get_run(run_id)
    assert run.result == [{"booked": "one"}, {"booked": "one again"}], f"{moment}: {run}"
    booked = sorted(Ledger.ask("SELECT item FROM bookings"))
    assert booked == ["one", "one again"], f"{moment}: {booked}"
    keys = sorted(Ledger.ask("SELECT key FROM longterm_steps WHERE value IS NOT NULL"))
    expected = [] if Ledger.is_own else [f"{run_id}:1:book", f"{run_id}:2:book"]
    assert keys == expected, f"{moment}: {keys}"
    engine.delete(run_id)
    for table in ("bookings", "longterm_steps"):
        Ledger.ask(f"DELETE FROM {table}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--callers", nargs="+", choices=CALLERS, default=list(CALLERS))
    parser.add_argument("--own", action="store_true", help="write into the store's own database")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    kills: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, server):
        Ledger.is_own = options.own
        file = "runs.db" if options.own else "ledger.db"
        Ledger.address = f"{name}/{file}" if server is None else server.url()
        if server is not None and not options.own:
            with closing(Ledger.open()) as connection:
                connection.autocommit = True
                connection.execute("CREATE DATABASE ledger")
            Ledger.address = server.url("ledger")
        with closing(open_store(url)) as store:
            store.migrate()  # type: ignore[attr-defined]
        Ledger.ask("CREATE TABLE bookings (item text)")
        ledger.migrate()
        for _ in range(options.rounds):
            kills += kill_everywhere(url, options.callers)
            print(json.dumps({"step_kills": options.store, **kills}), flush=True)


if __name__ == "__main__":
    main()
