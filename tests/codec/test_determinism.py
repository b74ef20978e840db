"""One graph is the same bytes, whatever the hash seed and the version of Python."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from types import MethodType
from typing import Any

import pytest

from longterm._codec import decode, encode
from tests.codec import models
from tests.codec.fuzz import victims

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys, hashlib
sys.path[:0] = ['.', 'compiler']
from longterm._codec import encode
from tests.codec.corpus import values
names = [n for n in values() if n not in ('named',)]
for name, value in values().items():
    if name in names:
        print(name, hashlib.sha256(encode(value)).hexdigest())
"""


def digests(python: str, seed: str) -> str:
    """Return the digests of all sample values, encoded by this Python under this hash seed."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def here() -> str:
    return digests(sys.executable, "0")


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_bytes_are_the_same_under_any_hash_seed(seed: str, here: str) -> None:
    assert digests(sys.executable, seed) == here


@pytest.mark.parametrize("venv", [".venv", ".venv-3.12", ".venv-3.13", ".venv-3.14"])
def test_bytes_are_the_same_across_versions(venv: str, here: str) -> None:
    python = ROOT / venv / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no {venv}")
    assert digests(str(python), "random") == here


ELEMENTS: list[Any] = [
    *range(-5, 5), 2**80, 1.5, -0.5, float("inf"), "a", "b", "\ud800", b"a", None, ..., (1, 2),
    (1, "x"),
    frozenset({1}), frozenset({"a", 2}), models.Color.RED, models.Color.BLUE, models.Shade.DARK,
    models.Point(1, 2), models.Point(1, (2,)), models.Money(1, "EUR"), models.Pair(1, 3), int, len,
    str,
    models.Keyed(1000), models.Keyed(2000), models.MyStr("bb"), models.MyInt(77),
]  # fmt: skip


def test_sets_are_written_in_one_order_however_they_were_made() -> None:
    chance = random.Random(7)
    expected = encode(set(ELEMENTS))
    for _ in range(20):
        chance.shuffle(ELEMENTS)
        assert encode(set(ELEMENTS)) == expected
        assert encode(frozenset(ELEMENTS)) == encode(frozenset(reversed(ELEMENTS)))
    assert decode(expected) == set(ELEMENTS)


def test_elements_of_a_set_are_not_asked_when_they_are_put_in_order() -> None:
    moment = datetime(2026, 1, 1, tzinfo=victims.VictimZone())
    elements = {moment, "a", MethodType(victims.act, [victims.VictimList()])}
    victims.REPORTS.clear()
    encode(elements)
    assert victims.REPORTS == []


def test_long_numbers_are_put_in_order() -> None:
    elements = {Fraction(10**5000, 3), range(10**5000), models.MyInt(10**5000), 1}
    assert decode(encode(elements)) == elements


def test_what_else_holds_a_value_changes_nothing() -> None:
    rows = [{"a": [1]}, {"b": (2,)}]
    before = encode(rows)
    kept = [rows[0]["a"], rows, rows[1]]
    assert encode(rows) == before
    assert len(kept) == 3
