"""The statements that count runs."""

from __future__ import annotations

from typing import Final, LiteralString

POSITIONS: Final[LiteralString] = (
    "SELECT flow, position, waiting_for IS NOT DISTINCT FROM %s, count(*), min(id)"
    " FROM longterm.runs WHERE state NOT IN ('complete', 'cancelled')"
    " GROUP BY 1, 2, 3 ORDER BY flow, coalesce(position, ''), 3"
)
STATES: Final[LiteralString] = (
    "SELECT flow, state, sum(count)::bigint FROM ("
    "SELECT flow, state, count(*) FROM longterm.runs GROUP BY 1, 2 UNION ALL"
    " SELECT flow, state, count(*) FROM longterm.ended_runs GROUP BY 1, 2) AS counted"
    " GROUP BY 1, 2 ORDER BY 1, 2"
)
