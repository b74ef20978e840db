"""How many runs wait where in a flow: the counts of a store in, a number for each point out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from longterm.pictures._parts import Counts, Picture
from longterm.store.positions import PositionCount

_FRAME: Final = re.compile(r"(?:^|>)([^@]*)@([^:>]*):(\d+)(?=>|\+|$)")
"""A frame in a position. The name of a flow can hold a `>`, as in `shop:make.<locals>.sell`."""


def counts_of(picture: Picture, counts: Iterable[PositionCount]) -> Counts:
    """Return how many of a store's runs wait where in a flow.

    A run counts at each point of the flow that its stack has: also where the flow has called
    another one, in which the run waits.

    Args:
        picture: the flow.
        counts: what the store says by `count_positions`.
    """
    at: Counter[int] = Counter()
    to_begin = elsewhere = 0
    for count in counts:
        if count.is_to_begin and count.flow == picture.flow:
            to_begin += count.runs
        frames = _FRAME.findall(count.position or "")
        places = {(version, int(point)) for flow, version, point in frames if flow == picture.flow}
        now = {
            point for version, point in places if version and picture.version.startswith(version)
        }
        at.update(dict.fromkeys(now, count.runs))
        elsewhere += count.runs if places and not now else 0
    return Counts(dict(at), to_begin, elsewhere)
