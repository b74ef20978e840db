"""The names that flows are kept under: `from new import f` in the old module, or `f = new_name`.

A stored frame names its flow by where that stood when the frame was saved. If the application keeps
the name, it leads to the flow still. Names are looked up as the codec does: in the namespaces of a
module that is loaded and of classes, with no code run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from longterm._abi.verdict import Verdict
from longterm._codec import trust
from longterm._codec.introspect import is_a, is_exactly, mro_of, namespace_of, qualname_of
from longterm._codec.names import look_up
from longterm._flows.resolve import flow_codes
from longterm.errors import NotAllowed

_RUN: Final = (Verdict.SUSPENDS, Verdict.STEP, Verdict.ASYNC_STEP)
"""What runs can be of: flows, and steps too."""
_Kept: TypeAlias = tuple[str, FunctionType]
_OfClasses: TypeAlias = dict[int, list[_Kept]]
"""What classes hold, by their identity."""


def flow_kept_as(name: str) -> FunctionType | None:
    """Return the function of the flow that a name, `module:qualname`, leads to, or None."""
    try:
        return _as_flow(look_up(name))
    except NotAllowed:
        return None


def kept_names() -> Iterator[_Kept]:
    """Yield the names under which the modules that are loaded hold flows, and the flows."""
    known: _OfClasses = {}
    # A copy is made in one step. `list` of the items is not: each is a tuple, so that Python 3.11
    # may collect garbage in between, and another thread import a module.
    for module_name, module in sys.modules.copy().items():
        if is_a(module, ModuleType) and trust.origin(module_name) != "standard":
            for path, function in _in_namespace(trust.namespace_of_module(module), "", known):
                yield f"{module_name}:{path}", function


def _in_namespace(namespace: Any, around: str, known: _OfClasses) -> Iterator[_Kept]:
    """Yield the flows of a module, or of a class whose own name is `around`."""
    yield from _flows_in(namespace)
    yield from _inside_classes(namespace, around, known)


def _flows_in(namespace: Any) -> Iterator[_Kept]:
    for name, value in namespace.copy().items():
        function = _as_flow(value)
        if function is not None:
            yield name, function


def _inside_classes(namespace: Any, around: str, known: _OfClasses) -> Iterator[_Kept]:
    for name, value in namespace.copy().items():
        if is_a(value, type) and (not around or qualname_of(value) == f"{around}.{name}"):
            for base in reversed(mro_of(value)):
                for path, inside in _in_class(base, known):
                    yield f"{name}.{path}", inside


def _in_class(cls: type, known: _OfClasses) -> list[_Kept]:
    """Return the flows in the body of a class, which is gone over once: many modules hold it."""
    found = known.get(id(cls))
    if found is None:
        # Its own flows are there at once, since a class can hold one that is made from itself and
        # so has them too, such as `Node.Leaf(Node)`. What is inside that one is not: it would be
        # without end.
        found = known[id(cls)] = list(_flows_in(namespace_of(cls)))
        found += list(_inside_classes(namespace_of(cls), qualname_of(cls), known))
    return found


def _as_flow(value: Any) -> FunctionType | None:
    function = value.__func__ if is_exactly(value, staticmethod, classmethod) else value
    is_flow = is_exactly(function, FunctionType) and (flow_codes.get(id(function.__code__)) in _RUN)
    return function if is_flow else None
