"""The store in memory: runs in a dict, gone with the process; the reference model of the others.

Keeps the records it is given, subclasses and their fields included. Never touches a disk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from longterm._fork import register_reset
from longterm._later import later
from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import ENDED, Run, RunState
from longterm.store._memory_counts import MemoryCounts
from longterm.store._memory_history import MemoryHistory
from longterm.store._memory_queues import MemoryQueues
from longterm.store._memory_shard import MemoryShard
from longterm.store._memory_versions import MemoryVersions
from longterm.store._same_delivery import sent_too
from longterm.store._step_lock import StepLock
from longterm.store.base import Query, died_run, kept_key
from longterm.store.facts import asked_facts, write_facts
from longterm.store.inbox import BEFORE_ALL, in_order_of_saves

if TYPE_CHECKING:
    from longterm.message import Message
    from longterm.unread import UnreadEvent
else:
    Message = later("longterm.message", "Message")
    UnreadEvent = later("longterm.unread", "UnreadEvent")

__all__ = ["MemoryStore"]

# Python 3.11 looks up the members of an enumeration by a function (`EnumType.__getattr__`).
_SUSPENDED: Final = RunState.SUSPENDED
_OVER: Final = (RunState.COMPLETE, RunState.CANCELLED)
_RUNNING: Final = RunState.RUNNING


class MemoryStore(MemoryCounts, MemoryHistory, MemoryQueues, MemoryVersions, MemoryShard):
    """A store for tests, for trying things out, and for runs that may be lost with the process."""

    def __init__(self) -> None:
        """Begin with no runs."""
        super().__init__()
        self._runs: dict[str, Run] = {}
        self._keys: dict[str, dict[str, tuple[str, datetime]]] = {}
        """Of each run the keys of deliveries, with their digests and when they were taken."""
        self._inbox: dict[str, dict[int, UnreadEvent]] = {}
        """Of each run the events that are unread or refused by their numbers, in order."""
        self._posted: dict[str, int] = {}
        self._notes: dict[str, tuple[int, str | None]] = {}
        """Of each run the number of its last event."""
        self._outbox: dict[str, Message] = {}
        """What turns have sent and nobody has delivered yet, by its id."""
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Wait for no thread of a parent process; the runs are copies of the parent's."""
        self._lock = StepLock()

    def create(self, run: Run) -> Run:
        with self._lock.alone():
            if run.id in self._runs:
                raise RunExists(run.id)
            kept = kept_key(run)
            keys = {} if kept is None else {kept[1]: kept[2:]}
            entries = None
            if run.entries:
                entries = self._with_entries(run)
                run = run.changed(entries=())
            # An exception of a signal comes at a call: all of them are there, or none.
            self._keys[run.id] = keys
            if entries is not None:
                self._histories[run.id] = entries
            self._runs[run.id] = run
        return run

    def get(self, run_id: str) -> Run:
        with self._lock.alone():
            return self._stored(run_id)

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        with self._lock.alone():
            run = self._stored(run_id)
            if run.state is not _SUSPENDED or not _awaits(run, event_id):
                return None
            claimed = run.changed(state=_RUNNING, turn=run.turn + 1)
            self._runs[run_id] = claimed
        return claimed

    def update(self, run: Run) -> Run:
        with self._lock.alone():
            return self._save(run)

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        with self._lock.alone():
            return self._claim(run_id, event_id, now, until)

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        with self._lock.alone():
            is_kept = key in self._keys.get(run_id, ())
            return None if is_kept else self._claim(run_id, event_id, now, until)

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        with self._lock.alone():
            kept = self._keys.get(run_id, {}).get(key)
            return None if kept is None else kept[0]

    def forget_keys(self, *, taken_before: datetime) -> int:
        with self._lock.alone():
            for inbox in self._inbox.values():
                for event in list(inbox.values()):
                    if event.encoded_refusal is not None and event.sent_at < taken_before:
                        del inbox[event.number]
            old = [
                (run_id, key)
                for run_id, kept in self._keys.items()
                for key, (_, taken_at) in kept.items()
                if taken_at < taken_before and not self._is_in_inbox(run_id, key)
            ]
            for run_id, key in old:
                del self._keys[run_id][key]
        return len(old)

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        with self._lock.alone():
            run = self._runs.get(run_id)
            if run is None or run.state is not _RUNNING or run.turn != turn:
                return False
            self._runs[run_id] = run.changed(claimed_until=until)
            return True

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        with self._lock.alone():
            run = self._stored(run_id)
            if run.state is not RunState.FAILED:
                return None
            return self._claimed(run, until, attempts=0)

    def release_stale(
        self, *, now: datetime, max_attempts: int, limit: int | None = None
    ) -> list[Run]:
        with self._lock.alone():
            stale = [run for run in self._runs.values() if _is_stale(run, now)][:limit]
            released = [died_run(run, max_attempts, now) for run in stale]
            self._runs.update((run.id, run) for run in released)
            return released

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        with self._lock.alone():
            due = [
                run
                for run in self._runs.values()
                if run.state is _SUSPENDED
                and run.queue is None
                and run.deadline
                and run.deadline <= now
                and (flows is None or run.flow in flows)
                and run.position not in without
            ]
            due.sort(key=lambda run: (run.deadline, run.id))
            return [self._claimed(run, until, run.attempts) for run in due[:limit]]

    def post(self, event: UnreadEvent, *, limit: int, revision: int | None = None) -> int | None:
        with self._lock.alone():
            run = self._stored(event.run_id)
            keys = self._keys.setdefault(run.id, {})
            is_over = run.state in _OVER
            if is_over or event.key in keys or len(run.unread) >= limit:
                return None
            if revision is not None and not _rests(run, revision):
                return None
            number = self._posted.get(run.id, 0) + 1
            inbox = self._inbox.setdefault(run.id, {})
            posted = replace(event, number=number)
            run = run.changed(unread=(*run.unread, event.event_id))
            # An exception of a signal comes at a call: all of this is done, or nothing.
            self._posted[run.id] = number
            inbox[number] = posted
            self._runs[run.id] = run
            keys[event.key] = event.digest, event.sent_at
        return number

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = BEFORE_ALL,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        with self._lock.alone():
            found = [
                event
                for event in self._inbox.get(run_id, {}).values()
                if event.number > after
                and event.encoded_refusal is None
                and (events is None or event.event_id in events)
            ]
        return found[:limit]

    def refused(
        self, run_id: str, *, after: int = BEFORE_ALL, limit: int = 100
    ) -> list[UnreadEvent]:
        with self._lock.alone():
            found = [
                event
                for event in self._inbox.get(run_id, {}).values()
                if event.number > after and event.encoded_refusal is not None
            ]
        return found[:limit]

    def forget_refused(self, run_id: str, number: int) -> bool:
        with self._lock.alone():
            inbox = self._inbox.get(run_id, {})
            if number not in inbox or inbox[number].encoded_refusal is None:
                return False
            del inbox[number]
        return True

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        with self._lock.alone():
            able = [
                run
                for run in self._runs.values()
                if run.unread
                and _can_go_on(run)
                and (flows is None or run.flow in flows)
                and run.position not in without
            ]
            oldest = in_order_of_saves(able)[:limit]
            return [self._claimed(run, until, run.attempts) for run in oldest]

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        with self._lock.alone():
            return self._save(run, events, kept)

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        with self._lock.alone():
            due = [message for message in self._outbox.values() if message.due_at <= now]
            due.sort(key=lambda message: (message.due_at, message.sender, message.number))
            for message in due[:limit]:
                self._outbox[message.id] = replace(message, due_at=until)
        return due[:limit]

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        with self._lock.alone():
            message = self._outbox.get(message_id)
            if message is None:
                return False
            self._outbox[message_id] = replace(message, due_at=until)
        return True

    def forget_outgoing(self, message_id: str) -> bool:
        with self._lock.alone():
            return self._outbox.pop(message_id, None) is not None

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        with self._lock.alone():
            inbox = self._inbox.get(event.run_id, {})
            kept = inbox.get(event.number)
            if kept is None or (kept.encoded_refusal is None) != (event.encoded_refusal is None):
                return False
            inbox[event.number] = replace(
                kept,
                encoded_value=event.encoded_value,
                encoded_refusal=event.encoded_refusal,
            )
        return True

    def find(self, query: Query) -> list[Run]:
        with self._lock.alone():
            fitting = [run for run in self._runs.values() if _fits(run, query)]
        fitting.sort(key=lambda run: run.id, reverse=query.newest_first)
        return fitting[: query.limit]

    def note_progress(self, run_id: str, turn: int, note: str) -> bool:
        with self._lock.alone():
            run = self._runs.get(run_id)
            if run is None or run.state is not _RUNNING or run.turn != turn:
                return False
            self._notes[run_id] = turn, note
            return True

    def progress(self, run_id: str) -> str | None:
        with self._lock.alone():
            run, (turn, note) = self._runs.get(run_id), self._notes.get(run_id, (0, None))
            is_now = run is not None and run.state is _RUNNING and run.turn == turn
            return note if is_now else None

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        with self._lock.alone():
            ended = [
                run.id
                for run in self._runs.values()
                if run.state in ENDED and _is_saved_before(run, saved_before)
            ][:limit]
            for run_id in ended:
                self._forget(run_id)
        return len(ended)

    def delete(self, run_id: str) -> bool:
        with self._lock.alone():
            if self._stored(run_id).state not in ENDED:
                return False
            self._forget(run_id)
        return True

    def rewrite(self, run: Run) -> bool:
        with self._lock.alone():
            stored = self._stored(run.id)
            if stored.state is _RUNNING or _version(stored) != _version(run):
                return False
            self._runs[run.id] = stored.changed(
                stack=run.stack,
                encoded_response=run.encoded_response,
                encoded_result=run.encoded_result,
                encoded_error=run.encoded_error,
            )
        return True

    def _save(
        self, run: Run, read: Sequence[UnreadEvent] = (), failed: UnreadEvent | None = None
    ) -> Run:
        stored = self._stored(run.id)
        # No number of a claim is needed: nothing gives a turn of a dict out twice.
        if stored.state is not _RUNNING or stored.turn != run.turn:
            raise ClaimLost(run.id, run.turn)
        if stored.unread and (failed is not None or kept_key(run) is not None):
            inbox = self._inbox[run.id].values()
            unread_now = [event for event in inbox if event.encoded_refusal is None]
            read, failed = sent_too(run, read, failed, unread_now)
        if stored.unread or run.unread:
            unread = list(stored.unread)
            for event in read:
                unread.remove(event.event_id)
            run = run.changed(unread=tuple(unread))
        messages = {}
        if run.outgoing:
            messages = {message.id: message for message in run.outgoing}
            run = run.changed(outgoing=())
        entries = None
        if run.entries:
            entries = self._with_entries(run)
            run = run.changed(entries=())
        if failed is not None:
            run = self._keep(run, failed)
        # An exception of a signal comes at a call, and there is none: all of this, or nothing.
        for event in read:
            if event.encoded_refusal is None:
                del self._inbox[run.id][event.number]
            else:
                self._inbox[run.id][event.number] = event
        self._outbox |= messages
        if entries is not None:
            self._histories[run.id] = entries
        self._runs[run.id] = run
        if (kept := kept_key(run)) is not None:
            run_id, key, digest, taken_at = kept
            keys = self._keys.setdefault(run_id, {})
            keys[key] = keys.get(key, (digest, taken_at))[0], taken_at
        return run

    def _keep(self, run: Run, event: UnreadEvent) -> Run:
        """Put an event before all others of a run, whose record names it then."""
        inbox = self._inbox.get(run.id, {})
        number = min(1, *inbox) - 1 if inbox else 0
        inbox = {number: replace(event, number=number)} | inbox
        keys = self._keys.get(run.id, {}) | {event.key: (event.digest, event.sent_at)}
        run = run.changed(unread=(event.event_id, *run.unread))
        # As in `post`: nothing is called from here on.
        self._inbox[run.id] = inbox
        self._keys[run.id] = keys
        self._runs[run.id] = run
        return run

    def _is_in_inbox(self, run_id: str, key: str) -> bool:
        return any(event.key == key for event in self._inbox.get(run_id, {}).values())

    def _claim(self, run_id: str, event_id: str, now: datetime, until: datetime) -> Run | None:
        run = self._stored(run_id)
        is_suspended = run.state is _SUSPENDED
        is_stale = not is_suspended and _is_stale(run, now)
        if not _awaits(run, event_id) or not (is_suspended or is_stale):
            return None
        return self._claimed(run, until, run.attempts + is_stale)

    def _claimed(self, run: Run, until: datetime, attempts: int) -> Run:
        claimed = run.changed(
            state=_RUNNING,
            turn=run.turn + 1,
            claimed_until=until,
            attempts=attempts,
        )
        self._runs[run.id] = claimed
        return claimed

    def _forget(self, run_id: str) -> None:
        others = {key: sent for key, sent in self._outbox.items() if sent.receiver != run_id}
        # An exception of a signal comes at a call: all of it is gone, or at least the messages.
        self._outbox = others
        del self._runs[run_id]
        self._keys.pop(run_id, None)
        self._inbox.pop(run_id, None)
        self._posted.pop(run_id, None)
        self._notes.pop(run_id, None)
        self._histories.pop(run_id, None)

    def _stored(self, run_id: str) -> Run:
        try:
            return self._runs[run_id]
        except KeyError:
            raise UnknownRun(run_id) from None


def _awaits(run: Run, event_id: str) -> bool:
    return run.waiting_for == event_id or event_id in run.awaits


def _rests(run: Run, revision: int) -> bool:
    is_there = run.state is _SUSPENDED and run.saved_turn == revision
    return is_there and run.next_unread is None


def _can_go_on(run: Run) -> bool:
    """Tell whether a run waits for an event that is unread, and no error holds it up."""
    is_held_up = run.encoded_error is not None and run.deadline is not None
    is_free = run.state is _SUSPENDED and (not is_held_up or run.queue is not None)
    return is_free and run.next_unread is not None


def _is_stale(run: Run, now: datetime) -> bool:
    until = run.claimed_until
    return run.state is _RUNNING and until is not None and until < now


def _version(run: Run) -> tuple[object, ...]:
    """Return what tells a run from one that somebody has touched, or has put in its place."""
    return (run.turn, run.state, run.created_at)


def _fits(run: Run, query: Query) -> bool:
    return (
        query.state in (None, run.state)
        and query.flow in (None, run.flow)
        and query.position in (None, run.position)
        and (query.waiting_for is None or _awaits(run, query.waiting_for))
        and set(asked_facts(query)) <= set(write_facts(run.index, run.audience))
        and (query.saved_before is None or _is_saved_before(run, query.saved_before))
        and (query.after is None or _comes_after(run, query.after, query.newest_first))
    )


def _comes_after(run: Run, last: str, newest_first: bool) -> bool:
    return run.id < last if newest_first else run.id > last


def _is_saved_before(run: Run, moment: datetime) -> bool:
    return run.updated_at is not None and run.updated_at < moment
