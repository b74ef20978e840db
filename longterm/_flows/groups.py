"""What `except*` does between its handlers, for a flow that waits in one of them.

It follows CPython: `_PyEval_ExceptionGroupMatch` in Python/ceval.c, `_PyExc_PrepReraiseStar` in
Objects/exceptions.c, and PEP 654.
"""

from __future__ import annotations

import sys
from builtins import BaseException
from types import TracebackType
from typing import Any, Final

_TRACEBACK: Final[Any] = vars(BaseException)["__traceback__"].__get__
_CAUSE: Final[Any] = vars(BaseException)["__cause__"].__get__
_CONTEXT: Final[Any] = vars(BaseException)["__context__"].__get__
_KEEPS_WHOLE: Final = sys.version_info < (3, 12)
"""Whether a clause that takes nothing hands on the very group, and not what its `split` returns."""
_LEAVES: Final[Any] = vars(BaseExceptionGroup)["exceptions"].__get__


def split(rest: BaseException | None, kinds: Any) -> tuple[Any, Any]:
    """Return what a clause handles, as a group or None, and what is left for the next clause.

    Args:
        rest: what no clause before has handled, None if nothing.
        kinds: what stands in the clause: a class of exceptions, or a tuple of them.

    Raises:
        TypeError: it is none, or one of groups, in Python's own words.
    """
    _check(kinds)
    if rest is None:
        return None, None
    if _is_of(rest, kinds):
        return (rest if isinstance(rest, BaseExceptionGroup) else _wrapped(rest)), None
    if isinstance(rest, BaseExceptionGroup):
        matched, left = rest.split(kinds)
        return matched, rest if matched is None and _KEEPS_WHOLE else left
    return None, rest


def _is_of(error: BaseException, kinds: Any) -> bool:
    """Tell whether an exception is of one of some classes, past what their metaclasses say."""
    classes = type(error).__mro__
    return any(kind in classes for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def _check(kinds: Any) -> None:
    """Let Python refuse, in its own words, what `except*` cannot catch."""
    if any(kinds is known for known in _KNOWN):
        return
    words = None
    try:
        try:
            raise _Tried
        except* kinds:
            pass
    except TypeError as error:
        words = str(error)
    except (_Tried, BaseExceptionGroup):
        pass
    if words is not None:
        raise TypeError(words)


class _Tried(Exception):
    """Is raised to see whether it could be caught."""


_KNOWN: Final = (ValueError, TypeError, KeyError, LookupError, OSError, RuntimeError, Exception)
"""The classes that are most often caught, which need no trial."""


def _wrapped(error: BaseException) -> BaseException:
    """Return a group of a lone exception, as `except*` makes it."""
    group = BaseExceptionGroup("", [error])
    if _GIVES_TRACEBACK:
        frame = sys._getframe(2)
        group.__traceback__ = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
    return group


def _gives_traceback() -> bool:
    """Tell whether this Python notes the frame in a group that it makes of a lone exception."""
    found: Any = None
    try:
        raise _Tried
    except* _Tried as group:
        found = group.__traceback__
    return found is not None


_GIVES_TRACEBACK: Final = _gives_traceback()


def unhandled(
    error: BaseException, rest: BaseException | None, raised: list[BaseException]
) -> BaseException | None:
    """Return what the whole statement raises, None if nothing.

    Args:
        error: what its body raised.
        rest: what of it no clause has handled.
        raised: what the handlers raised.
    """
    if not isinstance(error, BaseExceptionGroup):
        # What is no group is handled by one clause at most.
        return raised[0] if raised else rest
    every = raised if rest is None else [*raised, rest]
    again = [each for each in every if _is_part_of(each, error)]
    others = [each for each in every if not any(each is one for one in again)]
    if again:
        leaves = {id(leaf) for each in again for leaf in _leaves(each)}
        part = BaseExceptionGroup.subgroup(error, lambda each: id(each) in leaves)
        others += [] if part is None else [part]
    if len(others) > 1:
        return BaseExceptionGroup("", others)
    return others[0] if others else None


def _is_part_of(error: BaseException, whole: BaseException) -> bool:
    """Tell whether an exception was split from a group, and not raised by a handler."""
    return (
        isinstance(error, BaseExceptionGroup)
        and _CAUSE(error) is _CAUSE(whole)
        and _CONTEXT(error) is _CONTEXT(whole)
        and _lines(error) == _lines(whole)
    )


def _lines(error: BaseException) -> list[tuple[str, int, str]]:
    """Return the entries of an exception's traceback.

    CPython compares tracebacks by identity; but stored ones are no longer one object. One that is
    raised by a `raise` with an expression has an entry more.
    """
    found, entry = [], _TRACEBACK(error)
    while entry is not None:
        code = entry.tb_frame.f_code
        found.append((code.co_filename, entry.tb_lineno, code.co_name))
        entry = entry.tb_next
    return found


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in _LEAVES(error) for leaf in _leaves(each)]
