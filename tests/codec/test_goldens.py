"""Bytes that were stored once are decoded for ever, and values are still written as they were.

`--update-golden` writes files that are missing; it never changes one, since stored runs do not
change either.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longterm._codec import NotAllowed, decode, describe, encode
from tests.codec.corpus import values
from tests.codec.shapes import assert_same

FOLDER = Path(__file__).parents[2] / "fixtures" / "wire" / "v1"
# Iterators, functions and cyclic exceptions have no shape that can be compared from outside.
COMPARABLE = {
    "scalars", "containers", "frames", "plain-frames", "plain", "tagged-plain", "instances", "deep",
}  # fmt: skip


@pytest.mark.parametrize("name", values())
def test_what_was_stored_is_decoded(name: str, update_golden: bool) -> None:
    path = FOLDER / f"{name}.msgpack"
    value: Any = values()[name]
    if update_golden and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(value))
        path.with_suffix(".txt").write_text(
            describe(encode(value)), encoding="utf-8", errors="replace"
        )
    data = path.read_bytes()
    back = decode(data)
    if name in COMPARABLE:
        assert_same(value, back)
    else:
        assert repr(type(back)) == repr(type(value))
        assert len(back) == len(value)


OLDER = sorted(path.stem for path in (FOLDER / "older").glob("*.msgpack"))


@pytest.mark.parametrize("name", OLDER)
def test_what_was_written_otherwise_is_decoded_as_well(name: str) -> None:
    """Before the names that a class declares stood beside it, and the rest beside a frame."""
    value: Any = values()[name.partition(".")[0]]
    older = decode((FOLDER / "older" / f"{name}.msgpack").read_bytes())
    if name in COMPARABLE:
        assert_same(value, older)
    assert encode(older) == encode(decode(encode(value)))


@pytest.mark.parametrize("name", values())
def test_values_are_written_as_they_were(name: str) -> None:
    assert encode(values()[name]) == (FOLDER / f"{name}.msgpack").read_bytes()


@pytest.mark.parametrize("name", values())
def test_the_text_beside_each_file_is_what_it_holds(name: str) -> None:
    path = FOLDER / f"{name}.msgpack"
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert describe(path.read_bytes()).encode("utf-8", "replace").decode() == text


@pytest.mark.parametrize("name", OLDER)
def test_the_text_beside_each_older_file_is_what_it_holds(name: str) -> None:
    path = FOLDER / "older" / f"{name}.msgpack"
    assert describe(path.read_bytes()) == path.with_suffix(".txt").read_text(encoding="utf-8")


# What 0.1 stored and is refused by name today: modules as values, and functions that act.
REFUSED = {"callables": "print"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_allowed_any_more_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotAllowed, match=REFUSED[name]):
        decode((FOLDER / f"{name}.msgpack").read_bytes())


def test_no_file_is_forgotten() -> None:
    assert {path.stem for path in FOLDER.glob("*.msgpack")} == {*values(), *REFUSED}
