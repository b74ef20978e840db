"""`@deflow`, and the flows that this process knows. The one place that reaches the compiler.

`deflow` gives the author's function new code, its *fresh body*, and changes nothing else: it is
the same function object, with its name, signature, documentation and source.
"""

from __future__ import annotations

import inspect
import linecache
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from longterm import rt
from longterm._abi import RUNTIME
from longterm.errors import CompileError, FlowChanged, NotAFlow, UnknownFlow

if TYPE_CHECKING:
    from longterm_compiler import CompiledFlow, SourceFile, Verdict

F = TypeVar("F", bound=Callable[..., Any])
_FUTURE_FLAGS = 0x1FF0000  # the bits of co_flags that `from __future__` imports set


@dataclass(eq=False)
class Flow:
    """A flow of this process: its name, its compiled code, and the module it lives in."""

    name: str
    """The flow as stores know it, `module:qualname`."""
    compiled: CompiledFlow
    globals: dict[str, Any] = field(repr=False)
    original: types.CodeType
    """The author's own code, uncompiled."""
    functions: WeakSet[types.FunctionType] = field(default_factory=WeakSet, repr=False)
    """The functions that run the flow: one for a module's function, one a call for an inner one."""

    @property
    def version(self) -> str:
        """The digest of what the flow means."""
        return self.compiled.version

    @property
    def is_async(self) -> bool:
        """Whether the flow is an `async def`."""
        return bool(self.compiled.code.co_flags & inspect.CO_COROUTINE)

    def resume_body(self, point: int, unbound: tuple[str, ...] = ()) -> Body:
        """Return the code that finishes the flow from a point on."""
        key = (point, unbound)
        if key not in self._resume_bodies:
            code = self.compiled.resume_code(point, unbound)
            self._resume_bodies[key] = _bodies[id(code)] = Body(self, code, point)
        return self._resume_bodies[key]

    _resume_bodies: dict[tuple[int, tuple[str, ...]], Body] = field(
        default_factory=dict, repr=False
    )


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One code object of a flow: the fresh body, or the resume body of a point."""

    flow: Flow
    code: types.CodeType
    point: int | None = None


_flows: dict[str, Flow] = {}
_bodies: dict[int, Body] = {}
_by_original: dict[int, Flow] = {}
_sources: dict[str, SourceFile] = {}


def deflow(function: F) -> F:
    """Make a function a flow: it may suspend for days or months and go on in any process.

    The function stays an ordinary one: called outside of a run it runs at native speed, and fails
    only if it comes to suspend.

    Raises:
        CompileError: the function holds what cannot be suspended, or is no plain function; the
            message shows each place, the cause and the remedy.
    """
    if not isinstance(function, types.FunctionType):
        raise CompileError(_not_a_function(function))
    code = function.__code__
    if id(code) in _bodies:
        return function
    flow = _by_original.get(id(code))
    if flow is None:
        flow = _compile(function)
        _by_original[id(code)] = flow
        _bodies[id(flow.compiled.code)] = Body(flow, flow.compiled.code)
    _flows[flow.name] = flow
    flow.globals.setdefault(RUNTIME, rt)
    flow.functions.add(function)
    function.__code__ = flow.compiled.code
    return function


def body_of(code: types.CodeType) -> Body | None:
    """Return the body of a flow that this code object is, or None."""
    return _bodies.get(id(code))


def flow_of(value: object) -> Flow:
    """Return the flow that calling a value runs: of a function, a method or a partial of one.

    Raises:
        NotAFlow: it is none.
    """
    function = function_behind(value)
    body = None if function is None else body_of(function.__code__)
    if body is None:
        raise NotAFlow(value)
    return body.flow


def function_behind(value: object) -> types.FunctionType | None:
    """Return the plain function that calling a value calls first, if there is nothing in between."""
    while not isinstance(value, types.FunctionType):
        if isinstance(value, types.MethodType | staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, partial):
            value = value.func
        elif isinstance(value, type):
            return None
        else:
            value = next(
                (base.__dict__["__call__"] for base in type(value).__mro__ if "__call__" in base.__dict__),
                None,
            )
            if not isinstance(value, types.FunctionType):
                return None
    return value


def flow_named(name: str, version: str | None = None) -> Flow:
    """Return the flow of a name, at a version.

    Raises:
        UnknownFlow: this process has no flow of the name.
        FlowChanged: it has one of another version.
    """
    flow = _flows.get(name) or _inner_flow(name)
    if flow is None:
        raise UnknownFlow(name)
    if version is not None and flow.version != version:
        raise FlowChanged(name, version, flow.version)
    return flow


def known_flows() -> list[Flow]:
    """Return the flows that this process knows."""
    return list(_by_original.values())


def known_bodies() -> list[Body]:
    """Return the bodies that were compiled in this process."""
    return list(_bodies.values())


def _inner_flow(name: str) -> Flow | None:
    """Compile a flow that is defined inside another one, which has not run here yet."""
    module, _, qualname = name.partition(":")
    outer = _flows.get(f"{module}:{qualname.partition('.<locals>.')[0]}")
    if outer is None or ".<locals>." not in qualname:
        return None
    from longterm_compiler import compile_flow

    names = outer.compiled.names
    definition = names.source.find_qualname(qualname)
    if definition is None or not names.is_flow(definition.node):
        return None
    compiled = compile_flow(definition, names, outer.compiled.flags)
    flow = Flow(name, compiled, outer.globals, compiled.code)
    _bodies[id(compiled.code)] = Body(flow, compiled.code)
    _flows[name] = flow
    return flow


def _compile(function: types.FunctionType) -> Flow:
    from longterm_compiler import ModuleNames, compile_flow

    code = function.__code__
    source = _source(function)
    definition = source.find(code.co_name, code.co_firstlineno)
    if definition is None:
        raise CompileError(
            f"cannot make {function.__qualname__} a flow: {code.co_filename}:{code.co_firstlineno} "
            f"does not hold a function {code.co_name} (the file has changed since it was imported: "
            "start the process again)"
        )
    module = function.__module__
    names = ModuleNames(source, module, function.__globals__.get("__package__") or "", resolve_live)
    compiled = compile_flow(definition, names, code.co_flags & _FUTURE_FLAGS)
    _check(function, compiled)
    return Flow(f"{module}:{function.__qualname__}", compiled, function.__globals__, code)


def _check(function: types.FunctionType, compiled: CompiledFlow) -> None:
    """Make sure of what the runtime builds on: the same cells, and columns in code objects."""
    fresh = compiled.code
    if fresh.co_freevars != function.__code__.co_freevars:
        raise CompileError(
            f"internal error: {function.__qualname__} was compiled with the free names "
            f"{fresh.co_freevars} instead of {function.__code__.co_freevars} "
            "(please report it with this file)"
        )
    if all(column is None for *_, column in fresh.co_positions()):
        raise CompileError(
            f"cannot make {function.__qualname__} a flow: Python runs without columns in code "
            "objects, by which a suspended call is found (unset PYTHONNODEBUGRANGES, and start "
            "Python without -X no_debug_ranges)"
        )


def _source(function: types.FunctionType) -> SourceFile:
    from longterm_compiler import SourceFile

    path = function.__code__.co_filename
    linecache.checkcache(path)  # the module may have been edited and imported again
    text = "".join(linecache.getlines(path, function.__globals__))
    if not text:
        raise CompileError(
            f"cannot make {function.__qualname__} a flow: its source is not to be found at {path} "
            "(define flows in a module's file, not by exec or in an interactive shell)"
        )
    known = _sources.get(path)
    if known is None or known.text != text:
        known = _sources[path] = SourceFile.parse(path, text)
    return known


def resolve_live(module: str, path: tuple[str, ...]) -> Verdict:
    """Judge what an imported name stands for, by the modules that are loaded now."""
    from longterm_compiler import Verdict

    value: object = sys.modules.get(module)
    for name in path:
        if isinstance(value, types.ModuleType):
            value = vars(value).get(name)
        elif isinstance(value, type):
            value = next((vars(base)[name] for base in value.__mro__ if name in vars(base)), None)
        else:
            return Verdict.MAY if value is None else Verdict.UNKNOWN
    if value is None:
        return Verdict.MAY
    function = function_behind(value)
    if function is not None:
        known = body_of(function.__code__) is not None or function.__module__ == "longterm.ops"
        return Verdict.SUSPENDS if known and function.__name__ != "respond" else Verdict.NEVER
    if isinstance(value, type | types.BuiltinFunctionType | types.ModuleType):
        return Verdict.NEVER
    return Verdict.MAY


def _not_a_function(value: object) -> str:
    if isinstance(value, staticmethod | classmethod):
        kind = type(value).__name__
        return (
            f"@deflow was put on a {kind} (write @{kind} above @deflow, not below it)"
        )
    if isinstance(value, type):
        return f"@deflow was put on the class {value.__qualname__} (put it on its methods)"
    return f"@deflow was put on {value!r}, which is no plain function (put it nearest to the def)"
