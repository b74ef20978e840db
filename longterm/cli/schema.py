"""The command `longterm migrate`: make the store's schema, bring it up to date, or print how.

With `--db` it makes the table of the steps in a database of the application's, and `longterm prune`
deletes old rows there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from longterm.engine import Engine
from longterm.errors import NotSupported
from longterm.store.base import ByMonth, Migrates

if TYPE_CHECKING:
    from longterm.database import Database

_MOVED_AT_ONCE: Final = 1000


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    migrate = commands.add_parser("migrate", help="make the schema, or bring it up to date")
    migrate.add_argument(
        "--sql", action="store_true", help="only print the SQL, for a DBA to apply"
    )
    migrate.add_argument(
        "--ended-by-month",
        action="store_true",
        help="Postgres: keep complete and cancelled runs apart, in a table of each month",
    )
    add_database(migrate, "make the table of what is done once in a database of yours instead")
    migrate.set_defaults(command=migrate_store, on_database=migrate_database, makes_store=True)


def add_database(command: argparse.ArgumentParser, what: str) -> None:
    """Let a command be about a database of the application's: its function is `on_database`."""
    command.add_argument("--db", metavar="URL", help=f"{what}: sqlite:///shop.db, django:default")


def run_on_database(options: argparse.Namespace) -> int:
    """Run a command on a database of the application's."""
    from longterm.database import Database

    if options.db.startswith("django:"):
        sys.path.insert(0, os.getcwd())  # where the module of the settings is
        import_module("django").setup()
    command: Callable[[Database, argparse.Namespace], int] = options.on_database
    return command(Database(options.db), options)


def migrate_store(engine: Engine, options: argparse.Namespace) -> int:
    """Take the steps that are to be taken, or print them."""
    store = engine.store
    if not isinstance(store, Migrates):
        raise NotSupported(store, "a schema to migrate")
    if options.sql:
        print(store.migration_sql() or "-- the schema is up to date")
        if options.ended_by_month:
            print(_by_month(store).by_month_sql())
        return 0
    by_month = _by_month(store) if options.ended_by_month else None
    steps = store.migrate()
    print(f"migrated by {steps} step{'s' * (steps != 1)}" if steps else "the schema is up to date")
    if by_month is not None:
        is_new = by_month.keep_by_month()
        print(f"runs that end are kept by month {'from now on' if is_new else 'already'}")
        print(f"moved {_moved(by_month):,} that had ended")
    return 0


def _by_month(store: object) -> ByMonth:
    if not isinstance(store, ByMonth):
        raise NotSupported(store, "keeping ended runs by month")
    return store


def _moved(store: ByMonth) -> int:
    """Move all that has ended, some at a time; workers do so with what ends later."""
    moved = 0
    while count := store.move_ended(limit=_MOVED_AT_ONCE):
        moved += count
    return moved


def migrate_database(database: Database, options: argparse.Namespace) -> int:
    """Make the table, or print how."""
    if options.sql:
        print(database.migration_sql())
        return 0
    database.migrate()
    print("the table longterm_steps is there")
    return 0


def prune_database(database: Database, options: argparse.Namespace) -> int:
    """Delete the rows of what was done long ago."""
    count = database.prune(options.older_than)
    shown = f"deleted {count:,} step{'s' * (count != 1)}"
    print(json.dumps({"deleted": count}) if options.json else shown)
    return 0
