"""Whether two graphs have the same shape: types, content, order, and what is held twice.

Written without the codec, so that it can judge it.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from types import CellType, FunctionType, MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from longterm.frame import Frame

VALUES = (
    int, float, complex, str, bytes, bool, type(None), date, datetime, timedelta, timezone, Decimal,
    Fraction, UUID, PurePath, ZoneInfo, range,
)  # fmt: skip


def assert_same(before: Any, after: Any) -> None:
    """Fail unless `after` is a copy of `before` in shape; walks without recursion."""
    partner: dict[int, int] = {}
    taken: set[int] = set()
    kept = []
    stack = [(before, after, "root")]
    while stack:
        old, new, path = stack.pop()
        assert type(old) is type(new), f"{path}: {type(old)} became {type(new)}"
        if type(old) in VALUES or isinstance(old, PurePath):
            assert alike(old, new), f"{path}: {old!r} became {new!r}"
            continue
        if id(old) in partner:
            assert partner[id(old)] == id(new), f"{path}: what was one value is two now"
            continue
        if old != () or type(old) is not tuple:
            assert id(new) not in taken or is_single(old), f"{path}: two values became one"
        partner[id(old)] = id(new)
        taken.add(id(new))
        kept.append((old, new))
        left, right = list(parts(old)), list(parts(new))
        assert len(left) == len(right), f"{path}: {len(left)} parts became {len(right)}"
        for (name, a), (other, b) in zip(left, right, strict=True):
            assert name == other, f"{path}: part {name} became {other}"
            stack.append((a, b, f"{path}{name}"))


def is_single(value: Any) -> bool:
    """Tell whether a value is one object in every process, such as a class."""
    return isinstance(value, (type, FunctionType, frozenset)) or value in ((), ...)


def alike(old: Any, new: Any) -> bool:
    """Tell whether two scalars are the same, NaN and the sign of zero included."""
    if isinstance(old, complex):
        return alike(old.real, new.real) and alike(old.imag, new.imag)
    if isinstance(old, float):
        if math.isnan(old):
            return math.isnan(new)
        return old == new and math.copysign(1, old) == math.copysign(1, new)
    return bool(old == new)


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the named parts of a value."""
    if isinstance(value, Frame):
        names: tuple[str, ...] = ("flow", "version", "point", "line", "slots", "cells", "rest")
        yield from ((f".{name}", getattr(value, name)) for name in names)
    elif isinstance(value, CellType):
        try:
            yield ".cell_contents", value.cell_contents
        except ValueError:
            yield ".is_empty", True
    elif isinstance(value, dict):
        base = OrderedDict if isinstance(value, OrderedDict) else dict
        for index, (key, each) in enumerate(base.items(value)):
            yield f".keys()[{index}]", key
            yield f"[{index}]", each
    elif isinstance(value, (set, frozenset)):
        base = set if isinstance(value, set) else frozenset
        yield from (
            (f"{{{i}}}", each) for i, each in enumerate(sorted(base.__iter__(value), key=order))
        )
    elif isinstance(value, (list, tuple, deque)):
        base = next(each for each in (list, tuple, deque) if isinstance(value, each))
        yield from ((f"[{i}]", each) for i, each in enumerate(base.__iter__(value)))
        if isinstance(value, deque):
            yield ".maxlen", value.maxlen
    elif isinstance(value, MappingProxyType):
        yield from parts(dict(value))
    elif isinstance(value, slice):
        yield from (("start", value.start), ("stop", value.stop), ("step", value.step))
    if isinstance(value, defaultdict):
        yield ".default_factory", value.default_factory
    if not isinstance(value, (type, FunctionType, MappingProxyType)):
        yield from attributes(value)


def order(value: Any) -> tuple[str, str]:
    """Return what sets are compared in the order of."""
    return (type(value).__name__, repr(value))


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an instance holds by name."""
    if isinstance(value, (OrderedDict, SimpleNamespace)) or hasattr(value, "__dict__"):
        yield from (
            (f".{name}", each) for name, each in object.__getattribute__(value, "__dict__").items()
        )
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            full = (
                f"_{base.__name__}{name}"
                if name.startswith("__") and not name.endswith("__")
                else name
            )
            if full not in ("__dict__", "__weakref__"):
                try:
                    yield f".{name}", object.__getattribute__(value, full)
                except AttributeError:
                    yield f".{name}", None
