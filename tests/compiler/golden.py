"""The golden cases: flows as authors write them, each with its compiled text beside it.

A case is a module in `fixtures/flows/<topic>/`; its `PLAYS` say how to run it: a flow, its
arguments, the events in the order in which they come.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLOWS = ROOT / "fixtures" / "flows"
CASES = sorted(each for each in FLOWS.rglob("*.py") if not each.name.endswith(".compiled.py"))

Play = tuple[Callable[..., Any], tuple[Any, ...], list[Any]]


def name_of(case: Path) -> str:
    """A case's name, for people: `loops/nested`."""
    return case.relative_to(FLOWS).with_suffix("").as_posix()


def golden_of(case: Path) -> Path:
    """The file with a case's compiled text."""
    return case.with_suffix(".compiled.py")


def module_name(case: Path) -> str:
    """A case's module, which the root of the repository can import."""
    return ".".join(case.relative_to(ROOT).with_suffix("").parts)


def plays_of(case: Path) -> list[Play]:
    """How a case is run."""
    plays: list[Play] = importlib.import_module(module_name(case)).PLAYS
    return plays
