"""A plugin of pytest: of a class one test of which has failed, no other is run."""

from __future__ import annotations

import pytest

_failed: set[type | None] = set()


def pytest_runtest_setup(item: pytest.Function) -> None:
    if item.cls in _failed:
        pytest.skip("a test of its class has failed")


def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[None]) -> None:
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        _failed.add(item.cls)
