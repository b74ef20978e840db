"""The families of storable types: what is said of each by name is what its file enters."""

from __future__ import annotations

from longterm._codec.types.families import (
    FAMILIES,
    HOME_OF_EXTENSION,
    HOME_OF_KIND,
    home_of_type,
    load_all,
    place_of_type,
)
from longterm._codec.types.kinds import CAREFUL_READERS, KINDS, READERS
from longterm._codec.types.table import all_rows

PREFIX = "longterm._codec.types."


def test_every_kind_and_extension_is_entered_by_its_family() -> None:
    load_all()

    assert {code: PREFIX + home for code, home in HOME_OF_KIND.items()} == {
        code: kind.load.__module__ for code, kind in KINDS.items()
    }
    assert {*READERS, *CAREFUL_READERS} == set(HOME_OF_EXTENSION)
    for code, reader in (*READERS.items(), *CAREFUL_READERS.items()):
        if reader is not bytearray:
            assert reader.__module__ == PREFIX + HOME_OF_EXTENSION[code]


def test_every_type_is_entered_by_the_family_that_its_name_leads_to() -> None:
    for row in all_rows():
        for cls in row.types:
            assert row.dump.__module__ == f"{PREFIX}{home_of_type(cls)}", cls


def test_rows_come_in_the_order_of_the_families() -> None:
    places = [place_of_type(row.types[0]) for row in all_rows()]

    assert places == sorted(places)
    assert len(FAMILIES) == len({family for family, *_ in FAMILIES})


def test_class_that_goes_by_the_name_of_a_stored_type_is_none() -> None:
    from longterm._codec.types.kinds import DUMPERS

    impostor = type("Decimal", (), {"__module__": "decimal"})

    assert not DUMPERS.finds(impostor)
