"""The part of the store contract about several servers: the note that one of them keeps.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Shard`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from longterm.run import RunState
from longterm.store.base import RunStore
from longterm.store.outbox import Outbox
from longterm.store.shards import Shard
from longterm.testing._outbox_contract import due, message, save
from longterm.testing._races import race
from longterm.testing._sample_runs import plain


class ShardContract:
    """A store keeps one note, which changes as a whole."""

    @pytest.fixture
    def shard(self, store: RunStore) -> Shard:
        """Return the store, if it can be one of several."""
        if not isinstance(store, Shard):
            pytest.skip("the store keeps no note of servers (shard_note, write_shard_note)")
        return store

    def test_a_note_follows_the_one_before(self, shard: Shard) -> None:
        assert shard.shard_note() is None
        assert not shard.write_shard_note("another", "first é")
        assert shard.shard_note() is None

        assert shard.write_shard_note(None, "first é")
        assert not shard.write_shard_note(None, "second")
        assert not shard.write_shard_note("second", "third")
        assert shard.shard_note() == "first é"

        assert shard.write_shard_note("first é", "second")
        assert shard.shard_note() == "second"

    def test_of_many_at_once_one_writes(self, shard: Shard) -> None:
        for before in (None, "0"):
            if before is not None:
                assert shard.write_shard_note(shard.shard_note(), before)
            notes = [f"{before} {number}" for number in range(4)]

            wrote = race([partial(shard.write_shard_note, before, note) for note in notes])

            assert sorted(map(str, wrote)) == ["False"] * 3 + ["True"]
            assert shard.shard_note() == notes[wrote.index(True)]

    def test_a_note_lasts(self, shard: Shard, reopen: Callable[[], RunStore]) -> None:
        shard.write_shard_note(None, "first")

        again = reopen()

        assert isinstance(again, Shard)
        assert again.shard_note() == "first"

    def test_what_was_sent_to_some_runs_is_forgotten(self, store: RunStore, shard: Shard) -> None:
        if not isinstance(store, Outbox):
            pytest.skip("the store has no outbox")
        sent = [message(number, receiver=f"r{number}") for number in range(1, 5)]
        saved = save(store, (*sent, replace(sent[1], id="m5", number=5)))
        assert saved.state is RunState.SUSPENDED

        assert shard.forget_sent_to([]) == 0
        assert shard.forget_sent_to(["r2", "r4", "r9"]) == 3

        assert [one.receiver for one in due(store)] == ["r1", "r3"]
        assert plain(store.get("r1")) == plain(saved)
