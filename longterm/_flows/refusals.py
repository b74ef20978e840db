"""Why a stack cannot be stored, in words: what stands between the flows, where, and the way out.

Nothing of this runs unless a suspension is refused, so here the source may be read again.
"""

from __future__ import annotations

import ast
from types import CodeType, TracebackType

from longterm._flows import primitives as ops
from longterm._flows.asking import is_awaited
from longterm._flows.flow import Flow, body_of
from longterm._flows.generator import ENTERING
from longterm._flows.places import text_at
from longterm._flows.registry import made_of
from longterm._flows.resolve import computed_part, function_behind, runs, value_at
from longterm._flows.step_calls import Step
from longterm._flows.steps import STEP_CODES
from longterm.errors import CannotSuspend

_FORMS = tuple(
    form.__code__ for form in (ops.suspend, ops.sleep, ops.checkpoint, ops.gather, ops.call)
)
_IS_GENERATOR = 0x20 | 0x200  # the flags of a generator's code and of an asynchronous one's
_COMPREHENSION = (
    "a comprehension that is not known to call a flow, so its frame cannot be stored",
    "write `call(f, x)` in it",
)
_ASYNCIO = (
    "a part of asyncio, whose frame cannot be stored",
    "await the flow itself; a limit of time is the wait's own: `suspend(name, expires=…)`",
)
_CONTEXTLIB = (
    "a part of contextlib, whose frame cannot be stored while it asks the manager's generator",
    "wait in the flow itself, before the `with` or inside it",
)
_KINDS = {
    "<listcomp>": _COMPREHENSION,
    "<setcomp>": _COMPREHENSION,
    "<dictcomp>": _COMPREHENSION,
    "<genexpr>": (
        "a generator expression, whose frame cannot be stored",
        "make it a list comprehension, with `call(f, x)` in it",
    ),
    "<lambda>": ("a lambda, whose frame cannot be stored", "write it as a def with @deflow above"),
}
"""What the nameless functions are, and what to do.

Before Python 3.12, which inlines it (PEP 709), a comprehension is one.
"""


def not_a_flow(entry: TracebackType, above: TracebackType | None) -> CannotSuspend:
    """Return the error for what is no flow, and stands between a flow and its suspend.

    Args:
        entry: where it stands.
        above: the entry of what called it.
    """
    code, below = entry.tb_frame.f_code, entry.tb_next
    is_comprehension = _KINDS.get(code.co_name) is _COMPREHENSION
    if below is not None and is_awaited(below.tb_frame.f_code) and is_comprehension:
        return _awaits_unseen(entry, below)
    if below is not None and id(below.tb_frame.f_code) in ENTERING and is_comprehension:
        return _asks_unseen(entry, below)
    wrapped = None if above is None else _wrapped_in_call(above)
    kind, remedy = (
        "a plain function whose frame cannot be stored",
        "make it a flow with @deflow, or call the flow from a flow",
    )
    if (
        code.co_name in ("__enter__", "__exit__", "__aenter__", "__aexit__")
        and _library_of(entry) == "contextlib"
    ):
        kind, remedy = _CONTEXTLIB
    elif wrapped is not None:
        kind = f"a wrapper of the flow {wrapped}, as a decorator above @deflow makes one"
        remedy = (
            "take the decorator away, or make of it a flow that takes the other one as an "
            "argument: `@deflow def retried(flow, *args)`"
        )
    elif code.co_name in _KINDS:
        kind, remedy = _KINDS[code.co_name]
    elif _library_of(entry) == "asyncio":
        kind, remedy = _ASYNCIO
    elif code.co_flags & _IS_GENERATOR:
        kind = "a generator, whose frame cannot be stored"
        remedy = "make it a function that returns a list, with @deflow above"
    between = f"stands between a flow and its {_wait_below(entry)}"
    return CannotSuspend(f"{_place(entry)} {between}, and is {kind} ({remedy})")


def not_a_resume_point(entry: TracebackType, below: TracebackType) -> CannotSuspend:
    """Return the error for a flow that was entered from what is no resume point."""
    if is_awaited(below.tb_frame.f_code):
        return _awaits_unseen(entry, below)
    if id(below.tb_frame.f_code) in ENTERING:
        return _asks_unseen(entry, below)
    how = "from what is no resume point"
    if below.tb_frame.f_code.co_name.startswith("__"):
        remedy = "Python calls a special method by itself: give the flow a name, and call that"
        return _refused(entry, below, f"{how} ({remedy})")
    awaits, callee = _call_at(entry)
    path = None if callee is None else _dotted(callee)
    value = None if path is None else value_at(path, entry.tb_frame)
    if value is not None and not runs(value, below.tb_frame.f_code):
        return entered_through(entry, value, below)
    function = "f" if callee is None else ast.unparse(callee)
    remedy = f"write `{awaits}call({function}, …)`, which is one wherever it stands"
    return _refused(entry, below, f"{how} ({remedy})")


def _awaits_unseen(entry: TracebackType, inside: TracebackType) -> CannotSuspend:
    """Return the error for an asynchronous generator that waits, and was awaited at no point."""
    body = body_of(inside.tb_frame.f_code)
    if body is not None and not body.flow.fresh.has_calls and inside.tb_next is not None:
        return not_a_resume_point(inside, inside.tb_next)  # its own text does not show a wait
    name = inside.tb_frame.f_code.co_qualname
    _, callee = _call_at(entry)
    if isinstance(callee, ast.Attribute) and callee.attr == "aclose":
        return CannotSuspend(
            f"{_place(entry)} closes the asynchronous generator {name}, which waits then; it can "
            "wait only while it is asked for a value (wait in the flow itself, before it closes "
            "the generator)"
        )
    asker = body_of(entry.tb_frame.f_code)
    only_yields = asker is not None and is_awaited(asker.code) and not asker.flow.fresh.has_calls
    also = "" if only_yields else ", or write `await generator.__anext__()`"
    return CannotSuspend(
        f"{_place(entry)} awaits the asynchronous generator {name} where the text does not show "
        f"that it may wait inside itself (call {name} in the `async for` that goes through "
        f"it{also})"
    )


def _asks_unseen(entry: TracebackType, below: TracebackType) -> CannotSuspend:
    """Return the error for a generator that waits inside itself, and was asked at no point."""
    inside = below.tb_next or below
    body = body_of(inside.tb_frame.f_code)
    if body is not None and not body.flow.fresh.has_calls and inside.tb_next is not None:
        return not_a_resume_point(inside, inside.tb_next)  # its own text does not show a wait
    name = inside.tb_frame.f_code.co_qualname
    return CannotSuspend(
        f"{_place(entry)} asks the generator {name} for a value where the text does not show that "
        f"it may wait inside itself (call {name} in the `for` that goes through it, or write "
        "`call(next, generator)`, which is a resume point wherever it stands)"
    )


def not_entered_by_callee(
    path: tuple[str, ...], entry: TracebackType, below: TracebackType
) -> CannotSuspend:
    """Return the error for a resume point that did not enter the flow by what its path says."""
    computed = computed_part(path, entry.tb_frame)
    if computed is None:
        return entered_through(entry, value_at(path, entry.tb_frame), below)
    awaits, _ = _call_at(entry)
    how = f"through {computed}, which is computed anew each time that it is read"
    remedy = f"write `{awaits}call({'.'.join(path)}, …)`, which reads it once"
    return _refused(entry, below, f"{how} ({remedy})")


def captured_from_function(flow: Flow, name: str, value: object) -> CannotSuspend:
    """Return the error for a variable of a plain function around a flow, that is still needed."""
    function = function_behind(value)
    remedy = "pass it as an argument, or make the outer function a flow"
    if function is not None and body_of(function.__code__) is not None:
        remedy = (
            "a decorator's wrapper cannot keep the flow that it was given: make it a flow that "
            f"takes it as an argument, `@deflow def retried({name}, *args)`"
        )
    return CannotSuspend(
        f"flow {flow.name} uses {name!r} of the plain function around it, which no other process "
        f"can share ({remedy})"
    )


def entered_through(entry: TracebackType, value: object, below: TracebackType) -> CannotSuspend:
    """Return the error for a call that entered a flow with something else in between."""
    through = getattr(value, "__qualname__", None) or type(value).__qualname__
    remedy = "call the flow itself, from a flow, or by `call(f, x)`"
    step = _step_in(below)
    if step is not None:
        name = step.name.rpartition(":")[2]
        remedy = (
            f"call it in the flow itself, such as in a list: `[{name}(each) for each in values]`; "
            f"`{name}.__wrapped__` is the plain function, which is not saved"
        )
    return _refused(entry, below, f"through {through}, which cannot be suspended ({remedy})")


def _refused(entry: TracebackType, below: TracebackType, how: str) -> CannotSuspend:
    target = below.tb_frame.f_code
    if is_awaited(target):
        return _awaits_unseen(entry, below)
    if id(target) in ENTERING:
        return _asks_unseen(entry, below)
    step = _step_in(below)
    if step is not None:
        return CannotSuspend(f"{_place(entry)} reaches step {step.spoken} {how}")
    if _is_plain(target):
        return not_a_flow(below, entry)
    return CannotSuspend(f"{_place(entry)} reaches the flow {target.co_qualname} {how}")


def _step_in(entry: TracebackType) -> Step | None:
    """Return the step whose call an entry is; None if it is of none."""
    frame = entry.tb_frame
    return frame.f_locals["step"] if id(frame.f_code) in STEP_CODES else None


def _wait_below(entry: TracebackType) -> str:
    """Return what waits in the calls below an entry."""
    last: TracebackType | None = entry
    while last is not None:
        step = _step_in(last)
        if step is not None:
            return f"step {step.spoken}"
        last = last.tb_next
    return "suspend"


def _wrapped_in_call(entry: TracebackType) -> str | None:
    """Return the name of the flow that a call under way would reach through a wrapper of it."""
    _, callee = _call_at(entry)
    path = None if callee is None else _dotted(callee)
    return None if path is None else made_of(value_at(path, entry.tb_frame))


def _library_of(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0]


def _is_plain(code: CodeType) -> bool:
    return code not in _FORMS and body_of(code) is None


def _place(entry: TracebackType) -> str:
    code = entry.tb_frame.f_code
    return f"{code.co_qualname} ({code.co_filename}:{entry.tb_lineno})"


def _call_at(entry: TracebackType) -> tuple[str, ast.expr | None]:
    """Return the `await` before a call under way, and what it calls, by the author's text.

    The callee is None where the text does not show a call.
    """
    frame = entry.tb_frame
    text = text_at(frame.f_code, entry.tb_lasti, frame.f_globals)
    if text is None:
        return "", None
    try:
        node = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        return "", None
    awaits = "await " if isinstance(node, ast.Await) else ""
    call = node.value if isinstance(node, ast.Await) else node
    return awaits, call.func if isinstance(call, ast.Call) else None


def _dotted(node: ast.expr) -> tuple[str, ...] | None:
    names = ast.unparse(node).split(".")
    return tuple(names) if all(map(str.isidentifier, names)) else None
