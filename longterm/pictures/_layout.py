"""Where the parts of a picture stand: boxes inside of boxes, from the top to the bottom.

A flow's blocks are nested, so is its picture: each part is laid out by itself, around an axis down
which the way goes. So no arrow ever crosses another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from longterm.pictures._canvas import BADGE_INSIDE, LINE, Canvas, badge_width, text_width
from longterm.pictures._parts import (
    Arm,
    Block,
    Choice,
    Counts,
    End,
    Jump,
    Loop,
    Part,
    Place,
    goes_on,
)

PADDING: Final = 10
GAP: Final = 22
_RAIL: Final = 12
_LABEL: Final = 40
_MARGIN: Final = 22


@dataclass(frozen=True, slots=True)
class Box:
    """A part that was laid out: how far it reaches from its axis, and what draws it."""

    left: float
    right: float
    height: float
    draw: Callable[[Canvas, float, float], None]
    """Draws it on a canvas, given its axis and its top."""
    goes_on: bool = True


def laid_out(block: Block, counts: Counts) -> Box:
    """Lay out what is drawn of a block."""
    return _in_sequence([_box(part, counts) for part in block])


def node(lines: Sequence[str], css: str, *, count: int = 0, place: Place | None = None) -> Box:
    """Lay out a node with some lines of text."""
    half = max(map(text_width, lines)) / 2 + PADDING
    height = LINE * len(lines) + 1.2 * PADDING

    def draw(canvas: Canvas, x: float, y: float) -> None:
        canvas.node((x - half, y, 2 * half, height), lines, css, count, place)

    right = half + (badge_width(count) - BADGE_INSIDE if count else 0)
    return Box(half, right, height, draw, goes_on=css not in ("end", "error", "jump"))


def _box(part: Part, counts: Counts) -> Box:
    match part:
        case Place(kind=kind, title=title, notes=notes, point=point):
            count = 0 if point is None else counts.at.get(point, 0)
            return node((title, *notes), kind, count=count, place=part)
        case End(title=title, is_error=is_error):
            return node((title,), "error" if is_error else "end")
        case Jump(leaves=leaves):
            return node(("leaves the loop" if leaves else "next round",), "jump")
        case Choice():
            return _side_by_side(part, counts)
        case Loop():
            return _framed(part, counts)


def _in_sequence(boxes: list[Box]) -> Box:
    """Lay out boxes one below the other, with arrows between them."""

    def draw(canvas: Canvas, x: float, y: float) -> None:
        for number, box in enumerate(boxes):
            if number:
                canvas.arrow([(x, y), (x, y + GAP)])
                y += GAP
            box.draw(canvas, x, y)
            y += box.height

    height = sum(box.height for box in boxes) + GAP * max(0, len(boxes) - 1)
    left, right = (max((side(box) for box in boxes), default=0) for side in (_left, _right))
    return Box(left, right, height, draw, goes_on=not boxes or boxes[-1].goes_on)


def _left(box: Box) -> float:
    return box.left


def _right(box: Box) -> float:
    return box.right


def _side_by_side(choice: Choice, counts: Counts) -> Box:
    """Lay out the arms of a choice between two rails: at one they begin, at the other they end."""
    arms = [(arm, laid_out(arm.body, counts)) for arm in choice.arms]
    places: list[float] = []
    edge = 0.0
    for arm, box in arms:
        half = text_width(arm.label) / 2 + 6
        places.append(edge + max(box.left, half))
        edge = places[-1] + max(box.right, half) + _MARGIN
    middle = (places[0] + places[-1]) / 2
    body = _RAIL + _LABEL + max(box.height for _, box in arms)
    ended = any(box.goes_on for _, box in arms)

    def draw(canvas: Canvas, x: float, y: float) -> None:
        axes = [x - middle + place for place in places]
        bottom = y + body + _RAIL
        for (arm, box), axis in zip(arms, axes, strict=True):
            _draw_arm(canvas, arm, box, axis, y, bottom)
        canvas.line([(axes[0], y), (axes[-1], y)])
        if ended:
            met = [axis for (_, box), axis in zip(arms, axes, strict=True) if box.goes_on]
            canvas.line([(min(*met, x), bottom), (max(*met, x), bottom)])

    height = body + (_RAIL if ended else 0)
    return Box(middle, edge - _MARGIN - middle, height, draw, goes_on=ended)


def _draw_arm(canvas: Canvas, arm: Arm, box: Box, x: float, y: float, bottom: float) -> None:
    top = y + _RAIL + _LABEL
    if not box.height:
        canvas.line([(x, y), (x, bottom)])
    else:
        canvas.arrow([(x, y), (x, top)])
        box.draw(canvas, x, top)
        if box.goes_on:
            canvas.line([(x, top + box.height), (x, bottom)])
    canvas.label(x, y + (_RAIL + _LABEL) / 2, arm.label)


def _framed(loop: Loop, counts: Counts) -> Box:
    """Lay out a loop: a frame around its body, whose end leads back to its head."""
    head = node((loop.title,), "head")
    body = _in_sequence([head, laid_out(loop.body, counts)])
    back = 26.0
    left = body.left + back + PADDING
    right = body.right + PADDING + 6
    inner = body.height + (back if body.goes_on else PADDING)

    def draw(canvas: Canvas, x: float, y: float) -> None:
        canvas.frame((x - left, y, left + right, inner + 2 * PADDING))
        top = y + PADDING
        body.draw(canvas, x, top)
        if body.goes_on:
            end, side, middle = top + body.height, x - body.left - back / 2, top + head.height / 2
            way = [(x, end), (x, end + 14), (side, end + 14), (side, middle)]
            canvas.arrow([*way, (x - head.left, middle)])

    return Box(left, right, inner + 2 * PADDING, draw, goes_on=goes_on((loop,)))
