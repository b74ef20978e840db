"""Every remedy that a store names is followed literally, and the store then works; not Postgres's.

A remedy that is new in the code has no test, and fails the last one.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

import longterm.store
from longterm import Engine, deflow, suspend
from longterm._turns.claim import Claim
from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store import open_store
from longterm.store.sqlite import SQLiteStore, _file
from longterm.testing import FakeClock
from longterm.testing._sample_runs import suspended_run
from tests.advice import advice_of, is_told, printed, tried_in
from tests.store.interrupting import Signal

STORE = Path(longterm.store.__file__).parent
SCRIPT = Path(__file__).with_name("sqlite_process.py")


@deflow
def asks() -> int:
    answer: int = suspend("q")
    return answer


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs.db"


def works(url: str | Path) -> None:
    """Store a run by a URL or a file, and find it."""
    run_id = f"a run {next(_numbers)}"
    store = open_store(str(url))
    try:
        store.create(suspended_run(run_id))
        assert store.get(run_id).state is RunState.SUSPENDED
    finally:
        if isinstance(store, SQLiteStore):
            store.close()


_numbers = itertools.count(1)


WRONG_URL = (
    "use memory://, sqlite:///runs.db, postgresql://host/database, or a path that ends in .db"
)
NO_FILE = "write sqlite:///runs.db; for runs in memory write memory://"
SLASHES = "three slashes begin a relative path, four an absolute one: sqlite:///*"
# What is told, and of which URL; which URLs then work.
URLS: list[tuple[str, str, list[str]]] = [
    (WRONG_URL, "mysql://host/runs", ["memory://", "sqlite:///runs.db", "runs.db"]),
    ("write memory://", "memory://runs", ["memory://"]),
    (NO_FILE, "sqlite://", ["sqlite:///runs.db", "memory://"]),
    (SLASHES, "sqlite://runs.db", ["sqlite:///runs.db", "sqlite:///{}/runs.db"]),
    ("choose from *", "sqlite:///runs.db?sync=FULL", ["sqlite:///runs.db?synchronous=FULL"]),
    ("choose FULL or NORMAL", "sqlite:///runs.db?synchronous=OFF",
     ["sqlite:///runs.db?synchronous=NORMAL", "sqlite:///runs.db?synchronous=FULL"]),
    ("write *=30", "sqlite:///runs.db?busy_seconds=long", ["sqlite:///runs.db?busy_seconds=30"]),
    ("create it, or correct the path", "sqlite:///none/runs.db", ["sqlite:///runs.db"]),
    ("name a file in it, such as *", "sqlite:///.", ["sqlite:///./runs.db"]),
]  # fmt: skip


@pytest.mark.parametrize(("remedy", "refused", "followed"), URLS)
def test_a_url_that_is_written_as_the_error_says_works(
    path: Path, remedy: str, refused: str, followed: list[str]
) -> None:
    with printed(remedy):
        works(refused)

    for url in followed:
        works(url.format(path.parent))


def test_a_file_is_given_where_only_memory_was_meant() -> None:
    with printed("for runs in memory use `memory://`"):
        SQLiteStore(":memory:")

    works("memory://")


def test_a_folder_that_does_not_exist(path: Path) -> None:
    with printed("create it, or correct the path"):
        works("none/runs.db")
    Path("none").mkdir()

    works("none/runs.db")


# -- files ---------------------------------------------------------------------------------------


def as_common_user(step: str, path: Path) -> str:
    """Take a step of `sqlite_process.py`, as a user who is not root, and return what it said."""
    line = [sys.executable, SCRIPT, "look", path, step]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a common user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="longterm-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written(open_folder: Path) -> None:
    path = open_folder / "runs.db"

    said = as_common_user("create", path)
    assert is_told("check that its folder exists and that this user may write there", said)
    open_folder.chmod(0o777)

    assert "StoreError" not in as_common_user("create", path)


def test_a_file_that_may_not_be_written(open_folder: Path) -> None:
    path = open_folder / "runs.db"
    with SQLiteStore(path) as store:
        store.create(suspended_run())
    open_folder.chmod(0o777)
    path.chmod(0o444)

    said = as_common_user("claim", path)
    assert is_told(
        "give it permission to write both, and the -wal and -shm files beside it, or name a file "
        "elsewhere",
        said,
    )
    for file in open_folder.iterdir():
        file.chmod(0o666)

    assert "StoreError" not in as_common_user("claim", path)


@pytest.mark.parametrize("content", ["a text", "of another"])
def test_a_file_of_somebody_else(path: Path, content: str) -> None:
    if content == "a text":
        path.write_text("no database, " * 100)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE shop (id)")

    before = path.read_bytes()
    with printed("name another file; this one was left as it is"):
        works(path)

    works("another.db")
    assert path.read_bytes() == before


def test_a_schema_of_a_newer_longterm(path: Path) -> None:
    works(path)
    with closing(sqlite3.connect(path)) as newer:
        ((version,),) = newer.execute("PRAGMA user_version")
        newer.execute(f"PRAGMA user_version = {version + 1}")

    with printed("upgrade longterm; the file was left as it is"):
        works(path)

    with pytest.MonkeyPatch.context() as upgraded:
        upgraded.setattr(_file, "MIGRATIONS", (*_file.MIGRATIONS, "newer.sql"))
        works(path)


def test_a_damaged_file_is_replaced_by_a_backup(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
    backup = path.read_bytes()
    path.write_bytes(backup[:4_096] + b"\xff" * (len(backup) - 4_096))

    with printed("restore a backup, or save what can be read with `sqlite3 FILE .recover`"):
        works(path)
    path.write_bytes(backup)

    with SQLiteStore(path) as store:
        assert store.get("r1").state is RunState.SUSPENDED


def test_a_file_that_was_moved(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        for suffix in ("", "-wal"):
            Path(f"{path}{suffix}").rename(f"{path.with_name('moved.db')}{suffix}")

        with printed("see what stands there now, and open the store again"):
            store.create(suspended_run("r2"))

    assert not path.exists()
    with SQLiteStore(path.with_name("moved.db")) as store:
        assert store.create(suspended_run("r3")).id == "r3"


def test_a_disk_that_is_full(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        set_by(store, "PRAGMA max_page_count = 1")
        with printed("free some space and try again"):
            store.create(suspended_run("r2").changed(stack=bytes(100_000)))
        set_by(store, "PRAGMA max_page_count = 100000")

        assert store.create(suspended_run("r2").changed(stack=bytes(100_000))).id == "r2"


def set_by(store: SQLiteStore, statement: str) -> None:
    """Let the connections of a store have a setting."""
    for connection in store._pool._idle:
        connection.execute(statement)


def test_a_run_that_is_too_large_for_sqlite(path: Path) -> None:
    large = suspended_run("large").changed(stack=bytes(100_000))
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        for connection in store._pool._idle:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 50_000)

        with printed("keep large values elsewhere and store their address"):
            store.create(large)

        assert store.create(large.changed(stack=b"address")).id == "large"


@pytest.mark.parametrize("busy_seconds", [0.1, 30])
def test_a_file_that_another_process_holds(path: Path, busy_seconds: float) -> None:
    works(path)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with printed("end the process that keeps a transaction open, or allow more `busy_seconds`"):
            works(f"sqlite:///{path}?busy_seconds=0.1")

        ends = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
        ends.start()
        if busy_seconds < 1:
            ends.join()
        works(f"sqlite:///{path}?busy_seconds={busy_seconds}")
        ends.join()


def test_a_python_with_an_old_sqlite(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
        with printed("use a newer Python, or one that is linked to a newer SQLite"):
            works(path)

    works(path)  # by such a Python


def test_a_name_with_half_of_a_character(path: Path) -> None:
    with SQLiteStore(path) as store:
        with printed("leave out lone surrogates"):
            store.create(suspended_run("r\ud800"))

        assert store.create(suspended_run("r")).id == "r"


# -- runs ----------------------------------------------------------------------------------------


def changed_by_hand(path: Path, run_id: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as hand:
        hand.execute("UPDATE runs SET error = 'seen by Ada' WHERE id = ?", (run_id,))


@pytest.mark.parametrize("follow", ["backup", "by hand"])
def test_a_row_that_is_not_what_was_saved(path: Path, follow: str) -> None:
    with SQLiteStore(path) as store:
        run = Engine(store).start_flow(asks)
    backup = path.read_bytes()
    changed_by_hand(path, run.id)

    with (
        SQLiteStore(path) as store,
        printed(
            "restore it from a backup; or, if somebody changed it by hand and it is right, set its "
            "checksum to NULL, and retry it if it is failed by now"
        ),
    ):
        Engine(store).process_event(run.id, "q", 1)
    if follow == "backup":
        path.write_bytes(backup)
    else:
        with closing(sqlite3.connect(path, isolation_level=None)) as hand:
            hand.execute("UPDATE runs SET checksum = NULL")

    with SQLiteStore(path) as store:
        engine = Engine(store)
        if engine.get_run(run.id).state is RunState.FAILED:
            engine.retry(run.id)
        assert engine.process_event(run.id, "q", 1).result == 1


def test_a_run_whose_process_died_again_and_again(path: Path) -> None:
    clock = FakeClock()
    with SQLiteStore(path) as store:
        engine = Engine(store, clock=clock, max_attempts=1)
        run = engine.start_flow(asks)
        Claim(engine._claims).take(run.id, "q")  # and its process dies
        clock.advance(timedelta(days=1))

        engine.release_stale()
        assert is_told(
            "find out why, for example what kills the process; then retry the run",
            str(engine.get_run(run.id).error),
        )
        engine.retry(run.id)

        assert engine.process_event(run.id, "q", 1).result == 1


def test_a_signal_handler_that_uses_the_store_in_the_middle_of_a_step(path: Path) -> None:
    with SQLiteStore(path) as store:
        number = iter(range(10**6))
        refusals: list[StoreError] = []
        came: list[bool] = []

        def create() -> None:
            store.create(suspended_run(f"r{next(number)}"))

        def use() -> None:
            try:
                create()
            except StoreError as error:
                refusals.append(error)

        at_each_place(create, use)
        assert refusals
        with printed("let the handler only note that the signal came, and act on it afterwards"):
            raise refusals[0]

        def note_and_act() -> None:
            create()
            if came:
                create()

        at_each_place(note_and_act, lambda: came.append(True))
        assert came


def at_each_place(step: Callable[[], None], handle: Callable[[], object]) -> None:
    """Take a step again and again, and let a signal come at another place each time."""
    places = Signal(at=None)
    assert places.during(step) is None
    for at in range(0, places.seen, 5):
        assert Signal(at, handle=handle).during(step) is None


ELSEWHERE = {
    "check the URL, or run `longterm migrate` first": "tests/runtime/test_cli_remedies.py",
    "check the disk, and open the store again": "tests/store/test_sqlite_group_commit.py",
    "check the disk; get_run shows how the run stands": "tests/store/test_sqlite_group_commit.py",
    "check the disk, its free space and the system's log": "tests/store/test_sqlite_damage.py",
    "get_run shows how the run stands": "tests/store/test_sqlite_group_commit.py",
    "give it permission to read and write the file and its folder":
        "no file is known that SQLite may open and not touch",
    "use a file on a local disk, not on a network share": "there is no network share here",
    "the cause above is SQLite's own": "no advice",
    "write the whole path after three slashes: postgresql+sharded:///etc/longterm/shards.toml":
        "tests/store/test_sharded_cli.py",
    **dict.fromkeys(
        ["connect to that file, or use a store in the other", "execute BEGIN first",
         "give a sqlite3.Connection, or the connection of SQLAlchemy or Django over one",
         "run `longterm --store sqlite:///* migrate` first", "take a Session or a Connection",
         "write `with engine.begin() as connection:`, or call `connection.begin()` first",
         "write `with transaction.atomic():` around it"],
        "tests/store/test_within.py",
    ),
}  # fmt: skip
OF_RUNS = {
    "restore it from a backup; or, if somebody changed it by hand and it is right, set its "
    "checksum to NULL, and retry it if it is failed by now",
    "choose FULL or NORMAL",
}
OF_POSTGRES = {"write *=10", "write *=no"}
NO_ADVICE = {"'suspended', 'running'", "create run *", "get run *", "release stale claims",
             "send an event to run *", "change a message", "keep version *",
             "write the note of the servers",
             "parent, children, wants and traceparent"}  # fmt: skip


def test_no_remedy_is_forgotten() -> None:
    tried = (tried_in(__file__) | {remedy for remedy, *_ in URLS}) - OF_RUNS
    advice = (
        advice_of(STORE, but=[STORE / "postgres", STORE / "sharded", STORE / "_budget.py"])
        - OF_POSTGRES
        - NO_ADVICE
    )

    assert tried | set(ELSEWHERE) == advice
