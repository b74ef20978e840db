"""Whether `@deflow` is given the function below it, or what another decorator made of that.

A flow is compiled from its text, so what a decorator below `@deflow` does to the function would be
lost without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType

from longterm._abi.verdict import Verdict
from longterm._flows.places import text_at
from longterm._flows.resolve import flow_codes, function_behind
from longterm.errors import CompileError


def check_given(function: FunctionType, caller: FrameType, *, has_arguments: bool) -> None:
    """Refuse a function that another decorator made.

    Args:
        function: what `deflow` was given.
        caller: the frame that called it: of a decorator, where the function's `def` stands.
        has_arguments: whether that was what `deflow(...)` has returned.

    Raises:
        CompileError: it is not the function of the `def`, or it wraps a flow under its name.
    """
    wrapped = function_behind(getattr(function, "__wrapped__", None))
    if wrapped is not None and _is_flow(wrapped) and _name(wrapped) == _name(function):
        raise CompileError(
            f"the wrapper at {_place(function)} has the name of the flow {wrapped.__qualname__} "
            "that it wraps, so a stored run could not tell them apart (make it a flow that takes "
            "the other one as an argument: `@deflow def retried(flow, *args)`)"
        )
    if not _is_defined_in(function, caller) and _is_decorator(caller, has_arguments):
        raise CompileError(
            f"@deflow at {caller.f_code.co_filename}:{caller.f_lineno} was put on what another "
            f"decorator made of the function below it: {function.__qualname__} at "
            f"{_place(function)} (put @deflow directly above the def, below all other decorators; "
            "one that rewrites the function's code cannot be used on a flow)"
        )


def wrapped_flow(value: object) -> FunctionType | None:
    """Return the flow that a wrapper, made by a decorator, hands its calls on to."""
    function = function_behind(value)
    if function is None:
        function = function_behind(getattr(value, "__wrapped__", None))
        return function if _is_flow(function) else None
    found: list[object] = [getattr(function, "__wrapped__", None)]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # it is empty
            continue
    return next((function for function in map(function_behind, found) if _is_flow(function)), None)


def _is_flow(function: FunctionType | None) -> bool:
    return function is not None and flow_codes.get(id(function.__code__)) is Verdict.SUSPENDS


def _is_defined_in(function: FunctionType, frame: FrameType) -> bool:
    return any(code is function.__code__ for code in _defined_in(frame.f_code))


def _defined_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            if constant.co_name.startswith("<generic parameters of "):
                # A `def` with type parameters stands in a function that makes them (PEP 695).
                yield from _defined_in(constant)


def _is_decorator(frame: FrameType, has_arguments: bool) -> bool:
    """Tell whether a call under way applies a decorator: then its place lacks these arguments."""
    import ast

    text = text_at(frame.f_code, frame.f_lasti, frame.f_globals)
    try:
        found = None if text is None else ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    if has_arguments:
        return isinstance(found, ast.Call) and not isinstance(found.func, ast.Call)
    return found is not None and not isinstance(found, ast.Call)


def _name(function: FunctionType) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _place(function: FunctionType) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
