"""What a process does to an SQLite store in `test_sqlite_processes`, where it is raced and killed.

`python sqlite_process.py COMMAND PATH …` says `ready` on its standard output and begins at the
first line on its standard input.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace

from longterm.errors import RunExists
from longterm.run import Run, RunState
from longterm.store.sqlite import SQLiteStore

NOBODY = 65534


def create(path: str, name: str) -> None:
    """Open a new file and create a run of one's own and one that all want to create."""
    _begin()
    with SQLiteStore(path) as store:
        store.create(Run(id=name, flow="m:f", state=RunState.RUNNING))
        try:
            store.create(Run(id="shared", flow="m:f", state=RunState.RUNNING))
        except RunExists:
            _say("lost")
        else:
            _say("won")


def hammer(path: str, turns: str) -> None:
    """Take whatever turn is to be had until every run is complete; say how many were had."""
    with SQLiteStore(path) as store:
        left = {f"r{number}" for number in range(10)}
        won = 0
        _begin()
        while left:
            for run_id in sorted(left):
                run = store.get(run_id)
                if run.state is RunState.COMPLETE:
                    left.discard(run_id)
                    continue
                claimed = store.unsuspend(run_id, run.waiting_for or "")
                if claimed is None:
                    continue
                won += 1
                state = RunState.SUSPENDED if claimed.turn <= int(turns) else RunState.COMPLETE
                stack = b"%d" % (int(claimed.stack or b"0") + 1)
                event_id = f"event {claimed.turn}"
                store.update(replace(claimed, state=state, stack=stack, waiting_for=event_id))
        _say(str(won))


def turns(path: str, run_id: str) -> None:
    """Take turns of one run for ever; say the number of each turn that has been saved."""
    with SQLiteStore(path) as store:
        _begin()
        while True:
            claimed = store.unsuspend(run_id, "number")
            assert claimed is not None
            stack = b"%d " % claimed.turn * 20_000
            store.update(replace(claimed, state=RunState.SUSPENDED, stack=stack))
            _say(str(claimed.turn))


def hold(path: str) -> None:
    """Hold a transaction open that has changed every run, until told to end it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE runs SET state = 'failed', stack = x'00'")
    _begin()
    connection.execute("ROLLBACK")
    connection.close()


def look(path: str, step: str) -> None:
    """Take one step as a common user, whom permissions bind, and say what came of it."""
    _give_up_root()
    with SQLiteStore(path) as store:
        try:
            if step == "get":
                _say(store.get("r1").state.value)
            elif step == "claim":
                store.unsuspend("r1", "number")
            else:
                store.create(Run(id="r2", flow="m:f", state=RunState.RUNNING))
        except Exception as error:
            _say(f"{type(error).__name__}: {error}")


def _give_up_root() -> None:
    if os.getuid() != 0:
        return
    # A common user may be unable to read this Python, so all that is needed is imported before.
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(f"{folder}/runs.db") as store:
        store.create(Run(id="r1", flow="m:f", state=RunState.RUNNING))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def fork(path: str) -> None:
    """Fork again and again while threads use the store; every child takes a turn too."""
    is_done = threading.Event()
    with SQLiteStore(path) as store:
        for name in ("a", "b", *(f"child {number}" for number in range(5))):
            store.create(
                Run(id=name, flow="m:f", state=RunState.SUSPENDED, waiting_for="number", stack=b"0")
            )

        def use(run_id: str) -> None:
            while not is_done.is_set():
                take_turn(store, run_id)

        threads = [threading.Thread(target=use, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        children = [
            _forked(lambda number=number: take_turn(store, f"child {number}"))  # type: ignore[misc]
            for number in range(5)
        ]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        is_done.set()
        for thread in threads:
            thread.join()
    _say(repr(codes))


def outlive(path: str) -> None:
    """Fork a child that saves its turn after the parent has closed the store."""
    come, go = os.pipe()
    store = SQLiteStore(path)
    store.create(Run(id="r1", flow="m:f", state=RunState.SUSPENDED, waiting_for="n", stack=b"0"))

    def save_late() -> None:
        claimed = store.unsuspend("r1", "n")
        assert claimed is not None
        os.read(come, 1)
        store.update(replace(claimed, state=RunState.COMPLETE, encoded_result=b"late"))
        store.close()

    child = _forked(save_late)
    while store.get("r1").state is RunState.SUSPENDED:
        pass
    store.close()
    os.write(go, b"!")
    _say(repr(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def take_turn(store: SQLiteStore, run_id: str) -> None:
    claimed = store.unsuspend(run_id, "number")
    assert claimed is not None
    stack = b"%d" % (int(claimed.stack or b"") + 1)
    store.update(replace(claimed, state=RunState.SUSPENDED, stack=stack))


def _forked(step: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        step()
        code = 0
    finally:
        os._exit(code)


def _begin() -> None:
    _say("ready")
    sys.stdin.readline()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    commands = [create, hammer, turns, hold, look, fork, outlive]
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
