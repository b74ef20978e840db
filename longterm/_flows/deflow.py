"""`@deflow`: makes the author's function a flow.

It gives the function new code, its *fresh body*, and changes nothing else: that is the same
function object, with its name, signature, documentation and source.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar, overload

from longterm._abi import NEEDS_COLUMNS, RUNTIME, keeps_columns
from longterm._abi.verdict import Verdict
from longterm._codec.trust import own
from longterm._flows import primitives as ops
from longterm._flows import registry, rt
from longterm._flows.decorated import check_given
from longterm._flows.flow import Flow, body_of, making
from longterm._flows.generator_functions import as_called
from longterm._flows.loader import loader_of
from longterm._flows.resolve import flow_codes, generator_verdicts
from longterm._flows.steps import STEP_CODES, step
from longterm._main import import_name, is_main
from longterm.errors import CompileError

F = TypeVar("F", bound=Callable[..., Any])
_NOTHING: Final = object()
"""Stands where no function is given."""

flow_codes[id(ops.suspend.__code__)] = Verdict.WAITS
flow_codes[id(ops.sleep.__code__)] = Verdict.WAITS
flow_codes[id(ops.gather.__code__)] = Verdict.WAITS
flow_codes[id(ops.checkpoint.__code__)] = Verdict.WAITS
flow_codes[id(ops.call.__code__)] = Verdict.SUSPENDS
flow_codes[id(step.__code__)] = Verdict.MAKES_STEPS
for _code, _is_async in STEP_CODES.items():
    flow_codes[_code] = Verdict.ASYNC_STEP if _is_async else Verdict.STEP


@overload
def deflow(function: F, /, *, also: str | Iterable[str] = ()) -> F: ...
@overload
def deflow(*, also: str | Iterable[str] = ()) -> Callable[[F], F]: ...
def deflow(function: Any = _NOTHING, /, *, also: str | Iterable[str] = ()) -> Any:
    """Make a function a flow: it may suspend for days or months and go on in any process.

    The function stays an ordinary one: called outside of a run it runs at native speed, and fails
    only if it comes to suspend.

    Args:
        function: the function; as a decorator with arguments, none.
        also: the names, `module:qualname`, that the flow had before it was moved or renamed: the
            runs that know it by one of them go on.

    Raises:
        CompileError: the function holds what cannot be suspended, or is no plain function; the
            message shows each place, the cause and the remedy. Or `also` is no name, or the name
            of another flow.
    """
    names = (also,) if isinstance(also, str) else tuple(also)
    if function is not _NOTHING:
        return _deflowed(function, names, sys._getframe(1), has_arguments=False)

    def decorate(function: F) -> F:
        return _deflowed(function, names, sys._getframe(1), has_arguments=True)

    return decorate


flow_codes[id(deflow.__code__)] = Verdict.DEFLOW


def _deflowed(
    function: F, also: tuple[str, ...], caller: types.FrameType, *, has_arguments: bool
) -> F:
    if not isinstance(function, types.FunctionType) or function.__code__.co_name == "<lambda>":
        raise CompileError(_not_a_function(function))
    _make_flow(function, caller, has_arguments)
    for name in also:
        registry.keep_former_name(name, registry.flow_of(function))
    return as_given(function)  # type: ignore[return-value]


def as_given(function: types.FunctionType) -> Callable[..., Any]:
    """Return what an author gets for the function of a flow, and let it be known for what it is."""
    made = as_called(function)
    if isinstance(made, types.FunctionType) and made is not function:
        generator_verdicts[made] = partial(_verdict_of_generator, function)
    return made


def _verdict_of_generator(function: types.FunctionType) -> Verdict:
    """Return what calling a generator flow does, by its points: it may suspend inside, or not."""
    body = body_of(function.__code__)
    try:
        is_inside = body is not None and body.flow.fresh.has_calls
    except CompileError:  # its written module is half loaded
        return Verdict.MAY
    return Verdict.GENERATES if is_inside else Verdict.NEVER


def _make_flow(function: types.FunctionType, caller: types.FrameType, has_arguments: bool) -> None:
    code = function.__code__
    body = body_of(code)
    if body is not None:
        body.flow.functions.add(function)
        return
    flow = registry.flow_made_of(code)
    if flow is None:
        check_given(function, caller, has_arguments=has_arguments)
        with making():
            flow = registry.flow_made_of(code) or _new_flow(function)
    registry.register(flow, is_of_main=is_main(function.__module__))
    run_as(function, flow)


def _new_flow(function: types.FunctionType) -> Flow:
    if not keeps_columns():
        # Before anything is compiled: what is cached would serve those who could use it no more.
        raise CompileError(f"cannot make {function.__qualname__} a flow: {NEEDS_COLUMNS}")
    name = f"{import_name(function.__module__, function.__globals__)}:{function.__qualname__}"
    flow = compiled_flow(function, name)
    registry.add(flow)
    return flow


def compiled_flow(function: types.FunctionType, name: str) -> Flow:
    """Compile a function as a flow of a name, which nobody finds yet.

    Raises:
        CompileError: it cannot be compiled.
    """
    loader = loader_of(function)
    _check_cells(function, loader.fresh.code)
    flow = Flow(name, loader, function.__globals__, function.__code__)
    flow.globals.setdefault(RUNTIME, rt)
    return flow


def run_as(function: types.FunctionType, flow: Flow) -> None:
    """Let a function run as a flow does, and trust its module."""
    own(import_name(function.__module__, function.__globals__))
    flow.functions.add(function)
    function.__code__ = flow.fresh.code


def _check_cells(function: types.FunctionType, fresh: types.CodeType) -> None:
    """Make sure of what the runtime builds on: that both codes have the same cells."""
    if fresh.co_freevars != function.__code__.co_freevars:
        raise CompileError(
            f"internal error: {function.__qualname__} was compiled with the free names "
            f"{fresh.co_freevars} instead of {function.__code__.co_freevars} "
            "(please report it with this file)"
        )


def _not_a_function(value: object) -> str:
    if isinstance(value, staticmethod | classmethod):
        kind = type(value).__name__
        return f"@deflow was put on a {kind} (write @{kind} above @deflow, not below it)"
    if isinstance(value, type):
        return f"@deflow was put on the class {value.__qualname__} (put it on its methods)"
    if isinstance(value, types.FunctionType):
        code = value.__code__
        return (
            f"the lambda at {code.co_filename}:{code.co_firstlineno} cannot be a flow "
            "(write it as a def, with @deflow above it)"
        )
    return f"@deflow was put on {value!r}, which is no plain function (put it nearest to the def)"
