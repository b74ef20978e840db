"""How a run begins: a call of a flow becomes a record, and the record a call again.

The record is there before the first line of the flow runs, and holds the call itself as its only
frame, at point 0. So a start that dies with its process, or fails, can be done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import FunctionType
from typing import Any, Final

from longterm._abi import UNTIL
from longterm._codec import content_digests, encode
from longterm._event_names import SCHEDULE, START
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_of, flow_of_today
from longterm.errors import (
    CannotRestart,
    CannotStore,
    CorruptData,
    NotAFlow,
    NotStorable,
    in_bytes,
)
from longterm.frame import Frame
from longterm.run import Fact, Run, RunState

_MARKS: Final = 0xF << 76 | 0b11 << 62
"""The bits of a UUID that say of which version and variant it is."""
_VERSION_7: Final = 7 << 76 | 0b10 << 62
_LOCAL: Final = ".<locals>."
"""Stands in the name of a flow that is defined inside another function."""


@dataclass(slots=True)
class Start:
    """What a run is to begin with."""

    flow: Flow
    """The flow that calling the function runs."""
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    run_id: str | None = None
    """The id that its caller has chosen."""
    index: Mapping[str, Fact] = field(default_factory=dict)
    """The facts by which it is found from its begin on."""
    queue: str | None = None
    """The queue in which it waits for its begin; None: in none."""
    partition: str = ""

    def digests(self, name: str = "") -> list[str]:
        """Return what tells this call from others, as `content_digests` does.

        Args:
            name: the flow's name; another one than today's if it had that when it was started.
        """
        call = _frame(self.flow, self.function, self.args, dict(sorted(self.kwargs.items())))
        return content_digests(name or self.flow.name, call.slots)


def new_run(start: Start, *, now: datetime, until: datetime | None, max_bytes: int) -> Run:
    """Return a run that is claimed for its first turn; should that die, it is due at once.

    A call that cannot be stored is no error: the flow may be done with its arguments before it
    waits. Such a run has no stack, and its error says why it could not be started again.

    Args:
        start: what it begins with.
        now: when it begins.
        until: how long the claim holds.
        max_bytes: how many bytes the call may take.
    """
    run, refusal = _run_of(start, now, max_bytes, RunState.RUNNING, now, until)
    if run.stack is not None:
        return run
    return run.with_error(
        "its process died in its first turn, and it cannot be started again: the call that began "
        f"it cannot be stored ({refusal})"
    )


def later_run(start: Start, *, now: datetime, due: datetime, max_bytes: int) -> Run:
    """Return a run that waits for its start until a moment.

    Raises:
        CannotStore: the call that begins it cannot be stored.
    """
    run, refusal = _run_of(start, now, max_bytes, RunState.SUSPENDED, due, None)
    if run.stack is None:
        raise CannotStore(f"cannot store the call that begins {start.flow.name}: {refusal}")
    return run


def scheduled_run(start: Start, *, now: datetime, due: datetime, max_bytes: int) -> Run:
    """Return a run that is a schedule: at its times, runs are begun by the call.

    Raises:
        CannotStore: the call cannot be stored.
    """
    run, refusal = _run_of(start, now, max_bytes, RunState.SUSPENDED, due, None, SCHEDULE)
    if run.stack is None:
        raise CannotStore(f"cannot store the call of a schedule of {start.flow.name}: {refusal}")
    return run


def _run_of(
    start: Start,
    now: datetime,
    max_bytes: int,
    state: RunState,
    due: datetime,
    until: datetime | None,
    event: str = START,
) -> tuple[Run, str]:
    """Return a run with the call that begins it as its stack; or without, and why there is none."""
    run_id = start.run_id or new_id(now)
    frame = _frame(start.flow, start.function, start.args, start.kwargs)
    if event == SCHEDULE:
        frame.slots[UNTIL] = due
    stack, refusal = _encoded_call(frame, run_id, max_bytes, event)
    run = Run(
        id=run_id,
        flow=start.flow.name,
        state=state,
        saved_turn=1,
        waiting_for=event,
        stack=stack,
        created_at=now,
        deadline=due,
        claimed_until=until,
        index=start.index,
        queue=start.queue,
        partition=start.partition,
    )
    return run, refusal


def _encoded_call(
    frame: Frame, run_id: str, max_bytes: int, event: str
) -> tuple[bytes | None, str]:
    """Return the call that begins a run as a stack; or None, and why it cannot be stored."""
    try:
        stack = encode([frame], ("stack", run_id, 1, event))
    except NotStorable as error:
        return None, str(error)
    if len(stack) > max_bytes:
        return None, f"it takes {in_bytes(len(stack))}, and {in_bytes(max_bytes)} are allowed"
    return stack, ""


def new_id(now: datetime) -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7): later ones sort later, but for the same ms.

    So the ids of new runs stand together at the end of a store's indexes, and starts that share a
    transaction write the same few pages. 74 bits are random.
    """
    milliseconds = max(0, int(now.timestamp() * 1000))
    drawn = int.from_bytes(os.urandom(10))
    return f"{milliseconds << 80 | drawn & ~_MARKS | _VERSION_7:032x}"


def _frame(
    flow: Flow, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Frame:
    """Return a call of a flow as a frame.

    The flow's name says which function of a module it is. Anything else is stored whole: a method
    with its `self`, an inner function with what it captured.
    """
    is_named = type(function) is FunctionType and _LOCAL not in flow.name
    slots: dict[str, object] = {
        "function": None if is_named else function,
        "args": args,
        "kwargs": kwargs,
    }
    return Frame(flow.name, flow.version, 0, 0, slots)


def stored_call(run: Run, frame: Frame) -> tuple[Flow, partial[Any]]:
    """Return a flow, and the call that starts it, from the frame that was kept of it.

    It is started by the code of today, whatever the version that it was called in.

    Raises:
        UnknownFlow: this process has no flow of the name.
        CannotRestart: what the flow was called on is not kept, or is not here.
        CorruptData: the bytes do not hold a call of the flow.
    """
    flow = flow_of_today(frame.flow)
    args, kwargs = frame.slots.get("args"), frame.slots.get("kwargs")
    # Exactly these: a subclass could have its own way to be gone through.
    if type(args) is not tuple or type(kwargs) is not dict:
        raise CorruptData("the stored bytes hold no arguments where a flow begins")
    if not all(type(name) is str for name in kwargs):
        raise CorruptData("the stored bytes hold arguments without names")
    function = frame.slots.get("function")
    if function is None:
        if "function" not in frame.slots and "." in flow.name.partition(":")[2]:
            raise CannotRestart(run.id, "a longterm before 0.2 did not keep what it was called on")
        function = next(iter(flow.functions), None)
        if function is None or _LOCAL in flow.name:
            raise CannotRestart(run.id, f"the function {flow.name} is not here any more")
    return flow, partial(_checked(function, flow), *args, **kwargs)


def _checked(function: Any, flow: Flow) -> Callable[..., Any]:
    """Return what stored bytes would have called, if that is a function of the very flow."""
    try:
        found = flow_of(function)
    except NotAFlow:
        found = None
    if found is not flow:
        raise CorruptData(f"the stored bytes call something else than flow {flow.name}")
    result: Callable[..., Any] = function
    return result
