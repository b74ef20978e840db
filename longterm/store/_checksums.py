"""The checksum of a row of runs: two CRCs in one number.

The upper 32 bits are of what only a save changes; the lower 31 of what a claim changes too, and so
say nothing while the run is running.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

CLAIM_BITS: Final = 31
CLAIM_MASK: Final = (1 << CLAIM_BITS) - 1

_NONE: Final = "\0"
"""Stands for None among the texts of a checksum: no text of a store has it."""
_ODD: Final = 0x9E3779B1
_MASK: Final = 0xFFFFFFFF


def lasting(
    run_id: str,
    flow: str,
    created_at: str | None,
    waiting_for: str | None,
    deadline: str | None,
    delivery: str | None,
    error: str | None,
    facts: str,
    updated_at: str | None,
    saved_turn: int | None,
    stack: bytes | None,
    response: bytes | None,
    result: bytes | None,
    details: str | None,
    position: str | None,
    queue: str | None = None,
    partition: str | None = None,
) -> int:
    texts = (
        run_id,
        flow,
        _NONE if created_at is None else created_at,
        _NONE if waiting_for is None else waiting_for,
        _NONE if deadline is None else deadline,
        _NONE if delivery is None else delivery,
        _NONE if error is None else error,
        facts,
        _NONE if updated_at is None else updated_at,
        _NONE if saved_turn is None else str(saved_turn),
    )
    # Joined, not formatted: a class of somebody's own may format its texts as something else.
    found = crc32("\0".join(texts).encode("utf-8", "surrogatepass"))
    # Another start for each, so that it counts where one ends and the next begins.
    found = found ^ 2 if stack is None else crc32(stack, found ^ 1)
    found = found ^ 2 if response is None else crc32(response, found ^ 1)
    found = found ^ 2 if result is None else crc32(result, found ^ 1)
    # Rows of a longterm that knew one of these not yet keep the checksum that they have.
    if details is not None:
        found = crc32(details.encode(), found ^ 1)
    if position is not None:
        found = crc32(position.encode(), found ^ 4)
    return found if queue is None else crc32(f"{queue}\0{partition}".encode(), found ^ 3)


def of_claim(turn: int, state: str, attempts: int, claimed_until: str | None) -> int:
    start = turn * _ODD + attempts & _MASK
    return crc32((state + (claimed_until or "")).encode(), start) & CLAIM_MASK
