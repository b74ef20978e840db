"""What these tests share: each way to a database, with a table of the application's in it.

A test is written once, as asynchronous code. Where the way is not asynchronous, its transactions
are taken in threads, as an application would.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from longterm.database import Database
from tests.store.conftest import server

__all__ = ["StormyPool", "case", "case_of", "server"]

PLAIN = ("path", "opener", "engine", "sessionmaker", "django")
PLAIN_OF_POSTGRES = ("conninfo", "pool")
ASYNC = ("async engine", "async sessionmaker")
ASYNC_OF_POSTGRES = ("async conninfo", "async pool", "async opener")
WAYS = [
    *(f"sqlite {way}" for way in PLAIN + ASYNC),
    *(f"postgres {way}" for way in PLAIN[1:] + PLAIN_OF_POSTGRES + ASYNC + ASYNC_OF_POSTGRES),
]


class Case:
    """A database, and one way to it."""

    def __init__(self, way: str, address: str) -> None:
        kind, _, self.way = way.partition(" ")
        self.is_sqlite = kind == "sqlite"
        self.is_async = self.way.startswith("async")
        self.address = address
        self.calls: list[str] = []
        with self.connected() as connection:
            connection.execute("CREATE TABLE bookings (item text)")
            connection.commit()

    # -- how a test looks at the database, by a connection of its own ----------------------------

    def connected(self) -> closing[Any]:
        if self.is_sqlite:
            return closing(sqlite3.connect(self.address, timeout=20))
        return closing(import_module("psycopg").connect(self.address))

    def ask(self, statement: str) -> list[Any]:
        with self.connected() as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
            return [row[0] if len(row) == 1 else row for row in found]

    def items(self) -> list[str]:
        return self.ask("SELECT item FROM bookings ORDER BY item")

    def keys(self) -> list[str]:
        return self.ask("SELECT key FROM longterm_steps ORDER BY key")

    # -- how the application does -----------------------------------------------------------------

    async def opened(self, stack: AsyncExitStack) -> Database:
        """Return a database by this way; what it needs ends with the stack."""
        made = Database(await self._target(stack))
        assert (made.takes_sync, made.takes_async) != (False, False)
        await (made.amigrate() if self.is_async else self.in_thread(made.migrate))
        return made

    async def once(self, database: Database, key: str, function: Callable[[Any], Any]) -> Any:
        """Call a function made by `work`."""
        if self.is_async:
            return await database.aonce(key, function)
        return await self.in_thread(database.once, key, function)

    async def call(self, database: Database, function: Callable[[Any], Any]) -> Any:
        """Call it without a key."""
        if self.is_async:
            return await database.acall(function)
        return await self.in_thread(database.call, function)

    async def prune(self, database: Database, *arguments: Any) -> int:
        if self.is_async:
            return await database.aprune(*arguments)
        return await self.in_thread(database.prune, *arguments)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(self._closing, function, *arguments)

    def _closing(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and end what Django keeps for its thread."""
        try:
            return function(*arguments)
        finally:
            if self.way == "django":
                import_module("django.db").connections.close_all()

    def work(self, item: str, value: Any = None, error: BaseException | None = None) -> Any:
        """Return a function that books an item, and returns or raises."""
        if self.is_async:

            async def abook(tx: Any) -> Any:
                self.calls.append(item)
                sent = self._send(tx, item)
                if asyncio.iscoroutine(sent):
                    await sent
                if error is not None:
                    raise error
                return value

            return abook

        def book(tx: Any) -> Any:
            self.calls.append(item)
            self._send(tx, item)
            if error is not None:
                raise error
            return value

        return book

    def _send(self, tx: Any, item: str) -> Any:
        return self.send(tx, "INSERT INTO bookings VALUES ({})", item)

    def send(self, tx: Any, statement: str, *parameters: Any) -> Any:
        """Send a statement as the application does, and return what may have to be awaited."""
        if "engine" in self.way or "sessionmaker" in self.way:
            named = {f"p{number}": each for number, each in enumerate(parameters)}
            text = import_module("sqlalchemy").text
            return tx.execute(text(statement.format(*(f":{name}" for name in named))), named)
        mark = "?" if self.is_sqlite and self.way != "django" else "%s"
        statement = statement.format(*[mark] * len(parameters))
        if self.way == "django":
            with tx.cursor() as cursor:
                return cursor.execute(statement, parameters)
        return tx.execute(statement, parameters)

    # -- the targets ------------------------------------------------------------------------------

    async def _target(self, stack: AsyncExitStack) -> Any:
        match self.way.removeprefix("async "):
            case "path" | "conninfo":
                return self.address
            case "opener":
                return self._opener()
            case "pool":
                pools = import_module("psycopg_pool")
                if self.is_async:
                    pool = pools.AsyncConnectionPool(self.address, min_size=1, open=False)
                    return await stack.enter_async_context(pool)
                return stack.enter_context(
                    pools.ConnectionPool(self.address, min_size=1, open=True)
                )
            case "engine" | "sessionmaker":
                return self._alchemy(stack)
            case "django":
                return self._django(stack)
        raise AssertionError(self.way)

    def _opener(self) -> Callable[[], Any]:
        if self.is_sqlite:
            return partial(sqlite3.connect, self.address, timeout=20)
        psycopg = import_module("psycopg")
        kind = psycopg.AsyncConnection if self.is_async else psycopg.Connection
        return partial(kind.connect, self.address)

    def _alchemy(self, stack: AsyncExitStack) -> Any:
        sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
        driver = "sqlite" if self.is_sqlite else "postgresql+psycopg"
        if self.is_async:
            pytest.importorskip("greenlet", reason="NOT TESTED: greenlet is missing")
            if self.is_sqlite:
                pytest.importorskip("aiosqlite", reason="NOT TESTED: aiosqlite is missing")
                driver = "sqlite+aiosqlite"
            asynchronous = import_module("sqlalchemy.ext.asyncio")
            engine = asynchronous.create_async_engine(self.sqlalchemy_url(driver))
            stack.push_async_callback(engine.dispose)
            is_maker = self.way.endswith("sessionmaker")
            return asynchronous.async_sessionmaker(engine) if is_maker else engine
        engine = sqlalchemy.create_engine(self.sqlalchemy_url(driver))
        stack.callback(engine.dispose)
        orm = import_module("sqlalchemy.orm")
        return orm.sessionmaker(engine) if self.way == "sessionmaker" else engine

    def sqlalchemy_url(self, driver: str) -> str:
        if self.is_sqlite:
            return f"{driver}:///{self.address}"
        return self.address.replace("postgresql", driver, 1)

    def _django(self, stack: AsyncExitStack) -> str:
        pytest.importorskip("django", reason="NOT TESTED: Django is missing")
        stack.enter_context(django_database("ledger", self.address, is_sqlite=self.is_sqlite))
        return "django:ledger"


class StormyPool:
    """Lends connections of psycopg in the weather that it is told of, one after the other."""

    def __init__(self, address: str, weather: list[str]) -> None:
        self.address = address
        self.weather = weather

    @contextmanager
    def connection(self) -> Iterator[Any]:
        psycopg = import_module("psycopg")
        now = self.weather.pop(0) if self.weather else "fine"
        if now == "out of reach":
            raise psycopg.OperationalError("connection refused")
        with closing(psycopg.connect(self.address)) as connection:
            yield connection
        if now == "lost":
            raise psycopg.OperationalError("server closed the connection unexpectedly")


def django_database(alias: str, address: str, *, is_sqlite: bool) -> ExitStack:
    """Return what gives Django's settings one more database for as long as it is entered."""
    conf, db = import_module("django.conf"), import_module("django.db")
    if not conf.settings.configured:
        conf.settings.configure(DATABASES={"default": {}})
    import_module("django").setup()
    found = {"ENGINE": "django.db.backends.sqlite3", "NAME": address, "OPTIONS": {"timeout": 20}}
    if not is_sqlite:
        parts = import_module("psycopg.conninfo").conninfo_to_dict(address)
        names = {"NAME": "dbname", "USER": "user", "HOST": "host", "PORT": "port"}
        found = {"ENGINE": "django.db.backends.postgresql"}
        found |= {name: parts.get(key, "") for name, key in names.items()}
    db.connections.settings[alias] = db.connections.configure_settings(
        {**db.connections.settings, alias: found}
    )[alias]
    stack = ExitStack()
    stack.callback(lambda: db.connections.settings.pop(alias))
    return stack


def case_of(way: str, request: pytest.FixtureRequest) -> Case:
    """Return a database for one way to it; on Postgres always the same one, with new tables."""
    if way.startswith("sqlite"):
        return Case(way, f"{request.getfixturevalue('tmp_path')}/shop.db")
    url = request.getfixturevalue("server").url()
    with closing(import_module("psycopg").connect(url, autocommit=True)) as connection:
        connection.execute("DROP TABLE IF EXISTS bookings, longterm_steps")
    return Case(way, url)


@pytest.fixture(params=WAYS)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param, request)
