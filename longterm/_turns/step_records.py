"""What is stored of a step beside the slots of the frame that has called it.

That is the call while it is pending, or what has come of it. A step that others find by its name is
stored as that name, and runs as it is declared today; any other as its function and its options.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from longterm._abi import STEP, STEPS
from longterm._codec import encode
from longterm._codec.types.functions import written
from longterm._flows.continuation import rebuild
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named
from longterm._flows.step_calls import Step, StepCall
from longterm._flows.steps import make_step, step_named
from longterm._flows.wait_result import StepResult, WaitResult
from longterm._turns.position import position_of
from longterm.errors import CannotStore, CorruptData
from longterm.frame import Frame
from longterm.run import Run, context_of

_OPTIONS: Final = (
    *("max_attempts", "retry_on", "backoff", "timeout", "at_most_once", "queue", "partition"),
)
_VALUE: Final = "value"
_ERROR: Final = "error"
_BEGUN: Final = "begun"


def keep_pending(
    frames: list[Frame], call: StepCall, *, is_begun: bool = False, rests: bool = False
) -> None:
    """Put a call that is to be made beside the slots of the frame that waits for it."""
    record = _record(call, is_whole=rests)
    if is_begun:
        record[_BEGUN] = True
    _keep(frames, call, record)


def keep_end(frames: list[Frame], call: StepCall, end: WaitResult) -> None:
    """Put what has come of a call there; of one that has failed, and may be made again, the call
    is kept as well: a run that fails by it can be tried again.
    """
    if end.error is None:
        name, is_async = call.step.name, call.step.is_async
        record: dict[str, object] = {"step": name, "is_async": is_async, _VALUE: end.value}
    elif call.step.at_most_once:
        record = {_ERROR: end.error}
    else:
        record = {**_record(call), _ERROR: end.error}
    _keep(frames, call, record)


def _keep(frames: list[Frame], call: StepCall, record: dict[str, object]) -> None:
    frames[-1].slots[STEP] = record
    frames[0].slots[STEPS] = call.number


def described(call: StepCall) -> dict[str, object]:
    """Return what people may want to know of a step that rests, as JSON can hold it."""
    return {
        "name": call.step.name,
        "attempt": call.attempt,
        "max_attempts": call.step.max_attempts,
        "since": None if call.since is None else call.since.isoformat(),
    }


def _record(call: StepCall, *, is_whole: bool = False) -> dict[str, object]:
    """Return what is stored of a call.

    Of a step without a name the function is stored only where it may be needed: that of a library
    is one that stored bytes must not name, unless the application allows it.
    """
    step = call.step
    record: dict[str, object] = {"step": step.name}
    if step.db is not None and not step.is_found_by_name():
        raise CannotStore(
            f"cannot store the call of step {step.spoken}: it works in a database, and another "
            "process does not find it by its name (put @step(db=…) on a function of a module)"
        )
    if (is_whole or step.may_rest) and not step.is_found_by_name():
        record["function"] = step.function
        record["options"] = {name: getattr(step, name) for name in _OPTIONS}
    record["args"], record["kwargs"] = call.args, call.kwargs
    record["number"], record["attempt"], record["since"] = call.number, call.attempt, call.since
    return record


def gone_on(frames: list[Frame], end: WaitResult) -> tuple[Flow, Callable[[], Any]]:
    """Return the flow of frames that wait for a step, and what goes on with it at the step's end.

    A run of the step alone is over then.

    Raises:
        UnknownFlow, FlowChanged, StackTooDeep, CorruptData: see `rebuild`.
    """
    if frames[0].point:
        return rebuild(frames, end)
    return flow_named(frames[0].flow), end.as_callable()


def end_of_step(slots: dict[str, object]) -> WaitResult | None:
    """Return what has come of the step that a stored frame has called; None: it is pending.

    Raises:
        CorruptData: the stored bytes do not say.
    """
    record = _checked(slots)
    if _VALUE in record:
        return StepResult(record[_VALUE], is_awaited=record.get("is_async") is True)
    error = record.get(_ERROR)
    if error is None:
        return None
    if not isinstance(error, BaseException):
        raise CorruptData("the stored bytes hold no exception where a step failed")
    return StepResult(error=error)


def pending_step(slots: dict[str, object]) -> tuple[StepCall, bool]:
    """Return the call that a stored frame has pending, and whether it was marked as begun.

    Raises:
        StepGone: this process has no such step.
        CorruptData: the stored bytes do not hold a call.
    """
    record = _checked(slots)
    name, args, kwargs = record.get("step"), record.get("args"), record.get("kwargs")
    number, attempt, since = (record.get(part) for part in ("number", "attempt", "since"))
    # Exactly these: a subclass could have its own way to be gone through.
    is_whole = (
        (type(name), type(args), type(kwargs)) == (str, tuple, dict)
        and (type(number), type(attempt)) == (int, int)
        and isinstance(since, datetime | None)
        and isinstance(kwargs, dict)
        and all(type(key) is str for key in kwargs)
    )
    if not is_whole:
        raise CorruptData("the stored bytes hold no call where a step is pending")
    step = _stored_step(str(name), record)
    call = StepCall(step, args, kwargs, number, attempt, since)  # type: ignore[arg-type]
    return call, record.get(_BEGUN) is True


def _stored_step(name: str, record: dict[str, object]) -> Step:
    if "function" not in record:
        return step_named(name)
    options = record.get("options")
    if type(options) is not dict or not set(options).issubset(_OPTIONS):
        raise CorruptData("the stored bytes hold no options of a step")
    return make_step(record["function"], **options)


def stack_before_failure(frames: list[Frame], run: Run) -> tuple[bytes, str] | None:
    """Return the stack of stored frames as it was before the step that has failed; None: none has.

    Its attempts begin anew there. With it comes its position.
    """
    record = _checked(frames[-1].slots)
    if _ERROR not in record or "args" not in record:
        return None
    before = {name: part for name, part in record.items() if name != _ERROR}
    try:
        frames[-1].slots[STEP] = {**before, "attempt": 1}
        written.inner = set()
        stack = encode(frames, context_of(run, "stack"))
        return stack, position_of(frames, written.inner)
    finally:
        frames[-1].slots[STEP] = record


def steps_begun(frames: list[Frame]) -> int:
    """Return how many steps a run has begun, as its stored frames say."""
    number = frames[0].slots.get(STEPS, 0)
    return number if type(number) is int else 0


def _checked(slots: dict[str, object]) -> dict[str, object]:
    record = slots[STEP]
    if type(record) is not dict:
        raise CorruptData("the stored bytes do not say what step is pending")
    return record
