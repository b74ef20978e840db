"""What the tests of this folder share: a Postgres server, and an engine on each kind of store.

A file that needs another engine or clock makes its own.
"""

import pytest

from longterm import Engine
from longterm.testing import FakeClock
from tests.store.conftest import fresh_database, server
from tests.store.postgres_server import binaries_or_skip

__all__ = ["clock", "engine", "every_engine", "fresh_database", "server"]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def engine(request, clock, tmp_path):
    is_memory = request.param == "memory"
    engine = Engine("memory://" if is_memory else f"sqlite:///{tmp_path}/runs.db", clock=clock)
    yield engine
    if not is_memory:
        engine.store.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def every_engine(request, clock, tmp_path):
    if request.param == "memory":
        yield Engine("memory://", clock=clock)
        return
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/runs.db?synchronous=NORMAL"
    else:
        binaries_or_skip()
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
    engine = Engine(url, clock=clock)
    yield engine
    engine.store.close()
