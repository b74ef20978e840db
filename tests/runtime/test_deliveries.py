"""Deliveries with keys: each is taken once, whatever has come in between."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from longterm import (
    Engine,
    KeyReused,
    RunNotSuspended,
    RunState,
    deflow,
    set_keys,
    set_payload_codec,
    suspend,
)
from longterm._codec import content_digests
from longterm._turns.claim import Claim
from longterm.store.base import Keys
from longterm.store.memory import MemoryStore
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

taken = []


@deflow
def collects(count):
    seen = []
    while len(seen) < count:
        value = suspend("more")
        taken.append(value)
        seen.append(value)
    return seen


@deflow
async def collects_async(count):
    seen = []
    while len(seen) < count:
        seen.append(await suspend("more"))
    return seen


@deflow
def divides():
    return 1 / suspend("divisor")


@deflow
def uses_up(count):
    for _ in range(count):
        suspend("lock").locked()
    return count


class WithoutKeys(MemoryStore):
    """A store that knows the last key only."""

    claim_for_key = None


@pytest.fixture(autouse=True)
def _begin_anew():
    taken.clear()


def test_key_is_taken_once_whatever_came_in_between(engine):
    run = engine.start_flow(collects, 4)
    first = engine.process_event(run.id, "more", 1, key="a")
    second = engine.process_event(run.id, "more", 2, key="b")
    assert (first.is_duplicate, second.is_duplicate) == (False, False)

    for key, value in (("a", 1), ("b", 2), ("a", 1)):
        again = engine.process_event(run.id, "more", value, key=key)
        assert again.is_duplicate
        assert again == second
    engine.process_event(run.id, "more", 3)
    assert engine.process_event(run.id, "more", 2, key="b").is_duplicate
    done = engine.process_event(run.id, "more", 4, key="c")

    assert (done.result, taken) == ([1, 2, 3, 4], [1, 2, 3, 4])
    again = engine.process_event(run.id, "more", 1, key="a")
    assert (again.is_duplicate, again.result) == (True, [1, 2, 3, 4])
    assert not engine.get_run(run.id).is_duplicate


def test_same_key_with_other_content_is_refused(engine):
    run = engine.start_flow(collects, 3)
    engine.process_event(run.id, "more", {"sum": 1}, key="a")
    after = engine.process_event(run.id, "more", 2, key="b")

    for event, value in (("more", {"sum": 2}), ("more", None), ("other", {"sum": 1})):
        with pytest.raises(KeyReused, match="key 'a' with other content") as caught:
            engine.process_event(run.id, event, value, key="a")
        assert (caught.value.run_id, caught.value.key) == (run.id, "a")

    assert engine.get_run(run.id) == after
    assert engine.process_event(run.id, "more", {"sum": 1}, key="a").is_duplicate


def test_keys_belong_to_their_run(engine):
    first, second = (engine.start_flow(collects, 2) for _ in range(2))

    engine.process_event(first.id, "more", 1, key="a")

    assert not engine.process_event(second.id, "more", 2, key="a").is_duplicate


def test_content_that_cannot_be_stored_is_not_compared(engine):
    run = engine.start_flow(uses_up, 3)
    engine.process_event(run.id, "lock", threading.Lock(), key="a")
    engine.process_event(run.id, "lock", threading.Lock(), key="b")

    assert engine.process_event(run.id, "lock", threading.Lock(), key="a").is_duplicate


class KeepsNoEvents(MemoryStore):
    post = None  # type: ignore[assignment]


def test_key_of_a_delivery_that_failed_is_taken(engine):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="a")

    assert engine.process_event(run.id, "divisor", 0, key="a").is_duplicate
    with pytest.raises(KeyReused):
        engine.process_event(run.id, "divisor", 2, key="a")
    with pytest.raises(ZeroDivisionError):
        engine.retry(run.id)
    assert engine.process_event(run.id, "divisor", 0, key="a").is_duplicate


def test_event_of_a_failed_turn_comes_by_a_worker_after_a_retry_that_died(engine):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="a")
    long_ago = engine.clock.now() - timedelta(hours=1)
    engine.store.revive(run.id, now=long_ago, until=long_ago)  # and then the process dies
    engine.release_stale()
    assert engine.get_run(run.id).state is RunState.SUSPENDED

    assert engine.run_pending() == 1

    assert engine.get_run(run.id).state is RunState.FAILED


def test_without_an_inbox_a_delivery_that_failed_is_taken_again_after_a_retry():
    engine = Engine(KeepsNoEvents())
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="a")
    assert engine.process_event(run.id, "divisor", 0, key="a").is_duplicate

    engine.retry(run.id)
    done = engine.process_event(run.id, "divisor", 2, key="a")

    assert (done.result, done.is_duplicate) == (0.5, False)
    with pytest.raises(KeyReused):
        engine.process_event(run.id, "divisor", 0, key="a")


def test_without_an_inbox_a_failed_delivery_is_taken_again_after_a_retry_that_died():
    engine = Engine(KeepsNoEvents())
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="a")
    long_ago = engine.clock.now() - timedelta(hours=1)
    engine.store.revive(run.id, now=long_ago, until=long_ago)  # and then the process dies
    engine.release_stale()

    done = engine.process_event(run.id, "divisor", 2, key="a")

    assert (done.result, done.is_duplicate) == (0.5, False)


def test_repeat_while_a_turn_is_under_way_comes_again(engine):
    run = engine.start_flow(collects, 4)
    engine.process_event(run.id, "more", 1, key="a")
    engine.process_event(run.id, "more", 2, key="b")
    with Claim(engine._claims) as claim:
        claim.take(run.id, "more")
        with pytest.raises(RunNotSuspended, match="running"):
            engine.process_event(run.id, "more", 1, key="a")
        claim.release()

    assert engine.process_event(run.id, "more", 1, key="a").is_duplicate


def test_key_of_a_wait_that_ended_otherwise_is_kept(engine):
    run = engine.start_flow(collects, 2)
    engine.process_event(run.id, "more", 1, key="a")
    engine.cancel(run.id)

    assert engine.process_event(run.id, "more", 1, key="a").state is RunState.CANCELLED
    with pytest.raises(RunNotSuspended):
        engine.process_event(run.id, "more", 1, key="b")


def test_async_flow_takes_a_key_once(engine):
    async def main():
        run = await engine.astart_flow(collects_async, 3)
        for key, value in (("a", 1), ("b", 2), ("a", 1)):
            run = await engine.aprocess_event(run.id, "more", value, key=key)
        assert run.is_duplicate
        with pytest.raises(KeyReused):
            await engine.aprocess_event(run.id, "more", 3, key="a")
        return await engine.aprocess_event(run.id, "more", 3, key="c")

    assert asyncio.run(main()).result == [1, 2, 3]


def test_keys_are_forgotten_by_prune_after_thirty_days(engine, clock):
    run = engine.start_flow(collects, 4)
    engine.process_event(run.id, "more", 1, key="a")
    engine.process_event(run.id, "more", 2, key="b")
    clock.advance(timedelta(days=30))
    assert engine.prune(timedelta(days=1)) == 0
    assert engine.process_event(run.id, "more", 1, key="a").is_duplicate

    clock.advance(timedelta(seconds=1))
    assert engine.prune(timedelta(days=1)) == 0

    assert not engine.process_event(run.id, "more", 1, key="a").is_duplicate


def test_store_without_keys_knows_the_last_one(clock):
    store = WithoutKeys()
    assert not isinstance(store, Keys)
    engine = Engine(store, clock=clock)
    run = engine.start_flow(collects, 3)
    engine.process_event(run.id, "more", 1, key="a")

    again = engine.process_event(run.id, "more", 1, key="a")
    engine.process_event(run.id, "more", 2, key="b")
    done = engine.process_event(run.id, "more", 1, key="a")

    assert (again.is_duplicate, done.result) == (True, [1, 2, 1])


class Hides:
    """A payload codec of one's own."""

    def encode(self, data, context):
        return data[::-1]

    def decode(self, data, context):
        return data[::-1]


def test_digest_of_a_sealed_delivery_holds_when_keys_change(engine, envelope):  # noqa: F811
    set_keys(KEY)
    run = engine.start_flow(collects, 4)
    engine.process_event(run.id, "more", "yes", key="a")
    set_keys(OTHER_KEY, KEY)
    engine.process_event(run.id, "more", "no", key="b")

    assert engine.process_event(run.id, "more", "yes", key="a").is_duplicate
    assert engine.process_event(run.id, "more", "no", key="b").is_duplicate
    for key, value in (("a", "no"), ("b", "yes")):
        with pytest.raises(KeyReused):
            engine.process_event(run.id, "more", value, key=key)


@pytest.mark.parametrize("before", [(), (KEY,)])
def test_digest_of_a_key_that_is_gone_tells_nothing(engine, envelope, before):  # noqa: F811
    set_keys(*before)
    run = engine.start_flow(collects, 4)
    engine.process_event(run.id, "more", "yes", key="a")
    set_keys(OTHER_KEY, *before, accept_unsealed=True)
    assert engine.seal_runs().is_complete
    set_keys(OTHER_KEY)

    assert engine.process_event(run.id, "more", "yes", key="a").is_duplicate
    assert engine.process_event(run.id, "more", "no", key="b").turn == 3


def test_digest_tells_nobody_what_was_hidden(envelope):  # noqa: F811
    (plain,) = content_digests("more", "yes")
    assert content_digests("more", "yes") == [plain] != content_digests("more", "no")
    assert content_digests("less", "yes") != [plain]

    set_payload_codec(Hides())
    assert content_digests("more", "yes") == []
    set_keys(KEY)
    (keyed,) = content_digests("more", "yes")
    assert keyed != plain
