"""The command `longterm seal`: write stored runs anew with the present key and payload codec."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from longterm._escapes import escaped
from longterm.engine import Engine


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    seal = commands.add_parser("seal", help="seal all runs with the first key in use")
    seal.add_argument("--json", action="store_true")
    seal.set_defaults(command=seal_runs)


def seal_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Seal all runs; 1 if something still needs another key."""
    report = engine.seal_runs()
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        print(f"sealed {report.sealed:,}, unchanged {report.unchanged:,}")
    for run_id, reason in report.refused.items():
        print(f"longterm: run {escaped(run_id)}: {escaped(reason)}", file=sys.stderr)
    for name, reason in report.refused_versions.items():
        print(f"longterm: version {escaped(name)}: {escaped(reason)}", file=sys.stderr)
    for run_id in report.running:
        print(
            f"longterm: run {escaped(run_id)} is in the middle of a turn (seal once more, later)",
            file=sys.stderr,
        )
    return 0 if report.is_complete else 1
