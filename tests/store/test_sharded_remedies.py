"""Every remedy that a store over several servers names is followed literally, and it then works.

A remedy that is new in the code has no test, and fails the last one.
"""

from __future__ import annotations

import itertools
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import longterm.store
from longterm._turns.starts import new_id
from longterm.errors import StoreError
from longterm.store import open_store
from longterm.store.base import Query
from longterm.store.memory import MemoryStore
from longterm.store.queues import Queue
from longterm.store.sharded import Epoch, Sharded
from longterm.store.sqlite import SQLiteStore
from longterm.testing._sample_runs import suspended_run
from tests.advice import advice_of, is_told, printed, said_by_python, tried_in
from tests.store.sharding import SilentStore

STORE = Path(longterm.store.__file__).parent
_numbers = itertools.count()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shards.toml"


def epoch(since: datetime | str, *servers: str) -> str:
    moment = since if isinstance(since, str) else f"{since:%Y-%m-%dT%H:%M:%SZ}"
    return f"\n[[epochs]]\nsince = {moment}\nservers = {list(servers)!r}\n".replace("'", '"')


def servers(*names: str) -> str:
    return "[servers]\n" + "".join(f'{name} = "sqlite:///{name}.db"\n' for name in names)


FIRST = epoch("2026-01-01T00:00:00Z", "a", "b")
LATER = epoch(datetime.now(UTC) + timedelta(days=1), "b")
RIGHT = servers("a", "b") + FIRST


def works(file: Path, text: str, options: str = "") -> None:
    """Write a file, and store a run by it, find it, and search for it."""
    file.write_text(text)
    store = open_store(f"postgresql+sharded://{file}{options}")
    assert isinstance(store, Sharded)
    with store:
        run_id = store.create(suspended_run(new_id(datetime.now(UTC)))).id
        assert store.get(run_id).id == run_id
        assert run_id in [run.id for run in store.find(Query(limit=999))]
        assert store.create(suspended_run(f"a run {next(_numbers)}"))


FILES = [
    ("mend it", "servers = [", RIGHT),
    ('write [servers], and under it a = "postgresql://host/database"', FIRST, RIGHT),
    ("write [[epochs]], and *", servers("a", "b"), RIGHT),
    ("write [[epochs]], and *", servers("a") + '[[epochs]]\nsince = "yesterday"\n', RIGHT),
    ("add its URL there", servers("a") + FIRST, RIGHT),
    ("leave it out", "weights = 3\n" + RIGHT, RIGHT),
    ("name each once", servers("a") + epoch("2026-01-01T00:00:00Z", "a", "a"),
     servers("a") + epoch("2026-01-01T00:00:00Z", "a")),
    ("put them in order", servers("a", "b") + LATER + FIRST, RIGHT + LATER),
    ("write ?max_connections= in the URL of shards.toml",
     RIGHT.replace("a.db", "a.db?max_connections=9"), RIGHT),
]  # fmt: skip


@pytest.mark.parametrize(("remedy", "refused", "followed"), FILES)
def test_a_file_that_is_written_as_the_error_says_works(
    file: Path, remedy: str, refused: str, followed: str
) -> None:
    with printed(remedy):
        works(file, refused)

    works(file, followed, "?max_connections=20")


def test_a_file_that_is_not_there(file: Path) -> None:
    with printed("check the path"):
        open_store(f"postgresql+sharded://{file}.toml")

    works(file, RIGHT)


def test_epochs_in_python() -> None:
    with printed("begin with one: since a time, over servers"):
        Sharded({})
    with printed("write 2026-12-01T00:00:00Z"):
        Sharded({"a": MemoryStore()}, [Epoch(datetime(2026, 1, 1), ("a",))])
    with printed("give one"):
        Sharded({"a": MemoryStore()}, [Epoch(datetime(2026, 1, 1, tzinfo=UTC), ("a", "b"))])
    with printed("use stores of longterm's own"):
        Sharded({"a": object()})  # type: ignore[dict-item]

    begin = Epoch(datetime(2026, 1, 1, tzinfo=UTC), ("a",))
    with Sharded({"a": MemoryStore()}, [begin]) as store:
        assert store.create(suspended_run())


def test_more_servers_than_connections(file: Path) -> None:
    pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
    file.write_text(RIGHT.replace("sqlite:///", "postgresql://localhost:1/"))

    with printed("allow more: ?max_connections=100"):
        open_store(f"postgresql+sharded://{file}?max_connections=1")

    with closing(open_store(f"postgresql+sharded://{file}?max_connections=100")) as store:  # type: ignore[type-var]
        assert isinstance(store, Sharded)


def test_databases_that_are_swapped_or_new(file: Path) -> None:
    works(file, RIGHT)

    with printed("check the URLs"):
        works(file, RIGHT.replace('a = "sqlite:///a', 'a = "sqlite:///b'))
    with printed("check its URL, or restore it from a backup"):
        works(file, RIGHT.replace("b.db", "new.db"))

    works(file, RIGHT)


def test_an_epoch_that_begins_too_soon(file: Path) -> None:
    works(file, RIGHT)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    file.write_text(servers("a", "b", "c") + FIRST + epoch(soon, "a", "b", "c"))

    said = migrated(file)
    assert is_told("let it begin later, such as since = *", said)
    later = re.search(r"such as since = ([-:TZ0-9]+)", said)
    assert later is not None
    file.write_text(servers("a", "b", "c") + FIRST + epoch(later[1], "a", "b", "c"))
    assert "migrated by" in migrated(file)

    works(file, file.read_text())


def test_an_epoch_that_is_not_announced(file: Path) -> None:
    works(file, RIGHT)
    later = datetime.now(UTC) + timedelta(hours=1)
    new = servers("a", "b", "c") + FIRST + epoch(later, "a", "b", "c")
    works(file, new)
    early = suspended_run(new_id(later)).changed(created_at=later)
    with open_store(f"postgresql+sharded://{file}") as store:  # type: ignore[attr-defined]
        with printed("run `longterm migrate`"):
            store.create(early)
        assert "migrated by" in migrated(file)
        assert store.create(early)

    with printed("give this machine the newest shards.toml"):
        works(file, RIGHT)
    assert is_told("take the newest shards.toml", migrated(file))
    works(file, new)


def test_an_announced_epoch_that_is_changed(file: Path) -> None:
    works(file, RIGHT)
    later = epoch(datetime.now(UTC) + timedelta(hours=1), "b", "a")
    file.write_text(RIGHT.replace('["a", "b"]', '["b", "a"]') + later)

    assert is_told("put it back as it was, and add a new one", migrated(file))

    file.write_text(RIGHT + later)
    assert "migrated by" in migrated(file)
    works(file, RIGHT + later)


def migrated(file: Path) -> str:
    return said_by_python(
        "-m", "longterm.cli", "--store", f"postgresql+sharded://{file}", "migrate"
    )


def test_an_id_of_the_future() -> None:
    with Sharded({"a": MemoryStore()}) as store:
        with printed("leave its id to longterm, or set the clock"):
            store.create(suspended_run(new_id(datetime.now(UTC) + timedelta(days=1))))

        assert store.create(suspended_run(new_id(datetime.now(UTC))))


def test_an_id_whose_old_place_is_away() -> None:
    now = datetime.now(UTC)
    stores = {"a": MemoryStore(), "b": MemoryStore()}
    begin = Epoch(now - timedelta(days=9), ("a",))
    later = Epoch(now + timedelta(hours=1), ("b",))
    Sharded(stores, [begin, later]).migrate()
    run = suspended_run().changed(created_at=now + timedelta(hours=2))

    away = Sharded({"a": SilentStore(stores["a"]), "b": stores["b"]}, [begin, later])
    with printed("try again when that is back"):
        away.create(run)

    assert Sharded(stores, [begin, later]).create(run)


def test_a_queue_that_is_too_small_for_all_servers() -> None:
    with Sharded({name: MemoryStore() for name in "abc"}) as store:
        with printed("allow *, or keep what is in it on one server"):
            store.declare_queue(Queue(name="q", concurrency=1))
        with printed("choose from *"):
            store.part("d")

        assert store.declare_queue(Queue(name="q", concurrency=3)) is None
        assert store.part("c")


def test_a_note_that_nobody_can_read(file: Path) -> None:
    works(file, RIGHT)
    with closing(SQLiteStore("b.db")) as b:
        note = b.shard_note()
        assert note is not None
        b.write_shard_note(note, "{}")

        with printed("upgrade longterm, or restore the table `shard` from a backup"):
            works(file, RIGHT)
        b.write_shard_note("{}", note)

    works(file, RIGHT)


def test_two_who_announce_other_epochs_at_once() -> None:
    stores = {"a": MemoryStore(), "b": MemoryStore()}
    begin = Epoch(datetime(2026, 1, 1, tzinfo=UTC), ("a", "b"))
    first = Sharded(stores, [begin])
    first.create(suspended_run())
    now = datetime.now(UTC)
    one, other = (
        Sharded(stores, [begin, Epoch(now + timedelta(hours=hours), ("a",))]) for hours in (1, 2)
    )
    write = stores["a"].write_shard_note

    def write_after_other(before: str | None, note: str) -> bool:
        stores["a"].write_shard_note = write  # type: ignore[method-assign]
        other.migrate()
        return write(before, note)

    stores["a"].write_shard_note = write_after_other  # type: ignore[method-assign]
    with printed("try it again"):
        one.migrate()

    with pytest.raises(StoreError, match="was announced is never changed"):
        one.migrate()
    assert other.migrate() == 0


def test_no_remedy_is_forgotten() -> None:
    tried = tried_in(__file__) | {remedy for remedy, *_ in FILES}

    assert tried == advice_of(STORE / "sharded", STORE / "_budget.py")
