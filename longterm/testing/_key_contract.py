"""The part of the store contract about the keys of deliveries: a run takes none twice.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Keys`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from longterm._event_names import START
from longterm.errors import RunExists, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Deletion, Erasure, Keys, RunStore
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run


class KeyContract:
    """Keys are kept with what a turn made of the run, and go with it."""

    @pytest.fixture
    def keys(self, store: RunStore) -> Keys:
        """Return the store, if it keeps keys."""
        if not isinstance(store, Keys):
            pytest.skip("the store keeps no keys (claim_for_key, digest_for_key, forget_keys)")
        return store

    def test_a_claim_for_a_new_key_is_like_any_other(self, store: RunStore, keys: Keys) -> None:
        run = replace(suspended_run(), delivery="before")
        store.create(run)

        claimed = keys.claim_for_key("r1", "number", "a", now=NOON, until=LATER)

        expected = replace(run, state=RunState.RUNNING, turn=2, claimed_until=LATER)
        assert claimed is not None
        assert plain(claimed) == plain(store.get("r1")) == plain(expected)

    def test_a_key_is_taken_once(self, store: RunStore, keys: Keys) -> None:
        store.create(suspended_run())
        store.create(suspended_run("r2"))
        _take(store, keys, "a", "digest of a")
        after = _take(store, keys, "b", "")

        assert keys.claim_for_key("r1", "number", "a", now=NOON, until=LATER) is None
        assert keys.claim_for_key("r1", "number", "b", now=NOON, until=LATER) is None

        assert plain(store.get("r1")) == plain(after)
        assert keys.digest_for_key("r1", "a") == "digest of a"
        assert keys.digest_for_key("r1", "b") == ""
        assert keys.digest_for_key("r1", "A") is None
        assert keys.digest_for_key("r2", "a") is None
        assert keys.digest_for_key("r3", "a") is None
        _take(store, keys, "a", "of another run", "r2")
        assert keys.digest_for_key("r1", "a") == "digest of a"

    def test_a_claim_for_a_key_is_for_the_event_that_the_run_waits_for(
        self, store: RunStore, keys: Keys
    ) -> None:
        store.create(suspended_run())

        assert keys.claim_for_key("r1", "name", "a", now=NOON, until=LATER) is None
        with pytest.raises(UnknownRun):
            keys.claim_for_key("r2", "number", "a", now=NOON, until=LATER)

    def test_a_key_whose_turn_is_not_saved_is_not_taken(self, store: RunStore, keys: Keys) -> None:
        store.create(suspended_run())
        claimed = keys.claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None

        store.update(replace(claimed, state=RunState.SUSPENDED))

        assert keys.digest_for_key("r1", "a") is None
        assert keys.claim_for_key("r1", "number", "a", now=NOON, until=LATER) is not None

    def test_a_key_whose_turn_failed_is_not_taken(self, store: RunStore, keys: Keys) -> None:
        store.create(suspended_run())

        _take(store, keys, "a", "digest", state=RunState.FAILED)

        assert store.get("r1").delivery == "a"
        assert keys.digest_for_key("r1", "a") is None

    def test_a_save_that_is_refused_keeps_no_key(self, store: RunStore, keys: Keys) -> None:
        run = suspended_run()
        store.create(run)

        with pytest.raises(Exception, match="r1"):
            store.update(
                replace(run, delivery="a", delivery_digest="digest", updated_at=NOON, turn=7)
            )

        assert keys.digest_for_key("r1", "a") is None

    def test_a_key_keeps_its_first_digest(self, store: RunStore, keys: Keys) -> None:
        store.create(suspended_run())
        _take(store, keys, "a", "first")
        claimed = store.unsuspend("r1", "number")
        assert claimed is not None

        store.update(_taken(claimed, "a", "second"))

        assert keys.digest_for_key("r1", "a") == "first"

    def test_old_keys_are_forgotten(self, store: RunStore, keys: Keys) -> None:
        store.create(suspended_run())
        _take(store, keys, "a", "digest")
        _take(store, keys, "b", "digest")

        assert keys.forget_keys(taken_before=NOON) == 0
        assert keys.forget_keys(taken_before=NOON + timedelta(microseconds=1)) == 2

        assert keys.digest_for_key("r1", "a") is None
        assert keys.forget_keys(taken_before=LATER) == 0

    def test_the_call_that_begins_a_run_is_kept_as_long_as_the_run(
        self, store: RunStore, keys: Keys
    ) -> None:
        run = replace(suspended_run(), delivery=START, delivery_digest="of the call")

        store.create(run)

        assert plain(store.get("r1")) == plain(run)
        assert keys.digest_for_key("r1", START) == "of the call"
        with pytest.raises(RunExists):
            store.create(replace(run, delivery_digest="of another"))
        assert keys.digest_for_key("r1", START) == "of the call"
        _take(store, keys, "a", "digest")
        far_off = NOON + timedelta(days=365_000)
        assert keys.forget_keys(taken_before=far_off) == 1
        assert keys.digest_for_key("r1", START) == "of the call"
        if isinstance(store, Erasure):
            _take(store, keys, "b", "digest", state=RunState.COMPLETE)
            store.delete("r1")
            assert keys.digest_for_key("r1", START) is None

    def test_keys_are_deleted_with_their_run(self, store: RunStore, keys: Keys) -> None:
        if not isinstance(store, Erasure) or not isinstance(store, Deletion):
            pytest.skip("the store does not delete")
        for run_id in ("r1", "r2", "r3"):
            store.create(suspended_run(run_id))
            _take(store, keys, "a", "digest", run_id)
        for run_id in ("r1", "r2"):
            _take(store, keys, "b", "digest", run_id, state=RunState.COMPLETE)

        store.delete("r1")
        assert keys.digest_for_key("r1", "a") is None
        store.delete_ended(saved_before=NOON + MINUTE, limit=9)

        assert keys.digest_for_key("r2", "a") is None
        assert keys.digest_for_key("r3", "a") == "digest"


def _take(
    store: RunStore,
    keys: Keys,
    key: str,
    digest: str,
    run_id: str = "r1",
    state: RunState = RunState.SUSPENDED,
) -> Run:
    """Have a run take a delivery of a key."""
    claimed = keys.claim_for_key(run_id, "number", key, now=NOON, until=LATER)
    assert claimed is not None
    return store.update(_taken(claimed, key, digest, state))


def _taken(run: Run, key: str, digest: str, state: RunState = RunState.SUSPENDED) -> Run:
    return replace(
        run,
        state=state,
        delivery=key,
        delivery_digest=digest,
        updated_at=NOON,
        claimed_until=None,
    )
