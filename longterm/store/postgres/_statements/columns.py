"""What several statements of the Postgres store say alike: columns, and what a run can take."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store._event_rows import COLUMNS as EVENT_COLUMNS
from longterm.store._rows import COLUMNS

NAMES: Final[LiteralString] = ", ".join(COLUMNS)
EVENT_NAMES: Final[LiteralString] = ", ".join(EVENT_COLUMNS)
QUALIFIED: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
HAS_NEXT: Final[LiteralString] = (
    "string_to_array(unread, E'\n')"
    " && string_to_array("
    "waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n')"
)
CAN_GO_ON: Final[LiteralString] = (
    f"unread <> '' AND state = 'suspended' AND (error IS NULL OR deadline IS NULL) AND {HAS_NEXT}"
)
# Of a run that goes on at once, workers are told; see `_waker`.
IS_READY: Final[LiteralString] = (
    f"({CAN_GO_ON} OR state = 'suspended' AND queued_at IS NOT NULL) AS is_ready"
)
# Of a run that waits for several events, their names are lines of one text.
AWAITS: Final[LiteralString] = "strpos(E'\\n' || waiting_for || E'\\n', E'\\n' || %s || E'\\n') > 0"
