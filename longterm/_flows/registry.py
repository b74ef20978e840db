"""The flows that this process knows, by their names and by their functions.

A flow is found by its own name, by one that it had before, or by one that a module keeps it under;
one inside another flow is made where it has not been called here yet. The code of earlier versions
that is kept as files (`frozen`) stands beside, and no run begins in it.
"""

from __future__ import annotations

import sys
import types

from longterm._abi import WRITTEN
from longterm._flows.decorated import wrapped_flow
from longterm._flows.flow import Body, Flow, StepFlow, add_body, body_of, making
from longterm._flows.former_names import former_names, keep_former, name_now, take_own
from longterm._flows.kept_names import flow_kept_as, kept_names
from longterm._flows.resolve import function_behind
from longterm._flows.step_calls import Step
from longterm._flows.steps import DECLARED, step_behind
from longterm._main import import_name, is_main
from longterm.errors import CompileError, NotAFlow, UnknownFlow

_flows: dict[str, Flow] = {}
_frozen: dict[tuple[str, str], Flow] = {}
"""The old code that is kept as files, by name and version; none is among `_flows`."""
_by_original: dict[int, Flow] = {}
_provisional: list[Flow] = []
"""Those that were compiled while what they import was being imported itself."""


def add(flow: Flow) -> None:
    """Take in a flow that was compiled."""
    add_body(Body(flow, flow.fresh.code))
    _by_original[id(flow.original)] = flow
    if flow.loader.is_provisional:
        _provisional.append(flow)


def flow_made_of(code: types.CodeType) -> Flow | None:
    """Return the flow that was made of an author's code, or None."""
    return _by_original.get(id(code))


def register(flow: Flow, *, is_of_main: bool) -> None:
    """Let a flow be found by its name.

    Raises:
        CompileError: another flow says that it had the name before.
    """
    take_own(flow.name)
    known = _flows.get(flow.name)
    # What was imported by the name counts, and not its twin that runs as the main module.
    if known is None or not is_of_main or is_main(known.globals["__name__"]):
        _flows[flow.name] = flow


def keep_former_name(former: object, flow: Flow) -> None:
    """Note that a flow had another name before.

    Raises:
        CompileError: the former name is none, or another flow's.
    """
    keep_former(former, flow.name, _flows)


def keep_frozen(flow: Flow, version: str) -> None:
    """Take in the old code of a flow.

    Raises:
        CompileError: it is of another version, or another file keeps that already.
    """
    key = flow.name, version
    known = _frozen.get(key)
    if known is not None and place_of(known) != place_of(flow):
        raise CompileError(
            f"{flow.name}@{version} stands in two files: {place_of(known)} and {place_of(flow)} "
            "(delete one of them)"
        )
    add_body(Body(flow, flow.fresh.code))
    if flow.loader.is_provisional:
        _provisional.append(flow)
    # What is known of a written flow stands at the end of its module: that is looked at later.
    elif WRITTEN not in flow.globals:
        _check_version(flow, version)
    _frozen[key] = flow


def _settle() -> None:
    """Look again at the flows whose imports were half loaded when they were compiled.

    Modules that import each other are loaded in an order of chance, and what a flow means must not
    depend on it. So what counts is what they hold when they are whole; no run has begun by then.

    Raises:
        CompileError: such a flow cannot be compiled.
    """
    with making():
        for flow in [flow for flow in _provisional if not flow.loader.is_provisional]:
            loader = flow.loader.renewed()
            _provisional.remove(flow)
            if loader is not flow.loader:
                _replace(flow, Flow(flow.name, loader, flow.globals, flow.original))


def _replace(old: Flow, new: Flow) -> None:
    add_body(Body(new, new.fresh.code))
    if _by_original.get(id(old.original)) is old:
        _by_original[id(old.original)] = new
    if _flows.get(old.name) is old:
        _flows[old.name] = new
    _frozen.update({key: new for key, flow in _frozen.items() if flow is old})
    for function in list(old.functions):
        new.functions.add(function)
        function.__code__ = new.fresh.code


def frozen_flow(name: str, version: str) -> Flow | None:
    """Return the old code of a flow that is kept as a file, if a version is.

    Raises:
        CompileError: the file says so, and holds another version.
    """
    flow = _frozen.get((name, version)) if _frozen else None
    if flow is not None:
        _check_version(flow, version)
    return flow


def is_frozen(name: str, version: str) -> bool:
    """Tell whether a file says that it keeps a version of a flow."""
    return (name, version) in _frozen


def frozen_flows() -> list[Flow]:
    """Return the old code of flows that is kept as files."""
    return [flow for _, flow in sorted(_frozen.items())]


def place_of(flow: Flow) -> str:
    """Return where the code of a flow stands: `frozen/sell_3f2a9c04.py:12`."""
    return f"{flow.original.co_filename}:{flow.original.co_firstlineno}"


def _check_version(flow: Flow, version: str) -> None:
    if flow.version != version:
        name = f"{flow.name}@{version}"
        raise CompileError(
            f"{flow.original.co_qualname} at {place_of(flow)} is not {name}, but version "
            f"{flow.version} (write the file anew: `longterm freeze {name} --output "
            f"{flow.original.co_filename} --force`)"
        )


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

    Where it is gone, it is the old code that is kept as a file.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    flow = _flows.get(name)
    if flow is not None and not _provisional:
        return flow  # most often, and each frame of a stack comes by here
    try:
        return flow_of_today(name)
    except UnknownFlow:
        kept = [flow for flow in frozen_flows() if flow.name == name]
        if not kept:
            raise
    return kept[0]


def flow_of_today(name: str) -> Flow:
    """Return the flow of a name in which new runs begin.

    Raises:
        UnknownFlow: this process has none, or only the code of earlier versions.
    """
    if _provisional:
        _settle()
    flow = _flow_called(name) or _inner_flow(name)
    if flow is None:
        raise UnknownFlow(name, is_imported=name.partition(":")[0] in sys.modules)
    return flow


def flow_at(name: str, version: str) -> Flow:
    """Return the flow whose code a frame is of: that of today, unless only a file has the version.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    flow = flow_named(name)
    if flow.is_of_version(version, name):
        return flow
    return frozen_flow(name, version) or flow


def _flow_called(name: str) -> Flow | None:
    """Return the flow of a module that has a name, had it before, or is kept under it."""
    return _flows.get(name) or _flows.get(name_now(name)) or _kept_flow(name)


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
    """Return the flows that this process knows, without the old code of any."""
    _settle()
    return list(_by_original.values())


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
    with making():
        return _flows.get(own_name) or _make_inner_flow(own_name, outer)


def _make_inner_flow(name: str, outer: Flow) -> Flow | None:
    loader = outer.loader.inner(name.partition(":")[2])
    if loader is None:
        return None
    flow = Flow(name, loader, outer.globals, loader.fresh.code)
    add_body(Body(flow, flow.fresh.code))
    return _flows.setdefault(name, flow)
