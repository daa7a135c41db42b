"""Working hours: on the clock of their zone, through the night, and over the days when that clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.desk.hours import DAYS, MINUTES_OF_A_DAY, Hours

ZONES = ["America/Sao_Paulo", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
MINUTES = st.integers(0, MINUTES_OF_A_DAY - 1)
SPANS = st.tuples(MINUTES, MINUTES).filter(lambda span: span[0] != span[1])
MOMENTS = st.datetimes(datetime(2016, 1, 2), datetime(2030, 1, 1), timezones=st.just(UTC))


def hours(start: str, end: str, days: tuple[str, ...] = DAYS, zone: str = "America/Sao_Paulo") -> Hours:
    return Hours.of_json({"timezone": zone, "ranges": [{"days": days, "from": start, "to": end}]})


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@pytest.mark.parametrize(
    ("shown", "within"),
    [
        ("2026-11-23T08:59:59-03:00", False),
        ("2026-11-23T09:00:00-03:00", True),
        ("2026-11-23T17:59:59-03:00", True),
        ("2026-11-23T18:00:00-03:00", False),
        ("2026-11-22T12:00:00-03:00", False),  # a Sunday
        ("2026-11-23T12:00:00+00:00", True),
        ("2026-11-23T11:59:00+00:00", False),
    ],
)
def test_a_range_is_from_and_not_until_on_its_days(shown: str, within: bool) -> None:
    weekdays = hours("09:00", "18:00", DAYS[:5])
    assert weekdays.include(datetime.fromisoformat(shown)) is within


@pytest.mark.parametrize(
    ("shown", "within"),
    [
        ("2026-11-20T21:59:00-03:00", False),
        ("2026-11-20T22:00:00-03:00", True),  # Friday
        ("2026-11-21T05:59:00-03:00", True),  # Saturday, of Friday's night
        ("2026-11-21T06:00:00-03:00", False),
        ("2026-11-21T22:00:00-03:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(shown: str, within: bool) -> None:
    assert hours("22:00", "06:00", ("fri",)).include(datetime.fromisoformat(shown)) is within


CHANGES: list[tuple[str, str, str, str, list[tuple[str, bool]]]] = [
    # New York puts its clock forward from 2:00 to 3:00 on 8 March 2026, and back from 2:00 to 1:00 on 1 November.
    ("America/New_York", "01:00", "04:00", "sun", [("2026-03-08T05:59Z", False), ("2026-03-08T06:00Z", True),
     ("2026-03-08T07:59Z", True), ("2026-03-08T08:00Z", False)]),
    ("America/New_York", "02:30", "04:00", "sun", [("2026-03-08T07:29Z", False), ("2026-03-08T07:30Z", True)]),
    ("America/New_York", "01:30", "05:00", "sun", [("2026-11-01T05:29Z", False), ("2026-11-01T05:30Z", True),
     ("2026-11-01T06:15Z", True), ("2026-11-01T09:59Z", True), ("2026-11-01T10:00Z", False)]),
    # São Paulo put it forward at midnight (4 November 2018): the day began at 1:00.
    ("America/Sao_Paulo", "00:00", "24:00", "sun", [("2018-11-04T02:59Z", False), ("2018-11-04T03:00Z", True),
     ("2018-11-05T01:59Z", True), ("2018-11-05T02:00Z", False)]),
    # And back at midnight (17 February 2019): Saturday had 25 hours.
    ("America/Sao_Paulo", "00:00", "24:00", "sat", [("2019-02-16T01:59Z", False), ("2019-02-16T02:00Z", True),
     ("2019-02-17T02:59Z", True), ("2019-02-17T03:00Z", False)]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "end", "day", "moments"), CHANGES)
def test_clock_changes_neither_tear_a_range_nor_double_it(
    zone: str, start: str, end: str, day: str, moments: list[tuple[str, bool]]
) -> None:
    mine = hours(start, end, (day,), zone)
    assert [(at, mine.include(datetime.fromisoformat(at))) for at, _ in moments] == moments


@given(zone=st.sampled_from(ZONES), span=SPANS, at=MOMENTS)
def test_every_day_from_a_time_to_itself_is_always(zone: str, span: tuple[int, int], at: datetime) -> None:
    """A range and its complement leave no moment out."""
    start, end = map(clock, span)
    assert hours(start, end, zone=zone).include(at) or hours(end, start, zone=zone).include(at)


@given(zone=st.sampled_from(["UTC", "Asia/Kathmandu"]), span=SPANS, at=MOMENTS)
def test_where_no_clock_changes_it_is_what_the_clock_shows(zone: str, span: tuple[int, int], at: datetime) -> None:
    start, end = span
    local = at.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    shown = start <= minute < end if start < end else minute >= start or minute < end
    assert hours(clock(start), clock(end), zone=zone).include(at) is shown


@given(zone=st.sampled_from(ZONES), span=SPANS, at=MOMENTS)
def test_a_range_is_in_one_piece(zone: str, span: tuple[int, int], at: datetime) -> None:
    """Within a day of the beginning of a range it is left once and not entered again before the next begins."""
    mine: Any = hours(*map(clock, span), days=(DAYS[at.weekday()],), zone=zone)
    steps = [mine.include(at + timedelta(minutes=7) * step) for step in range(-300, 300)]
    turns = sum(before != after for before, after in pairwise(steps))
    assert turns <= 2
