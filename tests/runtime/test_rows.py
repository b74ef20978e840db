"""Rows of a table: a run comes out as it went in, or its row is refused and the run is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum

import pytest

from longterm.errors import UnreadableRun
from longterm.run import Run, RunState
from longterm.store._rows import COLUMNS, NoMoment, RawRow, Rows, moment_text
from longterm.testing._sample_runs import full_run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(id="r", flow="shop:sell", state=RunState.SUSPENDED, waiting_for="paid", created_at=NOW)
TEXT, TYPED = Rows(has_types=False), Rows(has_types=True)
CHECKSUM = COLUMNS.index("checksum")
OF_A_CLAIM = {
    "turn": 2,
    "state": "complete",
    "attempts": 1,
    "claimed_until": "2026-01-01T00:00:00.000000Z",
}
OF_A_SAVE = {
    "id": "q",
    "flow": "shop:buy",
    "created_at": "2026-01-01T00:00:00.000001Z",
    "waiting_for": "",
    "deadline": "2026-01-01T00:00:00.000000Z",
    "delivery": "",
    "error": "",
    "facts": '["a=1"]',
    "updated_at": "2026-01-01T00:00:00.000000Z",
    "stack": b"",
    "response": b"",
    "result": b"",
    "details": '{"parent": "p"}',
    "position": "shop:sell@3f2a9c04:1",
}


def row(run=RUN, **columns):
    """Return the row of a run as text, with something else in some columns."""
    return list((dict(zip(COLUMNS, TEXT.row_of(run), strict=True)) | columns).values())


@pytest.mark.parametrize("run", [RUN, full_run()], ids=["few-fields", "all-fields"])
@pytest.mark.parametrize("rows", [TEXT, TYPED], ids=["text", "typed"])
def test_a_row_is_read_as_it_was_written(run, rows):
    assert rows.run_of(rows.row_of(run)) == run


def test_all_databases_have_the_same_checksum():
    assert TEXT.row_of(full_run())[CHECKSUM] == TYPED.row_of(full_run())[CHECKSUM]


def test_the_checksum_is_what_it_was():
    # Runs are read years later, by other Pythons on other machines.
    without_trace = replace(full_run(), traceparent=None)
    without_position = replace(without_trace, position=None)
    without_details = replace(without_position, parent=None, children=(), wants=None)
    assert TEXT.row_of(without_details)[CHECKSUM] == 1035872137740653783
    assert TEXT.row_of(without_position)[CHECKSUM] == 8432879631996130519
    assert TEXT.row_of(without_trace)[CHECKSUM] == 5110873544816956631
    assert TEXT.row_of(full_run())[CHECKSUM] == 81959944248726743


def test_a_moment_of_another_zone_has_the_checksum_that_it_is_read_with():
    local = replace(RUN, deadline=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))

    assert TEXT.row_of(local) == TEXT.row_of(replace(RUN, deadline=NOW))
    assert TYPED.run_of(TYPED.row_of(local)) == local


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 999_999])
@pytest.mark.parametrize("year", [1, 999, 2026, 9999])
def test_a_moment_is_written_as_iso_8601_says(year, microsecond):
    moment = datetime(year, 2, 3, 4, 5, 6, microsecond, tzinfo=UTC)

    assert moment_text(moment) == moment.isoformat("T", "microseconds").replace("+00:00", "Z")


class Event(StrEnum):
    PAID = "paid"


class Own(str, Enum):  # noqa: UP042 - it is formatted as its name
    PAID = "paid"


@pytest.mark.parametrize("event", [Event.PAID, Own.PAID])
def test_a_text_of_a_class_of_its_own_counts_as_its_text(event):
    assert row(replace(RUN, waiting_for=event))[CHECKSUM] == row()[CHECKSUM]


@pytest.mark.parametrize("column", OF_A_CLAIM.keys() | OF_A_SAVE.keys())
def test_another_value_in_any_column_is_found_out(column):
    others = OF_A_CLAIM | OF_A_SAVE

    with pytest.raises(UnreadableRun, match="its checksum does not match") as refused:
        TEXT.run_of(row(**{column: others[column]}))

    assert refused.value.run_id == ("q" if column == "id" else "r")


@pytest.mark.parametrize("column", OF_A_SAVE)
def test_another_value_in_a_run_that_is_running_is_found_out(column):
    claimed = row(state="running", turn=2)
    assert TEXT.run_of(claimed).turn == 2

    claimed[COLUMNS.index(column)] = OF_A_SAVE[column]
    with pytest.raises(UnreadableRun, match="its checksum does not match"):
        TEXT.run_of(claimed)


def test_values_that_changed_places_are_found_out():
    run = replace(RUN, encoded_response=b"a", delivery="x")

    for changes in ({"response": None, "result": b"a"}, {"delivery": None, "error": "x"}):
        with pytest.raises(UnreadableRun, match="its checksum does not match"):
            TEXT.run_of(row(run, **changes))


def test_a_row_without_a_checksum_is_taken_as_it_is():
    by_hand = replace(RUN, encoded_error="by hand")
    assert TEXT.run_of(row(checksum=None, error="by hand")) == by_hand


@pytest.mark.parametrize(
    "details",
    [
        {"parent": "p"},
        {"parent": "", "children": ("b", "a")},
        {"wants": {}},
        {"children": ("\0\ud800",), "wants": {"\0": [None, {"\ud800": 2**70, "z": 1, "a": 0.1}]}},
    ],
)
def test_details_are_read_as_they_were_written(details):
    run = replace(RUN, **details)

    written = TEXT.row_of(run)[COLUMNS.index("details")]

    written.encode()
    assert "\0" not in written
    assert TEXT.run_of(TEXT.row_of(run)) == run


def test_details_are_read_by_people():
    details = TEXT.row_of(replace(RUN, parent="p", wants={"ask": "Grüße"}))

    assert details[COLUMNS.index("details")] == '{"parent": "p", "wants": {"ask": "Grüße"}}'
    assert TEXT.row_of(RUN)[COLUMNS.index("details")] is None


@pytest.mark.parametrize(
    "details",
    [
        *("", "{", "null", "[]", "7", '{"parent": 7}', '{"children": "r"}', '{"children": [7]}'),
        *('{"wants": []}', '{"other": 7}', "[" * 100_000),
    ],
)
def test_details_that_are_never_written_are_refused(details):
    with pytest.raises(UnreadableRun, match="run 'r'"):
        TEXT.run_of(row(details=details, checksum=None))


def test_unknown_state_is_named():
    with pytest.raises(UnreadableRun, match=r"run 'r' .*'asleep' is not a valid RunState"):
        TEXT.run_of(row(state="asleep", checksum=None))


@pytest.mark.parametrize("column", ["deadline", "claimed_until", "updated_at", "created_at"])
def test_empty_text_is_no_moment(column):
    with pytest.raises(UnreadableRun, match="Invalid isoformat string"):
        TEXT.run_of(row(**{column: ""}, checksum=None))


@pytest.mark.parametrize("column", ["deadline", "claimed_until", "updated_at", "created_at"])
def test_a_moment_that_python_has_not_is_named(column):
    typed = list(TYPED.row_of(RUN))
    typed[COLUMNS.index(column)] = NoMoment()

    with pytest.raises(UnreadableRun, match=f"its {column} is not between the years 1 and 9999"):
        TYPED.run_of(typed)


@pytest.mark.parametrize("wrong", [7, b"bytes", 1.5])
@pytest.mark.parametrize("column", ["flow", "error", "facts", "deadline"])
def test_what_is_of_another_type_is_no_other_value(column, wrong):
    with pytest.raises(UnreadableRun):
        TEXT.run_of(row(**{column: wrong}))


def test_a_row_that_came_as_bytes_names_its_run():
    with pytest.raises(UnreadableRun, match=r"run 'r' .*not valid UTF-8"):
        TEXT.run_of(RawRow(b"r" if name == "id" else b"\xff" for name in COLUMNS))
