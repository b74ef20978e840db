"""The codec beside msgpack alone, on plain data: what msgpack itself can write.

The codec writes it as the slots of a frame, or as a value. It must find what is held twice, and
keep it one; that is the price of the rows with sharing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgpack import packb, unpackb

from longterm._codec import decode, encode
from longterm.frame import Frame
from tests.benchmarks.flows import rows_of_about
from tests.benchmarks.held import Order
from tests.benchmarks.measuring import Row, Samples, interleaved, rows_of

FLOW, VERSION = "shop.orders:greet", "f3a9c2d47b1e"


def ten_locals() -> dict[str, Any]:
    """Return ten ordinary locals, about 500 bytes."""
    return {
        "order_id": "ord-2026-000481",
        "customer": {
            "name": "Ada Lovelace",
            "email": "ada@example.org",
            "vip": True,
            "since": 1843,
        },
        "lines": [
            {"sku": "AB-1", "quantity": 2, "price": 12.5},
            {"sku": "CD-2", "quantity": 1, "price": 99.0},
            {"sku": "EF-3", "quantity": 40, "price": 0.25},
        ],
        "total": 134.0,
        "note": "please leave the parcel with the neighbours if nobody answers the door",
        "attempt": 3,
        "approved": None,
        "tags": ["gift", "express", "fragile"],
        "address": {"street": "12 St James's Square", "city": "London", "postcode": "SW1Y 4JH"},
        "history": [[1, "created"], [2, "paid"], [3, "packed"]],
    }


def frames(slots: dict[str, Any]) -> list[Frame]:
    """Return a continuation of one frame."""
    return [Frame(FLOW, VERSION, 4, 41, slots)]


def with_sharing(rows: list[Any]) -> list[Any]:
    """Return rows of which every tenth is held twice."""
    return [*rows, *rows[::10]]


def shared_locals() -> dict[str, Any]:
    """Return ten locals of which two are one list."""
    slots = ten_locals()
    slots["history"] = slots["lines"]
    return slots


def with_instance() -> dict[str, Any]:
    """Return ten locals of which one is a dataclass."""
    return {**ten_locals(), "customer": Order("Ada Lovelace", 1843, [1, 2])}


def stack(depth: int) -> list[Frame]:
    """Return a continuation of many frames, each with an integer."""
    return [Frame(FLOW, VERSION, 1, 41, {"frames": number}) for number in range(depth)]


def measure(quick: bool) -> list[Row]:
    """Return the rows of all shapes; large data last, since it slows down Python's collector."""
    often, seldom, rarely = (3, 2, 1) if quick else (2_000, 100, 9)
    slots, twice, row = ten_locals(), shared_locals(), [FLOW, VERSION, 4, 41]
    rows = [
        *compare("ten locals", frames(slots), [[*row, slots]], often, 2.5),
        *compare("ten locals, one held twice", frames(twice), [[*row, twice]], often, 6.0),
    ]
    plain = {**slots, "customer": vars(Order("Ada Lovelace", 1843, [1, 2]))}
    rows += compare(
        "ten locals, one a dataclass", frames(with_instance()), [[*row, plain]], often, 6.0
    )
    deep = [[*row, frame.slots] for frame in stack(50)]
    rows += compare("a stack of 50", stack(50), deep, often, 3.0)
    data = rows_of_about(100_000)
    slots = {"rows": data}
    rows += compare("100 kB in a frame", frames(slots), [[*row, slots]], seldom, 1.5)
    for name, size, repeats in (("100 kB", 100_000, seldom), ("5 MB", 5_000_000, rarely)):
        data = rows_of_about(size)
        shared = with_sharing(data)
        rows += compare(f"{name} of plain data", data, data, repeats, 1.5)
        rows += compare(f"{name} with sharing", shared, shared, repeats, 6.0)
    return rows


def compare(group: str, value: Any, plain: Any, repeats: int, target: float) -> list[Row]:
    """Return how long both take to write and read a value, and how many bytes it takes."""
    data, packed = encode(value), packb(plain)
    sides: dict[str, Callable[[int], object]] = {
        "packb": lambda _: packb(plain),
        "encode": lambda _: encode(value),
        "unpackb": lambda _: unpackb(packed, strict_map_key=False),
        "decode": lambda _: decode(data),
    }
    samples = interleaved(sides, repeats=repeats)
    both = {
        "msgpack": [a + b for a, b in zip(samples["packb"], samples["unpackb"], strict=True)],
        "encode and decode": [
            a + b for a, b in zip(samples["encode"], samples["decode"], strict=True)
        ],
    }
    sizes: Samples = {"msgpack's bytes": [len(packed)], "the codec's bytes": [len(data)]}
    return [
        *rows_of(group, both, bases=["msgpack"], targets={"encode and decode": target}),
        *rows_of(group, sizes, bases=["msgpack's bytes"], unit="bytes", scale=1),
    ]
