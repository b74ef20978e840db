"""Every remedy that the Postgres store names is followed literally, and the store then works.

What a server says of a full disk is raised by a trigger; all else happens as it is described. A
remedy that is new in the code has no test, and fails the last one.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from longterm.run import RunState
from longterm.store import open_store
from longterm.testing._sample_runs import suspended_run
from tests.advice import advice_of, is_told, printed, said_by_python, tried_in

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store import postgres  # noqa: E402
from longterm.store.postgres import PostgresStore, _schema  # noqa: E402
from longterm.store.postgres._schema import schema_sql  # noqa: E402
from longterm.store.postgres._scratch import scratch_store  # noqa: E402
from tests.store.postgres_server import PostgresServer, binaries_or_skip  # noqa: E402
from tests.store.standby import Standby, ask  # noqa: E402

LARGE = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


def works(url: str) -> None:
    """Store a run by a URL, and find it."""
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    with store:
        run_id = f"a run {random.random()}"
        store.create(suspended_run(run_id))
        assert store.get(run_id).state is RunState.SUSPENDED


# -- URLs ----------------------------------------------------------------------------------------

WRITE = (
    "write postgresql://user:password@host:5432/database; in a password write %40 for @, %2F for "
    "/, %3A for :, %3F for ?, %23 for #, %25 for % and %20 for a space"
)
SCHEMA = (
    "take letters, digits, _, -, . and spaces, up to * bytes, and no pg_ at the begin: "
    "schema=shop_runs"
)
# What is told, and of which end of a URL; which one works.
OPTIONS: list[tuple[str, str, str]] = [
    ("write *=no", "?migrate=perhaps", "?migrate=yes"),
    ("write *=no", "?pooler=perhaps", "?pooler=no"),
    ("write *=10", "?max_connections=none", "?max_connections=10"),
    ("write *=30", "?wait_seconds=long", "?wait_seconds=30"),
    ("write listen=db:5432", "?listen=db:", "?listen=127.0.0.1:5432,127.0.0.1"),
    ("choose from *", "?synchronous_commit=maybe", "?synchronous_commit=local"),
    ("is it *?", "?aplication_name=shop", "?application_name=shop"),
    (SCHEMA, "?schema=pg_runs", "?schema=shop_runs"),
    (SCHEMA, f"?schema={'x' * 99}", f"?schema={quote('My longterm-runs 1.0')}"),
]


@pytest.mark.parametrize(("remedy", "refused", "followed"), OPTIONS)
def test_an_option_that_is_written_as_the_error_says_works(
    url: str, remedy: str, refused: str, followed: str
) -> None:
    with printed(remedy):
        works(url + refused)

    works(url + followed)


@pytest.mark.parametrize("wrong", ["p@ss/w:r?d#1% 2", "p@ss"])
def test_a_password_that_is_written_as_the_error_says_is_understood(url: str, wrong: str) -> None:
    """The server lets everybody in; what it is sent is seen by what it is asked for."""
    with printed(WRITE):
        works(url.replace("postgres@", f"postgres:{wrong}@"))

    coded = {"@": "%40", "/": "%2F", ":": "%3A", "?": "%3F", "#": "%23", "%": "%25", " ": "%20"}
    right = url.replace("postgres@", f"postgres:{''.join(coded.get(c, c) for c in wrong)}@")
    works(right)
    assert psycopg.conninfo.conninfo_to_dict(right)["password"] == wrong


def test_a_store_with_neither_a_url_nor_a_pool_or_with_both(url: str) -> None:
    for given in ({}, {"conninfo": url, "pool": Lent(None)}):
        with printed(
            "write PostgresStore('postgresql://host/database') or PostgresStore(pool=pool)"
        ):
            PostgresStore(**given)  # type: ignore[arg-type]

    with PostgresStore(url) as store:
        store.migrate()


class Lent:
    """A pool of one connection."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs

    def connection(self) -> Any:
        return nullcontext(self.theirs)


def test_a_server_to_listen_to_without_a_user_beside_a_pool(url: str) -> None:
    host = url.partition("@")[2].partition("/")[0]
    with psycopg.connect(url, autocommit=True) as theirs:
        with printed("write listen='postgresql://host/database'"):
            PostgresStore(pool=Lent(theirs), listen=host)

        with PostgresStore(pool=Lent(theirs), listen=url) as store:
            assert store._listener.listen()


def test_a_python_without_psycopg(tmp_path: Path) -> None:
    code = "import sys; sys.modules['psycopg'] = None; "
    open_it = "import longterm.store as s; s.open_store('postgresql://host/x')"

    assert is_told("pip install 'longterm[postgres]'", said_by_python("-c", code + open_it))

    assert said_by_python("-c", open_it) == ""  # where it is installed


# -- rights and schemas --------------------------------------------------------------------------


def app_user(url: str, server: PostgresServer) -> tuple[str, str]:
    """Make a user; return the name, and the URL by which it comes."""
    name = url.rpartition("/")[2]
    ask(url, f"CREATE USER {name}_app")
    return f"{name}_app", server.url(name, user=f"{name}_app")


def test_a_user_who_may_make_no_schema(url: str, server: PostgresServer) -> None:
    _, app_url = app_user(url, server)

    with printed("let a DBA run: *GRANT USAGE, CREATE ON SCHEMA * TO *") as caught:
        works(app_url)
    statements = re.search(r"let a DBA run: (.*?)\)", str(caught.value))
    assert statements is not None
    ask(url, statements[1])

    works(app_url)


def test_a_user_who_may_not_use_the_tables(url: str, server: PostgresServer) -> None:
    works(url)
    name, app_url = app_user(url, server)

    with printed(
        "grant it USAGE on schema longterm, and SELECT, INSERT, UPDATE and DELETE on its tables"
    ):
        works(app_url)
    ask(url, f"GRANT USAGE ON SCHEMA longterm TO {name}")
    rights = "SELECT, INSERT, UPDATE, DELETE"
    ask(url, f"GRANT {rights} ON ALL TABLES IN SCHEMA longterm TO {name}")

    works(app_url)


@pytest.mark.parametrize("follow", ["by hand", "by longterm"])
def test_a_schema_that_is_not_made_yet(url: str, follow: str) -> None:
    with printed("apply what `longterm migrate --sql` prints, or leave out migrate=no"):
        works(f"{url}?migrate=no")
    if follow == "by longterm":
        works(url)
    else:
        with PostgresStore(url) as store:
            ask(url, store.migration_sql())

    works(f"{url}?migrate=no")


def test_tables_that_another_user_owns(
    url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(_schema, "MIGRATIONS", _schema.MIGRATIONS[:1])
        ask(url, schema_sql())
    name, app_url = app_user(url, server)
    ask(url, f"GRANT USAGE, CREATE ON SCHEMA longterm TO {name}")
    ask(url, f"GRANT ALL ON ALL TABLES IN SCHEMA longterm TO {name}")

    with printed("let the owner of the tables apply what `longterm migrate --sql` prints"):
        works(app_url)
    with PostgresStore(url) as store:
        ask(url, store.migration_sql())
    ask(url, f"GRANT ALL ON ALL TABLES IN SCHEMA longterm TO {name}")  # to those that are new

    works(app_url)


@pytest.mark.parametrize("follow", ["a backup", "made anew"])
def test_tables_that_are_gone(url: str, follow: str) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        ask(url, "DROP SCHEMA longterm CASCADE")

        with printed("restore them from a backup, or start again to have them made anew"):
            store.get("r1")
        if follow == "a backup":
            ask(url, schema_sql())
            assert store.create(suspended_run()).id == "r1"
    works(url)


def test_a_schema_of_another_application(url: str) -> None:
    ask(url, "CREATE SCHEMA longterm; CREATE TABLE longterm.orders (id int)")

    with printed("name another one, as in schema=shop_runs; this one was left as it is"):
        works(url)

    works(f"{url}?schema=shop_runs")


def test_a_schema_of_a_newer_longterm(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    works(url)
    newer = len(_schema.MIGRATIONS) + 1
    ask(url, f"INSERT INTO longterm.migrations VALUES ({newer}, 'newer', now())")

    with printed("upgrade longterm; the schema was left as it is"):
        works(url)
    monkeypatch.setattr(_schema, "MIGRATIONS", (*_schema.MIGRATIONS, "newer.sql"))

    works(url)


def test_a_database_that_cannot_hold_every_text(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    latin = fresh_database("ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
    with printed("create the database with ENCODING 'UTF8'"):
        works(server.url(latin))

    works(server.url(fresh_database("ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C'")))


# -- steps ---------------------------------------------------------------------------------------


def test_names_that_an_index_cannot_hold(url: str) -> None:
    with PostgresStore(url) as store:
        with printed("keep the names of events and the facts of a run shorter than 2,000 bytes"):
            store.create(suspended_run().changed(index={"a": LARGE}))

        assert store.create(suspended_run().changed(index={"a": LARGE[:1_900]})).id == "r1"


def test_a_name_with_half_of_a_character(url: str) -> None:
    with PostgresStore(url) as store:
        with printed("leave out lone surrogates"):
            store.create(suspended_run("r\ud800"))

        assert store.create(suspended_run("r")).id == "r"


def test_a_disk_that_is_full(url: str) -> None:
    works(url)
    ask(url, "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$")  # fmt: skip
    ask(url, "CREATE TRIGGER full_disk BEFORE INSERT ON longterm.runs "
             "EXECUTE FUNCTION full_disk()")  # fmt: skip

    with printed("free some space there and try again"):
        works(url)
    ask(url, "DROP TRIGGER full_disk ON longterm.runs")

    works(url)


SETTINGS = [
    ("see its statement_timeout, or who cancelled it", "statement_timeout"),
    ("end the transaction that is left open, or raise the server's lock_timeout", "lock_timeout"),
]


@pytest.mark.parametrize(("remedy", "setting"), SETTINGS)
@pytest.mark.parametrize("follow", ["the setting", "the transaction"])
def test_a_step_that_waits_for_somebody_elses_transaction(
    url: str, remedy: str, setting: str, follow: str
) -> None:
    works(url)
    database = url.rpartition("/")[2]
    with PostgresStore(url) as store:
        store.create(suspended_run())
    ask(url, f"ALTER DATABASE {database} SET {setting} = '100ms'")
    with closing(psycopg.connect(url)) as other:
        other.execute("SELECT * FROM longterm.runs FOR UPDATE")
        with PostgresStore(url) as store, printed(remedy):
            store.unsuspend("r1", "number")
        ends = threading.Timer(0.5, other.rollback)
        ends.start()
        if follow == "the transaction":
            ends.join()
        else:
            ask(url, f"ALTER DATABASE {database} SET {setting} = '20s'")
        with PostgresStore(url) as store:
            assert store.unsuspend("r1", "number") is not None
        ends.join()  # its user has gone before the connection is closed


def test_a_server_that_is_not_there(url: str, server: PostgresServer) -> None:
    with printed("check that it runs, and the URL"):
        works(f"{url.replace(str(server.port), '1')}?wait_seconds=0.2")

    works(url)


def test_more_callers_than_connections(url: str) -> None:
    with PostgresStore(url, max_connections=1, wait_seconds=0.5) as store:
        store.create(suspended_run())
        with lent(store), printed("allow more `max_connections`"):
            store.get("r1")

    with PostgresStore(url, max_connections=2, wait_seconds=0.5) as store, lent(store):
        assert store.get("r1").id == "r1"


@contextmanager
def lent(store: PostgresStore) -> Iterator[None]:
    """Have one connection of a store in use, as a slow step of another thread has."""
    loan = store._database._pool.loan()
    loan.take(deadline=0)
    try:
        yield
    finally:
        loan.give_back()


def test_a_server_that_only_answers_questions() -> None:
    binaries = binaries_or_skip()
    primary = PostgresServer(binaries)
    try:
        works(primary.url())
        standby = Standby(binaries, primary)
        try:
            with printed(
                "name the primary server, or add target_session_attrs=read-write to the URL"
            ):
                works(standby.url())

            works(primary.url())
            hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
            works(f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write")
        finally:
            standby.remove()
    finally:
        primary.remove()


def test_a_schema_is_named_for_a_test_that_gets_one_of_its_own(url: str) -> None:
    for option in ("schema=shop", "migrate=no"):
        with printed("leave ?schema= and ?migrate= out"), scratch_store(f"{url}?{option}"):
            pass

    with scratch_store(url) as store:
        store.create(suspended_run())


ELSEWHERE = {
    "check the URL, or run `longterm migrate` first": "tests/runtime/test_cli_remedies.py",
    "add pooler=yes to the URL": "tests/store/test_pooler.py",
    "check the server; get_run shows how a run stands; to wait longer, allow more `wait_seconds`":
        "tests/store/test_postgres_outage.py",
    "connect with client_encoding=utf8": "tests/store/test_borrowed_pool.py",
    "end it before the connection goes back to the pool": "tests/store/test_borrowed_pool.py",
    "get_run shows how the run stands": "tests/store/test_postgres_loss.py",
    "give what lends psycopg's by `with pool.connection() as connection`":
        "tests/store/test_borrowed_pool.py",
    "open it, or let it have more: whoever holds one in the call of a flow needs a second":
        "tests/store/test_borrowed_pool.py",
    "let the owner of the tables apply what `longterm migrate --ended-by-month --sql` prints":
        "tests/store/test_months_moved.py",
    "prune again when that is over": "tests/store/test_months_moved.py",
    "see who cancelled it, and whether the standby follows; get_run shows how a run stands":
        "tests/store/test_failover.py",
    **dict.fromkeys(
        ["*, or leave out dialect=*", "choose from *, or leave it out for Postgres itself",
         "prune them by their age: longterm prune --older-than",
         "say in the URL what it is for: ?dialect=citus",
         "set it there, by ALTER SYSTEM SET synchronous_commit, and leave it out here",
         "stop whoever uses it, and apply what `longterm migrate --sql` prints, or leave out "
         "migrate=no"],
        "tests/store/test_dialects.py",
    ),
    **dict.fromkeys(
        ["connect to that one", "leave that first", "take one that is open",
         "give a psycopg.Connection, or the connection of SQLAlchemy or Django over one",
         "write `with connection.transaction():` around it"],
        "tests/store/test_within.py",
    ),
}  # fmt: skip
OF_OTHERS = {"write *=no", "write *=10", "write *=30"}
"""The options of all stores are read elsewhere."""
NO_ADVICE = {
    *("create run *", "get run *", "open the store for: *", "send an event to run *"),
    *("move runs that have ended", "keep ended runs by month"),
    *("keep version *", "write the note of the servers"),
    *("the message is Postgres's own", "release stale claims", "put off a message"),
    "error IS NULL OR deadline IS NULL",
}


def test_no_remedy_is_forgotten() -> None:
    tried = tried_in(__file__) | {remedy for remedy, *_ in (*OPTIONS, *SETTINGS)} | {WRITE}

    advice = advice_of(Path(postgres.__file__).parent)
    assert (tried | set(ELSEWHERE)) - OF_OTHERS == advice - NO_ADVICE
