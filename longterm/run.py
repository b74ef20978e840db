"""A run: one execution of a flow, as stores keep it and as callers see it.

Plain data. What the author's code made (the stack of frames, the result, the response) is held
as encoded bytes, so that a store never decodes; `Run.result` and `Run.response` decode when asked.
`Run.to_dict` is the form that JSON can hold, which the command line and web interfaces share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeAlias

from longterm._codec import decode, decode_list, decode_text, encode_text
from longterm._event_names import names_in, next_of
from longterm.errors import CorruptData

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # its `default` is in `typing` from 3.13 on (PEP 696)

    from longterm._codec.seal import Context
    from longterm.history import HistoryEntry
    from longterm.message import Message

    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    from longterm._later import later

    T_co = TypeVar("T_co", covariant=True)
    HistoryEntry = later("longterm.history", "HistoryEntry")
    Message = later("longterm.message", "Message")

Fact: TypeAlias = str | int | float | bool | None
"""What a run's index may hold."""


class RunState(StrEnum):
    """Where a run is in its life; the value is what stores write."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({RunState.COMPLETE, RunState.FAILED, RunState.CANCELLED})
"""The states in which a run takes no more turns by itself."""


@dataclass(frozen=True, kw_only=True)
class Run(Generic[T_co]):
    """One execution of a flow, from its start to its end, over any time.

    `Run[str]` is a run of a flow that returns a `str`: `start_flow` returns it, for type checkers.

    A store may return a subclass with fields of its own (a dataclass without slots); they survive
    every turn, since the engine only ever makes copies with `changed`.

    Its `repr` is for logs: it has no bytes and no values of a flow's.
    """

    id: str
    """A UUID of version 7, as 32 hexadecimal digits: ids sort by when their runs began."""
    flow: str
    """The flow it executes, as `module:qualname`."""
    state: RunState
    turn: int = 1
    """Turns begun so far. A claim adds one, so it also fences: only the newest claim can save."""
    saved_turn: int | None = field(default=None, repr=False)
    """The turn whose save wrote the bytes below; a seal names it. None: the store does not keep it,
    or the run is of a longterm before 0.2."""
    waiting_for: str | None = None
    """The event that a suspended run needs; of several, their names, one a line. Every suspended
    run waits for something: one that sleeps, for `longterm.sleep`, and until its first turn has
    ended `longterm.start`, since then a worker can start it again."""
    stack: bytes | None = field(default=None, repr=False)
    """The continuation: the encoded frames of before the current turn."""
    encoded_response: bytes | None = field(default=None, repr=False)
    encoded_result: bytes | None = field(default=None, repr=False)
    encoded_error: str | None = field(default=None, repr=False)
    """What `error` says; as plain text, unless there is a payload codec."""
    created_at: datetime | None = field(default=None, repr=False)
    """When it was started (aware, UTC, like all its moments)."""
    updated_at: datetime | None = field(default=None, repr=False)
    """When its last turn was saved; a suspended run waits since then."""
    deadline: datetime | None = field(default=None, repr=False)
    """When its wait ends by itself; None: never."""
    claimed_until: datetime | None = field(default=None, repr=False)
    """Until when the claim of a running run holds, on a store that has leases."""
    attempts: int = field(default=0, repr=False)
    """How many turns in a row have died with their process."""
    delivery: str | None = field(default=None, repr=False)
    """The key of the delivery that began the last turn, if it carried one."""
    is_duplicate: bool = field(default=False, repr=False, compare=False)
    """Whether this is the answer to a delivery that the run had taken before, by its key; then
    nothing has happened. It is no part of the stored run."""
    delivery_digest: str | None = field(default=None, repr=False, compare=False)
    """While a turn is saved: what tells the content of its delivery from others, for a store that
    keeps keys; empty if that is not known. It is no part of the stored run."""
    claim: int | None = field(default=None, repr=False, compare=False)
    """The number of the newest claim, where the store draws one: a database that a failover or a
    backup has put back may give a turn out twice, and this number tells the two claims apart."""
    unread: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """The names of the events that were sent to it and that it has not read, oldest first."""
    index: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """The facts by which the run can be found, as its flow set them."""
    parent: str | None = field(default=None, repr=False)
    """The id of the run whose flow has spawned it; None: nobody's child."""
    children: tuple[str, ...] = field(default=(), repr=False)
    """The ids of the runs that it has spawned and whose ends it has not read, oldest first."""
    wants: Mapping[str, Any] | None = field(default=None, repr=False)
    """While it waits: what is asked (`ask`), of whom (`to`, a list), and in `events` the `title`
    and JSON Schema (`schema`) of each that is checked, as JSON can hold it. While it rests until
    another attempt at a step: `step`, with its `name`, `attempt` and `since`. None if its `suspend`
    says nothing of that, or the store does not keep it."""
    queue: str | None = field(default=None, repr=False)
    """The queue in which it waits for a slot, from its deadline on, or whose slot it holds while it
    is running; None: it needs none."""
    partition: str = field(default="", repr=False)
    """Whose share of the queue it takes, such as a tenant's."""
    position: str | None = field(default=None, repr=False)
    """Where it waits, as `shop:sell@3f2a9c04:2>shop:pay@91cc02b7:1`: of each frame the flow, eight
    digits of its version, and the point, the outermost call first. Behind a `+` stands a digest of
    the functions inside flows that its stack holds. Runs of one position can go on in a process or
    cannot, all of them. None: it waits nowhere, or the store does not keep it, or it was saved by
    a longterm before 0.2."""
    traceparent: str | None = field(default=None, repr=False)
    """Where its last turn stands in a trace, or what has created it, as the header of W3C says
    (https://www.w3.org/TR/trace-context/). None: no turn was observed, or the store does not keep
    it."""
    outgoing: tuple[Message, ...] = field(default=(), repr=False, compare=False)
    """While a turn is saved: what it sends to other runs, for a store that keeps an outbox. It is
    no part of the stored run."""
    entries: tuple[HistoryEntry, ...] = field(default=(), repr=False, compare=False)
    """While it is saved: what that adds to its history, for a store that keeps histories. It is no
    part of the stored run."""

    @property
    def audience(self) -> tuple[str, ...]:
        """Whom its wait is for, as its flow's `suspend` says with `to`; empty: nobody."""
        return () if self.wants is None else tuple(self.wants.get("to", ()))

    def changed(self, **fields: Any) -> Self:
        """Return a copy with other values in some fields.

        What `dataclasses.replace` does, at a quarter of its cost: a turn makes several.
        """
        known = vars(self)
        changed = known | fields
        if len(changed) > len(known):
            raise TypeError(f"a run has no field {', '.join(changed.keys() - known.keys())}")
        copy = object.__new__(type(self))
        object.__setattr__(copy, "__dict__", changed)  # it is frozen
        return copy

    @property
    def revision(self) -> int:
        """The number of its last save: it goes up with each turn that is saved, and by nothing
        else. 0 if the store does not keep it."""
        return self.saved_turn or 0

    @property
    def awaits(self) -> tuple[str, ...]:
        """The names of the events any of which a suspended run needs; none if it sleeps,
        or is to begin anew."""
        return names_in(self.waiting_for)

    @property
    def next_unread(self) -> str | None:
        """The name of the unread event that its wait takes next; None if there is none.

        A cancel (`longterm.cancel`), or an exception (`longterm.throw`), comes before all others,
        and ends any wait.
        """
        return next_of(self.unread, self.awaits) if self.unread else None

    @property
    def result(self) -> T_co | Any:
        """What the flow returned; None while it has not.

        For type checkers it may be anything besides, as what `re.Match.group` returns may be, so
        that nobody need tell them each time that the run is complete.
        """
        if self.encoded_result is None:
            return None
        return decode(self.encoded_result, context_of(self, "result"))

    @property
    def response(self) -> list[Any]:
        """What the last turn said to its caller, in order."""
        if self.encoded_response is None:
            return []
        return decode_list(self.encoded_response, context_of(self, "response"))

    @property
    def error(self) -> str | None:
        """Why a failed run failed: the author's exception as text, traceback included.

        Of a suspended run, why a worker could not carry it on. It is for people: where it cannot be
        read, for want of a key for example, it says so instead.
        """
        if self.encoded_error is None:
            return None
        try:
            return decode_text(self.encoded_error, context_of(self, "error"))
        except CorruptData as error:
            return f"(the error cannot be read: {error})"

    def with_error(self, error: str) -> Self:
        """Return a copy with another error."""
        return self.changed(encoded_error=encode_text(error, context_of(self, "error")))

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON can hold it: strings, numbers, lists, dicts, bools and None.

        Moments are text (ISO 8601, UTC). What JSON has no form for, of the result, the responses
        and the facts, is `{"$text": "Decimal('1.5')"}`: its `repr`, or what `describe` says of it
        where it cannot be decoded. Fields that a store has added are there; the stack is not.
        """
        from longterm._run_json import run_as_json

        return run_as_json(self)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, _: object) -> type[Self]:
            # `Run[str]` is the class itself while it runs, as Django's `QuerySet[Order]` is. For an
            # alias of a dataclass pydantic looks at its fields, and does not ask for the schema.
            return cls

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Tell pydantic, and so FastAPI, that `to_dict` is how a run is written as JSON."""
        from longterm._run_json import pydantic_schema

        return pydantic_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, Any]:
        """Return the JSON Schema of what `to_dict` returns, for OpenAPI."""
        from longterm._run_json import JSON_SCHEMA

        return JSON_SCHEMA


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """What a flow may know of its own run; plain data, which it can keep over its waits."""

    id: str
    flow: str
    """The flow, as `module:qualname`."""
    started: datetime | None
    """When it was started; None if the store does not keep that."""
    index: Mapping[str, Fact]
    """The facts that it has set so far, in this turn too."""


def context_of(run: Run, column: str) -> Context:
    """Return what the seal of a run's bytes in a column binds them to."""
    # Bound to its event, a stack cannot be made to take another event for the one it waits for.
    event = run.waiting_for or "" if column == "stack" else ""
    return column, run.id, run.saved_turn, event
