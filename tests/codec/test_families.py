"""The table of families: what it says by name is what the files declare."""

from __future__ import annotations

from collections import Counter

from longterm._codec.types.families import (
    FAMILIES,
    FAMILY_OF_EXTENSION,
    FAMILY_OF_KIND,
    family_of_type,
)
from longterm._codec.types.registry import DUMPERS, load_all


def test_every_kind_is_declared_by_its_family() -> None:
    declared = {kind.code: name for name, family in load_all().items() for kind in family.kinds}

    assert declared == FAMILY_OF_KIND


def test_every_extension_is_read_by_its_family() -> None:
    declared = {
        code: name
        for name, family in load_all().items()
        for code in (*family.readers, *family.careful_readers)
    }

    assert declared == FAMILY_OF_EXTENSION


def test_every_type_is_declared_by_the_family_that_its_name_leads_to() -> None:
    for name, family in load_all().items():
        for row in family.rows:
            for cls in row.types:
                assert family_of_type(cls) == name, cls


def test_no_number_and_no_name_stands_twice() -> None:
    numbers = Counter(code for _, _, kinds, _ in FAMILIES for code in kinds)
    names = Counter(name for _, _, kinds, _ in FAMILIES for name in kinds.values())
    types = Counter(name for _, types, _, _ in FAMILIES for name in types.split())
    extensions = Counter(code for *_, codes in FAMILIES for code in codes)
    files = Counter(name for name, *_ in FAMILIES)

    for counted in (numbers, names, types, extensions, files):
        assert set(counted.values()) == {1}


def test_class_that_goes_by_the_name_of_a_stored_type_is_none() -> None:
    impostor = type("Decimal", (), {"__module__": "decimal"})

    assert not DUMPERS.finds(impostor)
