"""What the store tests share: explained assertions in the contract, a Postgres server, a pooler."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.store.pooler import Pooler, find_pgbouncer
from tests.store.postgres_server import PostgresServer, binaries_or_skip

_PARTS = (
    *(
        "exact",
        "race",
        "durable",
        "failover",
        "damage",
        "lease",
        "key",
        "deadline",
        "search",
        "deletion",
    ),
    *("rewrite", "inbox", "unread", "refusal", "queue"),
)
for part in _PARTS:
    pytest.register_assert_rewrite(f"longterm.testing._{part}_contract")
pytest.register_assert_rewrite("longterm.testing.contract", "longterm.testing._sample_runs")


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server for all tests of a session, started when the first of them asks for it."""
    binaries = binaries_or_skip()
    server = PostgresServer(binaries)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def pooler(server: PostgresServer) -> Iterator[Pooler]:
    """A PgBouncer in front of the server, for the tests of a file."""
    program = find_pgbouncer()
    if program is None:
        pytest.skip("POOLER NOT TESTED: pgbouncer is not installed (apt-get install pgbouncer)")
    pooler = Pooler(program, server)
    try:
        yield pooler
    finally:
        pooler.remove()


@pytest.fixture
def fresh_database(server: PostgresServer) -> Iterator[Callable[..., str]]:
    """Return a function that makes a database, which lives as long as the test, and its name."""
    import psycopg

    made: list[str] = []

    def make(options: str = "") -> str:
        made.append(f"fresh_{next(_numbers)}")
        ask(f"CREATE DATABASE {made[-1]} {options}")
        return made[-1]

    def ask(statement: str) -> None:
        with closing(psycopg.connect(server.url(), autocommit=True)) as connection:
            connection.execute(statement.encode())

    yield make
    for name in made:  # at once: at the end there would be gigabytes of them
        ask(f"DROP DATABASE {name} WITH (FORCE)")


_numbers = itertools.count(1)
