"""Cron expressions: against a table of days on which clocks are changed, and against others."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import longterm
from longterm import Engine, InvalidSchedule, deflow, sleep
from longterm._cron import Cron
from longterm.testing import FakeClock

# Of each zone: the expression, a local time before, and the next local times, with their offsets.
DAYS = [
    # Vienna: on 29 March 2026 clocks go from 02:00 to 03:00; on 25 October from 03:00 to 02:00.
    ("Europe/Vienna", "30 2 * * *", "2026-03-28 12:00",
     ["03-29 03:00 +2", "03-30 02:30 +2"]),
    ("Europe/Vienna", "0 3 * * *", "2026-03-28 12:00",
     ["03-29 03:00 +2", "03-30 03:00 +2"]),
    ("Europe/Vienna", "0 2,3 * * *", "2026-03-28 12:00",
     ["03-29 03:00 +2", "03-30 02:00 +2", "03-30 03:00 +2"]),
    ("Europe/Vienna", "0 * * * *", "2026-03-29 00:30",
     ["03-29 01:00 +1", "03-29 03:00 +2", "03-29 04:00 +2"]),
    ("Europe/Vienna", "30 2 * * *", "2026-10-24 12:00",
     ["10-25 02:30 +2", "10-26 02:30 +1"]),
    ("Europe/Vienna", "30 3 * * *", "2026-10-24 12:00",
     ["10-25 03:30 +1", "10-26 03:30 +1"]),
    ("Europe/Vienna", "0 * * * *", "2026-10-25 01:30",
     ["10-25 02:00 +2", "10-25 02:00 +1", "10-25 03:00 +1"]),
    ("Europe/Vienna", "*/30 2 * * *", "2026-10-25 01:59",
     ["10-25 02:00 +2", "10-25 02:30 +2", "10-25 02:00 +1", "10-25 02:30 +1", "10-26 02:00 +1"]),
    # New York: on 8 March 2026 from 02:00 to 03:00; on 1 November from 02:00 to 01:00.
    ("America/New_York", "15 2 * * *", "2026-03-07 12:00",
     ["03-08 03:00 -4", "03-09 02:15 -4"]),
    ("America/New_York", "15 1 * * SUN", "2026-10-30 12:00",
     ["11-01 01:15 -4", "11-08 01:15 -5"]),
    # Lord Howe: by half an hour, on 4 October 2026 from 02:00, and on 5 April back from 02:00.
    ("Australia/Lord_Howe", "10 2 * * *", "2026-10-03 12:00",
     ["10-04 02:30 +11", "10-05 02:10 +11"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00",
     ["04-05 01:45 +11", "04-06 01:45 +10.5"]),
    # Beirut: at midnight. On 29 March 2026 from 00:00 to 01:00; on 25 October from 00:00 to 23:00.
    ("Asia/Beirut", "0 0 * * *", "2026-03-28 12:00",
     ["03-29 01:00 +3", "03-30 00:00 +3"]),
    ("Asia/Beirut", "30 23 * * *", "2026-10-24 12:00",
     ["10-24 23:30 +3", "10-25 23:30 +2"]),
    # Sao Paulo, when it still had them: on 4 November 2018 from 00:00 to 01:00.
    ("America/Sao_Paulo", "0 0 4 * *", "2018-11-01 12:00",
     ["11-04 01:00 -2", "12-04 00:00 -2"]),
    ("America/Sao_Paulo", "0 0 * * *", "2018-11-03 12:00",
     ["11-04 01:00 -2", "11-05 00:00 -2"]),
    # Apia: 30 December 2011 was left out, for the other side of the date line.
    ("Pacific/Apia", "0 9 * * *", "2011-12-28 12:00",
     ["12-29 09:00 -10", "12-31 00:00 +14", "12-31 09:00 +14"]),
    ("Pacific/Apia", "0 9 30 * *", "2011-12-28 12:00",
     ["12-31 00:00 +14", "01-30 09:00 +14"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "expression", "before", "expected"), DAYS)
def test_days_on_which_clocks_are_changed(
    zone: str, expression: str, before: str, expected: list[str]
) -> None:
    cron, moment = Cron(expression, zone), _local(before, zone)
    found = []
    for _ in expected:
        moment = cron.next(moment)
        found.append(moment)

    assert [_shown(moment, zone) for moment in found] == expected


def test_in_an_hour_that_comes_twice_no_time_is_behind_us() -> None:
    zone = ZoneInfo("Europe/Vienna")
    second = datetime(2026, 10, 25, 2, 15, tzinfo=zone, fold=1)

    assert Cron("30 2 * * *", zone).next(second) == datetime(2026, 10, 26, 2, 30, tzinfo=zone)


ZONES = ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Tokyo"]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    day=st.integers(0, 729),
)
def test_a_time_of_day_is_due_once_each_day_and_as_early_as_can_be(
    zone: str, hour: int, minute: int, day: int
) -> None:
    """The rule is written again here, on naive times, one day after the other."""
    here = ZoneInfo(zone)
    begin = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day)
    cron = Cron(f"{minute} {hour} * * *", zone)

    moment, expected, found = begin, [], []
    date = begin.astimezone(here).date() - timedelta(days=1)
    while len(expected) < 5:
        due = _first_existing(datetime(date.year, date.month, date.day, hour, minute), here)
        if due > begin:
            expected.append(due)
        date += timedelta(days=1)
    for _ in expected:
        moment = cron.next(moment)
        found.append(moment)

    assert found == expected


def _first_existing(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment at which a clock on the wall shows a time, or has gone past it."""
    while True:
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall += timedelta(minutes=1)


_minutes = st.sampled_from(["*", "0", "7", "*/7", "1-5", "3,33", "10-50/20"])
_hours = st.sampled_from(["*", "0", "23", "*/5", "8-17", "6,18"])
_days = st.sampled_from(["*", "1", "31", "*/10", "10-12"])
_months = st.sampled_from(["*", "2", "1-3", "*/4", "JAN,JUL"])
_weekdays = st.sampled_from(["*", "0", "7", "1-5", "SUN", "MON-WED"])


@settings(max_examples=150, deadline=None)
@given(
    fields=st.tuples(_minutes, _hours, _days, _months, _weekdays),
    begin=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_another_library_finds_the_same_times(fields: tuple[str, ...], begin: datetime) -> None:
    croniter = pytest.importorskip("croniter").croniter
    expression = " ".join(fields)
    # Debian's cron wants both days where one of them begins with a star; croniter, where it is one.
    is_odd = any(field.startswith("*/") for field in (fields[2], fields[4]))
    if (is_odd and "*" not in (fields[2], fields[4])) or fields[2:4] == ("31", "2"):
        return
    cron, other = Cron(expression), croniter(expression, begin)
    moment = begin
    for _ in range(4):
        moment = cron.next(moment)
        assert moment == other.get_next(datetime)


@pytest.mark.parametrize("years", [0, 3])
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_the_newest_times_are_found_however_long_ago_the_first_was(years: int, most: int) -> None:
    cron = Cron("*/20 9 * * *", "Europe/Vienna")
    end = cron.next(datetime(2026, 5, 5, tzinfo=UTC))
    begin = cron.next(end - timedelta(days=2 + 365 * years))
    every = []
    moment = begin
    while moment <= end:
        every.append(moment)
        moment = cron.next(moment)

    assert cron.newest(begin, end, most) == every[-most:]
    assert cron.newest(end, end, most) == [end]
    assert cron.newest(end + timedelta(seconds=1), end + timedelta(seconds=2), most) == []


@pytest.mark.parametrize(
    "expression",
    ["", "0 3 * *", "0 0 3 * * *", "@daily", "60 3 * * *", "a b c d e", "0 0 30 2 *", 7, None],
)
def test_what_is_no_expression_is_refused(expression: object) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        Cron(expression)

    assert refused.value.argument == "cron"


@pytest.mark.parametrize("tz", ["Europe/Wien", "", "/etc/passwd", "../x", 1, timedelta(hours=1)])
def test_what_is_no_zone_is_refused(tz: object) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        Cron("0 3 * * *", tz)

    assert refused.value.argument == "tz"


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)

    with pytest.raises(InvalidSchedule, match=r"pip install 'longterm\[schedules\]'"):
        longterm.cron("0 3 * * *")


def test_the_next_time_is_after_now_or_after_a_moment() -> None:
    after = datetime(2026, 3, 28, 12, tzinfo=UTC)

    assert longterm.cron("0 3 * * *", tz="Europe/Vienna", after=after) == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )
    assert (
        datetime.now(UTC) < longterm.cron("* * * * *") <= datetime.now(UTC) + timedelta(minutes=1)
    )
    with pytest.raises(InvalidSchedule):
        longterm.cron("0 3 * * *", after=datetime(2026, 3, 28))


@deflow
def nightly(nights: int) -> int:
    slept = 0
    while slept < nights:
        sleep(longterm.cron("0 3 * * *", tz="Europe/Vienna"))
        slept += 1
    return slept


def test_a_flow_sleeps_from_one_time_to_the_next_by_the_engines_clock() -> None:
    clock = FakeClock(datetime(2026, 3, 28, tzinfo=UTC))
    engine = Engine("memory://", clock=clock)
    run = engine.start_flow(nightly, 2)

    assert run.deadline == datetime(2026, 3, 28, 2, tzinfo=UTC)
    clock.advance(timedelta(hours=2))
    engine.run_pending()
    assert engine.get_run(run.id).deadline == datetime(2026, 3, 29, 1, tzinfo=UTC)
    clock.advance(timedelta(hours=23))
    engine.run_pending()
    assert engine.get_run(run.id).result == 2


def _local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def _shown(moment: datetime, zone: str) -> str:
    here = moment.astimezone(ZoneInfo(zone))
    offset = here.utcoffset()
    assert offset is not None
    return f"{here:%m-%d %H:%M} {offset / timedelta(hours=1):+g}"
