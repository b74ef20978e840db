"""Writes what was measured into docs/performance.md, between its markers, and the charts beside it.

`<!-- figures: NAME -->` and `<!-- end -->` enclose what is rewritten; all other words of the page
are an author's. A benchmark that did not run keeps what its last run wrote, with its own date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from tests.benchmarks.charts import bars
from tests.benchmarks.measuring import Row
from tests.benchmarks.tables import as_markdown, number

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "performance.md"
CHARTS = "performance"


Choice: TypeAlias = Callable[[list[Row]], list[Row]]
"""Which rows a chart shows, and in which panels."""


def groups(*names: str) -> Choice:
    """Choose the rows of the groups that begin so."""
    return lambda rows: [row for row in rows if row.group.startswith(names)]


def by_case(*names: str) -> Choice:
    """Choose the rows of some variants, and make a panel of each with the cases as its bars."""
    return lambda rows: [
        replace(row, group=f"{row.name}, in {row.unit}", name=row.group)
        for name in names
        for row in rows
        if row.name == name
    ]


DRAWN: dict[str, list[tuple[str, str, Choice]]] = {
    "turn": [("turn", "Where a turn's time goes", groups("its stages"))],
    "events": [
        ("events", "One event, delivered, run and saved", groups("SQLite", "Postgres")),
        ("ages", "An event of a young run and of old ones", groups("one run")),
    ],
    "callers": [("callers", "Many callers, one file", groups("events", "starts"))],
    "frames": [
        ("frames", "A turn with many frames, or a large one", by_case("longterm in memory"))
    ],
    "startup": [("startup", "A fresh process", groups("a whole process", "importing"))],
}
"""For each benchmark its charts: the file, the title, the rows."""


def write(facts: dict[str, str], name: str, rows: list[Row]) -> None:
    """Write the table and the charts of a benchmark."""
    page = DOCS / PAGE
    page.write_text(with_figures(page.read_text(), name, figures(facts, rows)))
    (DOCS / CHARTS).mkdir(exist_ok=True)
    for file, title, choose in DRAWN.get(name, []):
        (DOCS / CHARTS / f"{file}.svg").write_text(bars(title, choose(rows)))


def with_figures(text: str, name: str, figures: str) -> str:
    """Return the page with other figures between the markers of a benchmark."""
    pattern = rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)"
    changed, count = re.subn(
        pattern, lambda found: f"{found[1]}{figures}\n{found[2]}", text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(
            f"docs/{PAGE} has {count} places for the figures of {name!r} (make it one)"
        )
    return changed


def figures(facts: dict[str, str], rows: list[Row]) -> str:
    """Return what stands between the markers: the machine, the tables, the targets missed."""
    parts = ["; ".join(f"{name}: {fact}" for name, fact in facts.items()) + ".", as_markdown(rows)]
    parts += [f"Not at its target: {each}." for each in missed(rows)]
    return "\n\n".join(parts)


def missed(rows: list[Row]) -> list[str]:
    """Return in words which figures are over what the project wants."""
    return [
        f"{row.group}, {row.name}: x{number(ratio.spread.median)} of {ratio.of},"
        f" where x{number(ratio.target)} is wanted"
        for row in rows
        for ratio in row.ratios
        if ratio.target is not None and ratio.is_over
    ]
