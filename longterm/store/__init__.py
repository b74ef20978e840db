"""Where runs live: a URL in, a store out. A store's driver is imported only when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from longterm.errors import StoreError
from longterm.store._urls import is_address, scheme_of, without_password
from longterm.store.base import RunStore

__all__ = ["open_store"]

_FILE_SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")


def open_store(url: str) -> RunStore:
    """Open the store that a URL names.

    - `memory://`: in this process, gone with it; each call makes a new one.
    - `sqlite:///runs.db`, `sqlite:////srv/runs.db`, or just a path that ends in `.db`, `.sqlite`
      or `.sqlite3`: an SQLite file. Options: `?synchronous=NORMAL`, `?busy_seconds=5`.
    - `postgresql://user:password@host:5432/database`: a Postgres database; needs the extra
      `postgres`. Options: `?max_connections=10`, `?wait_seconds=60`, `?migrate=no`,
      `?synchronous_commit=off`, `?pooler=yes`, `?listen=db:5432`, `?schema=shop_runs`,
      `?dialect=citus`, and libpq's. `postgres://` and SQLAlchemy's `postgresql+psycopg://` name
      the same.
    - `postgresql+sharded:///etc/longterm/shards.toml`: several servers, which the file names.
      Options: `?max_connections=10`, over all of them, and `?partial=yes`.

    Raises:
        StoreError: no store has such a URL, or an option of it is unknown or wrong.
    """
    if "://" not in url and url.lower().endswith(_FILE_SUFFIXES) and not is_address(url):
        return _open_sqlite_file(url, {})
    scheme, _, rest = url.partition(":")
    opener = _OPENERS.get(scheme.lower())
    if opener is None:
        # The rest of the URL stays out of the message: it may hold a password.
        raise StoreError(
            f"no store has the URL {scheme_of(url)} (use memory://, sqlite:///runs.db, "
            "postgresql://host/database, or a path that ends in .db)"
        )
    place, _, query = (rest[2:] if rest.startswith("//") else f"/{rest}").partition("?")
    return opener(url, place, _options(query) if query else {})


def _open_memory(url: str, place: str, options: dict[str, str]) -> RunStore:
    from longterm.store.memory import MemoryStore

    _refuse_unknown(options, known=())
    if place.strip("/"):
        raise StoreError(
            f"a store in memory has no name or place: {without_password(url)!r} (write memory://)"
        )
    return MemoryStore()


def _open_sqlite(url: str, place: str, options: dict[str, str]) -> RunStore:
    host, _, path = place.partition("/")
    if host:
        raise StoreError(
            f"{without_password(url)!r} names no file (three slashes begin a relative path, four "
            f"an absolute one: sqlite:///{without_password(place)})"
        )
    if not path:
        raise StoreError(
            "the URL sqlite:// names no file (write sqlite:///runs.db; "
            "for runs in memory write memory://)"
        )
    return _open_sqlite_file(_unquoted(path), options)


def _open_sqlite_file(path: str, options: dict[str, str]) -> RunStore:
    from longterm.store.sqlite import SQLiteStore

    _refuse_unknown(options, known=("synchronous", "busy_seconds"))
    return SQLiteStore(
        path,
        synchronous=options.get("synchronous", "FULL"),
        busy_seconds=_seconds("busy_seconds", options.get("busy_seconds", "30")),
    )


def _open_sharded(url: str, place: str, options: dict[str, str]) -> RunStore:
    from longterm.store.sharded import Sharded
    from longterm.store.sharded._opening import FileSource

    _refuse_unknown(options, known=("max_connections", "partial"))
    if not place.startswith("/"):
        raise StoreError(
            f"{without_password(url)!r} names no file (write the whole path after three slashes: "
            "postgresql+sharded:///etc/longterm/shards.toml)"
        )
    most = options.get("max_connections")
    source = FileSource(
        _unquoted(place), None if most is None else _whole_number("max_connections", most)
    )
    return Sharded.from_source(source, partial=_yes_or_no("partial", options.get("partial", "no")))


def _open_postgres(url: str, place: str, options: dict[str, str]) -> RunStore:
    from urllib.parse import quote, urlencode

    ours = {name: options.pop(name) for name in _POSTGRES_OPTIONS if name in options}
    theirs = f"?{urlencode(options, quote_via=quote)}" if options else ""
    return _postgres_store(ours.get("dialect"))(
        f"postgresql://{place}{theirs}",
        listen=ours.get("listen"),
        max_connections=_whole_number("max_connections", ours.get("max_connections", "10")),
        wait_seconds=_seconds("wait_seconds", ours.get("wait_seconds", "60")),
        synchronous_commit=ours.get("synchronous_commit"),
        pooler=_yes_or_no("pooler", ours["pooler"]) if "pooler" in ours else None,
        schema=ours.get("schema", "longterm"),
        migrate=_yes_or_no("migrate", ours.get("migrate", "yes")),
    )


def _postgres_store(dialect: str | None) -> Callable[..., RunStore]:
    if dialect is None:
        from longterm.store.postgres import PostgresStore

        return PostgresStore
    from functools import partial

    from longterm.store.postgres.distributed import DistributedStore

    return partial(DistributedStore, dialect=dialect)


_POSTGRES_OPTIONS: Final = (
    *("max_connections", "wait_seconds", "synchronous_commit", "pooler", "listen", "schema"),
    *("migrate", "dialect"),
)
_OPENERS: Final[dict[str, Callable[[str, str, dict[str, str]], RunStore]]] = {
    "memory": _open_memory,
    "sqlite": _open_sqlite,
    "postgresql": _open_postgres,
    "postgres": _open_postgres,
    "postgresql+psycopg": _open_postgres,
    "postgresql+psycopg_async": _open_postgres,
    "postgresql+sharded": _open_sharded,
}


def _options(query: str) -> dict[str, str]:
    """Return the options after the question mark; of a repeated one, the last."""
    from urllib.parse import parse_qs

    return {name: given[-1] for name, given in parse_qs(query, keep_blank_values=True).items()}


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)


def _refuse_unknown(options: dict[str, str], *, known: tuple[str, ...]) -> None:
    for name in options:
        if name not in known:
            choices = f"choose from {', '.join(known)}" if known else "it has none"
            raise StoreError(f"the store has no option {name!r} ({choices})")


def _yes_or_no(name: str, given: str) -> bool:
    if given.lower() not in ("yes", "no"):
        raise StoreError(f"{name}={given!r} is neither yes nor no (write {name}=no)")
    return given.lower() == "yes"


def _seconds(name: str, given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise StoreError(f"{name}={given!r} is no number of seconds (write {name}=30)")
    return seconds


def _whole_number(name: str, given: str) -> int:
    if not given.isdecimal() or int(given) == 0:
        raise StoreError(f"{name}={given!r} is no number from 1 on (write {name}=10)")
    return int(given)
