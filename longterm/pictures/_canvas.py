"""A canvas that writes SVG: rectangles, lines and text in, elements out; all text is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Final, TypeAlias

from longterm._escapes import escaped
from longterm.pictures._parts import Kind, Place

Point: TypeAlias = tuple[float, float]
Rectangle: TypeAlias = tuple[float, float, float, float]
"""Its left side, its top, its width and its height."""

LINE: Final = 17
CHARACTER: Final = 7.25
"""How wide a character is: the font is one in which all are."""
_SMALL: Final = 0.92
"""By what part labels are smaller."""
BADGE_INSIDE: Final = 8.0
"""How far a count reaches into the box whose runs it counts."""
_CORNERS: Final = {Kind.WAIT: 14, Kind.SLEEP: 14, "start": 14, "end": 14, "error": 14, "head": 9}


def text_width(text: str) -> float:
    """Return how wide a line of text is."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return (len(text) + wide) * CHARACTER


def badge_width(count: int) -> float:
    """Return how wide a count is."""
    return text_width(f"{count:,}") + 12


class Canvas:
    """What is drawn so far, in the order in which it is to be painted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.elements: list[str] = []

    def frame(self, place: Rectangle) -> None:
        """Draw a frame around what is drawn later."""
        self.elements.append(f'<rect class="lt-frame" {_sides(place)} rx="8"/>')

    def node(
        self, at: Rectangle, lines: Sequence[str], css: str, count: int, place: Place | None
    ) -> None:
        """Draw a box with text, and how many runs wait there."""
        left, top, width, height = at
        data = ""
        if place is not None:
            point = "" if place.point is None else f' data-point="{place.point}"'
            data = f'{point} data-line="{place.line}"'
        self.elements.append(f'<g class="lt-node lt-{css}"{data}>')
        if place is not None:
            self.elements.append(f"<title>line {place.line}</title>")
        self.elements.append(f'<rect {_sides(at)} rx="{_CORNERS.get(css, 4)}"/>')
        if css in (Kind.CALL, Kind.CHILD):  # two more lines, as of a subroutine in flowcharts
            for x in (left + 4, left + width - 4):
                self.elements.append(f'<path d="M{x:.1f} {top:.1f}v{height:.1f}"/>')
        y = top + (height - LINE * len(lines)) / 2 + 12.5
        for number, line in enumerate(lines):
            note = ' class="lt-note"' if number else ""
            self._text(left + width / 2, y + number * LINE, line, note)
        if count:
            self._badge(left + width, top, count)
        self.elements.append("</g>")

    def line(self, points: Sequence[Point]) -> None:
        """Draw a line from point to point."""
        self.elements.append(f'<path class="lt-way" d="{_way(points)}"/>')

    def arrow(self, points: Sequence[Point]) -> None:
        """Draw a line that ends as an arrow."""
        (before_x, before_y), (x, y) = points[-2:]
        across, down = (x > before_x) - (x < before_x), (y > before_y) - (y < before_y)
        self.line(points)
        back_x, back_y = x - 7 * across, y - 7 * down
        wing_x, wing_y = 3.5 * down, 3.5 * across
        head = [(x, y), (back_x - wing_x, back_y - wing_y), (back_x + wing_x, back_y + wing_y)]
        self.elements.append(f'<path class="lt-head-of-way" d="{_way(head)}z"/>')

    def label(self, x: float, y: float, text: str) -> None:
        """Write on a line that goes down."""
        if text:
            width = text_width(text) * _SMALL + 8
            place = (x - width / 2, y - 9, width, 17)
            self.elements.append(f'<rect class="lt-behind" {_sides(place)}/>')
            self._text(x, y + 4, text, ' class="lt-label"')

    def _badge(self, x: float, y: float, count: int) -> None:
        width = badge_width(count)
        left = x - BADGE_INSIDE
        place = (left, y - 9, width, 18)
        self.elements.append(f'<rect class="lt-count" {_sides(place)} rx="9"/>')
        self._text(left + width / 2, y + 4, f"{count:,}", ' class="lt-number"')

    def _text(self, x: float, y: float, text: str, css: str = "") -> None:
        self.elements.append(f'<text{css} x="{x:.1f}" y="{y:.1f}">{in_xml(text)}</text>')


def in_xml(text: str) -> str:
    """Return text as XML can hold it."""
    return escape(escaped(text))


def _sides(place: Rectangle) -> str:
    x, y, width, height = place
    return f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'


def _way(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
