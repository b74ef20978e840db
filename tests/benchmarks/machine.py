"""What figures must say of their machine: versions, cores, load. Never a name or a path."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime

from tests.store.postgres_server import find_binaries


def machine() -> dict[str, str]:
    """Return the facts, by what they are."""
    return {
        "Python": platform.python_version(),
        "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores",
        "SQLite": sqlite3.sqlite_version,
        "Postgres": postgres_version() or "not here",
        "valgrind": "here" if shutil.which("valgrind") else "not here",
        "load before": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "date": datetime.now(UTC).date().isoformat(),
    }


def is_busy() -> bool:
    """Whether others use the machine, so that figures are good for trying only."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 4


def postgres_version() -> str | None:
    """Return the version of the server that the benchmarks start, or None if there is none."""
    binaries = find_binaries()
    if binaries is None:
        return None
    command = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return str(said.split()[-1])
