"""Files that are no store, damaged or not writable: a clear error, and nothing overwritten."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from longterm.errors import StoreError
from longterm.store._rows import MIGRATIONS
from longterm.store.sqlite import SQLiteStore
from longterm.store.sqlite import _file as _sqlite_file
from longterm.testing._sample_runs import suspended_run

SCRIPT = Path(__file__).with_name("sqlite_process.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def refusal(path: Path) -> str:
    """Return the error of a store that cannot be opened."""
    with SQLiteStore(path) as store, pytest.raises(StoreError) as refused:
        store.create(suspended_run())
    return str(refused.value)


def make_store(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"cannot open {tmp_path}: it is a folder "
        f"(name a file in it, such as {tmp_path / 'runs.db'})"
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no" / "runs.db") == (
        f"cannot open {tmp_path / 'no' / 'runs.db'}: the folder {tmp_path / 'no'} does not exist "
        "(create it, or correct the path)"
    )
    assert not (tmp_path / "no").exists()


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("Dear diary,\n" * 1_000)

    assert refusal(path) == (
        f"cannot open {path}: the file is not an SQLite database "
        "(name another file; this one was left as it is)"
    )
    assert path.read_text() == "Dear diary,\n" * 1_000


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE runs (id TEXT PRIMARY KEY, state TEXT)", "PRAGMA application_id = 7"],
)
def test_a_database_of_another_application_is_left_alone(path: Path, statement: str) -> None:
    change(path, statement, "PRAGMA user_version = 1")
    before = path.read_bytes()

    assert refusal(path) == (
        f"cannot open {path}: the database belongs to another application "
        "(name another file; this one was left as it is)"
    )
    assert path.read_bytes() == before


def test_the_schema_of_a_newer_longterm_is_left_alone(path: Path) -> None:
    make_store(path)
    change(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()

    newest = len(MIGRATIONS)
    assert refusal(path) == (
        f"cannot open {path}: its schema has version {newest + 1}, and this longterm knows "
        f"versions up to {newest} (upgrade longterm; the file was left as it is)"
    )
    assert path.read_bytes() == before


def test_a_truncated_file_is_called_damaged_and_left_alone(path: Path) -> None:
    make_store(path)
    os.truncate(path, 5_000)
    before = path.read_bytes()

    assert "the file is damaged (restore a backup" in refusal(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_empty(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = ["CREATE TABLE runs (id TEXT) STRICT", "CREATE TABLE runs (id TEXT) STRICT"]
    monkeypatch.setattr(_sqlite_file, "_steps", lambda version: iter(statements))
    assert "cannot open" in refusal(path)
    monkeypatch.undo()

    make_store(path)


def test_a_full_disk_is_named_and_the_run_is_as_before(path: Path) -> None:
    # The limit on a file's size is what a full disk is to a process.
    make_store(path)
    script = (
        "import resource, sys, signal\n"
        "from dataclasses import replace\n"
        "from longterm.errors import StoreError\n"
        "from longterm.store.sqlite import SQLiteStore\n"
        "with SQLiteStore(sys.argv[1]) as store:\n"
        "    claimed = store.unsuspend('r1', 'number')\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))\n"
        "    try:\n"
        "        store.update(replace(claimed, stack=bytes(1_000_000)))\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
        "    print(store.get('r1') == claimed)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "    store.update(replace(claimed, stack=bytes(1_000_000)))\n"
    )

    outcome = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )

    error, is_as_before = outcome.stdout.splitlines()
    assert error.startswith(f"cannot save run 'r1' in {path}: the disk ")
    assert error.endswith(")")
    assert is_as_before == "True"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that a common user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="longterm-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_common_user(step: str, path: Path) -> str:
    """Take a step of `sqlite_process.py` and return what it said."""
    line = [sys.executable, SCRIPT, "look", path, step]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def test_a_folder_that_may_not_be_written_is_no_place_for_a_new_store(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    assert as_common_user("create", open_folder / "runs.db") == (
        f"StoreError: cannot open {open_folder / 'runs.db'}: the file cannot be opened "
        "(check that its folder exists and that this user may write there)"
    )
    assert list(open_folder.iterdir()) == []


def test_a_file_that_may_not_be_written_can_be_read_but_not_claimed_from(open_folder: Path) -> None:
    path = open_folder / "runs.db"
    make_store(path)
    open_folder.chmod(0o777)
    path.chmod(0o444)

    assert as_common_user("get", path) == "suspended"
    assert as_common_user("claim", path) == (
        f"StoreError: cannot claim run 'r1' in {path}: the file or its folder is read-only for "
        "this user (give it permission to write both, and the -wal and -shm files beside it, or "
        "name a file elsewhere)"
    )


def test_a_store_in_a_read_only_folder_is_named(open_folder: Path) -> None:
    path = open_folder / "runs.db"
    make_store(path)
    path.chmod(0o444)
    open_folder.chmod(0o555)

    assert as_common_user("claim", path).startswith(f"StoreError: cannot open {path}: the file ")
