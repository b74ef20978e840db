"""The pages about the codec say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from longterm._codec import CorruptData, decode, encode, wire
from longterm._codec.types.registry import KINDS, load_all
from longterm._codec.types.table import BEGIN, END, table
from tests.sealing import envelope  # noqa: F401 - a fixture

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


def test_the_recipe_for_encryption_works_and_changes_keys(
    envelope: None,  # noqa: F811 - that fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fernet = pytest.importorskip("cryptography.fernet")
    (recipe,) = re.findall(r"```python\n(import os\n.*?)```", STORING, re.DOTALL)
    assert "cryptography" in recipe
    old, new = (fernet.Fernet.generate_key().decode() for _ in range(2))
    value = {"patient": "Ada Lovelace"}

    monkeypatch.setenv("SHOP_KEYS", old)
    exec(recipe, {})
    stored = encode(value)
    assert b"Lovelace" not in stored  # a shorter word comes up by chance
    assert decode(stored) == value

    monkeypatch.setenv("SHOP_KEYS", f"{new} {old}")
    exec(recipe, {})
    assert decode(stored) == decode(encode(value)) == value

    monkeypatch.setenv("SHOP_KEYS", new)
    exec(recipe, {})
    for refused in (stored, stored[:-1] + b"?", b"\x01\x00\xc0"):
        with pytest.raises(CorruptData):
            decode(refused)
