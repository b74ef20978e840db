"""When a cron expression is due: an expression, a time zone and a moment in, moments in UTC out.

The library `cronsim` reads expressions and does what Debian's cron does when clocks are changed. A
time of day that does not exist is due when the clock goes on; one that comes twice, the first time.
What is due every minute, or every hour (`*` begins its field), goes by real time. See cron(8) of
Debian, https://manpages.debian.org/cron.8, at "daylight saving".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from longterm.errors import InvalidSchedule

_FIELDS = 5
_FIRST_SPAN = timedelta(hours=1)
_GROWTH = 8


class Cron:
    """The times of a cron expression in a time zone."""

    def __init__(self, expression: object, tz: object = None) -> None:
        """Read an expression of five fields; without a zone it is of UTC.

        Raises:
            InvalidSchedule: it is none, or never due; the zone is unknown; or cronsim is missing.
        """
        if not isinstance(expression, str) or len(expression.split()) != _FIELDS:
            hint = "give minute, hour, day of month, month and day of week, such as '0 3 * * *'"
            raise InvalidSchedule("cron", expression, hint)
        self.expression = expression
        self.zone = _zone(tz)
        self.next(datetime.now(UTC))

    @property
    def tz(self) -> str:
        """The name of the zone."""
        return str(self.zone)

    def next(self, after: datetime) -> datetime:
        """Return the first time after an aware moment."""
        if not isinstance(after, datetime) or after.utcoffset() is None:
            hint = "give an aware moment, such as datetime.now(UTC)"
            raise InvalidSchedule("after", after, hint)
        return next(self._after(after))

    def newest(self, begin: datetime, end: datetime, most: int) -> list[datetime]:
        """Return the last times from one moment to another, both included, the oldest first.

        The way back is taken in steps, since there may be years between the two.
        """
        span = _FIRST_SPAN
        before = begin - timedelta(microseconds=1)
        while True:
            start = max(before, end - span)
            found: deque[datetime] = deque(maxlen=most)
            for moment in self._after(start):
                if moment > end:
                    break
                found.append(moment)
            if len(found) == most or start == before:
                return list(found)
            span *= _GROWTH

    def _after(self, moment: datetime) -> Iterator[datetime]:
        try:
            from cronsim import CronSim, CronSimError
        except ImportError as error:
            hint = f"install cronsim, by pip install 'longterm[schedules]': {error}"
            raise InvalidSchedule("cron", self.expression, hint) from error
        try:
            times = CronSim(self.expression, moment.astimezone(self.zone))
        except CronSimError as error:
            hint = f"write it as crontab(5) says, such as '0 3 * * *': {error}"
            raise InvalidSchedule("cron", self.expression, hint) from None
        for found in times:
            # In an hour that comes twice, its first time can be behind us.
            if (due := found.astimezone(UTC)) > moment:
                yield due
        raise InvalidSchedule("cron", self.expression, "check day and month: it is never due")


def _zone(tz: object) -> tzinfo:
    if tz is None:
        return UTC
    if isinstance(tz, ZoneInfo) and tz.key is not None:
        return tz
    if tz is UTC or tz == "UTC":
        return UTC
    try:
        if isinstance(tz, str):
            return ZoneInfo(tz)
    except (LookupError, ValueError, OSError):  # as zoneinfo raises for names, and for paths
        pass
    hint = "give the name of a zone, such as 'Europe/Vienna'; a system without them needs tzdata"
    raise InvalidSchedule("tz", tz, hint)
