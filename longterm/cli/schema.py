"""The command `longterm migrate`: make the store's schema, bring it up to date, or print how."""

from __future__ import annotations

import argparse
from typing import Any

from longterm.engine import Engine
from longterm.errors import NotSupported
from longterm.store.base import Migrates


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    migrate = commands.add_parser("migrate", help="make the schema, or bring it up to date")
    migrate.add_argument(
        "--sql", action="store_true", help="only print the SQL, for a DBA to apply"
    )
    migrate.set_defaults(command=migrate_store, makes_store=True)


def migrate_store(engine: Engine, options: argparse.Namespace) -> int:
    """Take the steps that are to be taken, or print them."""
    store = engine.store
    if not isinstance(store, Migrates):
        raise NotSupported(store, "a schema to migrate")
    if options.sql:
        print(store.migration_sql() or "-- the schema is up to date")
        return 0
    steps = store.migrate()
    print(f"migrated by {steps} step{'s' * (steps != 1)}" if steps else "the schema is up to date")
    return 0
