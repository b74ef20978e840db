"""A process of one of two deployments, blue or green, that have different code of the same flows.

`python -m tests.chaos.colours URL DIARY`, with the folder of a colour on the path, is a worker,
starts runs, and brings them events, until it is told to stop by SIGTERM; from SIGUSR1 on it starts
none. It writes down what it was promised and what it was refused.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import random
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from longterm import Engine, FlowChanged, Run, RunBusy, RunNotSuspended, WrongEvent
from longterm.worker import Worker

MODULE = "shop_of_colours"
FLOWS = """\
from datetime import timedelta

from longterm import deflow, respond, spawn, suspend

COLOUR = "{colour}"
SOON = timedelta(milliseconds=100)


@deflow
def same(number):
{head}
    {seen}.append(suspend("one"))
    {seen}.append(suspend("two", expires=SOON, default=None))
    {seen}.append(suspend("three"))
    respond(COLOUR)
    return {seen}


@deflow
def other(number):
    seen = ["{colour}", number]
    seen.append(suspend("one"))
    seen.append(suspend("two", expires=SOON, default=None))
    seen.append(suspend("three"))
    return [*seen, "{colour}"]


@deflow
def parent(number):
{head}
    child = spawn(other, number)
    {seen}.append(suspend("one"))
    {seen}.append(suspend("three"))
    respond(COLOUR)
    return [*{seen}, suspend(child)]
"""
BLUE = FLOWS.format(colour="blue", seen="seen", head='    seen = ["any", number]')
GREEN = FLOWS.format(
    colour="green",
    seen="noted",
    head='    first = "any"\n    noted = [first]\n    noted.append(number)',
)
"""The rest of `same` and of `parent` is that of blue; that of `other` is not."""

UNTOUCHED = (FlowChanged, RunBusy, RunNotSuspended, WrongEvent)
"""What may be refused while both are there; each promises that nothing was changed."""
_THREADS = 2
_MOST_RUNS = 60
"""So many runs wait at most, so that those that began early end early."""


class Web:
    """Starts runs, and brings them events."""

    def __init__(self, engine: Engine, diary: Path) -> None:
        self.engine = engine
        self.starts = True
        self.is_told_to_stop = threading.Event()
        self._log = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._flows = importlib.import_module(MODULE)
        self._numbers = itertools.count(random.SystemRandom().randrange(10**12) * 10**6)

    def write(self, *words: object) -> None:
        os.write(self._log, ("|".join(map(str, words)) + "\n").encode())

    def go_on(self) -> None:
        draw = random.Random(next(self._numbers))
        while not self.is_told_to_stop.is_set():
            try:
                waiting = self.engine.find_runs(state="suspended", limit=_MOST_RUNS)
                if self.starts and len(waiting) < _MOST_RUNS and draw.random() < 0.3:
                    self._start(draw)
                elif waiting:
                    self._bring(draw.choice(waiting), draw)
                else:
                    time.sleep(0.01)
            except BaseException as error:
                self.write("wrong", repr(error))
                raise

    def _start(self, draw: random.Random) -> None:
        kind, number = draw.choice(["same", "other", "parent"]), next(self._numbers)
        run = self.engine.start_flow(getattr(self._flows, kind), number)
        self.write("started", run.id, kind, self._flows.COLOUR, number)

    def _bring(self, run: Run, draw: random.Random) -> None:
        names = [name for name in run.awaits if not name.startswith("run:")]
        if not names:
            time.sleep(0.001)
            return
        value = next(self._numbers)
        try:
            if draw.random() < 0.2:
                self.engine.send(run.id, names[0], value)
                self.write("sent", run.id, value)
            else:
                self.engine.process_event(run.id, names[0], value)
                self.write("taken", run.id, value)
        except UNTOUCHED as error:
            self.write("refused", run.id, value, type(error).__name__)


class _Wrong(logging.Handler):
    """Writes down what a worker warns of, but for runs whose code is the other colour's."""

    def __init__(self, write: Any) -> None:
        super().__init__(logging.WARNING)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        is_documented = "cannot go on here: FlowChanged" in text
        self._write("parked" if is_documented else "wrong", text)


def main(url: str, diary: str) -> None:
    engine = Engine(url)
    web = Web(engine, Path(diary))
    logging.getLogger("longterm").addHandler(_Wrong(web.write))
    worker = Worker(engine, poll=timedelta(seconds=0.05), threads=2)

    def stop(*_: object) -> None:
        web.is_told_to_stop.set()
        worker.stop()

    def start_no_more(*_: object) -> None:
        web.starts = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, start_no_more)
    threads = [threading.Thread(target=web.go_on) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    web.write("begun")
    worker.run()
    for thread in threads:
        thread.join()
    web.write("ended")
    engine.store.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
