"""The functions made inside flows, as the codec stores them: by flow, version and place.

`longterm._wiring` makes it the codec's table of code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final

from longterm._flows.flow import Flow, body_of, known_bodies
from longterm._flows.generator_functions import as_called, function_of
from longterm._flows.imports import imports_of
from longterm._flows.registry import flow_named, frozen_flow
from longterm.errors import FlowChanged

_names: dict[int, tuple[str, str, str]] = {}
"""Names by the identity of a code object; the bodies that own the code keep it alive."""
_scanned: set[int] = set()


class FlowCode:
    """Names the code inside this process's flows, and finds it again."""

    def name_of(self, code: CodeType) -> tuple[str, str, str] | None:
        """Return flow, version and place of an inner function's code, or None if it is no flow's.

        The place of an inner flow's own code is the empty string. A flow at the top of a module is
        found by its importable name, like any function there.
        """
        body = body_of(code)
        if body is not None:
            flow = body.flow
            return (flow.name, flow.version, "") if ".<locals>." in flow.name else None
        if id(code) not in _names:
            self._scan()
        return _names.get(id(code))

    def find(self, name: tuple[str, str, str]) -> tuple[CodeType, dict[str, Any]]:
        """Return the code of a name, and the globals it runs with.

        Raises:
            UnknownFlow: this process has no such flow.
            FlowChanged: the flow is of another version, and nothing inside it does the same.
        """
        flow = flow_named(name[0])
        try:
            return _code_inside(flow, *name), flow.globals
        except FlowChanged:
            frozen = frozen_flow(name[0], name[1])
            if frozen is None:
                raise
        return _code_inside(frozen, *name), frozen.globals

    def function_of(self, made: FunctionType) -> FunctionType:
        """Return the function that has the code of a flow for what its author has got for it."""
        return function_of(made)

    def as_called(self, function: FunctionType) -> FunctionType:
        """Return what an author gets for a function: of a generator, what makes such that can be
        stored.
        """
        return as_called(function) if body_of(function.__code__) is not None else function

    def imports(self, flow: str) -> Mapping[str, frozenset[str]]:
        """Return the modules that a flow imports, by local name.

        Raises:
            UnknownFlow: this process has no such flow.
        """
        known = flow_named(flow)
        return imports_of(known.original, known.globals.get("__package__") or "")

    def _scan(self) -> None:
        """Name the inner functions of the bodies that were compiled since the last time."""
        for body in known_bodies():
            if id(body.code) in _scanned:
                continue
            _scanned.add(id(body.code))
            flow = body.flow
            for place, inner in body.inner.items():
                _names[id(inner)] = (flow.name, flow.version, place)


def _code_inside(flow: Flow, name: str, version: str, place: str) -> CodeType:
    """Return the code of a flow, or of a function inside it that does what its digest says.

    Raises:
        FlowChanged: the flow is of another version, and nothing inside it does the same.
        LookupError: it has no such place.
    """
    if flow.is_of_version(version, name):
        if not place:
            return flow.fresh.code
        if place in flow.fresh.inner:
            return flow.fresh.inner[place]
        # What longterm 0.1 stored has no digest, and another release may come to another one.
        number_and_name = place.split(":")[:2]
        for wanted in (place.split(":"), number_and_name):
            for known, code in _functions_inside(flow):
                if known.split(":")[: len(wanted)] == wanted:
                    return code
        raise LookupError(place)
    # There it may stand in another place.
    _, *name_and_digest = place.split(":")
    for known, code in _functions_inside(flow):
        if len(name_and_digest) == _WITH_DIGEST and known.split(":")[1:] == name_and_digest:
            return code
    raise FlowChanged(name, version, flow.version)


_WITH_DIGEST: Final = 2
"""How many parts a place has after its number, if there is a digest."""


def _functions_inside(flow: Flow) -> Iterator[tuple[str, CodeType]]:
    """Yield the functions inside a flow, each with its place; some come again and again.

    CPython leaves what no fresh run can get to out of the code, as what follows a `return`. A run
    of an earlier version may be there, so the resume bodies are looked through as well.
    """
    yield from flow.fresh.inner.items()
    for number in flow.fresh.by_number:
        yield from flow.resume(number).inner.items()
