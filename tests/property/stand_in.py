"""A stand-in for the codec: what is stored is copied as one graph, and shares nothing with before.

Plain data, objects, exceptions with their chains, cells, inner functions, bound methods and
iterators are copied; classes, modules and module-level functions are the application's own.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any
from unittest.mock import patch

from longterm import _codec as codec

_DECODERS = ("decode", "decode_frames", "decode_list")
_ATOMS = (
    int,
    str,
    bytes,
    bool,
    float,
    complex,
    type(None),
    type(Ellipsis),
    range,
    type,
    ModuleType,
)


@dataclass(frozen=True, eq=False)
class Stored:
    """What the stand-in returns in the place of bytes."""

    root: Any
    errors: int
    """How many exceptions are in it."""


@contextmanager
def copying() -> Iterator[list[Stored]]:
    """Let the engine copy instead of encoding; yield the list of all that is stored."""
    stored: list[Stored] = []

    def encode(value: object) -> Stored:
        copier = Copier()
        stored.append(Stored(copier.copy(value), copier.errors))
        return stored[-1]

    def decode(data: Stored) -> object:
        return Copier().copy(data.root)

    with ExitStack() as stack:
        for module in [each for name, each in sys.modules.items() if name.startswith("longterm.")]:
            for name, ours in (("encode", encode), *((name, decode) for name in _DECODERS)):
                if vars(module).get(name) is getattr(codec, name) and module is not codec:
                    stack.enter_context(patch.object(module, name, ours))
        yield stored


class Copier:
    """Copies a graph of values; what it meets twice it copies once."""

    def __init__(self) -> None:
        self.errors = 0
        self._copies: dict[int, Any] = {}
        self._alive: list[object] = []

    def copy(self, value: Any) -> Any:
        """Return the copy of a value."""
        if isinstance(value, _ATOMS):
            return value
        if id(value) not in self._copies:
            self._alive.append(value)
            made = self._made(value)
            self._copies.setdefault(id(value), made)
        return self._copies[id(value)]

    def _keep(self, value: Any, made: Any) -> Any:
        self._copies[id(value)] = made
        return made

    def _made(self, value: Any) -> Any:
        kind = type(value)
        if kind is list:
            made = self._keep(value, [])
            made.extend(self.copy(each) for each in value)
            return made
        if kind is dict:
            made = self._keep(value, {})
            made.update((self.copy(key), self.copy(each)) for key, each in value.items())
            return made
        if kind in (tuple, set, frozenset):
            return kind([self.copy(each) for each in value])
        if kind is slice:
            return slice(*(self.copy(each) for each in (value.start, value.stop, value.step)))
        if kind is CellType:
            return self._cell(value)
        if kind is FunctionType:
            return self._function(value)
        if kind is MethodType:
            return MethodType(self.copy(value.__func__), self.copy(value.__self__))
        if kind is BuiltinFunctionType:
            return self._builtin(value)
        if isinstance(value, BaseException):
            return self._error(value)
        return self._object(value)

    def _cell(self, cell: CellType) -> CellType:
        made = self._keep(cell, CellType())
        try:
            content = cell.cell_contents
        except ValueError:
            return made  # type: ignore[no-any-return]
        made.cell_contents = self.copy(content)
        return made  # type: ignore[no-any-return]

    def _function(self, function: FunctionType) -> FunctionType:
        if "<locals>" not in function.__qualname__:
            return function
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            None,
            tuple(self._early_cell(each) for each in function.__closure__ or cells),
        )
        self._keep(function, made)
        made.__qualname__ = function.__qualname__
        made.__defaults__ = self.copy(function.__defaults__)
        made.__kwdefaults__ = self.copy(function.__kwdefaults__)
        made.__dict__.update(self.copy(function.__dict__))
        for each in function.__closure__ or ():
            self._fill(each)
        return made

    def _early_cell(self, cell: CellType) -> CellType:
        if id(cell) in self._copies:
            return self._copies[id(cell)]  # type: ignore[no-any-return]
        self._alive.append(cell)
        return self._keep(cell, CellType())  # type: ignore[no-any-return]

    def _fill(self, cell: CellType) -> None:
        made = self._copies[id(cell)]
        try:
            content = cell.cell_contents
        except ValueError:
            return
        try:
            made.cell_contents  # noqa: B018 - asks whether the cell is filled
        except ValueError:
            made.cell_contents = self.copy(content)

    def _builtin(self, method: BuiltinFunctionType) -> Any:
        owner = method.__self__
        if owner is None or isinstance(owner, ModuleType | type):
            return method
        return getattr(self.copy(owner), method.__name__)

    def _error(self, error: BaseException) -> BaseException:
        self.errors += 1
        kind = type(error)
        made = self._keep(error, kind.__new__(kind, *self.copy(error.args)))
        made.args = self.copy(error.args)
        if isinstance(error, BaseExceptionGroup):
            made = self._keep(error, kind.__new__(kind, error.message, self.copy(error.exceptions)))
        made.__dict__.update(self.copy(vars(error)))
        for name in ("name", "obj"):
            if isinstance(error, NameError | AttributeError | ImportError) and hasattr(error, name):
                setattr(made, name, self.copy(getattr(error, name)))
        made.__context__ = self.copy(error.__context__)
        made.__cause__ = self.copy(error.__cause__)
        made.__suppress_context__ = error.__suppress_context__
        return made  # type: ignore[no-any-return]

    def _object(self, value: Any) -> Any:
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return value
        make, args, state, items, entries, *_ = (*reduced, None, None, None, None)
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            made = self._keep(value, args[0].__new__(args[0], *self.copy(args[1:])))
        else:
            made = self._keep(value, make(*self.copy(args)))
        if state is not None:
            self._set_state(made, self.copy(state))
        for each in items or ():
            made.append(self.copy(each))
        for key, each in entries or ():
            made[self.copy(key)] = self.copy(each)
        return made

    @staticmethod
    def _set_state(made: Any, state: Any) -> None:
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
            return
        plain, slots = state if isinstance(state, tuple) else (state, None)
        for each in (plain or {}, slots or {}):
            for name, value in each.items():
                object.__setattr__(made, name, value)
