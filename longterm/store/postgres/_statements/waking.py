"""The statements of workers that rest."""

from __future__ import annotations

from typing import Final, LiteralString

NEXT_DEADLINE: Final[LiteralString] = (
    "SELECT min(deadline), clock_timestamp() FROM longterm.runs"
    " WHERE state = 'suspended' AND ended IS NULL AND deadline > %s"
)
NOTIFY: Final[LiteralString] = "SELECT pg_notify('longterm', %s)"
# A hint may be lost, so its commit waits for no disk and no standby.
HINT: Final[LiteralString] = f"{NOTIFY}, set_config('synchronous_commit', 'off', true)"
CLOCK: Final[LiteralString] = "SELECT clock_timestamp()"
