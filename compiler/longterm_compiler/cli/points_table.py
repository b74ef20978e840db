"""The table of a flow's resume points, for `longterm-compile --points`: a flow in, lines out."""

from __future__ import annotations

from collections.abc import Iterable

from longterm._terminal import table
from longterm_compiler.lower import ResumePoint
from longterm_compiler.pipeline import CompiledFlow

_HEAD = ("point", "line", "suspends", "slots", "cells", "author's text")
_NUMBERS = 2  # of the columns, from the left


def points_table(compiled: CompiledFlow) -> list[str]:
    """Return the lines of the table: what it is of, the heads of the columns, a line a point."""
    source, definition = compiled.names.source, compiled.definition
    title = f"{definition.qualname}, {source.path}:{definition.node.lineno}"
    title += f", version {compiled.version}"
    if not compiled.points:
        return [title, "never suspends"]
    rows = [_HEAD, *(_row(compiled, point) for point in compiled.points)]
    return [title, *table(rows, numbers=_NUMBERS)]


def _row(compiled: CompiledFlow, point: ResumePoint) -> tuple[str, ...]:
    resume = compiled.resume(point.number)
    return (
        str(point.number),
        str(point.line),
        "surely" if point.suspends else "maybe",
        _names(resume.slots),
        _names(resume.cells),
        compiled.text.line_of_call(compiled.lowered.points[point.number - 1].call),
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"
