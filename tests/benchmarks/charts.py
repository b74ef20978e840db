"""Rows as a chart of bars, in SVG: one panel a group, each with its own scale. Text only, no file.

The chart brings its own ground and colours for light and for dark, so that it can be read whatever
the page around it looks like. A thin line shows the spread; what others are compared with is grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from tests.benchmarks.measuring import Row
from tests.benchmarks.tables import number

WIDTH, LABELS, BARS = 720, 240, 300
LINE, HEADING, MARGIN = 24, 34, 16

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.group { font-weight: 600 }
.label { text-anchor: end }
.ground { fill: #ffffff; stroke: #d0d7de }
.ours { fill: #2f81c7 }
.floor { fill: #a9b1ba }
.spread { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ground { fill: #161b22; stroke: #30363d }
  .ours { fill: #4493d8 }
  .floor { fill: #6e7681 }
  .spread { stroke: #e6edf3 }
}"""


def bars(title: str, rows: list[Row]) -> str:
    """Return the chart of all rows that have a figure."""
    shown = [row for row in rows if row.figure is not None]
    lines = [f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(title)}</text>']
    top = MARGIN + LINE
    for group, members in groupby(shown, key=lambda row: row.group):
        panel = list(members)
        lines.append(f'<text class="group" x="{MARGIN}" y="{top + 20}">{escape(group)}</text>')
        top += HEADING
        lines += _panel(panel, top)
        top += len(panel) * LINE
    height = top + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}"'
            ' rx="6"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _panel(rows: list[Row], top: int) -> Iterator[str]:
    """Yield the bars of one group; the widest spread fills the width."""
    floors = {ratio.of for row in rows for ratio in row.ratios}
    scale = BARS / max(row.figure.high for row in rows if row.figure is not None)
    for position, row in enumerate(rows):
        figure = row.figure
        assert figure is not None
        y = top + position * LINE
        length, low, high = (
            max(0.0, each * scale) for each in (figure.median, figure.low, figure.high)
        )
        kind = "floor" if row.name in floors else "ours"
        text = f"{number(figure.median)} {row.unit}"
        if row.ratios:
            text += f"  (x{number(row.ratios[0].spread.median)})"
        yield f'<text class="label" x="{LABELS - 8}" y="{y + 13}">{escape(row.name)}</text>'
        yield (
            f'<rect class="{kind}" x="{LABELS}" y="{y + 1}" width="{length:.1f}"'
            f' height="{LINE - 8}" rx="2"/>'
        )
        if low < high:
            middle = y + 1 + (LINE - 8) / 2
            yield (
                f'<line class="spread" x1="{LABELS + low:.1f}" x2="{LABELS + high:.1f}"'
                f' y1="{middle}" y2="{middle}"/>'
            )
        yield f'<text x="{LABELS + max(length, high) + 8:.1f}" y="{y + 13}">{escape(text)}</text>'
