"""The pytest plugin of longterm: a fixture, with which a test runs flows through months.

pytest loads this in every project whose environment has longterm, also where nobody asks for the
fixture. So it is a module of its own, outside of the package: longterm itself is imported by the
first test that asks.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from longterm.testing.kit import FlowTester

_TESTER = pytest.StashKey["FlowTester"]()
_STORE = "memory"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where the runs of tests are kept."""
    parser.getgroup("longterm").addoption(
        "--longterm-store",
        metavar="STORE",
        default=_STORE,
        help="where the fixture `longterm` keeps runs: memory (the default), sqlite, or the URL of "
        "a Postgres database, in which each test has a schema of its own",
    )


@pytest.fixture
def longterm(request: pytest.FixtureRequest) -> Iterator[FlowTester]:
    """An engine for one test, with a clock that stands still until the test lets time pass."""
    from longterm.testing.kit import FlowTester

    # A test file that names the plugin itself does so too late for options.
    store: str = request.config.getoption("longterm_store", _STORE) or _STORE
    with FlowTester(store) as tester:
        request.node.stash[_TESTER] = tester
        yield tester


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show how the runs of a test stand when it fails."""
    report = yield
    tester = item.stash.get(_TESTER, None)
    if tester is not None and report.when == "call" and report.failed:
        report.sections.append(("longterm runs", tester.describe()))
    return report
