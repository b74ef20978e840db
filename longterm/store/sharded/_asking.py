"""What is asked of all servers at once, and merged: searches, counts, old things to delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import TypeVar

from longterm.run import ENDED, Run, RunState
from longterm.store.base import Query
from longterm.store.positions import PositionCount
from longterm.store.sharded._marks import MARKS, is_mark
from longterm.store.sharded._server import ShardStore
from longterm.store.sharded._working import Working
from longterm.store.states import StateCount

_T = TypeVar("_T")


class Asking(Working):
    """The part of the store that asks all servers."""

    is_partial = False
    """Whether a server that is away is left out of what is asked of all, and named in the log."""

    def _ask_each(self, ask: Callable[[ShardStore], _T]) -> list[_T]:
        each = self._servers.try_each if self.is_partial else self._servers.ask_each
        return list(each(ask).values())

    def find(self, query: Query) -> list[Run]:
        pages = self._ask_each(lambda store: _find(store, query))
        merged = merge(*pages, key=attrgetter("id"), reverse=query.newest_first)
        return list(islice(merged, query.limit))

    def count_positions(self) -> list[PositionCount]:
        counts: dict[tuple[str, str, bool], PositionCount] = {}
        for found in self._ask_each(lambda store: store.count_positions()):
            for count in found:
                key = count.flow, count.position or "", count.is_to_begin
                known = counts.get(key, replace(count, runs=0))
                runs, example = known.runs + count.runs, min(known.example, count.example)
                counts[key] = replace(count, runs=runs, example=example)
        return [count for _, count in sorted(counts.items())]

    def count_states(self) -> list[StateCount]:
        counts: Counter[tuple[str, RunState]] = Counter()
        for found in self._ask_each(lambda store: store.count_states()):
            counts.update({(count.flow, count.state): count.runs for count in found})
        return [
            StateCount(flow=flow, state=state, runs=runs)
            for (flow, state), runs in sorted(counts.items())
            if flow != MARKS
        ]

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        deleted = 0
        for server in self._working():
            ended = partial(_ended, saved_before=saved_before, limit=limit - deleted)
            for ids in self._try_on(server, ended):
                self._forget_sent_to(ids)
                deleted += sum(self._deleted(server.name, run_id) for run_id in ids)
        return deleted

    def _deleted(self, name: str, run_id: str) -> bool:
        raise NotImplementedError

    def _forget_sent_to(self, run_ids: list[str]) -> None:
        """Take what was sent to runs that end out of all outboxes, before they are deleted.

        Raises:
            StoreError: a server is away, whose outbox may have a message that begins one anew.
        """
        if run_ids:
            self._servers.ask_each(lambda store: store.forget_sent_to(run_ids))

    def forget_keys(self, *, taken_before: datetime) -> int:
        done = self._servers.try_each(lambda store: store.forget_keys(taken_before=taken_before))
        return sum(done.values())

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        return sum(
            self._gather(
                limit,
                lambda store, most: (
                    [1] * store.forget_entries(saved_before=saved_before, limit=most)
                ),
            )
        )

    def keep_version(self, version: str, source: bytes) -> None:
        # One server is enough, the same for all processes if it is there.
        for server in self._servers.there():
            if self._servers.try_on(server, lambda store: store.keep_version(version, source)):
                return

    def find_version(self, version: str) -> bytes | None:
        for server in self._servers.there():
            for found in self._servers.try_on(server, lambda store: store.find_version(version)):
                if found is not None:
                    return found
        return None

    def find_versions(self, begin: str) -> list[str]:
        found = self._ask_each(lambda store: store.find_versions(begin))
        return sorted({version for versions in found for version in versions})

    def rewrite_version(self, version: str, source: bytes) -> bool:
        return any(self._ask_each(lambda store: store.rewrite_version(version, source)))


def _find(store: ShardStore, query: Query) -> list[Run]:
    """Return what one server finds; marks are no runs."""
    found: list[Run] = []
    rest = query
    while True:
        page = store.find(rest)
        found += [run for run in page if not is_mark(run)]
        if len(page) < rest.limit or len(found) == query.limit:
            return found
        rest = replace(query, after=page[-1].id, limit=query.limit - len(found))


def _ended(store: ShardStore, *, saved_before: datetime, limit: int) -> list[str]:
    """Return the ids of runs that have ended, marks among them."""
    ids: list[str] = []
    for state in ENDED:
        query = Query(state=state, saved_before=saved_before, limit=limit - len(ids))
        if query.limit > 0:
            ids += [run.id for run in store.find(query)]
    return ids
