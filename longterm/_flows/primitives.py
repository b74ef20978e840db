"""What an author writes inside a flow: `suspend`, `sleep`, `checkpoint`, `respond` and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from longterm._event_names import CHECKPOINT, SLEEP
from longterm._flows.context import current, current_turn
from longterm._names import check_fact, event_name, event_names
from longterm.errors import InvalidDeadline, NotInRun
from longterm.event import Event
from longterm.run import CurrentRun, Fact
from longterm.wait import MISSING, Wait

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
def suspend(
    event_id: str,
    *others: str,
    type: Any = ...,
    to: Audience = ...,
    ask: Any = ...,
    expires: Expires = ...,
    default: Any = ...,
) -> Any: ...
def suspend(
    event_id: str,
    *others: str,
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
        event_id: the name of the event, a string of 1 to 500 characters, or an `Event`.
        others: more of them; the names may take 2,000 bytes together.
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
        NotInRun: no run is under way.
    """
    events = (event_id, *others) if others else ()
    name = event_names(events) if others else event_name(event_id)
    if expires is not None:
        expires = _checked(expires)
    elif default is not MISSING:
        raise InvalidDeadline("a default needs a moment at which it comes", expires)
    turn = current.get()
    if turn is None:
        raise NotInRun("suspend")
    wait = Wait(name, expires, default, events)
    asks = type is not None or to is not None or ask is not None
    if asks or others or isinstance(event_id, Event):
        from longterm._flows.wants import add_wants  # most waits ask for nothing in particular

        add_wants(wait, events or (event_id,), type, to, ask)
    return turn.suspend(wait)


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
    """Return a moment in UTC, or a length of time, that every store can hold the end of."""
    if isinstance(expires, timedelta):
        Wait(SLEEP if is_sleep else "", expires).deadline(datetime.now(UTC))
        return expires
    try:
        if not isinstance(expires, datetime):
            cause = "it is neither a moment nor a length of time"
        elif expires.utcoffset() is None:
            cause = "the moment has no time zone"
        else:
            return expires.astimezone(UTC)
    except OverflowError:
        cause = "it would not be in the years 1 to 9999"
    raise InvalidDeadline(cause, expires, is_sleep=is_sleep)


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
