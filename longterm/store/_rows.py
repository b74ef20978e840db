"""A run as a row of a table: a run in, its columns out, and back. What SQL stores have in common.

Each row carries a checksum of what a save wrote, looked at whenever it is read: a bit that a disk,
a memory or a hand has changed gives an error that names the run, never another value. Knows no
database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

from longterm._event_names import unread_in, written_unread
from longterm.errors import UnreadableRun
from longterm.run import Fact, Run, RunState
from longterm.store._checksums import CLAIM_BITS, CLAIM_MASK, lasting, of_claim

if TYPE_CHECKING:
    from longterm.store._details import Details
    from longterm.unread import UnreadEvent

MIGRATIONS: Final = (
    "0001_runs.sql",
    "0002_checksum.sql",
    "0003_saved_turn.sql",
    "0004_several_events.sql",
    "0005_deliveries.sql",
    "0006_claim.sql",
    "0007_inbox.sql",
    "0008_older_writers.sql",
    "0009_details.sql",
    "0010_control.sql",
    "0011_refused.sql",
    "0012_queues.sql",
    "0013_position.sql",
    "0014_progress.sql",
    "0015_history.sql",
    "0016_versions.sql",
    "0017_traceparent.sql",
    "0018_shard.sql",
    "0019_in_place.sql",
    "0020_by_month.sql",
)
"""The steps that made the tables, oldest first. Each store has them all, in SQL of its own, and
counts those that its tables have had."""

CHANGING: Final[tuple[LiteralString, ...]] = (
    *("state", "attempts", "claimed_until", "deadline", "delivery", "error", "facts"),
    *("updated_at", "saved_turn", "stack", "response", "result", "details", "position"),
    *("queue", "partition", "queued_at", "checksum", "waiting_for"),
)
"""The columns that a save writes. What it is called, what it executes and when it began are for the
whole life of a run."""

COLUMNS: Final[tuple[LiteralString, ...]] = (
    *("turn", "state", "attempts", "claimed_until"),  # what a claim changes
    *("id", "flow", "created_at", "waiting_for", "deadline", "delivery", "error", "facts"),
    *("updated_at", "saved_turn", "stack", "response", "result", "details", "position"),
    *("queue", "partition", "queued_at", "checksum", "claim"),
    "unread",  # what posts change
)
"""The columns in the order of a row."""

BYTES: Final = frozenset({"stack", "response", "result"})
"""The columns that hold bytes."""

_MOMENTS: Final = tuple(
    COLUMNS.index(name)
    for name in ("claimed_until", "created_at", "deadline", "updated_at", "queued_at")
)
FACTS: Final = COLUMNS.index("facts")
ID: Final = COLUMNS.index("id")
TURN: Final = COLUMNS.index("turn")
_CHECKSUM: Final = COLUMNS.index("checksum")

UNCLAIMED: Final = "0001-01-01T00:00:00+00:00"
"""The `claimed_until` of a run that rests, where moments are text: claimed until long ago.

It is as long as the moment of a claim, less what `suspended` is longer than `running`. So a claim
leaves a row as long as it was, and SQLite writes only those of its pages that differ, and not a
long stack anew (`btreeOverwriteCell` in its source, from 3.23 on)."""

_STATES: Final = {state.value: state for state in RunState}
_RUNNING: Final = RunState.RUNNING.value
_NO_FACTS: Final = "[]"
NO_TEXTS: Final = "{}"
"""No facts, as Postgres writes it: a list would be looked through for what it is a list of."""
_NO_DETAILS: Final[Details] = (None, (), None, None)
_TWO: Final = [f"{number:02}" for number in range(100)]
_THREE: Final = [f"{number:03}" for number in range(1000)]


class NoMoment:
    """Stands in a row for a moment that the database can hold and Python cannot."""


class RawRow(tuple[Any, ...]):
    """A row as the bytes that came, since a text in it is none."""


class Rows:
    """How one database writes the columns of a run."""

    def __init__(self, *, has_types: bool) -> None:
        """Choose: a database with moments and lists of its own, or one that has them as text."""
        self._has_types = has_types

    # In one piece, as `_read` is.
    def row_of(self, run: Run) -> tuple[Any, ...]:
        """Return the columns of a run."""
        state, queue = str(run.state), run.queue
        partition = None if queue is None else run.partition
        until: Any = None if run.claimed_until is None else moment_text(run.claimed_until)
        created_at: Any = None if run.created_at is None else moment_text(run.created_at)
        deadline: Any = None if run.deadline is None else moment_text(run.deadline)
        updated_at: Any = None if run.updated_at is None else moment_text(run.updated_at)
        facts: Any = _facts_text(run) if run.index or run.wants else _NO_FACTS
        details = _details_text(run)
        saved = lasting(
            run.id,
            run.flow,
            created_at,
            run.waiting_for,
            deadline,
            run.delivery,
            run.encoded_error,
            facts,
            updated_at,
            run.saved_turn,
            run.stack,
            run.encoded_response,
            run.encoded_result,
            details,
            run.position,
            queue,
            partition,
        )
        checksum = saved << CLAIM_BITS | of_claim(run.turn, state, run.attempts, until)
        if self._has_types:
            until, created_at, deadline = run.claimed_until, run.created_at, run.deadline
            updated_at = run.updated_at
            facts = NO_TEXTS if facts == _NO_FACTS else _texts(facts)
        elif until is None and state != _RUNNING:
            until = UNCLAIMED
        queued_at = None
        if queue is not None and _waits_for_slot(run):  # such runs are looked for by the latter
            deadline, queued_at = None, deadline
        return (
            run.turn,
            state,
            run.attempts,
            until,
            run.id,
            run.flow,
            created_at,
            run.waiting_for,
            deadline,
            run.delivery,
            run.encoded_error,
            facts,
            updated_at,
            run.saved_turn,
            run.stack,
            run.encoded_response,
            run.encoded_result,
            details,
            run.position,
            queue,
            partition,
            queued_at,
            checksum,
            run.claim,
            "",
        )

    def run_of(self, row: Sequence[Any]) -> Run:
        """Return the run of a row.

        Raises:
            UnreadableRun: the row is not what was written.
        """
        try:
            return self._read(row)
        except ValueError as error:
            raise UnreadableRun(_shown(row[ID]), str(error)) from error
        except (TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise UnreadableRun(_shown(row[ID]), _odd_value_in(row)) from error

    # In one piece, since each claim and each save reads a row, and would pay for every call.
    def _read(self, row: Sequence[Any]) -> Run:
        if type(row) is RawRow:
            raise ValueError("a text in it is not valid UTF-8")
        (turn, state, attempts, until, run_id, flow, created_at, waiting_for) = row[:8]
        (deadline, delivery, error, facts, updated_at, saved_turn, stack, response) = row[8:16]
        (result, details, position, queue, partition, queued_at, kept, claim, unread) = row[16:]
        if queued_at is not None:
            deadline = queued_at
        is_running = state == _RUNNING
        if self._has_types:
            created_text = None if created_at is None else moment_text(created_at)
            deadline_text = None if deadline is None else moment_text(deadline)
            updated_text = None if updated_at is None else moment_text(updated_at)
            # Of a run that is running, nothing is compared with it.
            until_text = None if until is None or is_running else moment_text(until)
            if type(until) is NoMoment:
                raise TypeError("it is no moment")
            facts = _NO_FACTS if not facts or facts == NO_TEXTS else json_text(facts)
        else:
            created_text, deadline_text, updated_text = created_at, deadline, updated_at
            until_text = until = None if until == UNCLAIMED else until
        # Also of a row that has no checksum: what is of another type raises there.
        found = lasting(
            run_id,
            flow,
            created_text,
            waiting_for,
            deadline_text,
            delivery,
            error,
            facts,
            updated_text,
            saved_turn,
            stack,
            response,
            result,
            details,
            position,
            queue,
            partition,
        )
        if kept is not None and (
            found != kept >> CLAIM_BITS
            or (not is_running and of_claim(turn, state, attempts, until_text) != kept & CLAIM_MASK)
        ):
            raise ValueError("its checksum does not match, so something in it was changed")
        if not self._has_types:
            created_at = None if created_at is None else datetime.fromisoformat(created_at)
            deadline = None if deadline is None else datetime.fromisoformat(deadline)
            updated_at = None if updated_at is None else datetime.fromisoformat(updated_at)
            until = None if until is None else datetime.fromisoformat(until)
        parent, children, wants, traceparent = _NO_DETAILS if details is None else _details(details)
        fields = {
            "id": run_id,
            "flow": flow,
            "state": _STATES.get(state) or RunState(state),
            "turn": turn,
            "saved_turn": saved_turn,
            "waiting_for": waiting_for,
            "stack": stack,
            "encoded_response": response,
            "encoded_result": result,
            "encoded_error": error,
            "created_at": created_at,
            "updated_at": updated_at,
            "deadline": deadline,
            "claimed_until": until,
            "attempts": attempts,
            "delivery": delivery,
            "is_duplicate": False,
            "delivery_digest": None,
            "claim": claim,
            "unread": unread_in(unread) if unread else (),
            "index": {} if facts == _NO_FACTS else _index(facts),
            "parent": parent,
            "children": children,
            "wants": wants,
            "position": position,
            "queue": queue,
            "partition": partition or "",
            "traceparent": traceparent,
            "outgoing": (),
            "entries": (),
        }
        # As `Run.changed` does: a frozen dataclass sets each of its fields by a call.
        run = object.__new__(Run)
        object.__setattr__(run, "__dict__", fields)
        return run


def changing(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return of a row what a save writes, in the order of `CHANGING`; the event comes last."""
    return (*row[1:4], *row[8 : _CHECKSUM + 1], row[7])


def released_columns(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return of a row what letting go of a dead claim writes, and then its key and fence.

    They are attempts, state, error, updated_at and checksum; id and turn.
    """
    return (row[2], row[1], row[10], row[12], row[_CHECKSUM], row[ID], row[TURN])


def rewritten_columns(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return of a row what is written in another form, and then what must still be as it was.

    They are error, stack, response, result and checksum; id, turn, state and created_at.
    """
    return (row[10], *row[14:17], row[_CHECKSUM], row[ID], row[TURN], row[1], row[6])


def _waits_for_slot(run: Run) -> bool:
    """Tell whether a run that is to be in a queue is there already; else it waits until then."""
    saved_at = run.updated_at or run.created_at
    return run.deadline is not None and (saved_at is None or run.deadline <= saved_at)


def moment_text(moment: datetime | None) -> str | None:
    """Write a moment as text that people read and that sorts by time.

    `datetime.isoformat` says the same, and takes longer than all else that a row is made of.
    """
    if moment is None:
        return None
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    century, year = divmod(moment.year, 100)
    most, least = divmod(moment.microsecond, 1000)
    return (
        f"{_TWO[century]}{_TWO[year]}-{_TWO[moment.month]}-{_TWO[moment.day]}T"
        f"{_TWO[moment.hour]}:{_TWO[moment.minute]}:{_TWO[moment.second]}.{_THREE[most]}{_THREE[least]}Z"
    )


def json_text(texts: list[str]) -> str:
    """Write texts as one; most runs have no facts."""
    if not texts:
        return _NO_FACTS
    import json

    return json.dumps(texts, ensure_ascii=False)


def in_order_of_deadlines(runs: Iterable[Run]) -> list[Run]:
    """Sort due runs, the longest overdue first; a database returns changed rows in any order."""
    return sorted(runs, key=lambda run: (run.deadline, run.id))


def as_saved(run: Run, written: str) -> Run:
    """Return a saved run with the unread events that its row names now; most have none.

    What its turn has sent, and what it adds to its history, is kept elsewhere now.
    """
    if run.outgoing or run.entries:
        run = run.changed(outgoing=(), entries=())
    return run.changed(unread=unread_in(written)) if written or run.unread else run


def unread_after(
    run: Run, read: Iterable[UnreadEvent], kept: UnreadEvent | None = None
) -> tuple[str, int]:
    """Return how the text of a claimed run's unread events begins once some are read.

    And at which character goes on what was posted since they were seen, which only adds to it.
    One that is kept after its turn has failed comes first.
    """
    left = list(run.unread)
    for event in read:
        left.remove(event.event_id)
    if kept is not None:
        left.insert(0, kept.event_id)
    return written_unread(left), len(written_unread(run.unread)) + 1


def key_of(row: Sequence[Any]) -> tuple[str, int] | None:
    """Return the id and the turn of a row, None if it has lost them."""
    run_id, turn = row[ID], row[TURN]
    if type(row) is RawRow:
        turn = int.from_bytes(turn or b"", "big", signed=True)
        run_id = (run_id or b"").decode("utf-8", "replace")
    return (run_id, turn) if isinstance(run_id, str) and isinstance(turn, int) else None


def _shown(run_id: object) -> str:
    """Return an id for an error, whatever stands there."""
    if isinstance(run_id, bytes):
        return run_id.decode("utf-8", "backslashreplace")
    return run_id if isinstance(run_id, str) else repr(run_id)


def _odd_value_in(row: Sequence[Any]) -> str:
    """Say what is wrong with a row that has a value which is never written."""
    for place in _MOMENTS:
        if type(row[place]) is NoMoment:
            return f"its {COLUMNS[place]} is not between the years 1 and 9999"
    return "a value in it is of a kind that is never written"


def _facts_text(run: Run) -> str:
    from longterm.store.facts import write_facts

    return json_text(write_facts(run.index, run.audience))


def _details_text(run: Run) -> str | None:
    if run.parent is None and not run.children and run.wants is None and run.traceparent is None:
        return None
    from longterm.store._details import write_details

    return write_details(run)


def _details(written: str) -> Details:
    from longterm.store._details import read_details

    return read_details(written)


def _texts(written: str) -> list[str]:
    if written == _NO_FACTS:
        return []
    import json

    texts: list[str] = json.loads(written)
    return texts


def _index(written: str) -> dict[str, Fact]:
    from longterm.store.facts import read_facts

    return read_facts(_texts(written))
