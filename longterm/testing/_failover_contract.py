"""The part of the store contract about failover: a standby takes over, and nothing is taken back.

Inherited through `longterm.testing.contract.StoreContract`; skipped without a `failover` fixture.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from longterm.errors import ClaimLost, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Erasure, RunStore
from longterm.store.inbox import Inbox
from longterm.store.outbox import Outbox
from longterm.store.queues import Queue, Queues
from longterm.store.versions import Versions
from longterm.testing._inbox_contract import letter
from longterm.testing._outbox_contract import message
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, NOON, claim, full_run, plain, suspended_run

_CALLERS = 4
_MOST_SECONDS = 60.0


class FailoverContract:
    """What a step has acknowledged outlives the server that took it."""

    @pytest.fixture
    def failover(self) -> Callable[[], None]:
        """Lose the server for good and let its standby take over; override it if there is one."""
        pytest.skip("the contract class has no `failover` fixture, so the store has no standby")

    def test_what_was_acknowledged_is_there_after_a_failover(
        self, store: RunStore, failover: Callable[[], None]
    ) -> None:
        claimed = _acknowledge(store)
        seen = _look(store)

        failover()

        assert _look(store) == seen
        # The claim holds, and no other is given out for its turn.
        assert store.unsuspend(claimed.id, "number") is None
        made = replace(claimed, state=RunState.COMPLETE, encoded_result=b"\x05")
        store.update(made)
        with pytest.raises(ClaimLost):
            store.update(made.changed(encoded_result=b"\x06"))
        assert plain(store.get(claimed.id)) == plain(made)

    def test_no_turn_is_lost_or_done_twice_while_a_standby_takes_over(
        self, store: RunStore, failover: Callable[[], None]
    ) -> None:
        is_over = threading.Event()
        callers = [_Caller(store, f"caller {number}", is_over) for number in range(_CALLERS)]

        def fail() -> None:
            time.sleep(0.5)
            failover()
            is_over.set()

        outcomes = race([fail, *(caller.take_turns for caller in callers)])

        assert outcomes == [None] * len(outcomes)
        assert all(caller.runs for caller in callers)
        for caller in callers:
            for run_id, taken in caller.runs.items():
                stored = store.get(run_id)
                counted = int(stored.stack or b"0")
                # The one turn that failed may have been taken or not.
                assert taken.acknowledged <= counted, f"{run_id}: an acknowledged turn is lost"
                assert counted <= taken.acknowledged + taken.failed, f"{run_id}: a turn came twice"


@dataclass
class _Turns:
    """What a caller knows of one run."""

    acknowledged: int = 0
    failed: int = 0


class _Caller:
    """Counts in the turns of a run; after a failed step nobody knows, so it takes another run."""

    def __init__(self, store: RunStore, name: str, is_over: threading.Event) -> None:
        self.runs: dict[str, _Turns] = {}
        self._store = store
        self._name = name
        self._is_over = is_over

    def take_turns(self) -> None:
        """Take turns until one was acknowledged that was begun after the failover."""
        end = time.monotonic() + _MOST_SECONDS
        while True:
            assert time.monotonic() < end, f"no turn was acknowledged in {_MOST_SECONDS:g} s"
            run_id = f"{self._name}, run {len(self.runs)}"
            try:
                self._store.create(replace(suspended_run(run_id), stack=b"0"))
            except StoreError:
                time.sleep(0.05)
                continue
            turns = self.runs[run_id] = _Turns()
            try:
                while True:
                    is_last = self._is_over.is_set()
                    claimed = claim(self._store, run_id)
                    counted = b"%d" % (int(claimed.stack or b"") + 1)
                    self._store.update(replace(claimed, state=RunState.SUSPENDED, stack=counted))
                    turns.acknowledged += 1
                    if is_last:
                        return
            except StoreError:
                turns.failed += 1


def _acknowledge(store: RunStore) -> Run:
    """Have a store take a step of each kind; return the run that is claimed then."""
    store.create(full_run())
    store.create(suspended_run("ended"))
    store.update(replace(claim(store, "ended"), state=RunState.COMPLETE, stack=None))
    store.create(suspended_run("claimed"))
    if isinstance(store, Erasure):
        store.create(replace(suspended_run("deleted"), state=RunState.FAILED))
        assert store.delete("deleted")
    if isinstance(store, Inbox):
        store.create(suspended_run("posted"))
        store.post(letter("name", "a key", "posted"), limit=9)
    if isinstance(store, Outbox):
        store.create(suspended_run("sends"))
        sent = message(1, sender="sends")
        saved = replace(claim(store, "sends"), state=RunState.SUSPENDED, outgoing=(sent,))
        store.update(saved)
    if isinstance(store, Queues):
        store.declare_queue(Queue(name="mail", concurrency=3))
    if isinstance(store, Versions):
        store.keep_version("shop:sell@1", b"def sell(): ...")
    return claim(store, "claimed")


def _look(store: RunStore) -> dict[str, object]:
    """Return all that a store says of what `_acknowledge` has made."""
    looks: dict[str, Callable[[], object]] = {
        run_id: partial(_plain_or_none, store, run_id)
        for run_id in ("r1", "ended", "claimed", "deleted", "posted", "sends")
    }
    if isinstance(store, Inbox):
        looks["unread"] = partial(store.unread, "posted")
    if isinstance(store, Outbox):
        looks["outgoing"] = partial(store.claim_outgoing, now=LATER, until=NOON, limit=9)
    if isinstance(store, Queues):
        looks["queue"] = partial(store.declared_queue, "mail")
    if isinstance(store, Versions):
        looks["version"] = partial(store.find_version, "shop:sell@1")
    return {name: look() for name, look in looks.items()}


def _plain_or_none(store: RunStore, run_id: str) -> object:
    try:
        return plain(store.get(run_id))
    except UnknownRun:
        return None
