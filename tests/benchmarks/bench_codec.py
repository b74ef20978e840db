"""Measure the codec beside msgpack alone, in one interleaved run, and print ratios of medians.

Run it by hand: `python tests/benchmarks/bench_codec.py`. Plain data means what msgpack itself can
write; the codec writes it as the slots of frames, or as a value.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from msgpack import packb, unpackb

from longterm.codec import decode, encode
from longterm.frame import Frame

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


def nested(count: int) -> list[Any]:
    """Return plain nested data, about 85 bytes for each of `count`."""
    return [
        {
            "id": number,
            "name": f"customer {number}",
            "tags": ["a", "b", "c"][: number % 4],
            "total": number * 1.5,
            "is_open": True,
            "address": {"street": f"{number} High Street", "zip": number * 31},
        }
        for number in range(count)
    ]


def frames(slots: dict[str, Any]) -> list[Frame]:
    """Return a continuation of one frame."""
    return [Frame(FLOW, VERSION, 4, 41, slots)]


def with_sharing(rows: list[Any]) -> list[Any]:
    """Return rows of which every tenth is held twice."""
    return [*rows, *rows[::10]]


def interleaved(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median microseconds of each task, the tasks taking turns."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            begin = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - begin)
    return {name: median(each) * 1e6 for name, each in times.items()}


def compare(title: str, value: Any, plain: Any, rounds: int, limit: float) -> bool:
    """Print how the codec does on a value beside msgpack on the plain data of it."""
    data, packed = encode(value), packb(plain)
    times = interleaved(
        {
            "packb": lambda: packb(plain),
            "encode": lambda: encode(value),
            "unpackb": lambda: unpackb(packed, strict_map_key=False),
            "decode": lambda: decode(data),
        },
        rounds,
    )
    ratio = (times["encode"] + times["decode"]) / (times["packb"] + times["unpackb"])
    verdict = "within" if ratio <= limit else "OVER"
    each = "  ".join(f"{name} {value:.1f}" for name, value in times.items())
    print(
        f"{title:<28} x{ratio:.2f} ({verdict} {limit})  us: {each}  "
        f"bytes {len(data)} of {len(packed)} (x{len(data) / len(packed):.3f})"
    )
    return ratio <= limit


def main() -> int:
    """Print all comparisons; return 1 if one is over its limit."""
    small, middle, large = ten_locals(), nested(1_150), nested(55_000)
    row = [FLOW, VERSION, 4, 41]
    plain = [[*row, small]]
    results = [
        compare("ten locals", frames(ten_locals()), plain, 4000, 2.5),
        compare(
            "100 kB in a frame",
            frames({"rows": nested(1_150)}),
            [[*row, {"rows": middle}]],
            200,
            1.5,
        ),
        compare("100 kB of plain data", nested(1_150), middle, 200, 1.5),
        compare("5 MB of plain data", nested(55_000), large, 7, 1.5),
        compare(
            "ten locals, one held twice",
            frames(shared_locals()),
            [[*row, shared_locals()]],
            2000,
            6.0,
        ),
        compare(
            "100 kB with sharing",
            with_sharing(nested(1_050)),
            with_sharing(nested(1_050)),
            100,
            6.0,
        ),
        compare(
            "5 MB with sharing", with_sharing(nested(50_000)), with_sharing(nested(50_000)), 5, 6.0
        ),
    ]
    return 0 if all(results) else 1


def shared_locals() -> dict[str, Any]:
    """Return ten locals of which two are one list."""
    slots = ten_locals()
    slots["history"] = slots["lines"]
    return slots


if __name__ == "__main__":
    sys.exit(main())
