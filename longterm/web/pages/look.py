"""What pages ask of a store: never more than a page of it, however much there is."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from longterm._event_names import CHILD, RESERVED
from longterm._records.search import Conditions
from longterm._stack_text import ShownStack, stack_of
from longterm._turns.kept_sources import OldLines
from longterm._unread_json import unread_as_json
from longterm.engine import Engine
from longterm.errors import CorruptData, LongtermError, UnknownRun
from longterm.history import HistoryEntry
from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore
from longterm.store.history import FIRST, History
from longterm.store.inbox import Inbox
from longterm.store.positions import PositionCount, Positions
from longterm.store.states import StateCount, States
from longterm.web.asked import few_enough
from longterm.web.refusals import BadRequest

PAGE: Final = 50
"""How many runs a page lists."""
_MOST_CHILDREN: Final = 20
_MOST_EVENTS: Final = 50
_ASKED: Final = ("state", "flow", "waiting_for", "to", "position", "facts")
_LAST_NUMBER: Final = 2**31 - 1
_SHARE: Final = 20
"""Counting rests this many times as long as it takes: it costs a twentieth of a connection."""
_SHORTEST_REST: Final = 2.0


def awaited_by_people(run: Run) -> list[str]:
    """Return the events of a run's wait that somebody can send: ends of children are none."""
    return [name for name in run.awaits if not name.startswith((CHILD, RESERVED))]


def is_overdue(run: Run, now: datetime) -> bool:
    """Tell whether a wait should have ended by itself."""
    return run.state is RunState.SUSPENDED and run.deadline is not None and run.deadline <= now


def facts_in(text: str) -> dict[str, Fact]:
    """Read facts as somebody types them: `order=4711 customer="Ada L"`.

    Raises:
        BadRequest: there is something else.
    """
    found: dict[str, Fact] = {}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"the facts cannot be read: {error} (write order=4711)") from None
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise BadRequest(f"{part[:100]!r} is no fact (write order=4711)")
        found[name] = _fact(value)
    return few_enough(found)


def _fact(text: str) -> Fact:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (str, int, float, bool, type(None))) else text


def filters_in(query: Mapping[str, str]) -> dict[str, str]:
    """Return what a request asks of runs, as its form has it; empty: it does not say."""
    return {name: query.get(name, "").strip() for name in _ASKED}


def runs_asked_for(query: Mapping[str, str]) -> Conditions:
    """Return the page of runs that a request asks for, the newest first.

    Raises:
        BadRequest: its facts cannot be read.
    """
    asked = filters_in(query)
    return {
        "state": asked["state"] or None,
        "flow": asked["flow"] or None,
        "waiting_for": asked["waiting_for"] or None,
        "to": asked["to"] or None,
        "position": asked["position"] or None,
        "index": facts_in(asked["facts"]),
        "limit": PAGE,
        "after": query.get("after") or None,
        "newest_first": True,
    }


@dataclass(frozen=True)
class Insight:
    """All that is stored of one run, as its page shows it to those who may inspect it."""

    stack: ShownStack | None
    error: str | None
    inbox: list[Mapping[str, Any]]
    refused: list[Mapping[str, Any]]
    history: list[tuple[HistoryEntry, Mapping[str, Any]]]
    """What came to it, each also as JSON can hold it."""


def insight_of(engine: Engine, run: Run) -> Insight:
    """Return what is stored of a run, the newest of what can be long."""
    inbox = engine.unread_events(run.id, limit=_MOST_EVENTS) if run.unread else []
    refused = (
        engine.refused_events(run.id, limit=_MOST_EVENTS) if isinstance(engine.store, Inbox) else []
    )
    return Insight(
        stack_of(run, OldLines(engine.store)),
        run.error,
        [unread_as_json(event) for event in inbox],
        [unread_as_json(event) for event in refused],
        [(entry, entry.to_dict()) for entry in _last_entries(engine.store, run)],
    )


def _last_entries(store: RunStore, run: Run) -> list[HistoryEntry]:
    """Return what came to a run in its last turns, oldest first; nothing if that is not kept."""
    if not isinstance(store, History):
        return []
    first = max(run.turn - _MOST_EVENTS, FIRST[0])
    return store.entries(run.id, after=(first, FIRST[1]), limit=2 * _MOST_EVENTS)


def what_ended(store: RunStore, run: Run, revision: int) -> HistoryEntry | None:
    """Return what came to a run at a revision; None if that is not known."""
    if not isinstance(store, History) or run.revision <= revision:
        return None
    found = store.entries(run.id, after=(revision, _LAST_NUMBER), limit=1)
    return found[0] if found else None


@dataclass(frozen=True)
class Relative:
    """A run that another has begun."""

    id: str
    run: Run | None


def children_of(engine: Engine, run: Run) -> tuple[list[Relative], int]:
    """Return the open children of a run, and how many more there are."""
    found = []
    for child in run.children[:_MOST_CHILDREN]:
        try:
            found.append(Relative(child, engine.get_run(child)))
        except (UnknownRun, CorruptData):
            found.append(Relative(child, None))
    return found, max(0, len(run.children) - _MOST_CHILDREN)


def said_by(run: Run) -> dict[str, Any]:
    """Return what a run has said and what it came to, as JSON can hold it."""
    shown = run.to_dict()
    return {"response": shown["response"], "result": shown["result"]}


@dataclass
class Counts:
    """How many runs wait at each position, and are in each state, counted now and then.

    To count a million takes a second, so no page waits for it: it shows the last count, and begins
    another one when that is old.
    """

    found: list[PositionCount] | None = None
    states: list[StateCount] | None = None
    counted_at: datetime | None = None
    _rests_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, engine: Engine, patience: float = 0.02) -> None:
        """See that the count is not old; wait for a new one only as long as nobody notices."""
        if not isinstance(engine.store, (Positions, States)):
            return
        if time.monotonic() < self._rests_until or not self._lock.acquire(blocking=False):
            return
        thread = threading.Thread(target=self._count, args=(engine,), daemon=True)
        thread.start()
        thread.join(patience)

    def _count(self, engine: Engine) -> None:
        store = engine.store
        try:
            begun = time.monotonic()
            if isinstance(store, States):
                self.states = store.count_states()
            if isinstance(store, Positions):
                self.found = store.count_positions()
            self.counted_at = engine.clock.now()
            took = time.monotonic() - begun
            self._rests_until = time.monotonic() + max(_SHORTEST_REST, _SHARE * took)
        except LongtermError:
            self._rests_until = time.monotonic() + _SHORTEST_REST  # the page has the older count
        finally:
            self._lock.release()
