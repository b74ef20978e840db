"""A step in a flow: saved with its result, beside the bare statements and beside DBOS's step.

A call of a flow of twenty steps, less a call of the same flow with none, by twenty. The floor of a
step is one durable UPDATE of what is to be saved; that of a step with `db=` is one transaction of
the application's statement with its key and its value. Then steps of flows that hold much.
"""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from msgpack import packb

from longterm import Engine, deflow, step
from longterm.database import Database
from longterm.store import open_store
from tests.benchmarks import dbos_side
from tests.benchmarks.flows import PADDING, rows_of_about
from tests.benchmarks.measuring import Row, Samples, interleaved, rows_of, skipped
from tests.store.postgres_server import PostgresServer, find_binaries

STEPS, FEW_STEPS = 20, 5
"""How many steps a call takes; of those that hold much, fewer."""
BARE, BARE_ONCE = "bare, one UPDATE", "bare, one transaction with its key"
OURS, OURS_ONCE = "longterm, @step", "longterm, @step(db=…)"
OURS_OWN = "longterm, @step(db=…), the run with it"
SIZES = {"1 kB": 1_000, "10 kB": 10_000, "100 kB": 100_000, "1 MB": 1_000_000}

Side = Callable[[int], object]
"""Does so many steps."""


class Books:
    """Where the steps below write: a file or a pool of connections, set by the benchmark."""

    path = ""
    pool: Any = None

    @classmethod
    def open(cls) -> sqlite3.Connection:
        """Open the file, as a Database of its path does."""
        return sqlite3.connect(cls.path, isolation_level=None)

    @classmethod
    def connection(cls) -> Any:
        """Lend a connection, as a pool does."""
        return cls.pool.connection()


class Own(Books):
    """The same where the runs are."""


@step
def advance(total: int) -> int:
    """Do nothing that takes time."""
    return total + 1


@step(db=Database(Books.open))
def book_in_file(tx: Any, total: int) -> int:
    """Write a row."""
    tx.execute("INSERT INTO bookings VALUES (?)", (total,))
    return total + 1


@step(db=Database(Books))
def book_on_server(tx: Any, total: int) -> int:
    """Write a row."""
    tx.execute("INSERT INTO bookings VALUES (%s)", (total,))
    return total + 1


@step(db=Database(Own.open))
def book_beside_file(tx: Any, total: int) -> int:
    """Write a row where the run is."""
    tx.execute("INSERT INTO bookings VALUES (?)", (total,))
    return total + 1


@step(db=Database(Own))
def book_beside_server(tx: Any, total: int) -> int:
    """Write a row where the run is."""
    tx.execute("INSERT INTO bookings VALUES (%s)", (total,))
    return total + 1


@deflow
def advancing(count: int, padding: str) -> tuple[int, int]:
    """Take so many steps, and hold what is given."""
    total = 0
    for _ in range(count):
        total = advance(total)
    return total, len(padding)


@deflow
def booking_in_file(count: int, padding: str) -> tuple[int, int]:
    """Write so many rows, each in a step."""
    total = 0
    for _ in range(count):
        total = book_in_file(total)
    return total, len(padding)


@deflow
def booking_on_server(count: int, padding: str) -> tuple[int, int]:
    """Write so many rows, each in a step."""
    total = 0
    for _ in range(count):
        total = book_on_server(total)
    return total, len(padding)


@deflow
def booking_beside_file(count: int, padding: str) -> tuple[int, int]:
    """Write so many rows, each in a step."""
    total = 0
    for _ in range(count):
        total = book_beside_file(total)
    return total, len(padding)


@deflow
def booking_beside_server(count: int, padding: str) -> tuple[int, int]:
    """Write so many rows, each in a step."""
    total = 0
    for _ in range(count):
        total = book_beside_server(total)
    return total, len(padding)


@deflow
def holding(count: int, rows: list[Any]) -> int:
    """Take so many steps, and hold much."""
    total = 0
    for _ in range(count):
        total = advance(total)
    return total + len(rows)


def measure(quick: bool) -> list[Row]:
    """Return the rows of a step on both databases, then those of large frames."""
    rows: list[Row] = []
    repeats, each = (2, 2) if quick else (9, 3)
    for kind in ("sqlite", "postgres"):
        if kind == "postgres" and find_binaries() is None:
            rows += skipped("Postgres, fsync on", "its binaries are missing")
            continue
        # As DBOS makes its file, and with the journal that longterm uses.
        for has_log in (
            (False, True) if kind == "sqlite" and not dbos_side.why_not(kind) else (True,)
        ):
            rows += steps_on(kind, repeats, each, dbos_has_log=has_log)
    return rows + large_frames(2 if quick else 9)


def steps_on(kind: str, repeats: int, each: int, *, dbos_has_log: bool) -> list[Row]:
    """Measure a step on one kind of database."""
    group = "Postgres, fsync on" if kind == "postgres" else "SQLite, FULL"
    if kind == "sqlite" and not dbos_has_log:
        group += ", DBOS with the journal that it makes"
    why_not = dbos_side.why_not(kind)
    theirs = "" if why_not else dbos_side.name()
    with places(kind) as place, ExitStack() as opened:
        sides = our_sides(place, opened)
        if theirs:
            if kind == "sqlite" and dbos_has_log:
                for name in ("dbos", "dbos_ledger"):
                    with closing(sqlite3.connect(place.file(name))) as connection:
                        connection.execute("PRAGMA journal_mode = WAL")
            place.make_bookings("dbos_ledger")
            both = dbos_side.dbos_sides(
                place.alchemy("dbos"), place.alchemy("dbos_ledger"), PADDING
            )
            plain, once = opened.enter_context(both)
            sides |= {theirs: plain, f"{theirs}, transaction": once}
        samples = interleaved(
            {
                f"{name}: {count}": partial(_counted, side, count)
                for name, side in sides.items()
                for count in (0, STEPS)
            },
            repeats=repeats,
            each=each,
        )
    found = per_step(sides, samples, STEPS)
    rows = rows_of(group, {n: s for n, s in found.items() if _is_plain(n)}, bases=[BARE])
    once = {name: figures for name, figures in found.items() if not _is_plain(name)}
    rows += rows_of(f"{group}, exactly once", once, bases=[BARE_ONCE])
    return rows if theirs else [*rows, *skipped(f"{group}, DBOS", why_not)]


def _counted(side: Side, count: int, _number: int) -> object:
    return side(count)


def _is_plain(name: str) -> bool:
    return "db=" not in name and "transaction" not in name


def per_step(sides: dict[str, Side], samples: Samples, count: int) -> Samples:
    """Return seconds for each step, without what the run around them takes."""
    return {
        name: [
            (full - empty) / count
            for full, empty in zip(samples[f"{name}: {count}"], samples[f"{name}: 0"], strict=True)
        ]
        for name in sides
    }


@dataclass(frozen=True)
class Place:
    """Where databases are made: files in a folder, or a server."""

    folder: Path
    server: PostgresServer | None

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.db")

    def url(self, name: str) -> str:
        """Return the address of a database, which is made if it is on a server."""
        if self.server is None:
            return f"sqlite:///{self.file(name)}"
        import psycopg

        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {name}".encode())
        return self.server.url(name)

    def alchemy(self, name: str) -> str:
        return self.url(name).replace("postgresql://", "postgresql+psycopg://")

    def connect(self, name: str) -> Any:
        """Return a connection that commits each statement by itself."""
        if self.server is None:
            return sqlite3.connect(self.file(name), isolation_level=None, check_same_thread=False)
        import psycopg

        return psycopg.connect(self.url(name), autocommit=True)

    def make_bookings(self, name: str) -> None:
        with closing(self.connect(name)) as connection:
            connection.execute("CREATE TABLE bookings (total bigint)")


@contextmanager
def places(kind: str) -> Iterator[Place]:
    """Return where databases can be made; they are gone with it."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield Place(Path(folder), None)
            return
        binaries = find_binaries()
        assert binaries is not None
        server = PostgresServer(binaries, fsync="on")
        try:
            yield Place(Path(folder), server)
        finally:
            server.remove()


def our_sides(place: Place, opened: ExitStack) -> dict[str, Side]:
    """Return the floors and longterm."""
    store = opened.enter_context(open_store(place.url("runs")))
    store.migrate()  # type: ignore[attr-defined]
    engine = Engine(store)
    for name in ("bare", "ledger", "runs"):
        place.make_bookings(name)
    bare = opened.enter_context(closing(place.connect("bare")))
    flow: Any = booking_in_file
    own: Any = booking_beside_file
    if place.server is None:
        with closing(place.connect("ledger")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        Books.path, Own.path = place.file("ledger"), place.file("runs")
        Database(Books.path).migrate()
    else:
        from psycopg_pool import ConnectionPool

        flow, own = booking_on_server, booking_beside_server
        for books, name in ((Books, "ledger"), (Own, "runs")):
            pool = ConnectionPool(place.url(name), min_size=1, open=True)
            books.pool = opened.enter_context(pool)
        Database(Books.pool).migrate()
    mark = "?" if place.server is None else "%s"
    return {
        BARE: updates(bare, mark),
        OURS: lambda count: engine.start_flow(advancing, count, PADDING),
        BARE_ONCE: transactions(bare, mark),
        OURS_ONCE: lambda count: engine.start_flow(flow, count, PADDING),
        OURS_OWN: lambda count: engine.start_flow(own, count, PADDING),
    }


def updates(connection: Any, mark: str) -> Side:
    """Return the floor of a step: what is to be saved is written, and waited for."""
    column = "blob" if mark == "?" else "bytea"
    connection.execute(f"CREATE TABLE runs (id text PRIMARY KEY, body {column})")
    connection.execute(f"INSERT INTO runs VALUES ('run', {mark})", (b"",))

    def update(count: int) -> None:
        for total in range(count):
            body = packb({"total": total, "padding": PADDING})
            connection.execute(f"UPDATE runs SET body = {mark} WHERE id = 'run'", (body,))

    return update


def transactions(connection: Any, mark: str) -> Side:
    """Return the floor of a step that is done exactly once: key, row and value in one commit."""
    column = "blob" if mark == "?" else "bytea"
    connection.execute(f"CREATE TABLE steps (key text PRIMARY KEY, value {column})")
    keys = itertools.count()

    def transact(count: int) -> None:
        for _ in range(count):
            key = f"run {next(keys)}"
            connection.execute("BEGIN")
            connection.execute(
                f"INSERT INTO steps (key) VALUES ({mark}) ON CONFLICT DO NOTHING", (key,)
            )
            connection.execute(f"INSERT INTO bookings VALUES ({mark})", (1,))
            connection.execute(f"UPDATE steps SET value = {mark} WHERE key = {mark}", (b"1", key))
            connection.execute("COMMIT")

    return transact


def large_frames(repeats: int) -> list[Row]:
    """Measure a step of flows that hold more and more, on a file, in `NORMAL`."""
    data = {name: rows_of_about(size) for name, size in SIZES.items()}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        store = opened.enter_context(open_store(f"sqlite:///{folder}/runs.db?synchronous=NORMAL"))
        engine = Engine(store)
        bare = opened.enter_context(closing(sqlite3.connect(f"{folder}/bare.db")))
        bare.isolation_level = None
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = NORMAL")
        bare.execute("CREATE TABLE runs (id text PRIMARY KEY, body blob)")
        sides: dict[str, Side] = {}
        for name, rows in data.items():
            sides[f"{name}: bare, msgpack and one UPDATE"] = packed(bare, name, rows)
            sides[f"{name}: longterm, @step"] = partial(_hold, engine, rows)
        samples = interleaved(
            {
                f"{name}: {count}": partial(_counted, side, count)
                for name, side in sides.items()
                for count in (0, FEW_STEPS)
            },
            repeats=repeats,
        )
    found = per_step(sides, samples, FEW_STEPS)
    rows = []
    for size in SIZES:
        of_size = {
            name.removeprefix(f"{size}: "): figures
            for name, figures in found.items()
            if name.startswith(f"{size}: ")
        }
        base = next(iter(of_size))
        rows += rows_of(f"a step that holds {size}, SQLite, NORMAL", of_size, bases=[base])
    return rows


def _hold(engine: Engine, rows: list[Any], count: int) -> object:
    return engine.start_flow(holding, count, rows)


def packed(connection: sqlite3.Connection, name: str, rows: list[Any]) -> Side:
    """Return the floor of a step that holds much: it is packed and written."""
    connection.execute("INSERT INTO runs VALUES (?, ?)", (name, packb(rows)))

    def update(count: int) -> None:
        for total in range(count):
            body = packb([total, rows])
            connection.execute("UPDATE runs SET body = ? WHERE id = ?", (body, name))

    return update
