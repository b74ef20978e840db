"""Tasks of one loop deliver events on Postgres, while sessions, the server and tasks are ended.

Every acknowledged event must have had its effect once, and the others once or not at all.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter

import pytest

from longterm import Engine, LongtermError, RunBusy, deflow, suspend
from tests.store.postgres_server import PostgresServer, binaries_or_skip

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
pytest.importorskip("greenlet", reason="LOOP STEPS NOT TESTED: greenlet is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402

IS_LONG = os.environ.get("LONGTERM_PROFILE") == "long"
SECONDS, RUNS = (120, 60) if IS_LONG else (6, 30)
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < 0.5"
)


@deflow
async def collected() -> list[int]:
    """Keep what comes, until nothing does."""
    seen: list[int] = []
    while True:
        value = suspend("next")
        if value is None:
            return seen
        await asyncio.sleep(0)
        seen.append(value)


def make_chaos(server: PostgresServer, until: float, number: random.Random) -> None:
    """End some sessions, and seldom the server."""
    while time.monotonic() < until:
        time.sleep(number.uniform(0.05, 0.3))
        if number.random() < 0.05:
            server.kill_all()
            server.start_again()
            continue
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(END_SESSIONS)


async def deliver(engine: Engine, run_id: str, value: int, number: random.Random) -> None:
    """Deliver an event until it is acknowledged; its key makes a second time do no harm."""
    while True:
        call = asyncio.create_task(
            engine.aprocess_event(run_id, "next", value, key=f"{run_id} {value}")
        )
        if number.random() < 0.3:
            await asyncio.sleep(number.uniform(0, 0.02))
            call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            continue
        except RunBusy:  # a claim whose answer nobody heard holds for its time
            await asyncio.sleep(0.05)
            await asyncio.to_thread(engine.release_stale)
            continue
        except LongtermError:
            await asyncio.sleep(0.05)
            continue
        return


def test_each_event_has_its_effect_once_in_chaos():
    server = PostgresServer(binaries_or_skip())
    number = random.Random(7)
    acknowledged: Counter[str] = Counter()
    try:
        with PostgresStore(server.url(), max_connections=4, wait_seconds=30) as store:
            engine = Engine(store)
            ids = [asyncio.run(engine.astart_flow(collected)).id for _ in range(RUNS)]
            until = time.monotonic() + SECONDS

            async def feed(run_id: str) -> None:
                while time.monotonic() < until:
                    await deliver(engine, run_id, acknowledged[run_id], number)
                    acknowledged[run_id] += 1

            async def main() -> None:
                await asyncio.gather(*map(feed, ids))
                for run_id in ids:
                    await deliver(engine, run_id, None, random.Random(1))

            chaos = threading.Thread(target=make_chaos, args=(server, until, number))
            chaos.start()
            try:
                asyncio.run(asyncio.wait_for(main(), SECONDS + 240))
            finally:
                chaos.join()
            for run_id in ids:
                assert engine.get_run(run_id).result == list(range(acknowledged[run_id]))
    finally:
        server.remove()
    assert sum(acknowledged.values()) > RUNS
