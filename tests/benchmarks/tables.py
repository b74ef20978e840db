"""Rows as tables: aligned for a terminal, and in Markdown for the page. Text only, no file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tests.benchmarks.measuring import Row, Spread

HEADER = ["", "median", "5-95 %", "ratio", "5-95 %", "to"]
_LEFT = {0, 5}
"""The columns of words; figures stand on the right."""


def as_text(rows: list[Row]) -> str:
    """Return the table of a benchmark for people at a terminal."""
    lines = [HEADER]
    for group, members in groupby(rows, key=lambda row: row.group):
        lines += [
            [group],
            *(["  " + line[0], *line[1:]] for row in members for line in _lines(row)),
        ]
    widths = [max(len(line[i]) for line in lines if len(line) > i > 0) for i in range(1, 6)]
    widths.insert(0, max(len(line[0]) for line in lines if len(line) > 1))
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        for line in lines
    )


def as_markdown(rows: list[Row]) -> str:
    """Return the table of a benchmark for the page."""
    lines = [HEADER, ["---", "--:", "--:", "--:", "--:", "---"]]
    for group, members in groupby(rows, key=lambda row: row.group):
        lines += [[f"**{group}**", *[""] * 5], *(line for row in members for line in _lines(row))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _lines(row: Row) -> Iterator[list[str]]:
    """Yield the cells of a row, a line for each of its ratios."""
    figure = (
        ["", ""]
        if row.figure is None
        else [f"{number(row.figure.median)} {row.unit}".rstrip(), between(row.figure)]
    )
    if not row.ratios:
        yield [row.name, *figure, "", "", row.note]
    for position, ratio in enumerate(row.ratios):
        to = ratio.of
        if ratio.target is not None:
            to += f" (wanted: {number(ratio.target)}{', MISSED' if ratio.is_over else ''})"
        shown = [f"x{number(ratio.spread.median)}", between(ratio.spread), to]
        yield [row.name, *figure, *shown] if position == 0 else ["", "", "", *shown]
    if row.ratios and row.note:
        yield ["", "", "", "", "", row.note]


def between(spread: Spread) -> str:
    """Return the ends of a spread; nothing if there is none."""
    if spread.low == spread.high:
        return ""
    return f"{number(spread.low)} - {number(spread.high)}"


def number(value: float) -> str:
    """Return a figure with about three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
