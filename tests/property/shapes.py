"""What can be seen of a value: its structure and its aliasing, as plain data to compare.

No addresses and no set order occur in it, so that two runs of a program can be compared.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, TracebackType
from typing import Any, TypeAlias

from longterm._flows.async_generator import AsyncFlowGenerator
from longterm._flows.generator import FlowGenerator

Shape: TypeAlias = Any
_GENERATOR = re.compile(r"\.<locals>\.<genexpr>$")
_COMPREHENSION = re.compile(r"<(listcomp|setcomp|dictcomp|genexpr)>\.(<locals>\.)?")
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
_ATOMS = (int, str, bytes, bool, float, complex, type(None), type(Ellipsis), range)


def shape_of(value: object) -> Shape:
    """Return a value's shape: what is reached twice is named by the number of its first visit."""
    return _Walk().of(value)


def text_of(value: object) -> str:
    """Return a value's text, without addresses and without the frames of comprehensions."""
    return _COMPREHENSION.sub("", _ADDRESS.sub("", repr(value)))


def error_shape(error: BaseException | None) -> Shape:
    """Return an exception's shape with all of its causes and contexts."""
    return _Walk().error(error)


def tracebacks(error: BaseException | None, path: str) -> list[list[tuple[str, int]]]:
    """Return the author's functions and lines in the traceback of an exception and its contexts."""
    found: list[list[tuple[str, int]]] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines = list(_lines(error.__traceback__, path))
        if sys.version_info < (3, 12) and isinstance(error, NameError):
            # Python 3.11 joins a store and a load into one instruction once code has run a few
            # times, and then reports an unbound variable at the line of the store.
            lines = [(name, 0) for name, _ in lines]
        found.append(lines)
        error = error.__cause__ or error.__context__
    return found


def _lines(traceback: TracebackType | None, path: str) -> Iterable[tuple[str, int]]:
    last: tuple[str, int] | None = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        # Before 3.12 a comprehension has a frame of its own; a lowered one has none. So has a
        # generator expression that is not lowered; it counts as a line of the function around it.
        # A stored traceback has a file in brackets if its module is not imported.
        if code.co_filename.strip("<>") == path and not code.co_name.endswith("comp>"):
            line = _COMPREHENSION.sub("", code.co_qualname), traceback.tb_lineno
            around = _GENERATOR.sub("", line[0]), line[1]
            if around[0] == "<genexpr>" and last is not None:  # a stored traceback has short names
                around = last[0], line[1]
            if around == line or around != last:
                last = around
                yield around
        traceback = traceback.tb_next


class _Walk:
    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []

    def of(self, value: object) -> Shape:
        if type(value) in _ATOMS:
            return (type(value).__name__, text_of(value))
        if type(value) is tuple:
            # Nothing depends on whether two equal tuples are one; what they hold is told apart.
            return ("tuple", [self.of(each) for each in value])
        if id(value) in self._seen:
            return ("again", self._seen[id(value)])
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        name = type(value).__name__
        match value:
            case list():
                return (name, [self.of(each) for each in value])
            case set() | frozenset():
                return (name, sorted(repr(shape_of(each)) for each in value))
            case dict():
                return (name, [(self.of(key), self.of(each)) for key, each in value.items()])
            case BaseException():
                return self._error_itself(value)
            case type() | FunctionType():
                if value is UnboundLocalError:
                    value = NameError
                # Before 3.12 a comprehension is a function around those in it.
                return (name, _COMPREHENSION.sub("", value.__qualname__))
            case MethodType() | BuiltinFunctionType():
                return (name, value.__name__, self.of(value.__self__))
            case FlowGenerator():
                return ("generator", [])
            case AsyncFlowGenerator():
                return ("async_generator", [])
            case slice():
                return (name, [self.of(each) for each in (value.start, value.stop, value.step)])
        return (name, [(key, self.of(each)) for key, each in sorted(_state(value).items())])

    def error(self, error: BaseException | None) -> Shape:
        """An exception with its chain."""
        if error is None or id(error) in self._seen:
            return self.of(error)
        shape = self.of(error)
        chain = (self.error(error.__cause__), self.error(error.__context__))
        return (shape, *chain, error.__suppress_context__)

    def _error_itself(self, error: BaseException) -> Shape:
        notes = getattr(error, "__notes__", [])
        ours = [each for each in notes if not each.startswith("longterm:")]
        inner = getattr(error, "exceptions", ())
        parts = [self.of(each) for each in inner]
        args = error.args[:1] if inner else error.args
        if isinstance(error, NameError):
            # A captured local is a free variable of a resume body, and Python calls it so.
            return ("NameError", re.findall("'.*?'", str(error)), ours)
        if isinstance(error, RecursionError):
            args = ()  # they say where the stack was full
        return (type(error).__name__, [self.of(each) for each in args], parts, ours)


def _state(value: object) -> dict[str, object]:
    return dict(vars(value)) if hasattr(value, "__dict__") else {}
