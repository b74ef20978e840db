"""Rows of a table: a run comes out as it went in, and what no run can have is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from longterm.run import Run, RunState
from longterm.store._rows import COLUMNS, row_of, run_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(id="r", flow="shop:sell", state=RunState.SUSPENDED, waiting_for="paid", created_at=NOW)


def read(**columns):
    """Read the row of a run with other texts in some columns."""
    row = dict(zip(COLUMNS, row_of(RUN), strict=True))
    row |= {name: each.isoformat() for name, each in row.items() if isinstance(each, datetime)}
    return run_of(list((row | columns).values()), datetime.fromisoformat)


def test_row_is_read_as_it_was_written():
    assert read() == RUN


def test_unknown_state_is_named():
    with pytest.raises(ValueError, match="'asleep' is not a valid RunState"):
        read(state="asleep")


@pytest.mark.parametrize("column", ["deadline", "claimed_until", "updated_at", "created_at"])
def test_empty_text_is_no_moment(column):
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        read(**{column: ""})
