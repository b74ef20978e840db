"""A standby takes over: what was acknowledged is there, and a turn has one claimant who saves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

import pytest

from longterm.errors import ClaimLost, StoreError
from longterm.run import RunState
from longterm.testing._failover_contract import FailoverContract
from longterm.testing._sample_runs import LATER, claim, suspended_run

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from tests.store.postgres_server import PostgresServer, binaries_or_skip  # noqa: E402
from tests.store.standby import Pair, Standby, ask, wait_until  # noqa: E402

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def pair() -> Iterator[Pair]:
    binaries = binaries_or_skip()
    with ExitStack() as opened:
        primary = PostgresServer(binaries)
        opened.callback(primary.remove)
        standby = Standby(binaries, primary)
        opened.callback(standby.remove)
        yield Pair(primary, standby)


class TestPostgresStoreWithStandby(FailoverContract):
    @pytest.fixture
    def store(self, pair: Pair) -> Iterator[PostgresStore]:
        with PostgresStore(pair.url(), wait_seconds=20) as store:
            pair.commits_wait()
            yield store

    @pytest.fixture
    def failover(self, pair: Pair) -> Callable[[], None]:
        return pair.fail_over


def terminate(pair: Pair) -> None:
    ask(pair.primary.url(), f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")


def cancel(pair: Pair) -> None:
    ask(pair.primary.url(), f"SELECT pg_cancel_backend(pid) FROM ({WAITING}) AS waiting")


def kill_and_restart(pair: Pair) -> None:
    pair.primary.kill_all()
    pair.primary.start_again()


def take_over(pair: Pair) -> None:
    pair.fail_over()


@contextmanager
def own_pool(pair: Pair, wait_seconds: float) -> Iterator[PostgresStore]:
    with PostgresStore(pair.url(), wait_seconds=wait_seconds) as store:
        yield store


@contextmanager
def borrowed_pool(pair: Pair, wait_seconds: float) -> Iterator[PostgresStore]:
    psycopg_pool = pytest.importorskip("psycopg_pool", reason="NO POOL: it is not installed")
    with psycopg_pool.ConnectionPool(pair.url(), min_size=2, open=True) as pool:
        yield PostgresStore(pool=pool, wait_seconds=wait_seconds)


@pytest.mark.parametrize(
    ("step", "cut", "opened"),
    [
        *[("save", cut, own_pool) for cut in (terminate, cancel, kill_and_restart, take_over)],
        *[("save", cut, borrowed_pool) for cut in (terminate, cancel)],
        *[(step, kill_and_restart, own_pool) for step in ("create", "delete", "confirm")],
    ],
)
def test_what_was_acknowledged_is_there_after_a_failover(
    pair: Pair,
    step: str,
    cut: Callable[[Pair], None],
    opened: Callable[[Pair, float], AbstractContextManager[PostgresStore]],
) -> None:
    outcomes: list[object] = []
    # Only for the standby that takes over is it worth to wait long.
    with opened(pair, 4 if cut is take_over else 1.5) as store:
        store.create(suspended_run())
        store.create(replace(suspended_run("r3"), state=RunState.COMPLETE))
        made = replace(claim(store), state=RunState.COMPLETE, encoded_result=b"\x14")
        pair.commits_wait()
        pair.standby.cut_off()
        steps: dict[str, Callable[[], object]] = {
            "save": lambda: store.update(made),
            "confirm": lambda: store.update(made),
            "create": lambda: store.create(suspended_run("r2")),
            "delete": lambda: store.delete("r3"),
        }

        def take() -> None:
            try:
                outcomes.append(steps[step]())
            except StoreError as error:
                outcomes.append(error)

        taking = threading.Thread(target=take)
        taking.start()
        wait_until(lambda: ask(pair.primary.url(), WAITING) != [], "the commit waits")
        cut(pair)
        taking.join()
        if step == "confirm":
            # Whoever asks whether a delivery was taken reads what only the primary has.
            assert store.get("r1") == made
            try:
                outcomes = [store.confirm("r1")]
            except StoreError as error:
                outcomes = [error]
    if cut is not take_over:
        pair.fail_over()

    with PostgresStore(pair.standby.url()) as store:
        ids = [row[0] for row in ask(pair.standby.url(), "SELECT id FROM longterm.runs")]
        kept = {
            "save": lambda: store.get("r1") == made,
            "confirm": lambda: store.get("r1") == made,
            "create": lambda: "r2" in ids,
            "delete": lambda: "r3" not in ids,
        }[step]()
    (outcome,) = outcomes
    assert kept or isinstance(outcome, StoreError), outcome
    # Where a standby took over in the middle, the step is taken there.
    assert (cut is take_over) == kept, outcome


def test_of_two_claims_that_were_given_the_same_turn_the_newer_one_saves(pair: Pair) -> None:
    with PostgresStore(pair.url()) as one, PostgresStore(pair.url()) as other:
        one.create(suspended_run())
        wait_until(
            lambda: (
                ask(pair.standby.url(), "SELECT to_regclass('longterm.runs')") != [(None,)]
                and ask(pair.standby.url(), "SELECT id FROM longterm.runs") == [("r1",)]
            ),
            "the standby has the run",
        )
        pair.standby.cut_off()
        first = claim(one)
        pair.fail_over()

        second = claim(other)

        assert (first.turn, second.turn) == (2, 2)
        with pytest.raises(ClaimLost):
            one.update(replace(first, state=RunState.COMPLETE, encoded_result=b"first"))
        assert not one.renew("r1", first.turn, until=LATER, claim=first.claim)
        assert other.renew("r1", second.turn, until=LATER, claim=second.claim)
        made = replace(second, state=RunState.COMPLETE, encoded_result=b"second")
        other.update(made)
        assert one.get("r1") == replace(made, claimed_until=None)


def test_a_primary_that_wakes_up_after_another_took_over_takes_no_turn(pair: Pair) -> None:
    with (
        PostgresStore(pair.url(), wait_seconds=6) as store,
        PostgresStore(pair.primary.url(), wait_seconds=2) as old,
    ):
        for run_id in ("r1", "r2"):
            store.create(suspended_run(run_id))
        pair.commits_wait()
        made = replace(claim(store), state=RunState.COMPLETE, encoded_result=b"made")
        of_old = replace(claim(old, "r2"), state=RunState.COMPLETE, encoded_result=b"old")
        with pair.primary.frozen():
            pair.standby.promote()
            begin = time.monotonic()
            store.update(made)  # by the new one, when the old one has not answered for a while
            store.create(suspended_run("r3"))
            took = time.monotonic() - begin

        with pytest.raises(StoreError, match="did not answer in time"):
            old.update(of_old)
        taken = store.claim("r2", "number", now=LATER, until=LATER)
    # Whoever comes to the old one first is told nothing there, and goes on to the new one.
    with PostgresStore(pair.url(), wait_seconds=6) as late:
        late.create(suspended_run("r4"))

    assert took < 5
    assert taken is None  # since the claim on it, which has no lease, was replicated
    with PostgresStore(pair.standby.url()) as store:
        assert store.get("r1") == made
        assert [store.get(run_id).id for run_id in ("r3", "r4")] == ["r3", "r4"]
        assert store.get("r2") == replace(of_old, state=RunState.RUNNING, encoded_result=None)
