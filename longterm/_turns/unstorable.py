"""Say why a suspended flow cannot be stored: which name, where, why it is live, what to do."""

from __future__ import annotations

import re
from typing import Final

from longterm._abi import RESERVED_PREFIX, STEP, TYPE
from longterm._codec import encode
from longterm._flows.registry import flow_at
from longterm.errors import CannotStore, NotStorable, ValueTooLarge, in_bytes
from longterm.frame import Frame

_TEMPORARIES: Final = {
    "iter": "the iterator of the loop",
    "manager": "the context manager",
    "exit": "the context manager",
    "caught": "the exception being handled",
    "leaving": "the pending exception or result",
    "callee": "the function about to be called",
    "events": "an event that is waited for",
    "type": "the type of the event that is waited for",
}


def cannot_store_frames(frames: list[Frame], error: NotStorable) -> CannotStore:
    """Return the error for a continuation that holds a value that cannot be stored."""
    if error.frame is None or error.slot is None:
        return CannotStore(f"cannot store the stack of {frames[0].flow}: {error}")
    frame, slot = frames[error.frame], error.slot
    if slot == STEP:
        return _cannot_store_step(frame, error)
    flow = frame.flow.replace(":", ".")
    what, hint = _described(slot, frame, error)
    return CannotStore(
        f"cannot store {what} of {flow} at line {frame.line}: "
        f"{_path(slot, error)} is {_with_article(error.value_type)}, {error.reason} ({hint})"
    )


def _cannot_store_step(frame: Frame, error: NotStorable) -> CannotStore:
    """Return the error for what a step is called with, or what has come of it."""
    record, inside = frame.slots[STEP], error.path_in_slot
    part = inside.partition("']")[0].removeprefix("['")
    what = {"value": "the result", "error": "the exception"}.get(part, "the call")
    name = record.get("step") if type(record) is dict else None
    where = f"{frame.flow.replace(':', '.')} at line {frame.line}"
    path = inside.replace(f"['{part}']", "" if part in ("value", "error") else part, 1)
    return CannotStore(
        f"cannot store {what} of step {str(name).replace(':', '.')}, in {where}: "
        f"{path.lstrip('.') or 'it'} is {_with_article(error.value_type)}, {error.reason} "
        f"({error.hint})"
    )


def frames_too_large(frames: list[Frame], size: int, max_bytes: int) -> ValueTooLarge:
    """Return the error for a continuation that takes too many bytes, with its largest local."""
    sizes = [
        (_size(value), name, frame)
        for frame in frames
        for name, value in (*frame.slots.items(), *frame.cells.items())
    ]
    largest = ""
    if sizes:
        most, name, frame = max(sizes, key=lambda size: size[0])
        flow = frame.flow.replace(":", ".")
        largest = f"{_what(name, frame)} of {flow} at line {frame.line} takes {in_bytes(most)}"
    return ValueTooLarge(f"the stack of {frames[0].flow}", size, max_bytes, largest)


def _size(value: object) -> int:
    try:
        return len(encode(value))
    except NotStorable:  # by itself, such as a cell that only a frame can hold
        return 0


def _what(slot: str, frame: Frame) -> str:
    if slot in frame.cells:
        return f"variable {slot!r}"
    if not slot.startswith(RESERVED_PREFIX):
        return f"local {slot!r}"
    kind = re.sub(r"\d+$", "", slot.removeprefix(RESERVED_PREFIX))
    return _TEMPORARIES.get(kind, "a value computed before the suspend")


def _described(slot: str, frame: Frame, error: NotStorable) -> tuple[str, str]:
    what = _what(slot, frame)
    if slot in frame.cells:
        return what, f"an inner function shares it; {error.hint}"
    line = flow_at(frame.flow, frame.version).resume(frame.point).slots.get(slot)
    if slot.startswith(RESERVED_PREFIX):
        if slot == TYPE:
            return what, f"{error.hint}, or declare it: name = Event('name', the type)"
        needing = f"line {line}" if line and line > 0 else "the rest of the flow"
        return what, f"{needing} still needs it; {error.hint}"
    because = f"live because line {line} reads it; {error.hint}, or del {slot} before the suspend"
    return what, because


def _with_article(name: str) -> str:
    # More types are called a `user` or a `uuid` than an `upload`.
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def _path(slot: str, error: NotStorable) -> str:
    inside = error.path_in_slot.replace(".cell_contents", "")
    return (
        f"its {inside.lstrip('.')}"
        if slot.startswith(RESERVED_PREFIX) and inside
        else ("it" if slot.startswith(RESERVED_PREFIX) else f"{slot}{inside}")
    )
