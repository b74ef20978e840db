"""The store keeps the contract on a Citus that somebody has started; see `tests.store.citus`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from longterm.store import open_store
from longterm.testing.contract import StoreContract
from tests.store import citus

if citus.URL is None:
    pytest.skip("CITUS NOT TESTED: LONGTERM_CITUS_URL names none", allow_module_level=True)


@pytest.fixture(scope="module")
def coordinator() -> str:
    assert citus.URL is not None
    return citus.URL


@pytest.fixture(scope="module")
def url(coordinator: str) -> str:
    citus.drop_schema(coordinator)
    # A read of all pieces takes as long as there are pieces on these few nodes.
    few = f"{coordinator}?options=-c%20citus.shard_count%3D4&dialect=citus"
    with opened(few) as store:
        store.migrate()
    return few


class TestCitusStore(StoreContract):
    @pytest.fixture
    def store(self, coordinator: str, url: str) -> Iterator[Any]:
        citus.empty_tables(coordinator)
        with opened(url) as store:
            yield store

    @pytest.fixture
    def reopen(self, url: str) -> Iterator[Callable[[], Any]]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(opened(url))


def opened(url: str) -> Any:
    return open_store(url)
