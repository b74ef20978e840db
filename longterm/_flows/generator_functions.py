"""The functions whose calls make generators of flows, and what is stored of these generators."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import CodeType, FunctionType
from typing import Any, Final, TypeAlias, cast
from weakref import WeakKeyDictionary

from longterm._flows.async_generator import IS_ASYNC_GENERATOR, AsyncFlowGenerator
from longterm._flows.generator import Asked, FlowGenerator, linked
from longterm.frame import Frame

Kind: TypeAlias = type[FlowGenerator] | type[AsyncFlowGenerator]

IS_GENERATOR: Final = 0x20
"""The flag of code that makes a generator."""
_made: Final[WeakKeyDictionary[Callable[..., Any], tuple[Kind, FunctionType]]] = WeakKeyDictionary()
"""The functions, each with what it makes and the function of the flow: stored bytes may have no
other one called."""


def as_called(function: FunctionType) -> FunctionType:
    """Return what an author gets for the function of a flow: itself, unless it makes generators.

    Each call of what is returned for such a one makes a generator that can be stored.
    """
    flags = function.__code__.co_flags
    if not flags & (IS_GENERATOR | IS_ASYNC_GENERATOR):
        return function
    kind: Kind = FlowGenerator if flags & IS_GENERATOR else AsyncFlowGenerator

    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> FlowGenerator | AsyncFlowGenerator:
        return kind(make, function(*args, **kwargs), None)

    made = cast("FunctionType", make)
    _made[made] = kind, function
    return made


_MAKING: Final = next(each for each in as_called.__code__.co_consts if type(each) is CodeType)
"""The code of what makes generators."""


def function_of(made: FunctionType) -> FunctionType:
    """Return the function of a flow for what an author has got for it."""
    return _made[made][1] if made.__code__ is _MAKING else made


def declared(kind: Kind, kept: Any) -> Any:
    """Return the generator of what was stored.

    Raises:
        UnknownFlow, FlowChanged: it waits in code that is not here.
        TypeError: it is nothing that is kept of a generator.
    """
    if isinstance(kept, Frame):
        linked[0].check(kept)
    if kept is None or isinstance(kept, Frame):
        return kind(_unnamed, None, kept)
    if type(kept) is str:
        asked = Asked.of(kept)
        if asked.closes and kind is AsyncFlowGenerator:
            raise TypeError("an asynchronous generator does not wait while it is closed")
        return kind(_unnamed, None, asked)
    # To take something else apart, such as an iterator, could run code.
    if type(kept) is not tuple:
        raise TypeError("what is kept of a generator is a frame, a call or nothing")
    function, args, kwargs = kept
    is_known = type(function) is FunctionType and function in _made
    is_made = is_known and _made[function][0] is kind
    if not is_made or type(args) is not tuple or type(kwargs) is not dict:
        raise TypeError("a generator that has not begun is the call of a generator flow")
    return kind(function, None, kept)


def _unnamed() -> None: ...
