"""The functions made inside flows, as the codec stores them: by flow, version and place.

`longterm._wiring` makes it the codec's table of code.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

from longterm._flows.flow import Flow, body_of, flow_named, known_bodies
from longterm._flows.imports import imports_of
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
        return _code_inside(flow, *name), flow.globals

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
    inner = flow.fresh.inner
    number_and_name, digest = place.split(":")[:2], place.split(":")[2:]
    if flow.is_of_version(version, name):
        if not place or place in inner:
            return inner[place] if place else flow.fresh.code
        # What longterm 0.1 stored has no digest, and another release may come to another one.
        alike = [code for known, code in inner.items() if known.split(":")[:2] == number_and_name]
        if not alike:
            raise LookupError(place)
    else:
        # There it may stand in another place.
        what = [*number_and_name[1:], *digest]
        alike = [code for known, code in inner.items() if digest and known.split(":")[1:] == what]
        if not alike:
            raise FlowChanged(name, version, flow.version)
    return alike[0]
