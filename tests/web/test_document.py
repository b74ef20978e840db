"""The OpenAPI document is true: schemathesis sends what it allows, and what it does not allow.

LONGTERM_PROFILE=long sends a hundred times as much.
"""

from __future__ import annotations

import os

import pytest

pytest.importorskip("schemathesis", reason="NOT TESTED: schemathesis is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from longterm import Engine
from longterm.testing import FakeClock
from longterm.web import streams

from .shop import allow, client, talk

EXAMPLES = 1000 if os.environ.get("LONGTERM_PROFILE") == "long" else 10
OF_A_STATE = {"idempotency-key", "if-match"}
"""With these it depends on what was sent before whether a request is taken: a key may be of another
request, and a revision may be over. No document can tell, and the answers are documented."""


def prepared():
    """An application with a run that many requests can meet."""
    shop = client(Engine("memory://", clock=FakeClock()), authorize=allow)
    shop.engine.start(talk, id="0")
    return shop.app


schema = schemathesis.openapi.from_asgi("/api/openapi.json", prepared())


@pytest.fixture(autouse=True)
def streams_that_end_soon(monkeypatch):
    monkeypatch.setattr(streams, "_LONGEST", 0.01)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case):
    is_of_a_state = any(name.lower() in OF_A_STATE for name in case.headers or ())
    case.call_and_validate(excluded_checks=[positive_data_acceptance] if is_of_a_state else [])
