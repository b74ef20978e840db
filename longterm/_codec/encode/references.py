"""How many references Python counts for what only its holder refers to, as a loop sees it.

That number says without a table of all that was seen whether a value can be held twice. It differs
between versions of Python, so it is measured when the codec is imported: too high a number would
miss what is shared, while too low a number only costs time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def base_of_references(finds_shared: Callable[[Any, int], bool]) -> int:
    """Return the lowest count that a loop sees of what is held once, over the ways to hold it.

    Args:
        finds_shared: whether the loop, given a tree and a base, takes something for shared.
    """
    ways: list[Callable[[], Any]] = [
        lambda: [[[[]]]],
        lambda: [{"a": {"b": {}}}],
        lambda: [([],)],
        lambda: [[{1: [[]]}]],
    ]
    return min(_base(way, finds_shared) for way in ways)


def _base(make: Callable[[], Any], finds_shared: Callable[[Any, int], bool]) -> int:
    for base in range(1, 20):
        if not finds_shared(make(), base):
            return base
    raise AssertionError("reference counts are not to be relied upon here")
