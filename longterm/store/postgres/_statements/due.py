"""The statements by which workers claim what can go on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from longterm.store.postgres._statements.claims import NOTED
from longterm.store.postgres._statements.columns import CAN_GO_ON, QUALIFIED

ABLE_OF_ANY: Final[LiteralString] = (
    f"SELECT id FROM longterm.runs WHERE able_since IS NOT NULL AND {CAN_GO_ON}"
)
# The index gives the order; a due run of another flow costs a look at its row (0.3 microseconds).
DUE_OF_ANY: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE state = 'suspended' AND ended IS NULL AND deadline <= %s"
    " AND queue IS NULL"
)
_OF_FLOWS: Final[LiteralString] = " AND flow = ANY (%s)"
_NOT_AT: Final[LiteralString] = " AND (position IS NULL OR position <> ALL (%s))"
_LOCK_DUE: Final[LiteralString] = "ORDER BY deadline, id LIMIT %s FOR UPDATE SKIP LOCKED"
_CLAIM_FOUND: Final[LiteralString] = (
    "claimed AS (UPDATE longterm.runs"
    " SET state = 'running', turn = turn + 1, slot = queue, claim = %s, claimed_until = %s"
    f" FROM due WHERE runs.id = due.id RETURNING {QUALIFIED}), {NOTED}"
)
_LOCK_ABLE: Final[LiteralString] = "ORDER BY able_since, id LIMIT %s FOR UPDATE SKIP LOCKED"


def claim_unread(those: LiteralString) -> LiteralString:
    """Return the statement that claims runs which can go on by an unread event."""
    return f"WITH due AS MATERIALIZED ({ABLE_OF_ANY}{those} {_LOCK_ABLE}), {_CLAIM_FOUND}"


def claim_due(those: LiteralString) -> LiteralString:
    """Return the statement that claims runs which are due."""
    return f"WITH due AS MATERIALIZED ({DUE_OF_ANY}{those} {_LOCK_DUE}), {_CLAIM_FOUND}"


def those_to_claim(
    flows: Collection[str] | None, without: Collection[str]
) -> tuple[LiteralString, list[list[str]]]:
    """Return what a claim says of flows and of positions that it leaves out, and its parameters."""
    those: LiteralString = ""
    parameters: list[list[str]] = []
    if flows is not None:
        those += _OF_FLOWS
        parameters.append(list(flows))
    if without:
        those += _NOT_AT
        parameters.append(list(without))
    return those, parameters
