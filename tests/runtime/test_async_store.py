"""The store waits for a disk or a network, so that no step of it is taken in the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from longterm import CannotStore, Engine, deflow, suspend
from longterm.store.memory import MemoryStore


class Watched(MemoryStore):
    """Notes the threads in which it is asked to save."""

    def __init__(self):
        super().__init__()
        self.threads = []

    def create(self, run):
        self.threads.append(threading.current_thread())
        return super().create(run)

    def update(self, run):
        self.threads.append(threading.current_thread())
        return super().update(run)


@deflow
async def ask(what):
    if what == "fail":
        raise ValueError(what)
    answer = suspend(what)
    if answer == "fail":
        raise ValueError(what)
    if answer == "lock":
        lock = threading.Lock()
        suspend("again")
        lock.acquire()
    return answer


@pytest.mark.parametrize(
    ("what", "answer", "error"),
    [
        ("fail", None, ValueError),
        ("q", "fail", ValueError),
        ("q", "lock", CannotStore),
        ("q", "yes", None),
    ],
)
def test_every_save_is_off_the_event_loop(what, answer, error):
    store = Watched()
    engine = Engine(store)

    async def main():
        try:
            run = await engine.astart_flow(ask, what)
            await engine.aprocess_event(run.id, what, answer)
        except Exception as raised:
            return type(raised)
        return None

    assert asyncio.run(main()) is error
    assert store.threads
    assert threading.main_thread() not in store.threads
