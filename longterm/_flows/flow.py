"""`@deflow`, and the flows that this process knows.

`deflow` gives the author's function new code, its *fresh body*, and changes nothing else: it is
the same function object, with its name, signature, documentation and source.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, overload
from weakref import WeakSet

from longterm._abi import NEEDS_COLUMNS, RUNTIME, WRITTEN, keeps_columns
from longterm._abi.inner_code import nested_codes
from longterm._abi.verdict import Verdict
from longterm._codec.trust import own
from longterm._flows import primitives as ops
from longterm._flows import rt
from longterm._flows.compiled import FreshCode, ResumeCode
from longterm._flows.decorated import check_given, wrapped_flow
from longterm._flows.former_names import former_names, keep_former, name_now, take_own
from longterm._flows.kept_names import flow_kept_as, kept_names
from longterm._flows.loader import Loader, loader_of
from longterm._flows.resolve import flow_codes, function_behind
from longterm._flows.step_calls import Step
from longterm._flows.steps import DECLARED, STEP_CODES, step, step_behind
from longterm._fork import at_fork
from longterm._main import import_name, is_main
from longterm.errors import CompileError, NotAFlow, UnknownFlow

F = TypeVar("F", bound=Callable[..., Any])
_NOTHING: Final = object()
"""Stands where no function is given."""
IS_COROUTINE: Final = 0x80
"""The flag of code that makes a coroutine (`inspect` has it too, and takes long to import)."""


class Flow:
    """A flow of this process: its name, its compiled code, and the module it lives in."""

    def __init__(
        self, name: str, loader: Loader, namespace: dict[str, Any], original: types.CodeType
    ) -> None:
        """Take the flow by the name that stores know it by, `module:qualname`."""
        self.name = name
        self.loader = loader
        self.fresh: FreshCode = loader.fresh
        """The fresh body, and what is known of the points."""
        self.is_async = bool(self.fresh.code.co_flags & IS_COROUTINE)
        """Whether the flow is an `async def`."""
        self.globals = namespace
        self.original = original
        """The author's own code, uncompiled."""
        self.functions: WeakSet[types.FunctionType] = WeakSet()
        """The functions that run it: one for a module's function, one a call for an inner one."""
        self._resumes: dict[tuple[int, tuple[str, ...]], ResumeCode] = {}
        self._versions: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<flow {self.name}>"

    @cached_property
    def version(self) -> str:
        """The digest of what the flow means."""
        return self.fresh.version

    def version_as(self, name: str) -> str:
        """Return the version that the flow would have, were its `def` of this name.

        So a flow that was renamed takes the frames that were saved before.
        """
        if name == self.fresh.code.co_name:
            return self.version
        if name not in self._versions:
            self._versions[name] = self.loader.version_as(name)
        return self._versions[name]

    def is_of_version(self, version: str, name: str) -> bool:
        """Tell whether code that was saved under a name, in a version, is what the flow is now."""
        if version == self.version:
            return True
        return name != self.name and self.version_as(_last_name(name)) == version

    def names_inside(self, name: str) -> Iterator[str]:
        """Yield the names of all functions inside, by a name of the flow: flows may be among them.

        Such a flow can be made before it has run here.
        """
        for code in nested_codes(self.original):
            yield name + code.co_qualname.removeprefix(self.original.co_qualname)

    def resume(self, point: int, unbound: tuple[str, ...] = ()) -> ResumeCode:
        """Return the code that finishes the flow from a point on."""
        key = (point, unbound)
        known = self._resumes.get(key)
        return self._make_resume(key) if known is None else known

    def _make_resume(self, key: tuple[int, tuple[str, ...]]) -> ResumeCode:
        with _making:
            known = self._resumes.get(key)
            if known is None:
                known = self.loader.resume(*key)
                _add_body(Body(self, known.code, key[0], known))
                self._resumes[key] = known
            return known


class StepFlow(Flow):
    """A step that is run as a flow: a run of its own, such as a child."""

    def __init__(self, step: Step) -> None:
        """Take a step, which has no resume points: what a run of it needs is its name."""
        self.name, self.is_async = step.name, step.is_async
        self.functions = WeakSet([step.call] if isinstance(step.call, types.FunctionType) else [])
        vars(self)["version"] = ""  # it is the step of today, whatever it was

    def names_inside(self, name: str) -> Iterator[str]:
        """Yield nothing."""
        return iter(())


def _last_name(name: str) -> str:
    return name.rpartition(":")[2].rpartition(".")[2]


@dataclass(slots=True, eq=False, repr=False)
class Body:
    """One code object of a flow: the fresh body, or the resume body of a point."""

    flow: Flow
    code: types.CodeType
    point: int | None = None
    resume: ResumeCode | None = None

    @property
    def inner(self) -> dict[str, types.CodeType]:
        """The code of the functions inside this body, by their places."""
        return self.flow.fresh.inner if self.resume is None else self.resume.inner

    @property
    def cells(self) -> tuple[str, ...]:
        """The captured names, in the order in which a frame of this body keeps their cells."""
        return self.flow.fresh.shared if self.resume is None else self.resume.cells


_flows: dict[str, Flow] = {}
_bodies: dict[int, Body] = {}
_frozen: dict[tuple[str, str], Flow] = {}
"""The old code that is kept as files, by name and version; none is among `_flows`."""
_by_original: dict[int, Flow] = {}
_provisional: list[Flow] = []
"""Those that were compiled while what they import was being imported itself."""

_making = threading.RLock()
"""Held by the thread that makes a flow or a body. What others can find is whole, and all of them
run the same code."""

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


def make_frozen(function: types.FunctionType, name: str, version: str) -> None:
    """Make a function the code of a flow in an old version, for the runs that were saved in it.

    Args:
        function: the function; its decorator is called by its module.
        name: the flow, as `module:qualname`.
        version: the version, in full.

    Raises:
        CompileError: it cannot be compiled, or is of another version.
    """
    check_given(function, sys._getframe(2), has_arguments=True)
    with _making:
        flow = _compiled_flow(function, name)
        # What is known of a written flow stands at the end of its module; `frozen_flow` compares.
        is_whole = WRITTEN not in function.__globals__ and not flow.loader.is_provisional
        if is_whole and flow.version != version:
            path = function.__code__.co_filename
            raise CompileError(
                f"{function.__qualname__} at {path}:{function.__code__.co_firstlineno} is not "
                f"{name}@{version}, but version {flow.version} (write the file anew: `longterm "
                f"freeze {name}@{version} --output {path} --force`)"
            )
        _with_body(flow)
        _frozen[name, version] = flow
    own(import_name(function.__module__, function.__globals__))
    flow.functions.add(function)
    function.__code__ = flow.fresh.code


def frozen_flow(name: str, version: str) -> Flow | None:
    """Return the old code of a flow that is kept as a file, if a version is."""
    if not _frozen:
        return None
    flow = _frozen.get((name, version))
    return flow if flow is not None and flow.version == version else None


def frozen_flows() -> list[Flow]:
    """Return the old code of flows that is kept as files."""
    return [flow for _, flow in sorted(_frozen.items())]


def flow_at(name: str, version: str) -> Flow:
    """Return the flow whose code a frame is of: that of today, unless only a file has the version.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    flow = flow_named(name)
    if flow.is_of_version(version, name):
        return flow
    return frozen_flow(name, version) or flow


def _deflowed(
    function: F, also: tuple[str, ...], caller: types.FrameType, *, has_arguments: bool
) -> F:
    if not isinstance(function, types.FunctionType) or function.__code__.co_name == "<lambda>":
        raise CompileError(_not_a_function(function))
    _make_flow(function, caller, has_arguments)
    for name in also:
        keep_former(name, _bodies[id(function.__code__)].flow.name, _flows)
    return function  # pyright: ignore[reportReturnType] - it is still the author's own function


def _make_flow(function: types.FunctionType, caller: types.FrameType, has_arguments: bool) -> None:
    code = function.__code__
    body = _bodies.get(id(code))
    if body is not None:
        body.flow.functions.add(function)
        return
    flow = _by_original.get(id(code))
    if flow is None:
        check_given(function, caller, has_arguments=has_arguments)
        with _making:
            flow = _by_original.get(id(code)) or _add_flow(function)
    own(flow.name.partition(":")[0])
    _register(flow, function)
    flow.functions.add(function)
    function.__code__ = flow.fresh.code


def _register(flow: Flow, function: types.FunctionType) -> None:
    """Let a flow be found by its name.

    Raises:
        CompileError: another flow says that it had the name before.
    """
    take_own(flow.name)
    known = _flows.get(flow.name)
    # What was imported by the name counts, and not its twin that runs as the main module.
    if known is None or not is_main(function.__module__) or is_main(known.globals["__name__"]):
        _flows[flow.name] = flow


def _add_flow(function: types.FunctionType) -> Flow:
    if not keeps_columns():
        # Before anything is compiled: what is cached would serve those who could use it no more.
        raise CompileError(f"cannot make {function.__qualname__} a flow: {NEEDS_COLUMNS}")
    name = f"{import_name(function.__module__, function.__globals__)}:{function.__qualname__}"
    return _with_body(_compiled_flow(function, name))


def _compiled_flow(function: types.FunctionType, name: str) -> Flow:
    loader = loader_of(function)
    _check_cells(function, loader.fresh.code)
    flow = Flow(name, loader, function.__globals__, function.__code__)
    flow.globals.setdefault(RUNTIME, rt)
    if loader.is_provisional:
        _provisional.append(flow)
    return flow


def _with_body(flow: Flow) -> Flow:
    _add_body(Body(flow, flow.fresh.code))
    _by_original[id(flow.original)] = flow
    return flow


def _settle() -> None:
    """Look again at the flows whose imports were half loaded when they were compiled.

    Modules that import each other are loaded in an order of chance, and what a flow means must not
    depend on it. So what counts is what they hold when they are whole; no run has begun by then.

    Raises:
        CompileError: such a flow cannot be compiled.
    """
    with _making:
        for flow in [flow for flow in _provisional if not flow.loader.is_provisional]:
            loader = flow.loader.renewed()
            _provisional.remove(flow)
            if loader is not flow.loader:
                _replace(flow, Flow(flow.name, loader, flow.globals, flow.original))


def _replace(old: Flow, new: Flow) -> None:
    _with_body(new)
    if _flows.get(old.name) is old:
        _flows[old.name] = new
    _frozen.update({key: new for key, flow in _frozen.items() if flow is old})
    for function in list(old.functions):
        new.functions.add(function)
        function.__code__ = new.fresh.code


def _add_body(body: Body) -> None:
    _bodies[id(body.code)] = body
    flow_codes[id(body.code)] = Verdict.SUSPENDS


def body_of(code: types.CodeType) -> Body | None:
    """Return the body of a flow that this code object is, or None."""
    return _bodies.get(id(code))


def flow_of(value: object) -> Flow:
    """Return the flow that calling a value runs: of a function, a method or a partial of one.

    Raises:
        NotAFlow: it is none.
    """
    if _provisional:
        _settle()
    flow = _made_flow(function_behind(value))
    if flow is None:
        raise NotAFlow(value, made_of(value))
    return flow


def made_of(value: object) -> str | None:
    """Return the name of the flow that a decorator above `@deflow` made a value of."""
    wrapped = wrapped_flow(value)
    if wrapped is not None:
        return wrapped.__qualname__
    # One that compiles the function anew, as typeguard's does, keeps no trace of it but its name.
    module, qualname = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
    return qualname if f"{import_name(module)}:{qualname}" in _flows else None


def flow_named(name: str) -> Flow:
    """Return the flow of a name: its own name, or one that it is kept under.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    if _provisional:
        _settle()
    flow = _flow_called(name) or _inner_flow(name) or _only_frozen(name)
    if flow is None:
        raise UnknownFlow(name, is_imported=name.partition(":")[0] in sys.modules)
    return flow


def _flow_called(name: str) -> Flow | None:
    """Return the flow of a module that has a name, had it before, or is kept under it."""
    return _flows.get(name) or _flows.get(name_now(name)) or _kept_flow(name)


def flow_of_today(name: str) -> Flow:
    """Return the flow of a name, in which new runs begin.

    Raises:
        UnknownFlow: this process has none, or only the code of earlier versions.
    """
    flow = flow_named(name)
    if _is_frozen(flow):
        raise UnknownFlow(name, is_imported=name.partition(":")[0] in sys.modules)
    return flow


def _is_frozen(flow: Flow) -> bool:
    return bool(_frozen) and _frozen.get((flow.name, flow.version)) is flow


def _only_frozen(name: str) -> Flow | None:
    """Return the old code of a flow that is here in no other version."""
    return next((flow for flow in frozen_flows() if flow.name == name), None)


def other_names_of(flow: Flow) -> list[str]:
    """Return the names under which runs may know a flow besides its own."""
    return [name for name, found in _other_names().items() if found is flow and name != flow.name]


def is_called(flow: Flow, name: str) -> bool:
    """Tell whether a name is a flow's, or one under which runs may know it."""
    return name == flow.name or _flow_called(name) is flow


def _other_names() -> dict[str, Flow]:
    before = {name: _flows[now] for name, now in former_names() if now in _flows}
    return {**_kept_flows(), **before}


def known_flows() -> list[Flow]:
    """Return the flows that this process knows, as they are today."""
    _settle()
    return [flow for flow in _by_original.values() if not _is_frozen(flow)]


def known_names() -> set[str]:
    """Return the names of the flows whose runs can go on in this process now."""
    found = {**{flow.name: flow for flow in frozen_flows()}, **_other_names(), **_flows}
    names = {*found, *DECLARED}
    for name, flow in found.items():
        names.update(flow.names_inside(name))
    return names


def _kept_flows() -> dict[str, Flow]:
    """Return the flows by the names that they are kept under, as far as modules hold them."""
    global _kept
    loaded = (len(_by_original), len(DECLARED), len(sys.modules))
    if _kept[0] != loaded:  # to go over all modules takes long
        kept = ((name, _made_flow(function)) for name, function in kept_names())
        _kept = loaded, {name: flow for name, flow in kept if flow is not None}
    return _kept[1]


_kept: tuple[tuple[int, int, int], dict[str, Flow]] = ((0, 0, 0), {})
"""What was found last, and how many flows, steps and modules there were then."""


def known_bodies() -> list[Body]:
    """Return the bodies that were compiled in this process."""
    return list(_bodies.values())


def _made_flow(function: types.FunctionType | None) -> Flow | None:
    body = None if function is None else body_of(function.__code__)
    if body is not None:
        return body.flow
    step = step_behind(function)
    return None if step is None else _flow_of_step(step)


def _flow_of_step(step: Step) -> Flow | None:
    """Return a step as a flow; None if no other process finds it by its name."""
    known = _of_steps.get(id(step))
    if known is None and step.is_found_by_name():
        known = _of_steps[id(step)] = StepFlow(step)
    return known


_of_steps: dict[int, StepFlow] = {}
"""The flows of steps by the identity of the step, which modules keep."""


def _kept_flow(name: str) -> Flow | None:
    """Return the flow that the application keeps under another name than its own."""
    return _made_flow(flow_kept_as(name))


def _inner_flow(name: str) -> Flow | None:
    """Return a flow that is defined inside another one; it is made if that has not run here yet."""
    outer_name, inside, rest = name.partition(".<locals>.")
    outer = _flow_called(outer_name) if inside else None
    if outer is None:
        return None
    own_name = f"{outer.name}{inside}{rest}"
    with _making:
        return _flows.get(own_name) or _make_inner_flow(own_name, outer)


def _make_inner_flow(name: str, outer: Flow) -> Flow | None:
    loader = outer.loader.inner(name.partition(":")[2])
    if loader is None:
        return None
    flow = Flow(name, loader, outer.globals, loader.fresh.code)
    _add_body(Body(flow, flow.fresh.code))
    return _flows.setdefault(name, flow)


def _check_cells(function: types.FunctionType, fresh: types.CodeType) -> None:
    """Make sure of what the runtime builds on: that both codes have the same cells."""
    if fresh.co_freevars != function.__code__.co_freevars:
        raise CompileError(
            f"internal error: {function.__qualname__} was compiled with the free names "
            f"{fresh.co_freevars} instead of {function.__code__.co_freevars} "
            "(please report it with this file)"
        )


def _after_fork_in_child() -> None:
    global _making
    _making = threading.RLock()  # the thread that held it is the parent's


at_fork(after_in_child=_after_fork_in_child)


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
