"""The commands about the application's databases, and the remedy that an error prints."""

from __future__ import annotations

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from longterm import StoreError
from longterm.cli import main
from longterm.database import Database
from tests.database.conftest import case_of


@pytest.mark.parametrize("way", ["sqlite path", "postgres conninfo"])
def test_command_of_the_error_makes_the_table(way, request, capsys):
    case = case_of(way, request)
    database = Database(case.address)
    with pytest.raises(StoreError) as caught:
        database.once("key", case.work("tea"))
    (command,) = re.findall("`(longterm .*?)`", str(caught.value))

    assert main(shlex.split(command)[1:]) == 0

    assert capsys.readouterr().out == "the table longterm_steps is there\n"
    assert database.once("key", case.work("tea", 3)) == 3


@pytest.mark.parametrize("way", ["sqlite path", "postgres conninfo"])
def test_printed_sql_makes_the_table(way, request, capsys):
    case = case_of(way, request)
    assert main(["migrate", "--db", case.address, "--sql"]) == 0
    with case.connected() as connection:
        connection.execute(capsys.readouterr().out)
        connection.commit()

    assert Database(case.address).once("key", case.work("tea", 3)) == 3


def test_prune_deletes_old_rows(tmp_path, capsys):
    path = f"{tmp_path}/shop.db"
    database = Database(path)
    database.migrate()
    for key in ("one", "two", "three"):
        database.once(key, lambda tx: None)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE longterm_steps SET at = at - 86400 * 9 WHERE key <> 'three'")

    assert main(["prune", "--db", path, "--older-than", "10"]) == 0
    assert main(["prune", "--db", path, "--older-than", "8", "--json"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert (first, json.loads(second)) == ("deleted 0 steps", {"deleted": 2})


def test_no_store_is_needed_and_none_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LONGTERM_URL", raising=False)
    assert main(["migrate", "--db", "shop.db"]) == 0
    assert os.listdir() == ["shop.db"]


def test_wrong_address_is_refused(capsys):
    assert main(["migrate", "--db", "mysql://ada:secret@host/shop"]) == 1
    said = capsys.readouterr().err
    assert "no Database has the address mysql://" in said
    assert "secret" not in said


def test_table_in_a_database_of_django(tmp_path):
    pytest.importorskip("django", reason="NOT TESTED: Django is missing")
    (tmp_path / "shop_settings.py").write_text(
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'shop.db'}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "longterm.cli", "migrate", "--db", "django:default"],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "shop_settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "the table longterm_steps is there\n"
    assert Database(tmp_path / "shop.db").once("key", lambda tx: 3) == 3
