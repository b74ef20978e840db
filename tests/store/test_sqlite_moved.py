"""A SQLite file, or its log, that is moved, deleted or replaced under the store stops the store.

And so does a disk that fails, also when only SQLite was told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store.sqlite import SQLiteStore
from longterm.testing._sample_runs import claim, suspended_run
from tests.store.shim import build_shim

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
MOVED = r"was moved, deleted or replaced .* open the store again\)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there" / "runs.db"


def move(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def delete(file: Path) -> None:
    file.unlink()


def replace(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copyfile(file, copy)
    copy.rename(file)


def replace_folder(file: Path) -> None:
    shutil.copytree(file.parent, file.parent.with_name("copy"))
    file.parent.rename(file.parent.with_name("old"))
    file.parent.with_name("copy").rename(file.parent)


CHANGES = [
    pytest.param(change, suffix, id=f"{change.__name__}{suffix}")
    for change in (move, delete, replace)
    for suffix in ("", "-wal")
]
CHANGES.append(pytest.param(replace_folder, "", id="replace-folder"))


@pytest.mark.parametrize(("change", "suffix"), CHANGES)
def test_a_save_to_a_file_that_is_not_there_is_never_acknowledged(
    path: Path, change: Callable[[Path], None], suffix: str
) -> None:
    with SQLiteStore(path) as store:
        for number in range(20):
            store.create(suspended_run(f"r{number}"))
        claimed = [claim(store, f"r{number}") for number in range(20)]
        store.update(claimed[0].changed(state=RunState.COMPLETE))

        change(Path(f"{path}{suffix}"))

        for run in claimed[1:]:
            with pytest.raises(StoreError, match=MOVED):
                store.update(run.changed(state=RunState.COMPLETE))
        for step in (
            lambda: store.get("r0"),
            lambda: store.unsuspend("r1", "number"),
            lambda: store.create(suspended_run("new")),
        ):
            with pytest.raises(StoreError, match=MOVED):
                step()


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_who_only_reads_or_forgets_syncs_finds_out_soon(path: Path, synchronous: str) -> None:
    with SQLiteStore(path, synchronous=synchronous) as store:
        store.create(suspended_run())
        path.unlink()
        time.sleep(0.15)

        with pytest.raises(StoreError, match=MOVED):
            store.get("r1") if synchronous == "FULL" else store.create(suspended_run("r2"))


def test_a_store_that_is_opened_again_uses_what_is_there(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run("old"))
        for suffix in ("", "-wal"):
            Path(f"{path}{suffix}").rename(f"{path.with_name('elsewhere.db')}{suffix}")
        with pytest.raises(StoreError, match=MOVED):
            store.create(suspended_run("lost"))

    with SQLiteStore(path) as store:
        assert store.create(suspended_run("new")).id == "new"
    with SQLiteStore(path.with_name("elsewhere.db")) as store:
        assert store.get("old").id == "old"


def test_a_log_that_comes_and_goes_with_its_connections_is_no_other_file(path: Path) -> None:
    for number in range(5):
        with SQLiteStore(path) as store:
            store.create(suspended_run(f"r{number}"))
            claim(store, f"r{number}")
            store._pool.before_fork()  # closes every connection, and so the log
            store._pool.after_fork_in_parent()
            with SQLiteStore(path) as other:
                other.create(suspended_run(f"other {number}"))
            store.create(suspended_run(f"later {number}"))


def test_a_sync_error_that_sqlite_passed_over_stops_the_store(path: Path, tmp_path: Path) -> None:
    """SQLite is told of the error in the checkpoint of a commit, and commits all the same."""
    program = (
        "import pathlib, sys\n"
        "from longterm.errors import StoreError\n"
        "from longterm.store.sqlite import SQLiteStore\n"
        "from longterm.testing._sample_runs import suspended_run\n"
        "path, fails = sys.argv[1:]\n"
        "acknowledged = 0\n"
        "with SQLiteStore(path) as store:\n"
        "    store.create(suspended_run('first'))\n"
        "    big = suspended_run('big').changed(stack=bytes(4096 * 900))\n"
        "    store.create(big)\n"
        "    pathlib.Path(fails).touch()\n"
        # A log of a thousand pages is taken into the file by the commit that reaches them.
        "    try:\n"
        "        store.create(suspended_run('next').changed(stack=bytes(4096 * 200)))\n"
        "        acknowledged += 1\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
        "    try:\n"
        "        store.create(suspended_run('later'))\n"
        "        acknowledged += 1\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
        "print(acknowledged, pathlib.Path(fails).exists())\n"
    )
    fails = tmp_path / "fails"
    environment = {
        **os.environ,
        "PYTHONPATH": PATH,
        "LD_PRELOAD": str(build_shim(tmp_path)),
        "SHIM_FAIL_SYNC": str(fails),
    }

    said = subprocess.run(
        [sys.executable, "-c", program, path, fails],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    first, later, counts = said.stdout.splitlines()
    assert "cannot create run 'next'" in first
    assert "the disk failed (Input/output error)" in first
    assert "nothing more is written" in later
    assert counts == "0 False"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("FULL DISK NOT TESTED: no file system can be mounted here (run as root)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(small_disk: Path) -> None:
    saved = []
    with SQLiteStore(small_disk / "runs.db") as store:
        refused = ""
        while not refused:
            try:
                run = suspended_run(f"r{len(saved)}").changed(stack=bytes(20_000))
                saved.append(store.create(run))
            except StoreError as error:
                refused = str(error)
        assert ": the disk " in refused
        assert refused.endswith(")")
        assert 10 < len(saved) < 100
        assert [store.get(run.id) for run in saved] == saved
    with SQLiteStore(small_disk / "runs.db") as store:
        assert [store.get(run.id) for run in saved] == saved
