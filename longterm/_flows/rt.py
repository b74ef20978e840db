"""What generated code calls, under the global name `__longterm__`. Authors never see it.

Its attributes are listed in `longterm._abi.RUNTIME_NAMES`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Coroutine
from types import FunctionType, MethodDescriptorType, WrapperDescriptorType
from typing import Any, NoReturn

from longterm._flows.groups import split as split
from longterm._flows.groups import unhandled as unhandled
from longterm._flows.sums import sum_from as sum_from
from longterm._flows.sums import sum_of as sum_of
from longterm._flows.sums import summand as summand
from longterm.wait import Wait


class Suspend(BaseException):
    """Unwinds the stack of a flow that waits. Its traceback is the continuation.

    Not an `Exception`, so that the author's `except Exception` lets it pass.
    """

    elsewhere: str | None = None
    """The place that waits, if it is in another task or thread than the run."""

    def __init__(self, wait: Wait) -> None:
        """Keep what is waited for."""
        self.wait = wait
        super().__init__(wait.event_id)


UNBOUND = object()
"""Stands for a slot that has no value, where a resume body is called with all of them."""

AssertionError = builtins.AssertionError
BaseException = builtins.BaseException
StopIteration = builtins.StopIteration
iter = builtins.iter
slice = builtins.slice
type = builtins.type


_TAKES_THE_MANAGER = frozenset({FunctionType, MethodDescriptorType, WrapperDescriptorType})

_CONTEXT = vars(builtins.BaseException)["__context__"]
_TRACEBACK = vars(builtins.BaseException)["__traceback__"]


def again(error: BaseException) -> None:
    """Raise an exception anew, its context and its traceback as they are."""
    # By their slots, since an author's class may freeze its exceptions.
    context, traceback = _CONTEXT.__get__(error), _TRACEBACK.__get__(error)
    later = raised_after(error)
    try:
        raise error
    finally:
        _CONTEXT.__set__(error, context)
        _TRACEBACK.__set__(error, traceback)
        if later is not None:
            _CONTEXT.__set__(later, error)


def raised_after(error: builtins.BaseException) -> builtins.BaseException | None:
    """Return what has an exception as its context, among those that are handled around its handler.

    There is none, but where an author has made a cycle of contexts. Python breaks it at a `raise`.
    """
    later, seen = sys.exception(), set[int]()
    while later is not None and id(later) not in seen:
        seen.add(id(later))
        context = _CONTEXT.__get__(later)
        if context is error:
            return later
        later = context
    return None


def as_first_raised(error: BaseException) -> None:
    """Take out of an exception's traceback that its caller has raised it again."""
    _TRACEBACK.__set__(error, _TRACEBACK.__get__(error).tb_next)


def merged(function: Any, mapping: Any, *earlier: str | dict[str, Any]) -> dict[str, Any]:
    """Return a `**mapping` argument as a dict, checked against the keywords given before it.

    Args:
        function: what will be called, for the words of an error.
        mapping: the argument.
        earlier: names of keywords, and mappings that were merged before.
    """
    if not hasattr(mapping, "keys"):
        kind = type(mapping).__name__
        raise TypeError(f"{_named(function)} argument after ** must be a mapping, not {kind}")
    found = {**mapping}
    for name in found:
        if any(name in ((names,) if isinstance(names, str) else names) for names in earlier):
            raise TypeError(f"{_named(function)} got multiple values for keyword argument {name!r}")
    return found


def _named(function: Any) -> str:
    """Return a function's name as CPython's own errors about its arguments show it."""
    qualname = getattr(function, "__qualname__", None)
    if qualname is None:
        return str(function)
    module = getattr(function, "__module__", None)
    return f"{qualname}()" if module in (None, "builtins") else f"{module}.{qualname}()"


_EMPTY: list[Any] = [
    *([], (), {}, {}.values(), {}.items(), set(), "", "\u0100", b"", bytearray(), range(1)),
]
_ITERATE_OVER_THEMSELVES = {
    *(enumerate, filter, map, reversed, zip),
    *(type(builtins.iter(container)) for container in _EMPTY),
}
"""The iterators of Python's that a loop most often goes over: `__iter__` of one is the very one."""


def rest(iterator: Any) -> Any:
    """Return what a loop can go over to go on with an iterator, synchronous or not.

    The author's own iterators are asked for `__iter__` or `__aiter__` once, as in Python. So a loop
    that is entered again must not ask them: it asks the object around it.
    """
    return iterator if type(iterator) in _ITERATE_OVER_THEMSELVES else _Rest(iterator)


class _Rest:
    """Gives out an iterator as it is."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __iter__(self) -> Any:
        return self._iterator

    def __aiter__(self) -> Any:
        return self._iterator


def matches(found: Any) -> Any:
    """Return what a loop can be stored with in the place of what a call of `finditer` returned."""
    from longterm._matches import matches_of  # few flows look for patterns

    return matches_of(found)


class waiting:
    """An iterator that a `yield from` waits at already: what it gives out first is not its own.

    A generator that is made again is run to its `yield from`; then all goes to the iterator. If
    that is a generator of a flow which waits inside itself, it is asked at once to go on.
    """

    def __init__(self, iterator: Any) -> None:
        """Take the iterator."""
        self._iterator = iterator
        self._is_reached = False
        self._waits_inside = hasattr(type(iterator), "waits_inside") and iterator.waits_inside

    def __iter__(self) -> Any:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return what the iterator gives out next; at first, nothing, or what it waited for."""
        if self._is_reached:
            return next(self._iterator)
        self._is_reached = True
        return self._iterator.go_on_inside() if self._waits_inside else None

    def __getattr__(self, name: str) -> Any:
        """Have `send`, `throw` and `close` if the iterator has them."""
        return getattr(self._iterator, name)


def aiter(iterable: Any) -> Any:
    """Return an asynchronous iterator; if there is none, say so in the words of `async for`."""
    kind = type(iterable)
    if not hasattr(kind, "__aiter__"):
        _refuse(_iterated(iterable))
    iterator = kind.__aiter__(iterable)
    if not hasattr(type(iterator), "__anext__"):
        _refuse(_iterated(_Rest(iterator)))
    return iterator


async def _iterated(iterable: Any) -> None:
    async for _ in iterable:
        pass


def in_generator() -> RuntimeError:
    """Return what a `StopIteration` becomes that comes out of a generator's own code."""
    return RuntimeError("generator raised StopIteration")


def pair(element: Any, number: int) -> tuple[Any, Any]:
    """Return an element that `dict` is given as a key and its value, or refuse it as `dict` does.

    Args:
        element: what should have two parts.
        number: how many came before it.
    """
    parts = element if type(element) in (list, tuple) else _listed(element)
    if parts is None:
        raise TypeError(
            f"cannot convert dictionary update sequence element #{number} to a sequence"
        )
    if len(parts) != 2:
        raise ValueError(
            f"dictionary update sequence element #{number} has length {len(parts)}; 2 is required"
        )
    key, value = parts
    return key, value


def _listed(element: Any) -> list[Any] | None:
    try:
        return list(element)
    except TypeError:
        return None


def enter_and_exit(manager: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a context manager's `__enter__` and `__exit__`, looked up on its type as `with` does.

    Both take the manager as their first argument.
    """
    own = type(manager).__dict__
    enter, exit = own.get("__enter__"), own.get("__exit__")
    if type(enter) is FunctionType and type(exit) is FunctionType:  # most often
        return enter, exit
    return _special(manager, "__enter__", _entered), _special(manager, "__exit__", _entered)


def exit(manager: Any) -> Callable[..., Any]:
    """Return a context manager's `__exit__`, which takes it as its first argument."""
    return _special(manager, "__exit__", _entered)


def aenter_and_aexit(manager: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an asynchronous context manager's `__aenter__` and `__aexit__`; both take it."""
    return _special(manager, "__aenter__", _aentered), _special(manager, "__aexit__", _aentered)


def aexit(manager: Any) -> Callable[..., Any]:
    """Return an asynchronous context manager's `__aexit__`, which takes it."""
    return _special(manager, "__aexit__", _aentered)


async def _entered(manager: Any) -> None:
    with manager:
        pass


async def _aentered(manager: Any) -> None:
    async with manager:
        pass


def _refuse(attempt: Coroutine[Any, Any, None]) -> NoReturn:
    """Let Python refuse, in its own words, what cannot be done."""
    attempt.send(None)
    raise AssertionError("Python does what it was not to")


def let_go(manager: Any) -> None:
    """Tell a context manager that its flow is being suspended inside its `with`.

    One that has a method `__suspend__` gives up what cannot be stored: it closes the file, gives
    the connection back.
    """
    if hasattr(type(manager), "__suspend__"):
        manager.__suspend__()


def take_up(manager: Any) -> None:
    """Tell a context manager that its flow goes on: `__resume__` reverses `__suspend__`."""
    if hasattr(type(manager), "__resume__"):
        manager.__resume__()


def _special(
    manager: Any, name: str, entered: Callable[[Any], Coroutine[Any, Any, None]]
) -> Callable[..., Any]:
    kind = type(manager)
    found = _of_type(kind, name)
    if found is None:
        _refuse(entered(manager))
    if type(found) in _TAKES_THE_MANAGER:
        return found  # type: ignore[no-any-return]
    bind = _of_type(type(found), "__get__")
    bound = found if bind is None else bind(found, manager, kind)
    return lambda _manager, *told: bound(*told)


def _of_type(kind: type, name: str) -> Any:
    """Return what a type or its bases have under a name; unlike `getattr`, not what its own has."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)
