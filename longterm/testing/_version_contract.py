"""The part of the store contract about the source of versions.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Versions`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from longterm.store.base import RunStore
from longterm.store.versions import Versions
from longterm.testing._races import race
from longterm.testing._sample_runs import plain, suspended_run

_SELL = "shop:sell@3f2a9c04d1b75e88"


class VersionContract:
    """A source is kept once, whoever comes first, and is found by the name of its version."""

    @pytest.fixture
    def versions(self, store: RunStore) -> Versions:
        """Return the store, if it keeps versions."""
        if not isinstance(store, Versions):
            pytest.skip("the store keeps no source of versions (keep_version, find_version)")
        return store

    @pytest.mark.parametrize("source", [b"def sell(): ...\n", b"", b"\0\xff" * 5000])
    def test_a_version_is_found_exactly_as_it_was_kept(
        self, store: RunStore, versions: Versions, source: bytes
    ) -> None:
        run = store.create(suspended_run())
        assert versions.find_version(_SELL) is None

        versions.keep_version(_SELL, source)

        assert versions.find_version(_SELL) == source
        assert versions.find_version(_SELL[:-1]) is None
        assert plain(store.get(run.id)) == plain(run)

    def test_what_is_kept_first_stays(self, versions: Versions) -> None:
        versions.keep_version(_SELL, b"first")
        versions.keep_version(_SELL, b"second")

        assert versions.find_version(_SELL) == b"first"

    def test_of_many_at_once_one_is_first(self, versions: Versions) -> None:
        sources = [f"text {number}".encode() for number in range(4)]

        came = race([partial(versions.keep_version, _SELL, source) for source in sources])

        assert came == [None] * len(sources)
        assert versions.find_version(_SELL) in sources

    def test_versions_are_found_by_how_they_begin(self, versions: Versions) -> None:
        others = ["shop:sell@3f2b", "shop:Sell@3f2a", "shop:s_ll@3f2a", "läden:g.<locals>.h'\"@1%"]
        for version in (*others, _SELL, "shop:sell@3f2a00"):
            versions.keep_version(version, b"text")

        assert versions.find_versions("shop:sell@3f2a") == ["shop:sell@3f2a00", _SELL]
        assert versions.find_versions("läden:g.<locals>.h'\"@1%") == others[-1:]
        assert versions.find_versions("shop:s_ll") == ["shop:s_ll@3f2a"]
        assert versions.find_versions("nobody") == []
        assert versions.find_versions("") == sorted([*others, _SELL, "shop:sell@3f2a00"])

    def test_a_source_is_rewritten_if_it_is_there(self, versions: Versions) -> None:
        assert not versions.rewrite_version(_SELL, b"sealed")
        assert versions.find_version(_SELL) is None
        versions.keep_version(_SELL, b"text")

        assert versions.rewrite_version(_SELL, b"sealed")

        assert versions.find_version(_SELL) == b"sealed"

    def test_versions_last(self, versions: Versions, reopen: Callable[[], RunStore]) -> None:
        versions.keep_version(_SELL, b"text")

        again = reopen()

        assert isinstance(again, Versions)
        assert again.find_version(_SELL) == b"text"
