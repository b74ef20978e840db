"""What the tests of this folder share: a Postgres server, and an engine on each kind of store.

A file that needs another engine or clock makes its own.
"""

import pytest

from longterm import Engine
from longterm.testing import FakeClock
from tests.store.conftest import fresh_database, server

__all__ = ["clock", "engine", "fresh_database", "server"]


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
