"""A run is a plain dataclass, which a store may derive from."""

from __future__ import annotations

import dataclasses

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


def test_run_does_not_change() -> None:
    run = Run(id="r1", flow="m:f", state=RunState.SUSPENDED)

    with pytest.raises(dataclasses.FrozenInstanceError):
        run.turn = 2
    assert run.index == {}
    assert run.index is not Run(id="r1", flow="m:f", state=RunState.SUSPENDED).index
