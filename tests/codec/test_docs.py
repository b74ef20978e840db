"""The pages about the codec say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from longterm._codec import decode, encode, wire
from longterm._codec.types.families import load_all
from longterm._codec.types.kinds import KINDS
from longterm._codec.types.table import BEGIN, END, table

DOCS = Path(__file__).parents[2] / "docs"
STORING = (DOCS / "storing-values.md").read_text(encoding="utf-8")
FORMAT = (DOCS / "wire-format.md").read_text(encoding="utf-8")


def test_the_table_of_types_is_made_of_the_code() -> None:
    shown = STORING.partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == table().strip(), (
        "run python -m longterm._codec.types.table docs/storing-values.md"
    )


def test_every_kind_is_in_the_format_with_its_number_and_name() -> None:
    load_all()
    kinds = FORMAT.partition("## Tagged arrays")[2].partition("**Objects.**")[0]
    shown = {int(code): name for code, name in re.findall(r"^\| (\d+) \| ([\w ]+) \|", kinds, re.M)}
    assert shown == {code: kind.name for code, kind in KINDS.items()}


def test_every_extension_is_in_the_format() -> None:
    extensions = FORMAT.partition("## Extensions")[2].partition("## Tagged arrays")[0]
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", extensions, re.M)}
    layout = {"VERSION", "PAYLOAD", "SEAL", "FRAMES", "TAGGED", "ITEMS"}
    codes = {
        value for name, value in vars(wire).items() if type(value) is int and name not in layout
    }
    assert shown == codes


def test_the_example_of_a_cycle_is_what_is_written() -> None:
    example = FORMAT.partition("rows = []; rows.append((rows,))\n")[2].partition("```")[0]
    data = b"".join(map(bytes.fromhex, re.findall(r"^[0-9a-f ]+?(?=  )", example, re.M)))
    rows: list[object] = []
    rows.append((rows,))
    assert encode(rows) == data
    back = decode(data)
    assert back[0][0] is back
