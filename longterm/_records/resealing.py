"""How stored runs get the present key and payload codec, while they wait and after they have ended.

A run is replaced only as long as nobody has touched it since it was read. So no turn is lost, and
no event is held up: whoever comes in between wins, and the run is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from longterm._codec import check_sealing, decode_text, encode_text, rewrap
from longterm._turns.kept_sources import context_of_version
from longterm.errors import CorruptData, NotSupported, UnknownRun
from longterm.history import HistoryEntry, entry_context
from longterm.run import Run, RunState, context_of
from longterm.store.base import Query, Rewriting, RunStore, Search
from longterm.store.history import FIRST, History
from longterm.store.inbox import BEFORE_ALL, Inbox
from longterm.store.versions import Versions
from longterm.unread import UnreadEvent, inbox_context

_AT_ONCE: Final = 100


@dataclass(slots=True)
class SealReport:
    """What became of the runs of a store when all were to be sealed."""

    sealed: int = 0
    """How many were written anew."""
    unchanged: int = 0
    """How many were stored as they would be now."""
    running: list[str] = field(default_factory=list)
    """Those in the middle of a turn. If it ends well it seals them; if not, they are as before."""
    refused: dict[str, str] = field(default_factory=dict)
    """Those whose bytes cannot be read with the keys in use, each with the reason."""
    refused_versions: dict[str, str] = field(default_factory=dict)
    """The versions whose source cannot be read with them: old lines of theirs are not shown."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing needs a former key any more."""
        return not (self.running or self.refused or self.refused_versions)


def seal_runs(store: RunStore) -> SealReport:
    """Seal all runs of a store with the first key in use, and pass them through the payload codec.

    Raises:
        InvalidKey: there is neither a key nor a payload codec.
        NotSupported: the store cannot search, or cannot write bytes anew.
    """
    check_sealing()
    if not isinstance(store, Search):
        raise NotSupported(store, "finding runs")
    if not isinstance(store, Rewriting):
        raise NotSupported(store, "rewriting stored bytes")
    report, in_turn, after = SealReport(), [], None
    if isinstance(store, Versions):
        _seal_versions(store, report)
    while page := store.find(Query(after=after, limit=_AT_ONCE)):
        in_turn += [run.id for run in page if not _seal(store, run, report)]
        after = page[-1].id
    for run_id in in_turn:  # most turns have ended by now
        try:
            is_done = _seal(store, store.get(run_id), report)
        except UnknownRun:
            continue
        if not is_done:
            report.running.append(run_id)
    return report


def _seal_versions(store: Versions, report: SealReport) -> None:
    """Seal the sources of versions."""
    for name in store.find_versions(""):
        kept = store.find_version(name)
        if kept is not None:
            try:
                sealed = rewrap(kept, context_of_version(name))
            except CorruptData as error:
                report.refused_versions[name] = str(error)
            else:
                if sealed != kept:
                    store.rewrite_version(name, sealed)


def _seal(store: RunStore, run: Run, report: SealReport) -> bool:
    """Seal a run, and report it; False if it is in the middle of a turn."""
    assert isinstance(store, Rewriting)
    try:
        has_sealed = isinstance(store, Inbox) and _seal_inbox(store, run)
        has_sealed |= isinstance(store, History) and _seal_history(store, run)
        while run.state is not RunState.RUNNING:
            sealed = _sealed(run)
            if sealed == run:
                report.sealed += has_sealed
                report.unchanged += not has_sealed
                return True
            if store.rewrite(sealed):
                report.sealed += 1
                return True
            run = store.get(run.id)
    except CorruptData as error:
        report.refused[run.id] = str(error)
    except UnknownRun:  # it was deleted meanwhile
        pass
    else:
        return False
    return True


def _seal_inbox(store: Inbox, run: Run) -> bool:
    """Seal the events that a run has not read, or refused; return whether any was otherwise."""
    has_sealed = False
    for page_after in (store.unread, store.refused) if run.unread else (store.refused,):
        last = BEFORE_ALL
        while page := page_after(run.id, after=last, limit=_AT_ONCE):
            for event in page:
                sealed = _sealed_event(event)
                has_sealed |= sealed != event and store.rewrite_unread(sealed)
            last = page[-1].number
    return has_sealed


def _sealed_event(event: UnreadEvent) -> UnreadEvent:
    """Return an event as it would be stored now."""
    context = inbox_context(event.run_id, event.event_id)
    event = replace(event, encoded_value=rewrap(event.encoded_value, context))
    reason = event.refusal
    return event if reason is None else event.with_refusal(reason)


def _seal_history(store: History, run: Run) -> bool:
    """Seal what is kept of a run's turns; return whether any was otherwise."""
    has_sealed, last = False, FIRST
    while page := store.entries(run.id, after=last, limit=_AT_ONCE):
        for listed in page:
            entry = store.entry(run.id, listed.place)
            if entry is not None and (sealed := _sealed_entry(entry)) != entry:
                has_sealed |= store.rewrite_entry(entry, sealed)
        last = page[-1].place
    return has_sealed


def _sealed_entry(entry: HistoryEntry) -> HistoryEntry:
    """Return an entry as it would be stored now."""
    changes: dict[str, Any] = {}
    if entry.encoded_value is not None:
        changes["encoded_value"] = rewrap(entry.encoded_value, entry_context(entry, "value"))
    if entry.encoded_response is not None:
        changes["encoded_response"] = rewrap(
            entry.encoded_response, entry_context(entry, "response")
        )
    if entry.error is not None:
        changes["encoded_error"] = encode_text(entry.error, entry_context(entry, "error"))
    if entry.stack is not None:
        changes["stack"] = rewrap(entry.stack, entry_context(entry, "stack"))
    return replace(entry, **changes)


def _sealed(run: Run) -> Run:
    """Return a run with its bytes as they would be stored now; nothing in them is decoded."""
    changes: dict[str, object] = {}
    for name, column in (
        ("stack", "stack"),
        ("encoded_response", "response"),
        ("encoded_result", "result"),
    ):
        data: bytes | None = getattr(run, name)
        if data is not None:
            changes[name] = rewrap(data, context_of(run, column))
    if run.encoded_error is not None:
        context = context_of(run, "error")
        changes["encoded_error"] = encode_text(decode_text(run.encoded_error, context), context)
    return run.changed(**changes)
