"""A process whose threads deliver events to whatever runs there are, until it is killed.

It keeps a diary. A line of it is written before each delivery, and another when it was acknowledged
or refused, so that the judge knows what was promised to whom.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from longterm import Engine, LongtermError, Run, RunState
from longterm._event_names import START
from longterm.errors import ClaimLost, RunNotSuspended, StoreError, WrongEvent
from longterm.store import open_store
from tests.chaos.faulty_store import FaultyStore
from tests.chaos.flows import collect
from tests.chaos.households import Write, take_a_step

LEASE = timedelta(seconds=1.5)
PATIENCE = 2.0
ATTEMPTS = 10**6
"""How often a run's turns may die in a row: as often as chaos makes them."""
_THREADS = 3
"""Of each process, so that saves come together and share what they wait for."""
_IN_REACH = 50
"""Of so many runs that wait, the oldest, the next event is for one: some meet, most do not."""
_UNTOUCHED = (ClaimLost, RunNotSuspended, WrongEvent)
"""Refusals that promise that nothing was changed."""


def deliver(url: str, diary: Path, name: str, fault: tuple[str, str, int] | None) -> None:
    """Deliver until killed; `fault` is a method, `before` or `after`, and which of its calls."""
    log = os.open(diary / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(*words: object) -> None:
        os.write(log, ("|".join(map(str, words)) + "\n").encode())

    logging.getLogger("longterm").addHandler(_Losses(write))
    engine = Engine(
        FaultyStore(open_store(url), killing(fault)),
        lease=LEASE,
        max_attempts=ATTEMPTS,
        inline=random.Random(name).random() < 0.7,
    )
    threads = [
        threading.Thread(target=_go_on, args=(engine, f"{name}.{number}", write))
        for number in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Losses(logging.Handler):
    """Writes down what was given up: here every receiver is there, and takes all it is sent."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "came to nothing" in text and record.levelno >= logging.WARNING:
            self._write("wrong", text)


def _go_on(engine: Engine, name: str, write: Write) -> None:
    draw = random.Random(name)
    for number in range(10**9):
        try:
            _step(engine, draw, f"{name}.{number}", write)
        except StoreError:
            time.sleep(0.05)
        except BaseException as error:
            write("wrong", name, "".join(traceback.format_exception(error)).replace("\n", " / "))
            raise


def _step(engine: Engine, draw: random.Random, token: str, write: Write) -> None:
    chance = draw.random()
    if chance < 0.7:
        take_a_step(engine, draw, token, write)
    elif chance < 0.71:
        with suppress(ClaimLost):  # it was so slow that another has taken it up
            write("started", engine.start_flow(collect, PATIENCE).id)
    elif chance < 0.76:
        engine.release_stale(max_attempts=ATTEMPTS)
        engine.run_pending(limit=5)
    else:
        state = "running" if chance < 0.77 else "suspended"
        runs = engine.find_runs(flow=collect, state=state, limit=_IN_REACH)
        if runs := [run for run in runs if run.waiting_for != START]:
            _send(engine, draw.choice(runs), token, write)


def _send(engine: Engine, run: Run, token: str, write: Write) -> None:
    event_id = run.waiting_for
    assert event_id is not None
    write("sent", run.id, event_id, token)
    try:
        done = engine.process_event(run.id, event_id, token)
    except _UNTOUCHED as error:
        write("refused", token, type(error).__name__)
    except StoreError:
        raise
    except (LongtermError, AssertionError) as error:
        write("wrong", token, repr(error))
    else:
        write("acknowledged", run.id, event_id, token)
        said: list[Any] = done.response
        if done.turn <= run.turn:
            write("wrong", token, f"turn {done.turn} after {run.turn}")
        if said != [f"{event_id}: {token}"] or done.state not in (
            RunState.SUSPENDED,
            RunState.COMPLETE,
        ):
            write("wrong", token, f"said {said} in state {done.state}")


def killing(fault: tuple[str, str, int] | None) -> Callable[..., None]:
    """Return a fault that kills this process at a certain call of the store."""
    left = fault[2] if fault else 0

    def kill(method: str, when: str, step: object) -> None:
        nonlocal left
        if fault and (method, when) == fault[:2]:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return kill
