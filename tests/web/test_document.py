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
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from longterm import Engine
from longterm.testing import FakeClock

from .shop import allow, client, talk

EXAMPLES = 1000 if os.environ.get("LONGTERM_PROFILE") == "long" else 10


STATE_DECIDES = [
    positive_data_acceptance,  # a key that was used before, another revision: refused
    negative_data_rejection,  # pydantic takes "5" for 5; unknown parameters are left alone
]
"""What cannot be told from the document."""


def prepared():
    """An application with a run that many requests can meet."""
    shop = client(Engine("memory://", clock=FakeClock()), authorize=allow)
    shop.engine.start(talk, id="0")
    return shop.app


schema = schemathesis.openapi.from_asgi("/api/openapi.json", prepared())


@schema.exclude(operation_id="follow_run").parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case):
    case.call_and_validate(excluded_checks=STATE_DECIDES)
