"""A schedule, as `Engine.schedules` returns it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Schedule"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When runs of a flow are begun."""

    name: str
    run_id: str
    """The id of the run that it is: whoever cancels that ends it."""
    flow: str
    """The flow of the runs that it begins, as `module:qualname`."""
    cron: str
    tz: str
    catch_up: str
    overlap: str
    next: datetime | None
    """When it begins the next one (aware, UTC); or, if its last turn could not be run, when that is
    tried again."""
    last: str | None
    """The id of the run that it began last; None: it has not begun any."""
