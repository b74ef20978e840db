"""A run is a plain dataclass, which a store may derive from."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from longterm import Run, RunState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owned(Run):
    owner: str = "nobody"


def test_changed_copy_is_what_replace_makes_and_keeps_the_fields_of_a_store() -> None:
    run = Owned(id="r1", flow="m:f", state=RunState.SUSPENDED, owner="Ada")

    changed = run.changed(turn=2)

    assert changed == dataclasses.replace(run, turn=2)
    assert (type(changed), changed.owner, run.turn) == (Owned, "Ada", 1)


def test_field_that_a_run_has_not_cannot_be_changed() -> None:
    run = Run(id="r1", flow="m:f", state=RunState.SUSPENDED)

    with pytest.raises(TypeError, match="a run has no field error"):
        run.changed(error="it is made of encoded_error")


def test_repr_shows_no_bytes_and_no_values() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    run = Owned(
        id="r1",
        flow="m:f",
        state=RunState.FAILED,
        turn=3,
        waiting_for="vote",
        stack=b"secret",
        encoded_response=b"secret",
        encoded_result=b"secret",
        encoded_error="secret",
        delivery="secret",
        index={"secret": "secret"},
        created_at=moment,
    )

    assert repr(run) == (
        "Owned(id='r1', flow='m:f', state=<RunState.FAILED: 'failed'>, turn=3, "
        "waiting_for='vote', owner='nobody')"
    )


def test_run_does_not_change() -> None:
    run = Run(id="r1", flow="m:f", state=RunState.SUSPENDED)

    with pytest.raises(dataclasses.FrozenInstanceError):
        run.turn = 2
    assert run.index == {}
    assert run.index is not Run(id="r1", flow="m:f", state=RunState.SUSPENDED).index
