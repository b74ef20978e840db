"""Which runs cannot go on in the code of this process, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Final

from longterm._event_names import START
from longterm._records.search import find
from longterm._records.shapes import Shape, shapes_in, verdict_of_run
from longterm.run import Run, RunState
from longterm.store.base import Query, RunStore

_PAGE: Final = 100
_LIVE: Final = (RunState.SUSPENDED, RunState.RUNNING, RunState.FAILED)


def stuck_runs(store: RunStore, query: Query) -> list[tuple[Run, str]]:
    """Return runs that cannot go on in the code of this process, each with the reason.

    Args:
        store: where they are.
        query: of which flow they are, how many to return at most, and after which one.

    Raises:
        NotSupported: the store cannot search, or does not count runs by their positions.
    """
    # A page of each shape, since the first runs of all may be of any of them.
    found = [
        stuck
        for shape in shapes_in(store)
        if query.flow in (None, shape.flow)
        for stuck in islice(_stuck_of(store, shape, query), query.limit)
    ]
    return sorted(found, key=lambda stuck: stuck[0].id)[: query.limit]


def _stuck_of(store: RunStore, shape: Shape, query: Query) -> Iterator[tuple[Run, str]]:
    """Yield the stuck runs of one shape in the order of their ids."""
    query = replace(query, flow=shape.flow, position=shape.position)
    if shape.position is None and not shape.is_old:
        query = replace(query, waiting_for=START)
    if shape.outline is None:
        yield from _each_judged(store, query, shape)
        return
    verdict = shape.verdict()
    if not verdict.goes_on:
        for run in find(store, query, {}):
            yield run, verdict.words


def _each_judged(store: RunStore, query: Query, shape: Shape) -> Iterator[tuple[Run, str]]:
    """Yield the stuck runs of a shape of which each has to be looked at."""
    pages = (_all(store, replace(query, state=state, limit=_PAGE)) for state in _LIVE)
    for run in merge(*pages, key=attrgetter("id")):
        is_of_shape = run.position == shape.position
        is_of_shape &= not shape.is_old or run.waiting_for != START
        verdict = verdict_of_run(run) if is_of_shape else None
        if verdict is not None and not verdict.goes_on:
            yield run, verdict.words


def _all(store: RunStore, query: Query) -> Iterator[Run]:
    while page := find(store, query, {}):
        yield from page
        query = replace(query, after=page[-1].id)
