"""What the tests of this folder share: a Postgres server, and an engine on each kind of store.

A file that needs another engine or clock makes its own.
"""

import itertools

import pytest

from longterm import Engine
from longterm.store import open_store
from longterm.testing import FakeClock
from tests.store.conftest import fresh_database, server
from tests.store.postgres_server import binaries_or_skip

__all__ = ["clock", "engine", "every_engine", "fresh_database", "server"]


_numbers = itertools.count()


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


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def each_engine(request, clock, tmp_path):
    """Return an engine on each kind of store, with a clock that stands still."""
    if request.param == "memory":
        yield Engine("memory://", clock=clock)
        return
    if request.param == "sqlite":
        store = open_store(f"sqlite:///{tmp_path}/runs.db")
    else:
        url = request.getfixturevalue("server").url()
        store = open_store(f"{url}{'&' if '?' in url else '?'}schema=engine_{next(_numbers)}")
    with store:
        yield Engine(store, clock=clock)
