"""What an author writes inside a flow: `suspend`, `sleep`, `checkpoint`, `respond` and the like."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from longterm._event_names import CHECKPOINT, CHILD, SLEEP
from longterm._flows.context import Turn, current, current_turn
from longterm._names import awaited_name, check_fact, event_names
from longterm.child import Child
from longterm.errors import InvalidDeadline, InvalidEventId, NotInRun
from longterm.event import Event
from longterm.run import CurrentRun, Fact
from longterm.wait import MISSING, Wait, moment_in_utc

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
D = TypeVar("D")
Audience: TypeAlias = str | list[str] | tuple[str, ...] | None
Expires: TypeAlias = datetime | timedelta | None


@overload
def suspend(
    event_id: Event[T], *, to: Audience = ..., ask: Any = ..., expires: Expires = ...
) -> T: ...
@overload
def suspend(
    event_id: Event[T],
    *,
    to: Audience = ...,
    ask: Any = ...,
    expires: datetime | timedelta,
    default: D,
) -> T | D: ...
@overload
def suspend(
    event_id: str, *, type: type[T], to: Audience = ..., ask: Any = ..., expires: Expires = ...
) -> T: ...
@overload
def suspend(
    event_id: str,
    *,
    type: type[T],
    to: Audience = ...,
    ask: Any = ...,
    expires: datetime | timedelta,
    default: D,
) -> T | D: ...
@overload
def suspend(event_id: Child[T], *, expires: datetime | timedelta | None = None) -> T: ...
@overload
def suspend(event_id: Child[T], *, expires: datetime | timedelta, default: D) -> T | D: ...
@overload
def suspend(
    event_id: str | Child[Any],
    *others: str | Child[Any],
    type: Any = ...,
    to: Audience = ...,
    ask: Any = ...,
    expires: Expires = ...,
    default: Any = ...,
) -> Any: ...
def suspend(
    event_id: str | Child[Any],
    *others: str | Child[Any],
    type: Any = None,
    to: Audience = None,
    ask: Any = None,
    expires: Expires = None,
    default: Any = MISSING,
) -> Any:
    """Wait for an event from outside, days or months if need be; return its value.

    The run is stored and costs nothing until `process_event(run_id, event_id, value)` goes on.

    Of several events the first counts, and a pair is returned: what was given here for the event,
    and its value; at the moment of `expires`, None and the default.

    Args:
        event_id: the name of the event, a string of 1 to 500 characters; or an `Event`; or a
            `Child`, for its end: its result is returned, or its exception raised.
        others: more of them.
        type: what the value must be: a model, a dataclass, a class such as `int`, a type such as
            `list[int]` or `Literal["yes", "no"]`. Pydantic checks it, and makes it of plain data;
            the flow never sees another value. An `Event` brings its own.
        to: whom it is for, a text or a list of texts; and `ask`: what is asked, a text or plain
            data. Both stand in `run.wants` as long as the run waits.
        expires: when to give up waiting: an aware moment, or how long from now.
        default: what the wait is worth then; without it `Expired` is raised here.

    Raises:
        Expired: the moment came before the event, and there is no default.
        InvalidEventId, InvalidDeadline, InvalidWait: an argument is not what it should be.
        CannotCheck: pydantic is not installed, or does not know the type.
        AlreadyTaken: it is no open child of this run.
        NotInRun: no run is under way.
    """
    events = (event_id, *others) if others else ()
    name = event_names(events) if others else awaited_name(event_id)
    if expires is not None:
        expires = _checked(expires)
    elif default is not MISSING:
        raise InvalidDeadline("a default needs a moment at which it comes", expires)
    turn = current.get()
    if turn is None:
        raise NotInRun("suspend")
    if CHILD in name:
        _check_children(turn, events or (event_id,))
    wait = Wait(name, expires, default, events)
    asks = type is not None or to is not None or ask is not None
    if asks or others or isinstance(event_id, Event):
        from longterm._flows.wants import add_wants  # most waits ask for nothing in particular

        add_wants(wait, events or (event_id,), type, to, ask)
    return turn.suspend(wait)


def _check_children(turn: Turn, events: Iterable[object]) -> None:
    for what in events:
        if type(what) is Child:
            turn.outbox.check_open(what)


@overload
def spawn(
    flow: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
) -> Child[T]: ...
@overload
def spawn(flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Child[T]: ...
def spawn(flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Child[Any]:
    """Begin a run of a flow as a child of this one: `suspend` of it waits for its result.

    It begins once this turn is saved. When this run ends, the children that are still open are
    cancelled; when it fails, they go on, since it can be retried.

    Args:
        flow: the flow, `async def` or not.
        args, kwargs: what it is called with; they must be storable.

    Raises:
        NotAFlow: it is none.
        CannotStore: what it is called with cannot be stored.
        TooManyChildren: the run has 1,000 open ones.
        NotSupported: the store keeps no messages.
        NotInRun: no run is under way.
    """
    return current_turn("spawn").outbox.spawn(flow, args, kwargs)


def gather(*children: Child[T]) -> list[T]:
    """Wait until all of some children have ended; return their results, in the order given.

    The first exception of one is raised here at once. The others go on then.

    Raises:
        InvalidEventId: one is no child, or stands twice.
        AlreadyTaken: one is no open child of this run.
        NotInRun: no run is under way.
    """
    turn = current_turn("gather")
    for child in children:
        if type(child) is not Child:
            raise InvalidEventId(
                child, f"gather waits for children, not {child!r} (give what `spawn` returned)"
            )
    _check_children(turn, children)
    wait = Wait(event_names(children), events=children, is_for_all=True)
    found: list[T] = turn.suspend(wait) if children else []
    return found


def sleep(duration_or_moment: timedelta | datetime) -> Any:
    """Wait for a time, or until a moment; no event ends this wait. A worker does.

    One that is over already is no wait: the flow goes on at once, in the same turn.

    Args:
        duration_or_moment: how long from now, or an aware moment.

    Returns:
        None, typed so that `await sleep(…)` passes too.

    Raises:
        InvalidDeadline: it is neither.
        NotInRun: no run is under way.
    """
    expires = _checked(duration_or_moment, is_sleep=True)
    turn = current_turn("sleep")
    wait = Wait(SLEEP, expires, None)
    now = turn.now()
    return turn.suspend(wait) if (wait.deadline(now) or now) > now else None


def checkpoint() -> Any:
    """Save the run here, and go on in the same turn: what was done before is never done again.

    Should the process die later in the turn, or the flow fail, the run goes on from here: by a
    worker, or by `retry`. All that the flow holds here must be storable, as at a `suspend`.

    Returns:
        None, typed so that `await checkpoint()` passes too.

    Raises:
        NotInRun: no run is under way.
    """
    return current_turn("checkpoint").suspend(Wait(CHECKPOINT, timedelta(0), None))


def now() -> datetime:
    """Return the present moment by the engine's clock, aware, in UTC; a test can set that clock.

    Raises:
        NotInRun: no run is under way.
    """
    return current_turn("now").now()


def current_run() -> CurrentRun:
    """Return what the flow may know of its own run, such as its id for the link in an e-mail.

    Raises:
        NotInRun: no run is under way.
    """
    turn = current_turn("current_run")
    run = turn.run
    return CurrentRun(run.id, run.flow, run.created_at, {**run.index, **turn.index})


def _checked(expires: object, *, is_sleep: bool = False) -> datetime | timedelta:
    """Return a moment in UTC, or a length of time, which counts from the end of the turn."""
    moment = moment_in_utc(expires, datetime.now(UTC), is_sleep=is_sleep)
    return expires if isinstance(expires, timedelta) else moment


def set_index(**facts: Fact) -> None:
    """Set facts by which this run can be found: `set_index(patient=4711)`.

    They stay until they are set anew, and are saved with the turn.

    Raises:
        InvalidFact: a value is not a string, a number, a bool or None, or takes too much room.
        NotInRun: no run is under way.
    """
    turn = current_turn("set_index")
    for name, value in facts.items():
        check_fact(name, value)
    turn.index.update(facts)


def respond(*values: Any) -> None:
    """Say something to the caller of this turn: each value is one response, in order.

    The caller finds them on the returned run, as `run.response`. They are gone when the next turn
    begins. Helpers that a flow calls may respond too.

    Raises:
        NotInRun: no run is under way.
    """
    current_turn("respond").respond(values)


def call(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that may be a flow, where the compiler cannot see that it is one.

    Write `call(handlers[kind], order)` inside a larger expression; as a statement of its own
    (`reply = handlers[kind](order)`) a call needs no such help.
    """
    return function(*args, **kwargs)
