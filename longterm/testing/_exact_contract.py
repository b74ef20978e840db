"""The part of the store contract about values: what goes in comes out, exactly.

Inherited through `longterm.testing.contract.StoreContract`.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from longterm.errors import UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.testing._sample_runs import claim, full_run, plain, suspended_run

_TEXTS = [
    pytest.param("order 17/b?c=d&e=%20", id="punctuation"),
    pytest.param("'; DROP TABLE runs; --\"\\", id="quotes"),
    pytest.param("../../etc/passwd", id="a-path"),
    pytest.param(" two\nlines\t", id="whitespace"),
    pytest.param("Grüße, 東京, \N{SNOWMAN}, \N{GRINNING FACE}", id="unicode"),
    pytest.param("x" * 1_000, id="long"),
]
_ALIKE = [
    pytest.param("Number", "number", id="case"),
    pytest.param("number", "number ", id="space-at-the-end"),
    pytest.param("caf\u00e9", "cafe\u0301", id="unicode-form"),
    pytest.param("10", "10.0", id="numeral"),
    pytest.param("number", "", id="empty"),
    pytest.param("number", "%", id="wildcard"),
]
_BYTES = [
    pytest.param(b"", id="empty"),
    pytest.param(bytes(range(256)) * 3, id="every-byte"),
    pytest.param(b"\xff\xfe\x00not text\x00", id="no-text"),
    pytest.param(b"\x00\x93" * 2_500_000, id="5-MB"),
]


class ExactContract:
    """Ids, events, bytes and further fields come back as they were given."""

    own_fields_that_change: ClassVar[frozenset[str]] = frozenset()
    """Fields of the store's own that it sets itself at each step, such as a time of change."""

    def test_every_field_comes_back_from_every_step(self, store: RunStore) -> None:
        run = full_run()
        assert plain(store.create(run)) == plain(run)
        assert plain(store.get("r1")) == plain(run)

        claimed = claim(store)
        begun: dict[str, Any] = {"state": RunState.RUNNING, "turn": 8}
        assert plain(claimed) == plain(run) | begun

        made: dict[str, Any] = {
            "state": RunState.SUSPENDED,
            "deadline": run.updated_at,
            "attempts": 0,
        }
        made |= {"updated_at": run.deadline, "delivery": "click 18", "index": {"ward": "B"}}
        store.update(replace(claimed, **made))
        assert plain(store.get("r1")) == plain(run) | begun | made

    def test_facts_and_moments_come_back_with_their_own_types(self, store: RunStore) -> None:
        run = full_run()
        store.create(run)

        stored = store.get("r1")

        assert [type(fact) for _, fact in sorted(stored.index.items())] == [
            type(fact) for _, fact in sorted(run.index.items())
        ]
        assert stored.deadline is not None
        assert stored.deadline.utcoffset() == timedelta(0)

    def test_fields_come_back_with_their_own_types(self, store: RunStore) -> None:
        store.create(replace(suspended_run(), turn=2**40))

        run = store.get("r1")

        assert type(run.state) is RunState
        assert type(run.turn) is int
        assert type(run.stack) is bytes
        assert type(run.encoded_response) is bytes
        assert type(run.flow) is str
        assert run.turn == 2**40

    @pytest.mark.parametrize("text", _TEXTS)
    def test_any_text_is_an_id_and_an_event(self, store: RunStore, text: str) -> None:
        run = replace(suspended_run(text, text), flow=text, encoded_error=text)
        store.create(run)
        store.create(suspended_run("another"))

        assert plain(store.get(text)) == plain(run)
        saved = replace(claim(store, text, text), state=RunState.SUSPENDED, encoded_error=text * 2)
        store.update(saved)
        assert plain(store.get(text)) == plain(saved)

    @pytest.mark.parametrize(("stored", "asked"), _ALIKE)
    def test_ids_and_events_that_look_alike_are_different(
        self, store: RunStore, stored: str, asked: str
    ) -> None:
        store.create(suspended_run(stored, stored))

        assert store.unsuspend(stored, asked) is None
        with pytest.raises(UnknownRun):
            store.get(asked)
        store.create(suspended_run(asked, asked))
        assert store.get(asked).waiting_for == asked
        assert store.get(stored).waiting_for == stored

    @pytest.mark.parametrize("content", _BYTES)
    def test_bytes_come_back_as_they_went_in(self, store: RunStore, content: bytes) -> None:
        run = replace(suspended_run(), stack=content, encoded_response=content)
        store.create(run)

        assert store.get("r1").stack == content
        claimed = claim(store)
        assert claimed.stack == content
        store.update(replace(claimed, stack=None, encoded_result=content))
        assert store.get("r1").stack is None
        assert store.get("r1").encoded_result == content

    def test_fields_of_the_stores_own_survive_a_turn(self, store: RunStore) -> None:
        created = store.create(suspended_run())
        kept = _own_fields(created, self.own_fields_that_change)
        if type(created) is Run:
            pytest.skip("the store adds no fields of its own to a run")

        claimed = claim(store)
        saved = store.update(replace(claimed, state=RunState.COMPLETE, encoded_result=b"\x05"))

        for run in (claimed, saved, store.get("r1")):
            assert type(run) is type(created)
            assert _own_fields(run, self.own_fields_that_change) == kept


def _own_fields(run: Run, changing: frozenset[str]) -> dict[str, Any]:
    """Return the fields that a store has added to a run, without those that it keeps changing."""
    added = {field.name for field in fields(run)} - {field.name for field in fields(Run)} - changing
    return {name: getattr(run, name) for name in sorted(added)}
