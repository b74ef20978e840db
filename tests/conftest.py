"""What all tests share: how hard hypothesis tries, and the switch that rewrites golden files.

`LONGTERM_PROFILE=long` lets hypothesis search for hours; without it a run takes seconds and, under
CI, tries the same examples every time.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A shared machine can be slow at any moment, so time never fails a property.
settings.register_profile(
    "quick",
    max_examples=50,
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", settings.get_profile("quick"), max_examples=5_000, derandomize=False
)
settings.load_profile(os.environ.get("LONGTERM_PROFILE", "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected output of golden tests (then read the difference with care)",
    )


# Tests start processes which, as an application's do, keep what they compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files shall be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))


def pytest_report_header() -> str:
    return f"longterm: hypothesis profile {os.environ.get('LONGTERM_PROFILE', 'quick')}"
