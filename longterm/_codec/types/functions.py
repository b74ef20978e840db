"""Inner functions and lambdas of flows: their code by name, with all that they hold.

Code is never stored. The runtime links a table that knows the code objects inside its flows by
name; an inner function is that name with defaults, captured cells and attributes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from types import CellType, CodeType, FunctionType
from typing import Any, Final, Protocol

from longterm._codec import names
from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts
from longterm.errors import FlowChanged, LongtermError, NotAllowed

CodeName = tuple[str, str, str]


class CodeTable(Protocol):
    """Who knows the code of inner functions by name."""

    def name_of(self, code: CodeType) -> CodeName | None:
        """Return flow ("module:qualname"), version and path inside the flow, if it is known."""
        ...

    def find(self, name: CodeName) -> tuple[CodeType, dict[str, Any]]:
        """Return the code of this name and the globals it runs in; raise LookupError if none."""
        ...

    def function_of(self, made: FunctionType) -> FunctionType:
        """Return the function whose code a function runs: itself, mostly."""
        ...

    def as_called(self, function: FunctionType) -> FunctionType:
        """Return the function that runs a function's code for others; see `function_of`."""
        ...

    def imports(self, flow: str) -> Mapping[str, frozenset[str]]:
        """Return the modules that a flow imports, by local name; raise if it is not known."""
        ...


class Written(threading.local):
    """What this thread has written of functions inside flows."""

    inner: set[CodeName] | None = None
    """Their names, for whoever has put a set here."""


written: Final = Written()
_tables: list[CodeTable] = []


def tables() -> list[CodeTable]:
    """Return the table that is linked, if one is."""
    return _tables


def link(table: CodeTable) -> None:
    """Make this the table that knows the code of inner functions."""
    _tables[:] = [table]


def dump_inner(function: FunctionType) -> Parts | None:
    """Take apart an inner function of a flow, or return None if the function has a name.

    Raises:
        Refused: it has no name, and no table knows its code.
    """
    for table in _tables:
        own = table.function_of(function)
        name = table.name_of(own.__code__)
        if name is not None:
            if written.inner is not None:
                written.inner.add(name)
            return _parts(function, own, name)
    if names.name_of(function) is None:
        raise NotEncodable(
            f"{function.__qualname__} is neither at the top of a module nor part of a flow",
            "define it at the top of a module, or inside the flow",
        )
    return None


def _parts(function: FunctionType, own: FunctionType, name: CodeName) -> Parts:
    """Return the parts of a function, and of the one that has its own code."""
    state: dict[str, Any] = {}
    for key in (*_OF_CODE, "__doc__"):
        holder = own if key in _OF_CODE else function
        if getattr(holder, key) is not None:
            state[key] = getattr(holder, key)
    if function.__name__ != own.__code__.co_name:
        state["__name__"] = function.__name__
    if function.__qualname__ != own.__code__.co_qualname:
        state["__qualname__"] = function.__qualname__
    annotations = _annotations(function)
    if annotations:
        state["__annotations__"] = annotations
    held = vars(function)
    if function is not own:
        held = {key: value for key, value in held.items() if value is not own}
    if held:
        state["__dict__"] = held
    return [INNER.tag, *name, own.__closure__ or (), state]


def _annotations(function: FunctionType) -> dict[str, Any]:
    """Return those annotations of a function that can be stored."""
    try:
        noted = function.__annotations__
    except Exception:
        return {}  # from 3.14 on they are evaluated here (PEP 649), and may name what is not there
    return {key: note for key, note in noted.items() if _is_plain(note)}


def _is_plain(annotation: Any) -> bool:
    if annotation is None or type(annotation) is str:
        return True
    name = names.name_of(annotation) if is_a(annotation, type) else None
    return name is not None and names.why_not_named(name) is None


def _load_inner(parts: Parts, decoding: Decoding) -> FunctionType:
    flow, version, path, cells = parts
    name = (flow, version, path)
    if not all(type(part) is str for part in name) or type(cells) is not tuple:
        raise TypeError("an inner function has a name and cells")
    decoding.spend(len(cells))
    if not all(type(cell) is CellType for cell in cells):
        raise TypeError("what an inner function captures is in cells")
    for table in _tables:
        try:
            code, namespace = table.find(name)
        except LookupError:
            continue
        except FlowChanged:
            raise
        except LongtermError as error:
            raise NotAllowed(":".join(name), f"cannot be found here: {error}") from error
        made = FunctionType(code, namespace, None, None, cells or None)
        decoding.functions.append((flow, made))
        return table.as_called(made)
    raise NotAllowed(":".join(name), "is code of a flow that is not known here")


def _populate_inner(function: FunctionType, parts: Parts, decoding: Decoding) -> None:
    (state,) = parts
    own = _tables[0].function_of(function) if _tables else function
    if type(state) is not dict:
        raise TypeError("what an inner function has besides its code is by name")
    for key, value in state.items():
        if type(key) is not str or key not in _STATE:
            raise ValueError("an inner function has what it has not")
        if _STATE[key] is not None and type(value) is not _STATE[key]:
            raise TypeError(f"{key} of an inner function is a {_STATE[key].__name__}")
        if type(value) is dict:
            # It may be populated later.
            decoding.checks.append(partial(_check_names, value))
        setattr(own if key in _OF_CODE else function, key, value)
    if own is not function and "__dict__" in state:
        decoding.checks.append(partial(setattr, function, "__wrapped__", own))


def _check_names(named: dict[Any, Any]) -> None:
    if not all(type(name) is str for name in named):
        raise TypeError("what an inner function holds has names")


_OF_CODE: Final = ("__defaults__", "__kwdefaults__")
"""What belongs to the function that has the code, if another one runs it."""
_STATE: Final[dict[str, Any]] = {
    "__defaults__": tuple, "__kwdefaults__": dict, "__doc__": None, "__name__": str,
    "__qualname__": str, "__annotations__": dict, "__dict__": dict,
}  # fmt: skip

INNER: Final = Kind("inner function", _load_inner, _populate_inner, needs=4, is_fragile=True)

FAMILY: Final = Family(kinds=(INNER,))
