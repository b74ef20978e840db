"""Modules: where a flow itself imports them, and nowhere else.

A flow may say `import json`, and its local name then stands for a module when it waits. Stored
bytes may put that module there again, and no other: a module in the place of a list would have
`remove` called on it. What the application allowed by name may stand anywhere.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import trust, wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.refusal import NotEncodable
from longterm._codec.types import functions
from longterm._codec.types.kinds import Family, Row, StoredModule
from longterm._signals import is_of_signal
from longterm.errors import LongtermError, NotAllowed
from longterm.frame import Frame

HINT = "import it at the top of a module, or again after the suspend"


def _dump(module: ModuleType) -> ExtType:
    """Take a module by its name; see `stray_modules` for where it may stand."""
    name = trust.namespace_of_module(module).get("__name__")
    if type(name) is not str or ":" in name:
        raise NotEncodable("it has no name", HINT)
    return ExtType(wire.MODULE, name.encode())


def _read(payload: bytes, decoding: Decoding) -> Any:
    name = payload.decode()
    if trust.is_allowed_by_name(name):
        return trust.module(name)
    decoding.placed_modules += 1
    return StoredModule(name)


def put_modules(decoding: Decoding) -> None:
    """Put modules into the slots and cells that their flows import them into.

    Raises:
        NotAllowed: one stands elsewhere, or is not what the flow imports there.
    """
    for frame in decoding.frames:
        for local, value in frame.slots.items():
            if type(value) is StoredModule:
                frame.slots[local] = _imported(value.name, frame.flow, local)
                decoding.placed_modules -= 1
    for flow, local, cell in named_cells(decoding.frames, decoding.functions):
        value = content_of(cell)
        if type(value) is StoredModule:
            cell.cell_contents = _imported(value.name, flow, local)
            decoding.placed_modules -= 1
    if decoding.placed_modules:
        raise NotAllowed("a module", "may stand only where a flow itself imports it")


def may_stand(module: ModuleType, flow: str, local: str) -> bool:
    """Return whether a flow imports this module under a local name."""
    names = _imports(flow).get(local, ())
    return any(sys.modules.get(name) is module for name in names)


def named_cells(
    frames: list[Frame], inner: list[tuple[str, FunctionType]]
) -> Iterator[tuple[str, str, CellType]]:
    """Yield the captured variables of frames and inner functions: flow, name and cell."""
    for frame in frames:
        for local, cell in frame.cells.items():
            yield frame.flow, local, cell
    for flow, function in inner:
        for local, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            yield flow, local, cell


def content_of(cell: CellType) -> Any:
    """Return what is in a cell, or None if it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _imported(name: str, flow: str, local: str) -> ModuleType:
    names = _imports(flow).get(local, frozenset())
    # What is imported as `os.path` calls itself `posixpath`.
    for module in sorted(names, key=lambda module: module != name):
        try:
            found = importlib.import_module(module)
        except Exception as error:
            if is_of_signal(error):
                raise
            continue  # what is imported from a module need not be one
        if found.__name__ == name:
            return found
    raise NotAllowed(name, f"is not what flow {flow} imports as {local!r}, or cannot be imported")


def _imports(flow: str) -> Mapping[str, frozenset[str]]:
    for table in functions.tables():
        try:
            return table.imports(flow)
        except (LookupError, LongtermError):
            continue
    return {}


FAMILY: Final = Family(
    careful_readers={
        wire.MODULE: _read,
    },
    rows=(
        Row(
            ModuleType,
            dump=_dump,
            group="callables and modules",
            note="where the flow itself imports it, or if `allow` names it",
        ),
    ),
)
