"""Which run a log record belongs to: a filter for the author's own handlers.

    handler.addFilter(RunFilter())
    handler.setFormatter(logging.Formatter("%(run_id)s %(flow)s %(turn)s %(message)s"))

longterm itself logs to the logger `longterm`, installs no handlers, and puts no user data into
records above DEBUG.
"""

from __future__ import annotations

import logging

from longterm._flows.context import current

__all__ = ["RunFilter"]


class RunFilter(logging.Filter):
    """Gives every record `run_id`, `flow` and `turn`; outside of a run they are `-`.

    A record that brings its own keeps them: a worker's records say which run they are about.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark a record, and let it pass."""
        turn = current.get()
        run = None if turn is None else turn.run
        for name, value in (
            ("run_id", "-" if run is None else run.id),
            ("flow", "-" if run is None else run.flow),
            ("turn", "-" if run is None else run.turn),
        ):
            vars(record).setdefault(name, value)
        return True
