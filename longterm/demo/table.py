"""The runs in a demo's SQLite file as a small table, read past the store, as any tool could."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from longterm._terminal import table
from longterm.demo.terminal import say, say_aside

HEADINGS = ("run", "flow", "state", "turn", "waits for", "saved")

# What a run keeps of its stack, the newest run last; the store's own columns, nothing else.
QUERY = """
    SELECT id, substr(flow, instr(flow, ':') + 1), state, turn,
           iif(waiting_for LIKE 'run:%', 'its children', coalesce(waiting_for, '-')),
           coalesce(length(stack) || ' bytes', '-')
    FROM runs ORDER BY created_at, id
"""
NEWEST = 12


def print_runs(store: str) -> None:
    """Print the newest runs of a SQLite store; of another kind of store, nothing."""
    path = sqlite_path(store)
    if path is None or not path.exists():
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        rows = [tuple(map(str, row)) for row in connection.execute(QUERY)]
    say()
    say(f"Runs in {path}:")
    say()
    hidden = len(rows) - NEWEST
    if hidden > 0:
        say_aside(f"  ... {hidden} older")
    for line in table([HEADINGS, *rows[-NEWEST:]]):
        say(f"  {line}")


def sqlite_path(store: str) -> Path | None:
    """Return the file of a SQLite store, or None if the URL names another kind of store."""
    scheme, separator, rest = store.partition(":///")
    if scheme == "sqlite" and separator:
        return Path(unquote(rest.partition("?")[0])).absolute()
    return None if "://" in store else Path(store).absolute()
