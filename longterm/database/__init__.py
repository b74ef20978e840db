"""Work in the application's own database, done exactly once: with its key, in one transaction.

A key and a function go in; the function's value comes out, at the first call and at each later one
with that key, in whatever process. Libraries of databases are imported when one of theirs is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from longterm._codec import decode, encode
from longterm._names import is_text
from longterm.database import _table
from longterm.database._adapter import (
    Rows,
    ended_by_function,
    is_forbidden,
    is_lost,
    is_made_already,
    is_missing_table,
    is_transient,
)
from longterm.database._targets import adapter_of
from longterm.errors import (
    CannotStore,
    CommitUnknown,
    InvalidDeliveryKey,
    NotStorable,
    StoreError,
    WrongConnection,
)
from longterm.store.base import RunStore, takes
from longterm.store.within import HasTarget, Within, driver_connection

__all__ = ["Database"]

T = TypeVar("T")

_RETRIES: Final = 3
"""How often a transaction is done again that others beside it were in the way of."""

_LONGEST_KEY: Final = 600
"""A run's id takes up to 500 characters, and the number of a step some more."""

_PRUNED_AT_ONCE: Final = 1_000


class Database:
    """The application's own database, for work that is done exactly once.

        ledger = Database(pool)
        ledger.once("order 4711", lambda tx: tx.execute("INSERT INTO bookings ..."))

    Needs the table `longterm_steps` there: `longterm migrate --db URL`, or `ledger.migrate()`.
    """

    def __init__(self, target: Any) -> None:
        """Take what leads to the database; it is not connected to yet.

        Args:
            target: the path of an SQLite file, or a URL (`sqlite:///shop.db`,
                `postgresql://host/shop`, `django:default`); a function without arguments that opens
                a connection of `sqlite3` or psycopg; psycopg's `ConnectionPool` or
                `AsyncConnectionPool`; SQLAlchemy's Engine, sessionmaker, AsyncEngine or
                async_sessionmaker; one of Django's connections; the store of an engine.

        Raises:
            StoreError: it is none of these.
        """
        self._target = target.target if isinstance(target, HasTarget) else target
        self._adapter = adapter_of(self._target)
        self._joined: WeakKeyDictionary[RunStore, bool] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<Database: {self._adapter.place}>"

    @property
    def takes_async(self) -> bool:
        """Whether `async def` functions can be given a transaction of it (`aonce`)."""
        return self._adapter.is_async

    @property
    def takes_sync(self) -> bool:
        """Whether plain functions can be given a transaction of it (`once`)."""
        return self._adapter.is_sync

    def is_unreachable(self, error: Exception) -> bool:
        """Tell whether an error is of a database that did not tell what it was asked.

        Its connection was lost, or others were in the way each time.
        """
        return is_lost(error) or is_transient(error)

    def once(self, key: str, function: Callable[[Any], T]) -> T:
        """Call a function in a transaction, unless that was done with this key before.

        The key, what the function changes in the database, and its value are committed together. If
        it raises, nothing of them is; another call with the key calls it again. Of two calls at one
        time, the second waits for the end of the first. Serialization failures, deadlocks and a
        busy file are tried again at once, up to three times.

        Args:
            key: 1 to 600 characters.
            function: is given the transaction: the connection, or the Session of a sessionmaker. It
                leaves the commit to this.

        Returns:
            The function's value, as it comes back from the store: equal, and another object.

        Raises:
            CannotStore: the value cannot be stored; nothing is committed.
            WrongConnection: the function ended the transaction by itself.
            InvalidDeliveryKey: the key is none.
            CommitUnknown: the connection was lost in the commit, and again when this was tried.
            StoreError: the table is missing, or the database takes no plain functions.
        """
        _check_key(key)
        commit = _Commit(key)
        return self._with_retries(lambda: self._once(key, function, commit))

    def _once(self, key: str, function: Callable[[Any], T], commit: _Commit) -> T:
        with commit, self._adapter.begin() as begun:
            with self._naming_the_command():
                is_first = bool(begun.execute(_table.INSERT, key=key))
            commit.is_unknown = False
            if not is_first:
                commit.has_begun = True
                read: T = _value_in(begun.execute(_table.READ, key=key), key)
                return read
            value, encoded = _stored(function(begun.tx), key)
            begun.check_open()
            if not begun.execute(_table.FILL, key=key, value=encoded):
                raise ended_by_function()
            commit.has_begun = True
        return value

    async def aonce(self, key: str, function: Callable[[Any], Awaitable[T]]) -> T:
        """Do the same with an `async def` function, in an asynchronous transaction."""
        _check_key(key)
        commit = _Commit(key)
        return await self._with_aretries(lambda: self._aonce(key, function, commit))

    async def _aonce(self, key: str, function: Callable[[Any], Awaitable[T]], commit: _Commit) -> T:
        with commit:
            async with self._adapter.abegin() as begun:
                with self._naming_the_command():
                    is_first = bool(await begun.execute(_table.INSERT, key=key))
                commit.is_unknown = False
                if not is_first:
                    commit.has_begun = True
                    read: T = _value_in(await begun.execute(_table.READ, key=key), key)
                    return read
                value, encoded = _stored(await function(begun.tx), key)
                begun.check_open()
                if not await begun.execute(_table.FILL, key=key, value=encoded):
                    raise ended_by_function()
                commit.has_begun = True
        return value

    def call(self, function: Callable[[Any], T]) -> T:
        """Call a function in a transaction, without a key: it is done at each call.

        Raises:
            WrongConnection: the function ended the transaction by itself.
            StoreError: the database takes no plain functions.
        """
        return self._with_retries(lambda: self._call(function))

    def _call(self, function: Callable[[Any], T]) -> T:
        with self._adapter.begin() as begun:
            value = function(begun.tx)
            begun.check_open()
        return value

    async def acall(self, function: Callable[[Any], Awaitable[T]]) -> T:
        """Do the same with an `async def` function, in an asynchronous transaction."""
        return await self._with_aretries(lambda: self._acall(function))

    async def _acall(self, function: Callable[[Any], Awaitable[T]]) -> T:
        async with self._adapter.abegin() as begun:
            value = await function(begun.tx)
            begun.check_open()
        return value

    def joins(self, store: RunStore) -> bool:
        """Tell whether a store's runs are in this very database, so that both can commit together.

        The store compares what a connection of this says of its database with its own; once.
        """
        if not (self.takes_sync and isinstance(store, Within)):
            return False
        known = self._joined.get(store)
        if known is None:
            known = self._joined[store] = self._is_of(store)
        return known

    def _is_of(self, store: Within) -> bool:
        if isinstance(store, HasTarget) and store.target is self._target:
            return True  # such as a pool, which may have one connection only
        with self._adapter.begin() as begun:
            try:
                store.within(driver_connection(begun.tx))
            except WrongConnection:
                return False
            except StoreError as error:
                if not is_forbidden(error):
                    raise
                return False
        return True

    def call_with_run(
        self, store: Any, function: Callable[[Any], T], save: Callable[[RunStore, T], None]
    ) -> T:
        """Call a function in a transaction, and save a run in it by a view of its store.

        Raises:
            CommitUnknown: the connection was lost in the commit.
        """
        commit = _Commit("the step and its run")
        known = {"is_known": True} if takes(store.within, "is_known") else {}

        def attempt() -> T:
            with commit, self._adapter.begin() as begun:
                view = store.within(driver_connection(begun.tx), **known)
                value = function(begun.tx)
                begun.check_open()
                save(view, value)
                commit.has_begun = True
            return value

        return self._with_retries(attempt, may_repeat=False)

    def _with_retries(self, attempt: Callable[[], T], *, may_repeat: bool = True) -> T:
        """Make an attempt, and others if that was undone by no fault of its own.

        Also if it only may be undone, where it may be repeated.
        """
        for _ in range(_RETRIES):
            try:
                return attempt()
            except Exception as error:
                is_unknown = isinstance(error, CommitUnknown)
                if not is_transient(error) or (is_unknown and not may_repeat):
                    raise
        return attempt()

    async def _with_aretries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_RETRIES):
            try:
                return await attempt()
            except Exception as error:
                if not is_transient(error):
                    raise
        return await attempt()

    def migrate(self) -> None:
        """Make the table, unless it is there. Several processes may do so at once."""
        try:
            self._migrate()
        except Exception as error:
            if not is_made_already(error):
                raise
            self._migrate()

    def _migrate(self) -> None:
        with self._adapter.begin() as begun:
            begun.execute(_table.create_statement(begun.dialect))

    async def amigrate(self) -> None:
        """Make the table by an asynchronous connection."""
        try:
            await self._amigrate()
        except Exception as error:
            if not is_made_already(error):
                raise
            await self._amigrate()

    async def _amigrate(self) -> None:
        async with self._adapter.abegin() as begun:
            await begun.execute(_table.create_statement(begun.dialect))

    def migration_sql(self) -> str:
        """Return the SQL that makes the table, for a DBA to apply."""
        with self._adapter.begin() as begun:
            return f"{_table.create_statement(begun.dialect)};"

    def prune(self, age: timedelta) -> int:
        """Delete the keys that were used longer ago than this, and return how many.

        A call with such a key calls its function again. So keep them for as long as somebody may
        come again with one: for steps, as long as a run may stand still at one.
        """
        seconds, count = age.total_seconds(), 0
        while True:
            with self._adapter.begin() as begun, self._naming_the_command():
                statement = _table.prune_statement(begun.dialect, _PRUNED_AT_ONCE)
                found = len(begun.execute(statement, seconds=seconds))
            count += found
            if found < _PRUNED_AT_ONCE:
                return count

    async def aprune(self, age: timedelta) -> int:
        """Do the same by an asynchronous connection."""
        seconds, count = age.total_seconds(), 0
        while True:
            async with self._adapter.abegin() as begun:
                with self._naming_the_command():
                    statement = _table.prune_statement(begun.dialect, _PRUNED_AT_ONCE)
                    found = len(await begun.execute(statement, seconds=seconds))
            count += found
            if found < _PRUNED_AT_ONCE:
                return count

    @contextmanager
    def _naming_the_command(self) -> Iterator[None]:
        """Say what to do where the table is missing; any other error is the driver's own."""
        try:
            yield
        except Exception as error:
            if not is_missing_table(error):
                raise
            raise StoreError(
                f"{self._adapter.place} has no table longterm_steps (run `longterm migrate --db "
                f"{self._adapter.url or 'URL'}`, or call `migrate()` of the Database once)"
            ) from error


class _Commit:
    """What is known of the commit of some work, over all attempts at it.

    Entered by each attempt. Where nobody knows whether it was committed, it says so; any other
    error is the driver's own, or the function's.
    """

    has_begun = False
    """Whether all of an attempt is there but its end, or of another attempt before it."""
    is_unknown = False
    """Whether a connection was lost in the commit, and the database has told nothing since."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        self.has_begun = False

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            self.is_unknown = self.is_unknown or (self.has_begun and is_lost(error))
            if self.is_unknown:
                raise CommitUnknown(self._key) from error


def _check_key(key: object) -> None:
    if not is_text(key) or not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidDeliveryKey(
            key,
            f"a key is a string of 1 to {_LONGEST_KEY} characters without NUL",
            "give what names the work, such as 'order 4711'",
        )


def _stored(value: T, key: str) -> tuple[T, bytes]:
    """Return a value as it comes back, and its bytes."""
    try:
        encoded = encode(value, _context(key))
    except NotStorable as error:
        raise CannotStore(f"cannot store the value under key {key!r}: {error}") from error
    return decode(encoded, _context(key)), encoded


def _value_in(rows: Rows, key: str) -> Any:
    """Return the value of a key that was used before.

    Raises:
        StoreError: its row has none, or was pruned at this moment.
    """
    if not rows:
        raise StoreError(f"the key {key!r} was pruned while it was asked for (try again)")
    ((encoded,),) = rows
    if encoded is None:
        raise StoreError(
            f"the key {key!r} has no value: its function ended the transaction by itself, and what "
            "else it did is unknown (look what is there, then delete the row from longterm_steps, "
            "to have it called again)"
        )
    return decode(bytes(encoded), _context(key))


def _context(key: str) -> tuple[str, str, None, str]:
    """Return where the bytes of a value are stored; their seal holds there only."""
    return "once", key, None, ""
