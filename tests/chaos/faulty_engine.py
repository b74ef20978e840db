"""An engine in memory whose store fails when it is told to: calls fail before, after, or come late.

A late call is that of a claimant that was paused: its caller never hears of it, and it reaches the
store at some later moment. The clock is moved by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from longterm import Engine, LongtermError
from longterm.errors import ClaimLost, StoreError
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from tests.chaos.faulty_store import FaultyStore

LEASE = timedelta(seconds=60)
PATIENCE = 100.0
HOW = st.sampled_from(["fails before", "fails after", "hangs"])


class Hung(BaseException):
    """The caller is paused in a call of the store, and does nothing more."""


def renew_nothing(engine: Engine) -> None:
    """Keep an engine's thread for claims away, which would meet faults that are not for it."""
    engine._claims.keeper._start = lambda: None  # type: ignore[method-assign]


class FaultyEngine(RuleBasedStateMachine):
    """An engine whose store is told to fail in the next step, or to take it late."""

    history = "off"

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.memory = MemoryStore()
        store = FaultyStore(self.memory, self.fault)
        self.engine = Engine(store, clock=self.clock, lease=LEASE, history=self.history)
        renew_nothing(self.engine)
        self.plan: tuple[str, str] | None = None
        self.is_hung = False
        self.late: list[Callable[[], Any]] = []

    def fault(self, method: str, when: str, step: Callable[[], Any]) -> None:
        if self.is_hung:
            raise Hung
        if self.plan is None or self.plan[0] != method:
            return
        how = self.plan[1]
        if how == "hangs" and when == "before":
            self.plan = None
            self.is_hung = True
            self.late.append(step)
            raise Hung
        if how == f"fails {when}":
            self.plan = None
            raise StoreError(f"{method} {how}")

    def attempt(self, plan: tuple[str, str] | None, step: Callable[[], Any]) -> Any:
        """Take a step with a fault in it; return what came of it, errors too."""
        self.plan = plan
        try:
            return step()
        except (LongtermError, Hung) as error:
            return error
        finally:
            self.plan, self.is_hung = None, False
            # A process that is paused, or died, renews nothing.
            self.engine._claims.keeper._held.clear()

    @rule(seconds=st.sampled_from([1, 59, 61, 101]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @precondition(lambda self: self.late)
    @rule(choose=st.data())
    def come_late(self, choose: Any) -> None:
        step = self.late.pop(choose.draw(st.integers(0, len(self.late) - 1)))
        with suppress(ClaimLost):
            step()
