"""A URL opens the store that it names, imports no other's driver, and is refused with a way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from longterm.errors import StoreError
from longterm.store import open_store
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore


@pytest.mark.parametrize("url", ["memory://", "memory:"])
def test_memory_opens_a_new_store_each_time(url: str) -> None:
    assert isinstance(open_store(url), MemoryStore)
    assert open_store(url) is not open_store(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///runs.db", "runs.db"),
        ("sqlite:///data/runs", "data/runs"),
        ("sqlite:////srv/app/runs.db", "/srv/app/runs.db"),
        ("SQLite:////srv/my%20runs.db", "/srv/my runs.db"),
        ("runs.db", "runs.db"),
        ("./data/runs.sqlite", "data/runs.sqlite"),
        ("/srv/app/runs.SQLITE3", "/srv/app/runs.SQLITE3"),
        ("/srv/50% off?.db", "/srv/50% off?.db"),
    ],
)
def test_a_url_or_a_path_opens_an_sqlite_file(
    url: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    store = open_store(url)

    assert isinstance(store, SQLiteStore)
    assert store.path == str(tmp_path / path)


def test_options_reach_the_store() -> None:
    store = open_store("sqlite:///runs.db?synchronous=normal&busy_seconds=2.5")

    assert isinstance(store, SQLiteStore)
    assert not store._file.syncs
    assert store._file.busy_seconds == 2.5


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", r"no store has the URL '' \(use memory://, sqlite:///runs\.db"),
        ("runs", r"no store has the URL 'runs' \(use memory://"),
        ("mysql://me:secret@host/db", r"no store has the URL mysql://… \(use memory://"),
        ("memory://runs", r"a store in memory has no name or place: .* \(write memory://\)"),
        ("memory://?size=3", r"no option 'size' \(it has none\)"),
        ("sqlite://", r"sqlite:// names no file \(write sqlite:///runs\.db"),
        ("sqlite:///", r"sqlite:// names no file \(write sqlite:///runs\.db"),
        ("sqlite://runs.db", r"names no file \(three slashes .*: sqlite:///runs\.db\)"),
        ("sqlite:///runs.db?sync=1", r"no option 'sync' \(choose from synchronous, busy_seconds"),
        ("sqlite:///runs.db?synchronous=", r"synchronous='' is no setting"),
        ("sqlite:///runs.db?busy_seconds=soon", r"busy_seconds='soon' is no number of seconds \("),
        ("sqlite:///runs.db?busy_seconds=nan", r"busy_seconds='nan' is no number of seconds \("),
    ],
)
def test_a_url_that_names_no_store_is_refused_with_a_way_out(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        open_store(url)

    assert "secret" not in str(refused.value)


def test_a_store_in_memory_needs_no_driver() -> None:
    script = (
        "import sys\n"
        "from longterm.store import open_store\n"
        "open_store('memory://')\n"
        "assert not {'sqlite3', 'psycopg', 'libcst'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
