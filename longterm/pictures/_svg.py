"""A picture as SVG: one element that is whole by itself, or stands in a page."""

from __future__ import annotations

from typing import Final

from longterm.pictures._canvas import Canvas, in_xml, text_width
from longterm.pictures._layout import GAP, laid_out, node
from longterm.pictures._parts import Block, Choice, Counts, Loop, Picture, Place, drawn

STYLE: Final = """\
.lt-picture{--lt-ink:#1f2933;--lt-soft:#5b6773;--lt-back:#fff;--lt-box:#f4f6f8;--lt-edge:#8895a3;
--lt-wait:#e3effd;--lt-wait-edge:#1d63b8;--lt-step:#eaf5e9;--lt-step-edge:#35803a;
--lt-bad:#a42c25;--lt-count:#a33b00;--lt-on-count:#fff}
@media (prefers-color-scheme:dark){.lt-picture{--lt-ink:#e6ebf0;--lt-soft:#a7b2bd;--lt-back:#15191e;
--lt-box:#222931;--lt-edge:#6d7a88;--lt-wait:#16304f;--lt-wait-edge:#6aaef5;--lt-step:#1b3420;
--lt-step-edge:#74c07a;--lt-bad:#ff9d94;--lt-count:#ffb27a;--lt-on-count:#15191e}}
.lt-picture text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;
fill:var(--lt-ink);text-anchor:middle}
.lt-picture .lt-note,.lt-picture .lt-label{fill:var(--lt-soft)}
.lt-picture .lt-label{font-size:11px}
.lt-back,.lt-behind{fill:var(--lt-back)}
.lt-frame{fill:none;stroke:var(--lt-edge);stroke-dasharray:5 4}
.lt-node rect,.lt-node path{fill:var(--lt-box);stroke:var(--lt-edge)}
.lt-wait rect,.lt-sleep rect{fill:var(--lt-wait);stroke:var(--lt-wait-edge)}
.lt-wait rect{stroke-width:2}
.lt-step rect{fill:var(--lt-step);stroke:var(--lt-step-edge)}
.lt-maybe rect{stroke-dasharray:3 3}
.lt-jump rect{stroke:none}
.lt-picture .lt-jump text{fill:var(--lt-soft)}
.lt-error rect{stroke:var(--lt-bad)}
.lt-picture .lt-error text{fill:var(--lt-bad)}
.lt-way{fill:none;stroke:var(--lt-edge);stroke-width:1.3}
.lt-head-of-way{fill:var(--lt-edge)}
.lt-node .lt-count{fill:var(--lt-count);stroke:none}
.lt-picture .lt-number{fill:var(--lt-on-count);font-weight:bold}
"""
"""The style of all pictures, light and dark, for a page that has it in a file of its own."""

_MARGIN: Final = 16.0


def to_svg(picture: Picture, counts: Counts | None = None, *, style: bool = True) -> str:
    """Return a picture as an SVG element.

    Each place where runs can wait has the attributes `data-point` and `data-line`.

    Args:
        picture: the picture.
        counts: how many runs wait where, if that is to be shown.
        style: whether the element holds its style; else the page has `STYLE`.
    """
    counts = counts or Counts()
    parts = drawn(picture.body, counts.at.keys())
    start = node((picture.title,), "start", count=counts.to_begin)
    body = laid_out(parts, counts)
    note = f"{counts.elsewhere:,} runs wait in other versions" if counts.elsewhere else ""
    left = max(start.left, body.left, text_width(note) / 2) + _MARGIN
    width = left + max(start.right, body.right, text_width(note) / 2) + _MARGIN
    canvas, top = Canvas(), _MARGIN + start.height
    start.draw(canvas, left, _MARGIN)
    canvas.arrow([(left, top), (left, top + GAP)])
    body.draw(canvas, left, top + GAP)
    height = top + GAP + body.height + _MARGIN
    if note:
        canvas.label(left, height, note)
        height += GAP
    return _element(picture, parts, width, height, canvas, style)


def _element(
    picture: Picture, parts: Block, width: float, height: float, canvas: Canvas, style: bool
) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lt-picture" role="img" {size}>',
        f"<title>{in_xml(picture.flow)}</title>",
        f"<desc>{in_xml('; '.join(_told(parts)))}</desc>",
        *([f"<style>\n{STYLE}</style>"] if style else []),
        '<rect class="lt-back" width="100%" height="100%"/>',
        *canvas.elements,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _told(block: Block) -> list[str]:
    """Return the places of a block in words, for who cannot see the picture."""
    said: list[str] = []
    for part in block:
        match part:
            case Place(title=title, notes=notes, line=line):
                said.append(f"{' '.join((title, *notes))} (line {line})")
            case Choice(arms=arms):
                said += [f"{arm.label}: {each}" for arm in arms for each in _told(arm.body)]
            case Loop(title=title, body=body):
                said += [f"{title}: {each}" for each in _told(body)]
    return said
