"""For tests of flows: run one as plain Python, or turn by turn on a store, with scripted events.

`interpret` is the reference: the author's own code, uncompiled, in which `suspend` simply returns
the next value. `play` is the real thing: compiled, stored and loaded again at every suspend. What
they return can be compared with `==`. `encode` and `decode` are for tests of types of your own.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from longterm._codec import decode, encode
from longterm._event_names import SLEEP, names_in, spoken
from longterm._flows.context import current
from longterm._flows.registry import flow_of, known_flows
from longterm._later import later
from longterm._turns.checks import checked_value
from longterm._turns.waits import is_over
from longterm.engine import Engine
from longterm.errors import Expired, InvalidValue
from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore
from longterm.testing._awaited import given_to
from longterm.testing._scripted_outbox import ScriptedOutbox
from longterm.wait import MISSING, Wait, value_of_first, value_without

if TYPE_CHECKING:
    from uuid import UUID
else:
    UUID = later("uuid", "UUID")

__all__ = [
    "EXPIRE",
    "Answer",
    "FakeClock",
    "Throw",
    "Transcript",
    "WrongScript",
    "decode",
    "encode",
    "interpret",
    "play",
]


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Begin at an aware moment."""
        self._now = start

    def now(self) -> datetime:
        """Return the moment at which the clock stands."""
        return self._now

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward."""
        self._now += duration

    def sleep(self, seconds: float) -> None:
        """Move the clock forward by so many seconds, and return at once."""
        self.advance(timedelta(seconds=seconds))


@dataclass(frozen=True)
class Answer:
    """In a script, instead of a value alone: the event that must be waited for, and its value."""

    event_id: str
    value: Any = None


@dataclass(frozen=True)
class Throw:
    """In a script, instead of a value: raise this exception at the suspend."""

    error: BaseException


EXPIRE: Final = object()
"""In a script, instead of a value: the deadline of the wait comes before its event, or the
sleep ends."""


@dataclass(eq=False)
class Transcript:
    """What happened when a flow ran: how it ended, what it said and what it asked for.

    Two transcripts are equal when the flows did the same: exceptions count as equal by type and
    arguments, those inside of arguments, lists and tuples too.
    """

    result: Any = None
    """What the flow returned."""
    error: BaseException | None = None
    """What the flow raised."""
    responses: list[list[Any]] = field(default_factory=list)
    """What it said, a list for each turn."""
    asked: list[str] = field(default_factory=list)
    """The events that it waited for, in order; where there were several, a name a line."""
    waiting_for: str | None = None
    """The event that it still waits for, when the script ran out."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transcript):
            return NotImplemented
        mine, theirs = self._parts(), other._parts()
        return mine == theirs or _comparable(mine) == _comparable(theirs)

    __hash__ = None  # type: ignore[assignment]

    def _parts(self) -> tuple[object, ...]:
        return (self.result, self.error, self.responses, self.asked, self.waiting_for)


def _comparable(value: Any) -> Any:
    """Return a value with the type and arguments of each exception in place of it."""
    if isinstance(value, BaseException):
        return (type(value), _comparable(value.args))
    if type(value) in (list, tuple):
        return type(value)(map(_comparable, value))
    return value


def interpret(
    flow: Callable[..., Any],
    args: Iterable[Any] = (),
    events: Iterable[Any] = (),
    *,
    kwargs: Mapping[str, Any] | None = None,
) -> Transcript:
    """Run the author's own function, uncompiled, with `suspend` as a call that returns at once.

    While it runs, all flows of the process are uncompiled, those of other threads too: for tests.

    Args:
        flow: a flow, or a plain function that calls the forms.
        args: its positional arguments.
        events: the values of the events, in the order in which they are asked for. An `Answer` is a
            value that names its event, as it must where several are waited for; a `Throw` raises
            its exception at the suspend; `EXPIRE` lets its deadline come, or ends a sleep.
        kwargs: its keyword arguments.

    Raises:
        WrongScript: a sleep is given an event, a value does not fit its type, an `Answer` names
            another event, or several events are waited for, and there is no `Answer`.
    """
    turn = _ScriptedTurn(flow, iter(events))
    transcript = Transcript(responses=turn.finished, asked=turn.asked)
    with _uncompiled():
        token = current.set(turn)
        try:
            result = flow(*args, **(kwargs or {}))
            transcript.result = asyncio.run(result) if inspect.iscoroutine(result) else result
        except _ScriptEnded as ended:
            transcript.waiting_for = ended.event_id
        except Exception as error:
            transcript.error = error
        finally:
            current.reset(token)
    if transcript.waiting_for is None:
        turn.finished.append(turn.responses if transcript.error is None else [])
    return transcript


def play(
    flow: Callable[..., Any],
    args: Iterable[Any] = (),
    events: Iterable[Any] = (),
    *,
    kwargs: Mapping[str, Any] | None = None,
    store: RunStore | str = "memory://",
) -> Transcript:
    """Run a compiled flow on a store, stored and loaded again at every suspend.

    Args:
        flow: a flow.
        args: its positional arguments.
        events: the values of the events, as for `interpret`.
        kwargs: its keyword arguments.
        store: where the run lives; one in memory unless told otherwise.

    Raises:
        WrongScript: see `interpret`.
    """
    engine = _InLoops(store) if flow_of(flow).is_async else Engine(store)
    transcript = Transcript()
    script = iter(events)
    try:
        run = engine.start_flow(flow, *args, **(kwargs or {}))
        transcript.responses.append(run.response)
        while run.waiting_for is not None:
            transcript.asked.append(run.waiting_for)
            value = next(script, _NO_MORE)
            if value is _NO_MORE:
                transcript.waiting_for = run.waiting_for
                return transcript
            run = _deliver(engine, run.id, run.waiting_for, value)
            transcript.responses.append(run.response)
        transcript.result = run.result
    except Exception as error:
        transcript.error = error
        transcript.responses.append([])
    return transcript


_NO_MORE: Final = object()


def _deliver(engine: Engine, run_id: str, waiting_for: str, value: Any) -> Run:
    """Bring a run what a script has next."""
    if isinstance(value, Throw):
        return engine.throw(run_id, value.error)
    if _is_end(value, waiting_for):
        return engine.expire(run_id)
    try:
        return engine.process_event(run_id, *_named(value, waiting_for))
    except InvalidValue as error:
        raise WrongScript(str(error)) from None


class _InLoops(Engine):
    """An engine whose plain entry points run `async def` flows too, each in its own event loop."""

    def start_flow(self, flow: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Run:
        return asyncio.run(self.astart_flow(flow, *args, **kwargs))

    def process_event(
        self,
        run_id: str | UUID,
        event_id: str,
        result: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> Run:
        arrived = self.aprocess_event(run_id, event_id, result, key=key, revision=revision)
        return asyncio.run(arrived)

    def throw(self, run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
        return asyncio.run(self.athrow(run_id, error))

    def expire(self, run_id: str | UUID) -> Run:
        return asyncio.run(self.aexpire(run_id))


class WrongScript(BaseException):
    """Raised to the test whose script does not fit the flow. Not an `Exception`: no flow's own."""


class _ScriptEnded(BaseException):
    """Unwinds an interpreted flow that waits for more events than the script has."""

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        super().__init__(event_id)


class _ScriptedTurn:
    """A turn in which every event has come already, and steps are plain functions."""

    has_steps = False
    observed = None
    step_key = "interpreted"

    def __init__(self, flow: Callable[..., Any], script: Iterator[Any]) -> None:
        qualname = getattr(flow, "__qualname__", type(flow).__qualname__)
        name = f"{getattr(flow, '__module__', '')}:{qualname}"
        self.run = Run(id="0" * 32, flow=name, state=RunState.RUNNING, created_at=self.now())
        self.index: dict[str, Fact] = {}
        self.responses: list[Any] = []
        self.finished: list[list[Any]] = []
        self.asked: list[str] = []
        self.outbox = ScriptedOutbox(_called)
        self._script = script

    def now(self) -> datetime:
        return datetime.now(UTC)

    def respond(self, values: tuple[Any, ...]) -> None:
        self.responses.extend(values)

    def suspend(self, wait: Wait) -> Any:
        # The flow calls `suspend`, `sleep` or `checkpoint`, which calls this.
        if self.outbox.has_ended(wait):
            worth = self.outbox.end_of(wait)
        else:
            worth = _expired(wait) if is_over(wait, self.now()) else self._next(wait)
        return given_to(sys._getframe(2), worth)

    def _next(self, wait: Wait) -> Any:
        self.finished.append(self.responses)
        self.responses = []
        self.asked.append(wait.event_id)
        for value in self._script:
            if isinstance(value, Throw):
                raise value.error
            if _is_end(value, wait.event_id):
                return _expired(wait)
            name, value = _named(value, wait.event_id)
            return _checked(wait, name, value)
        raise _ScriptEnded(wait.event_id)


def _checked(wait: Wait, name: str, value: Any) -> Any:
    """Return what a wait is worth that an event ends."""
    what, value = value_of_first(wait.events, name, value) if wait.events else (name, value)
    if wait.check is not MISSING:
        try:
            value = checked_value(what, value, wait.check)
        except InvalidValue as error:
            raise WrongScript(str(error)) from None
    return (what, value) if wait.events else value


def _called(flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return what a child returns, which nobody is there to send an event."""
    token = current.set(_ScriptedTurn(flow, iter(())))
    try:
        result = flow(*args, **kwargs)
        if not inspect.iscoroutine(result):
            return result
        with ThreadPoolExecutor(1) as other:  # in this thread an event loop may be running
            return other.submit(copy_context().run, asyncio.run, result).result()
    except _ScriptEnded as ended:
        raise WrongScript(
            f"child {flow.__qualname__} waits for {spoken(ended.event_id)}, and a script has "
            "events for one run only (test it with an engine)"
        ) from None
    finally:
        current.reset(token)


def _is_end(value: object, event_id: str) -> bool:
    """Whether a wait is to end without its event, as a sleep always does."""
    if event_id == SLEEP and value is not EXPIRE:
        raise WrongScript(f"a flow that sleeps takes no event, such as {value!r} (give EXPIRE)")
    return value is EXPIRE


def _named(value: Any, waiting_for: str) -> tuple[str, Any]:
    """Return the name of the event that comes, and its value."""
    names, awaited = names_in(waiting_for), f"the flow waits for {spoken(waiting_for)}"
    if isinstance(value, Answer):
        if value.event_id not in names:
            raise WrongScript(f"{awaited}, and the script has {value!r}")
        return value.event_id, value.value
    if len(names) > 1:
        example = f"Answer({names[0]!r}, {value!r})"
        raise WrongScript(f"{awaited}, so the script needs an Answer, such as {example}")
    return waiting_for, value


def _expired(wait: Wait) -> Any:
    if wait.default is MISSING:
        raise Expired(wait.event_id)
    return value_without(wait.events, wait.default)


_interpreting = threading.RLock()


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Give every flow of the process its author's own code for a while."""
    with _interpreting:
        swapped = [
            (function, flow.original, function.__code__)
            for flow in known_flows()
            for function in list(flow.functions)
        ]
        for function, original, _ in swapped:
            function.__code__ = original
        try:
            yield
        finally:
            for function, _, compiled in swapped:
                function.__code__ = compiled
