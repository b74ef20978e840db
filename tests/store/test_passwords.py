"""No error and no `repr` shows the password of a URL, however the URL is wrong."""

from __future__ import annotations

import traceback

import pytest

from longterm import Engine
from longterm.cli import main
from longterm.errors import StoreError
from longterm.store import open_store
from longterm.store._urls import without_password

SECRET = "s3cr3t"
WRONG = [
    f"postgresql://u:{SECRET}%zz@h/db",
    f"postgresql://u:{SECRET}%00@h/db",
    f"postgresql://u:{SECRET} x@h/db",
    f"postgresql://u:a@{SECRET}@h/db",
    f"postgresql://u:{SECRET}/x@h/db",
    f"postgresql://u:{SECRET}/x@h:5/db",
    f"postgresql://u:{SECRET}?x@h/db",
    f"postgresql://u:x?{SECRET}=1@h/db",
    f"postgresql://u:{SECRET}\ud800@h/db",
    f"postgresql://u:{SECRET}@[::1/db",
    f"postgresql://u:{SECRET}",
    f"postgresql://u:{SECRET}/db",
    f"postgresql://u:{SECRET}@h:port/db",
    f"postgresql://h/db?{SECRET}",
    f"postgresql://h/db?password={SECRET}&nope=1",
    f"postgresql://h/db?password={SECRET}&max_connections=x",
    f"postgres:u:{SECRET}@h/db",
    f"postgresql//u:{SECRET}@h/db",
    f"postgresql:/u:{SECRET}@h/db",
    f" postgresql://u:{SECRET}@h/db",
    f"postgresql+psycopg2://u:{SECRET}@h/db",
    f"mysql://u:{SECRET}@h/db",
    f"u:{SECRET}@h/db",
    f"u:{SECRET}@h/runs.db",
    f"//u:{SECRET}@h/db",
    f"host=h password={SECRET} dbname=x",
    f"sqlite://u:{SECRET}@h/db",
    f"memory://u:{SECRET}@h/",
]
NOWHERE = [
    f"postgresql://u:{SECRET}@127.0.0.1:1/db?wait_seconds=0.1",
    f"postgresql://u:{SECRET}@127.0.0.1:99999/db?wait_seconds=0.1",
    f"postgresql://u:{SECRET}@no-such-host.invalid/db?wait_seconds=0.1",
    f"postgresql://u:{SECRET}@127.0.0.1:1/db?wait_seconds=0.1&sslmode=nonsense",
    f"postgresql://u@127.0.0.1:1/db?password={SECRET}&wait_seconds=0.1",
    f"postgresql://u:{SECRET}%40%25%20@127.0.0.1:1,127.0.0.1:2/db?wait_seconds=0.1",
]


@pytest.fixture(autouse=True)
def without_pgpassword(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_refused_without_its_password(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(url)

    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert "(" in str(refused.value)
    assert main(["--store", url, "runs"]) == 1
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize("url", NOWHERE)
def test_a_server_that_is_not_reached_is_named_without_the_password(url: str) -> None:
    store = open_store(url)
    with pytest.raises(StoreError) as refused:
        store.get("r1")

    shown = "".join(traceback.format_exception(refused.value)) + repr(store) + repr(Engine(store))
    shown += "".join(repr(each) for each in vars(store).values())
    assert SECRET not in shown


@pytest.mark.parametrize("name", ["host", "dbname"])
def test_what_libpq_takes_beside_urls_is_not_shown_either(name: str) -> None:
    from longterm.store.postgres import PostgresStore

    with pytest.raises(StoreError) as refused:
        PostgresStore(f"{name}=x password={SECRET}' user")
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_password_is_written_as_the_error_says() -> None:
    store = open_store("postgresql://u:%40%2F%3A%3F%23%25%20@127.0.0.1:1/db?wait_seconds=0.1")

    with pytest.raises(StoreError, match=r"database 'db' at 127\.0\.0\.1:1: the server"):
        store.get("r1")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/db", "postgresql://…@h/db"),
        ("postgresql://u:p@q@h/db", "postgresql://…@h/db"),
        (
            "postgresql://h/db?password=p&sslmode=require",
            "postgresql://h/db?password=…&sslmode=require",
        ),
        ("postgresql://h/db", "postgresql://h/db"),
        ("u:p@h", "…@h"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert without_password(url) == shown
