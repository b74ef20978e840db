"""Cycles of a graph: the groups of nodes that hold each other, children first.

In: a scan. Out: lists of nodes; a list of one that does not hold itself is no cycle. (Tarjan's
strongly connected components, with a stack of its own.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from longterm._codec.encode.scan import Scan


def children(node: Any, found: Scan) -> Iterable[Any]:
    """Return what a node holds, of the nodes of the scan and else."""
    if type(node) is list:
        return node
    if type(node) is dict:
        return chain(node, node.values())
    return found.parts.get(id(node), ())


def components(found: Scan) -> Iterator[list[Any]]:
    """Yield the groups of nodes that reach each other, a group after all that it reaches."""
    nodes = {id(node): node for node in found.nodes}
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting: list[Any] = []
    is_waiting: set[int] = set()
    # The last node of the scan is its root, from which all others are reached.
    path: list[tuple[Any, Iterator[Any]]] = []

    def enter(node: Any) -> None:
        key = id(node)
        index[key] = low[key] = len(index)
        waiting.append(node)
        is_waiting.add(key)
        path.append((node, iter(children(node, found))))

    enter(found.nodes[-1])
    while path:
        node, rest = path[-1]
        key = id(node)
        for child in rest:
            below = id(child)
            if below not in nodes:
                continue
            if below not in index:
                enter(child)
                break
            if below in is_waiting:
                low[key] = min(low[key], index[below])
        else:
            path.pop()
            if path:
                above = id(path[-1][0])
                low[above] = min(low[above], low[key])
            if low[key] == index[key]:
                yield _pop_through(node, waiting, is_waiting)


def _pop_through(node: Any, waiting: list[Any], is_waiting: set[int]) -> list[Any]:
    group = []
    while True:
        member = waiting.pop()
        is_waiting.discard(id(member))
        group.append(member)
        if member is node:
            return group[::-1]


def is_cycle(group: list[Any], found: Scan) -> bool:
    """Return whether the nodes of a group hold each other, or the one holds itself."""
    return len(group) > 1 or any(child is group[0] for child in children(group[0], found))
