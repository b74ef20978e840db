"""Where an iterator of an OrderedDict stands, which is one type for all six ways to go through one.

What it would still give can be read without moving it, and so can the key that comes next. From
these it is told which way it goes.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from longterm._codec.introspect import is_a
from longterm._codec.refusal import NotEncodable

ORDERED: Final[dict[str, Callable[[Any], Any]]] = {
    "ordered keys": OrderedDict.__iter__,
    "ordered values": lambda d: iter(OrderedDict.values(d)),
    "ordered items": lambda d: iter(OrderedDict.items(d)),
    "reversed ordered keys": OrderedDict.__reversed__,
    "reversed ordered values": lambda d: reversed(OrderedDict.values(d)),
    "reversed ordered items": lambda d: reversed(OrderedDict.items(d)),
}
"""What makes a fresh iterator of an OrderedDict, by its name."""
ORDERED_ITERATOR: Final[type] = type(iter(OrderedDict()))


def position_of(iterator: Any) -> tuple[str, Any, int | None]:
    """Return an iterator's name, its OrderedDict, and how many it has passed.

    At the end the OrderedDict is None; where it was changed meanwhile too, and -1 are passed then:
    all that such an iterator does is to say so, once.

    Raises:
        NotEncodable: it was cleared, which CPython before 3.13 says in other words, and as often
            as asked.
    """
    held = gc.get_referents(iterator)
    if not held or not is_a(held[0], OrderedDict):
        return "ordered keys", None, None
    through = held[0]
    try:
        rest = _rest(iterator)
    except RuntimeError as error:
        if "changed size" in str(error):
            raise NotEncodable(
                "its OrderedDict was cleared while it was gone through", "go through a list of it"
            ) from None
        return "ordered keys", None, -1
    passed = dict.__len__(through) - len(rest)
    if not rest:
        return "ordered keys", through, passed
    # An iterator of items holds the pair too that it gives out.
    endings = ("items",) if len(held) == 3 else ("keys", "values")
    names = [name for name in ORDERED if name.endswith(endings)]
    fits = [name for name in names if _gives(name, through, passed, rest)]
    # Both ways give the same keys if there is one alone; then they are the same.
    if len(fits) > 1 and any(name.endswith("values") for name in fits):
        fits = [_told_apart(iterator, through, fits)]
    return fits[0], through, passed


def _rest(iterator: Any) -> list[Any]:
    rest: list[Any] = iterator.__reduce__()[1][0]
    return rest


def _gives(name: str, through: Any, passed: int, rest: list[Any]) -> bool:
    """Tell whether an iterator of a name would give these very objects from a position on."""
    expected = islice(ORDERED[name](through), passed, None)
    if name.endswith("items"):
        return all(a[0] is b[0] for a, b in zip(expected, rest, strict=True))
    return all(a is b for a, b in zip(expected, rest, strict=True))


def _told_apart(iterator: Any, through: Any, names: list[str]) -> str:
    """Return which of several names an iterator has, where all give the same for now.

    That is so where keys are their own values, or values the same both ways. So the value that a
    way would give last is another for a moment.
    """
    for name in names:
        *_, last = ORDERED[name.replace("values", "keys")](through)
        value = dict.__getitem__(through, last)
        mark = object()
        dict.__setitem__(through, last, mark)
        try:
            is_last = _rest(iterator)[-1] is mark
        finally:
            dict.__setitem__(through, last, value)
        if name.endswith("values") and is_last:
            return name
    return next(name for name in names if name.endswith("keys"))


def of_changed() -> Any:
    """Return an iterator of an OrderedDict that was changed since."""
    through = OrderedDict.fromkeys("ab")
    made = iter(through)
    del through["a"]
    return made
