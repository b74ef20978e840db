"""Stored bytes can be read by people without the code of the application."""

from __future__ import annotations

import subprocess
import sys

from longterm._codec import describe, encode
from longterm.frame import Frame
from tests.codec.blobs import items, name, tagged, type_of
from tests.codec.corpus import continuation, cyclic, values


def test_frames_are_shown_with_their_slots_by_name() -> None:
    text = describe(
        encode(
            [Frame("shop.orders:greet", "f3a9", 4, 41, {"name": "Ada", "rows": [1, {"x": None}]})]
        )
    )
    assert text == (
        "frame 0: shop.orders:greet at line 41 (point 4, version f3a9)\n"
        "    name = 'Ada'\n"
        "    rows = [1, {'x': None}]\n"
    )


def test_what_is_shared_is_shown_by_number() -> None:
    assert describe(encode(continuation())) == (
        "#0 = {'sku': 'AB-1', 'quantity': 2}\n"
        "#1 = [#0, {'sku': 'CD-2', 'quantity': 1}]\n"
        "#2 = cell(3.5)\n"
        "frame 0: shop.orders:checkout at line 57 (point 3, version 9f2c4a)\n"
        "    rows = #1\n"
        "    position = iterator('list', #1, 1)\n"
        "    captured total = #2\n"
        "frame 1: shop.orders:confirm at line 12 (point 1, version 17ab03)\n"
        "    row = #0\n"
        "    note = None\n"
        "    captured total = #2\n"
    )


def test_cycles_are_shown_as_what_is_filled_later() -> None:
    rows: list[object] = []
    rows.append(rows)
    assert describe(encode(rows)) == "#0 = a list, filled later\n#0 gets #0\n#0\n"


def test_names_are_shown_and_not_looked_up() -> None:
    data = items(
        [name("nowhere:act"), tagged("object", type_of("nowhere.models:Order"), {"total": 3})]
    )
    assert describe(data) == "[nowhere:act, object(nowhere.models:Order, {'total': 3})]\n"


def test_everything_can_be_described() -> None:
    for title, value in values().items():
        assert describe(encode(value)), title
    for value in cyclic():
        assert "filled later" in describe(encode(value))


def test_describing_needs_none_of_the_types() -> None:
    data = encode([values()["instances"]])
    script = (
        "import sys; from longterm._codec import describe\n"
        f"sys.stdout.write(describe(bytes.fromhex({data.hex()!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "object(tests.codec.models:Node(links), {'links': [1]})" in done.stdout
