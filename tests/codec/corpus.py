"""Valid bytes of every kind: what mutation starts from, and the goldens of the wire format."""

from __future__ import annotations

import math
import warnings
from types import CellType
from typing import Any

from longterm._codec import encode
from longterm.frame import Frame
from tests.codec import models, samples
from tests.codec.models import Keyed, Node, Point


def cyclic() -> list[Any]:
    """Return graphs that hold themselves."""
    rows: list[Any] = []
    rows.append((rows, {"rows": rows}))
    node = Node()
    node.links = [node, node.visit]
    keyed = Keyed(1)
    keyed.peers = frozenset({keyed, Keyed(2)})
    point = Point([], 1)
    point.x.append(point)
    error = ValueError("x")
    error.__context__ = ExceptionGroup("g", [error])
    return [rows, node, keyed, point, error]


def constants() -> list[Frame]:
    """Return a stack that holds what its flow's module holds, and a NaN twice."""
    nan = float("nan")
    named = [models.NOTHING, models.UNSET, models.EURO, models.NAN, math.nan]
    return [Frame("tests.codec.models:flow", "v", 1, 2, {"named": named, "nan": nan, "in": [nan]})]


def continuation() -> list[Frame]:
    """Return frames as a run would have them."""
    rows = [{"sku": "AB-1", "quantity": 2}, {"sku": "CD-2", "quantity": 1}]
    total = CellType(3.5)
    position = iter(rows)
    next(position)
    return [
        Frame(
            "shop.orders:checkout",
            "9f2c4a",
            3,
            57,
            {"rows": rows, "position": position},
            {"total": total},
        ),
        Frame(
            "shop.orders:confirm", "17ab03", 1, 12, {"row": rows[0], "note": None}, {"total": total}
        ),
    ]


def values() -> dict[str, Any]:
    """Return what the goldens hold, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "scalars": samples.SCALARS,
            "values": samples.VALUES,
            "containers": samples.CONTAINERS,
            "named": [samples.CALLABLES, samples.methods()],
            "frames": samples.frames(),
            "continuation": continuation(),
            "plain-frames": [Frame("shop:greet", "f3a9", 1, 4, {"name": "Ada", "lines": [1]})],
            "rests": [
                Frame("shop:sell", "f3a9", 2, 4, {"a": 1}, {}, "91cc02f3ab5c7d10 a b"),
                Frame("shop:greet", "f3a9", 1, 9, {"c": [1]}, {}, "3f2a5b8c90d1e7f6"),
            ],
            "rests-of-cells": [Frame("shop:greet", "f3a9", 1, 4, {}, {"n": CellType(1)}, "3f2a")],
            "plain": {"rows": [1, "two", None], "more": {"x": 1.5}},
            "tagged-plain": {"pair": (1, 2), "set": {3, 1, 2}},
            "iterators": samples.iterators(),
            "library-iterators": samples.library_iterators(),
            "matches": samples.matches(),
            "instances": samples.instances(),
            "generics": samples.generics(),
            "exceptions": [models.Overdrawn(account="a", missing=3), OSError(2, "no", "f"),
                           ExceptionGroup("g", [ValueError("x"), KeyError("k")])],
            "cyclic": cyclic(),
            "constants": constants(),
            "stateful": samples.stateful(),
            "deep": _deep(),
        }  # fmt: skip


def _deep() -> Any:
    nested: Any = "core"
    for _ in range(450):
        nested = [nested]
    return nested


def blobs() -> list[bytes]:
    """Return small valid bytes of every kind."""
    each = [
        *samples.SCALARS, *samples.VALUES, *samples.CONTAINERS, *samples.VIEWS,
        *samples.MEMORYVIEWS,
        *samples.CALLABLES, *samples.methods(), *samples.frames(), *samples.iterators(),
        *samples.library_iterators(), *samples.matches(),
        *samples.instances(), *samples.generics(), *samples.tracebacks(), *cyclic(), continuation(),
        constants(), *samples.stateful(),
    ]  # fmt: skip
    try:
        each += samples.itertools_iterators()
        data = [encode(value) for value in each]
    except Exception:
        each = each[: -len(samples.itertools_iterators())]
        data = [encode(value) for value in each]
    return [blob for blob in data if len(blob) < 4_000]
