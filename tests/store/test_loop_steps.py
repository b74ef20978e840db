"""Asynchronous code waits for Postgres in its event loop: no thread waits, and the loop goes on."""

from __future__ import annotations

import asyncio
import inspect
import select
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

import pytest

from longterm import Engine, deflow, suspend
from longterm.errors import CorruptData, StoreError
from longterm.run import RunState
from longterm.testing.contract import StoreContract
from tests.store.postgres_server import PostgresServer, binaries_or_skip

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
pytest.importorskip("greenlet", reason="LOOP STEPS NOT TESTED: greenlet is not installed")

from longterm.store.postgres import PostgresStore, _loops  # noqa: E402
from longterm.store.postgres._loop_step import current_step, take_step  # noqa: E402
from tests.store.pooler import Pooler  # noqa: E402


class NoThreads(ThreadPoolExecutor):
    """What a loop runs blocking calls by, if nothing may be run so."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        raise AssertionError(f"a thread was asked for: {args}")


@deflow
async def count_up() -> int:
    total = 0
    while total < 1000:
        total += suspend("next")
    return total


seen: list[threading.Thread] = []


@deflow
def tell_threads() -> None:
    while True:
        seen.append(threading.current_thread())
        suspend("next")


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    url = server.url(fresh_database())
    with PostgresStore(url) as store:
        store.migrate()
    return url


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., Engine]]:
    """Return what opens engines whose stores are prepared."""
    with ExitStack() as stack:

        def open_engine(url: str = url, **options: Any) -> Engine:
            engine = Engine(stack.enter_context(PostgresStore(url, **options)))
            engine.find_runs()  # before this, nobody knows that the schema is there
            return engine

        yield open_engine


@pytest.fixture(params=["epoll", "the loop"])
def _sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets are watched by an epoll, and as where there is none."""
    if request.param == "epoll" and not hasattr(select, "epoll"):
        pytest.skip("this system has no epoll")
    if request.param == "the loop":
        monkeypatch.delattr(select, "epoll", raising=False)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop of its own, which lends no threads."""

    async def guarded() -> Any:
        asyncio.get_running_loop().set_default_executor(NoThreads(1))
        return await asyncio.wait_for(main, 60)

    return asyncio.run(guarded())


@contextmanager
def locked(url: str, run_id: str) -> Iterator[Any]:
    """Hold the lock of a run's row, for which each claim and save waits."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 FROM longterm.runs WHERE id = %s FOR UPDATE", (run_id,))
        yield connection


async def ticks_during(work: Awaitable[Any]) -> int:
    """Return how often the loop has turned while something was awaited."""
    task, ticks = asyncio.ensure_future(work), 0
    while not task.done():
        await asyncio.sleep(0.005)
        ticks += 1
    task.result()
    return ticks


# -- the contract --------------------------------------------------------------------------------

_taken = 0


def in_loop(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a store that takes its step in a loop."""

    @wraps(method)
    def call(self: PostgresStore, *args: Any, **kwargs: Any) -> Any:
        if current_step() is not None:  # one method calls another
            return method(self, *args, **kwargs)
        return asyncio.run(step(self, partial(method, self, *args, **kwargs)))

    async def step(self: PostgresStore, call: Callable[[], Any]) -> Any:
        global _taken
        take = self.loop_steps()
        if take is None:
            return call()
        _taken += 1
        return await take(call)

    return call


class LoopStore(PostgresStore):
    """A Postgres store, each method of which is a step in an event loop."""


for _name, _method in inspect.getmembers(PostgresStore, inspect.isfunction):
    # Workers rest in threads of their own.
    if not _name.startswith("_") and _name not in ("close", "loop_steps", "wait_for_work"):
        setattr(LoopStore, _name, in_loop(_method))


@pytest.fixture(scope="module")
def common_url(server: PostgresServer) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE in_loop")
    with PostgresStore(server.url("in_loop")) as store:
        store.migrate()
    return server.url("in_loop")


class TestPostgresStoreInLoop(StoreContract):
    @pytest.fixture
    def store(self, common_url: str) -> Iterator[PostgresStore]:
        with psycopg.connect(common_url, autocommit=True) as connection:
            connection.execute(
                "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox, "
                "longterm.outbox, longterm.queues, longterm.progress, longterm.history, "
                "longterm.versions, longterm.shard"
            )
        with LoopStore(common_url) as store:
            store.clock_ahead()  # now it is prepared
            yield store

    @pytest.fixture
    def reopen(self, common_url: str) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(LoopStore(common_url))


def test_the_contract_was_kept_by_steps_in_loops():
    if _taken == 0:
        pytest.skip("only after the contract")
    assert _taken > 200


# -- the loop goes on ----------------------------------------------------------------------------


@pytest.mark.usefixtures("_sockets")
def test_the_loop_turns_while_a_claim_waits_and_no_thread_is_used(opened, url):
    engine = opened()

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        with locked(url, run_id) as lock:
            event = asyncio.create_task(engine.aprocess_event(run_id, "next", 1))
            ticks = await ticks_during(asyncio.sleep(0.3))
            assert not event.done()
            assert ticks > 2
            lock.rollback()
            assert (await event).state is RunState.SUSPENDED
        for _ in range(20):
            await engine.aprocess_event(run_id, "next", 1)
        await engine.asend(run_id, "next", 1)
        assert len(await engine.aunread_events(run_id)) == 1
        assert await engine.arun_pending() == 1
        assert (await engine.acancel(run_id)).state is RunState.CANCELLED
        assert await engine.adelete(run_id) == 1

    run(main())


def test_five_hundred_tasks_share_two_sessions(opened):
    engine = opened(max_connections=2)

    async def main():
        ids = [(await engine.astart_flow(count_up)).id for _ in range(20)]
        looks = (engine.aget_run(ids[number % 20]) for number in range(500))
        assert len(await asyncio.gather(*looks)) == 500
        for _ in range(3):
            await asyncio.gather(*(engine.aprocess_event(each, "next", 1) for each in ids))

    run(main())
    assert engine.store._database._pool.open_count <= 2


def test_tasks_get_their_sessions_in_the_order_in_which_they_came(opened):
    pool = opened(max_connections=1).store._database._pool
    lent: list[int] = []

    def look(number):
        with pool.loan() as loan:
            loan.take(time.monotonic() + 60)
            lent.append(number)
            _loops.sleep(0.001)

    async def main():
        await asyncio.gather(*(pool.take_step(partial(look, number)) for number in range(300)))

    run(main())
    assert lent == sorted(lent)


def test_a_thread_has_its_turn_among_many_tasks(opened):
    engine = opened(max_connections=2)
    waits: list[float] = []
    stop = threading.Event()

    def renew():
        while not stop.is_set():
            begin = time.monotonic()
            engine.find_runs(limit=1)
            waits.append(time.monotonic() - begin)

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        thread = threading.Thread(target=renew)
        thread.start()
        try:

            async def look():
                for _ in range(20):
                    await engine.aget_run(run_id)

            await asyncio.gather(*(look() for _ in range(100)))
        finally:
            stop.set()
        while thread.is_alive():
            await asyncio.sleep(0.01)

    run(main())
    assert len(waits) > 3
    assert max(waits) < 10


def test_two_loops_in_two_threads_share_one_store(opened):
    engine = opened(max_connections=2)
    ids = [asyncio.run(engine.astart_flow(count_up)).id for _ in range(2)]
    failures: list[BaseException] = []

    def work(run_id):
        async def main():
            for _ in range(30):
                await asyncio.gather(
                    engine.aprocess_event(run_id, "next", 1),
                    *(engine.aget_run(run_id) for _ in range(5)),
                )

        try:
            run(main())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures


def test_behind_a_pooler(opened, pooler: Pooler, fresh_database):
    engine = opened(pooler.url(fresh_database()))
    assert engine.store._database.take_step

    async def main():
        ids = [(await engine.astart_flow(count_up)).id for _ in range(10)]
        for _ in range(10):
            await asyncio.gather(*(engine.aprocess_event(each, "next", 1) for each in ids))

    run(main())


def test_a_step_has_the_context_variables_of_its_task_and_leaves_them(opened):
    seen = ContextVar("seen", default=0)

    def step():
        before = seen.get()
        seen.set(100)
        return before

    async def one(number):
        seen.set(number)
        await asyncio.sleep(0)
        return await take_step(step), seen.get()

    async def main():
        return await asyncio.gather(*map(one, range(1, 9)))

    assert run(main()) == [(number, number) for number in range(1, 9)]


def test_what_a_step_raises_reaches_its_task(opened):
    engine = opened()

    async def main():
        with pytest.raises(CorruptData):
            await take_step(partial(_raise, CorruptData("broken")))
        with pytest.raises(KeyboardInterrupt):
            await take_step(partial(_raise, KeyboardInterrupt()))
        return await engine.afind_runs()

    assert run(main()) == []


def _raise(error: BaseException) -> None:
    raise error


# -- limits of time ------------------------------------------------------------------------------


@pytest.mark.usefixtures("_sockets")
def test_a_server_that_does_not_answer_is_given_up(opened, url):
    engine = opened(wait_seconds=1)

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        with locked(url, run_id):
            begin = time.monotonic()
            with pytest.raises(StoreError, match="did not answer"):
                await engine.aprocess_event(run_id, "next", 1)
            assert 0.9 < time.monotonic() - begin < 10
            assert (await engine.aget_run(run_id)).state is RunState.SUSPENDED

    run(main())


def test_a_wait_for_a_connection_has_an_end(opened, url):
    engine = opened(wait_seconds=20, max_connections=1)

    async def main():
        first, second = [(await engine.astart_flow(count_up)).id for _ in range(2)]
        with locked(url, first) as lock:
            event = asyncio.create_task(engine.aprocess_event(first, "next", 1))
            await asyncio.sleep(0.5)
            engine.store._database._wait_seconds = 0.5
            engine.store._database._pool._wait_seconds = 0.5
            begin = time.monotonic()
            events = (engine.aprocess_event(second, "next", 1) for _ in range(3))
            for error in await asyncio.gather(*events, return_exceptions=True):
                assert isinstance(error, StoreError)
                assert "all 1 connections were in use for 0.5 seconds" in str(error)
            assert time.monotonic() - begin < 5
            lock.rollback()
            await event
        await engine.aprocess_event(second, "next", 1)

    run(main())


def test_a_session_that_ends_in_the_middle_of_a_wait_is_replaced(opened, url):
    engine = opened()

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        with (
            locked(url, run_id) as lock,
            psycopg.connect(url, autocommit=True) as another,
        ):
            event = asyncio.create_task(engine.aprocess_event(run_id, "next", 7))
            while not (waiting := another.execute(WAITS).fetchall()):
                await asyncio.sleep(0.01)
            for (pid,) in waiting:
                another.execute("SELECT pg_terminate_backend(%s)", (pid,))
            assert await ticks_during(asyncio.sleep(0.2)) > 2
            lock.rollback()
            assert (await event).turn == 2

    run(main())


WAITS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def test_a_server_that_is_killed_is_waited_for_and_the_loop_goes_on():
    server = PostgresServer(binaries_or_skip())
    try:
        with PostgresStore(server.url(), wait_seconds=60) as store:
            engine = Engine(store)
            ids = [asyncio.run(engine.astart_flow(count_up)).id for _ in range(20)]

            async def main():
                async def work(run_id):
                    for _ in range(10):
                        await engine.aprocess_event(run_id, "next", 1)

                working = asyncio.gather(*map(work, ids))
                await asyncio.sleep(0.05)
                server.kill_all()
                again = threading.Thread(target=server.start_again)
                again.start()
                assert await ticks_during(working) > 5
                again.join()

            run(main())
            assert {engine.get_run(run_id).turn for run_id in ids} == {11}
    finally:
        server.remove()


# -- cancelled and closed ------------------------------------------------------------------------


@pytest.mark.parametrize("sessions", [1, 10])
def test_a_task_can_be_cancelled_at_every_await(opened, sessions):
    engine = opened(max_connections=sessions)

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        was_late = 0
        for turns in range(60):
            before = (await engine.aget_run(run_id)).turn
            event = asyncio.create_task(engine.aprocess_event(run_id, "next", 1))
            others = [asyncio.create_task(engine.aget_run(run_id)) for _ in range(turns % 3)]
            for _ in range(turns):
                await asyncio.sleep(0)
            event.cancel()
            try:
                await event
            except asyncio.CancelledError:
                pass
            else:
                was_late += 1
            await asyncio.gather(*others)
            stored = await engine.aget_run(run_id)
            # Nothing goes on behind its back: the run is free at once.
            assert stored.state is RunState.SUSPENDED
            assert stored.turn in (before, before + 1)
        assert was_late < 60
        assert (await engine.aprocess_event(run_id, "next", 1)).state is RunState.SUSPENDED

    run(main())


def test_a_coroutine_that_is_closed_leaves_its_step_to_the_loop(opened, url):
    engine = opened()

    async def main():
        run_id = (await engine.astart_flow(count_up)).id
        with locked(url, run_id) as lock:
            event = engine.aprocess_event(run_id, "next", 1)
            event.send(None)
            event.close()
            lock.rollback()
        for _ in range(400):
            if (await engine.aget_run(run_id)).state is RunState.SUSPENDED:
                await asyncio.sleep(0.01)
        await engine.aprocess_event(run_id, "next", 1)

    run(main())


@pytest.mark.usefixtures("_sockets")
def test_a_loop_that_is_closed_in_the_middle_of_a_step_ends_its_session(opened, url):
    engine = opened(max_connections=1, wait_seconds=5)

    async def begin():
        run_id = (await engine.astart_flow(count_up)).id
        stack.enter_context(locked(url, run_id))
        engine.aprocess_event(run_id, "next", 1).send(None)  # and it is closed
        await asyncio.sleep(0.05)
        return run_id

    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        run_id = loop.run_until_complete(begin())
        loop.close()

        # The one session that there may be is to be had again, and nobody holds the run.
        assert engine.get_run(run_id).state is RunState.SUSPENDED
        assert not engine._claims.keeper._held


# -- where threads are used ----------------------------------------------------------------------


class Watchless(asyncio.SelectorEventLoop):
    """A loop that watches no sockets, as asyncio's on Windows."""

    def add_reader(self, fd, callback, *args):
        if getattr(callback, "__name__", "") != "_read_from_self":
            raise NotImplementedError
        return super().add_reader(fd, callback, *args)


def test_a_loop_that_watches_no_sockets_gets_threads(opened):
    engine = opened()

    async def main():
        assert engine.store.loop_steps() is None
        run_id = (await engine.astart_flow(count_up)).id
        return await engine.aprocess_event(run_id, "next", 1)

    with asyncio.Runner(loop_factory=Watchless) as runner:
        assert runner.run(main()).turn == 2


def test_without_greenlet_threads_are_used(url):
    code = f"""
import asyncio, sys
sys.modules["greenlet"] = None
from longterm import Engine
from longterm.store.postgres import PostgresStore
with PostgresStore({url!r}) as store:
    engine = Engine(store)
    async def main():
        engine.find_runs()
        assert store.loop_steps() is None
        assert await engine.afind_runs() == []
    asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_plain_flow_runs_in_a_thread(opened):
    engine = opened()
    seen.clear()

    async def main():
        run_id = (await engine.astart_flow(tell_threads)).id
        for _ in range(3):
            await engine.aprocess_event(run_id, "next", None)

    asyncio.run(main())
    assert len(seen) == 4
    assert threading.main_thread() not in seen


def test_a_borrowed_pool_is_used_in_threads(url):
    pools = pytest.importorskip("psycopg_pool")
    with (
        pools.ConnectionPool(url, min_size=1, open=True) as pool,
        PostgresStore(pool=pool) as store,
    ):
        engine = Engine(store)

        async def main():
            run_id = (await engine.astart_flow(count_up)).id
            assert store.loop_steps() is None
            return await engine.aprocess_event(run_id, "next", 1)

        assert asyncio.run(main()).turn == 2


def test_sleeping_outside_of_a_step_sleeps():
    begin = time.monotonic()
    _loops.sleep(0.05)
    assert time.monotonic() - begin >= 0.05
    assert _loops.without_loop(len)("four") == 4
