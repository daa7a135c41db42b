"""Business hours: what of a span lies within them, whatever the zone's clock does meanwhile."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.clocks import Calendar
from elsehu.settings import BusinessHoursSettings, Settings

HOUR = 3_600_000
OFFICE = {"ranges": ["mon-fri 08:00-12:00 13:00-18:00", "sat 09:00-12:00"], "holidays": ["2026-11-20", "12-25"]}
ZONES = ["America/Sao_Paulo", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
MOMENTS = st.datetimes(datetime(2017, 1, 2), datetime(2027, 1, 1), timezones=st.just(UTC))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def hours(start: str, end: str, **settings: Any) -> float:
    own = BusinessHours.of(BusinessHoursSettings(**settings))
    return own.clock(ms(start), ms(end)).between(ms(start), ms(end)) / HOUR


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-23T08:00-03:00", "2026-11-23T18:00-03:00", 9),  # Monday, lunch left out
        ("2026-11-23T11:30-03:00", "2026-11-23T13:30-03:00", 1),
        ("2026-11-23T12:00-03:00", "2026-11-23T13:00-03:00", 0),
        ("2026-11-23T00:00-03:00", "2026-11-30T00:00-03:00", 5 * 9 + 3),
        ("2026-11-20T00:00-03:00", "2026-11-21T00:00-03:00", 0),  # a holiday of that year
        ("2025-11-20T00:00-03:00", "2025-11-21T00:00-03:00", 9),
        ("2028-12-25T00:00-03:00", "2028-12-26T00:00-03:00", 0),  # a holiday of every year
        ("2026-11-23T10:15-03:00", "2026-11-23T10:15-03:00", 0),
    ],
)
def test_only_what_lies_within_counts(start: str, end: str, expected: float) -> None:
    assert hours(start, end, **OFFICE) == expected


@pytest.mark.parametrize(
    ("zone", "start", "end", "ranges", "expected"),
    [
        # New York puts its clock forward at 2:00 on 8 March 2026, and back at 2:00 on 1 November.
        ("America/New_York", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00", ["sun 00:00-24:00"], 23),
        ("America/New_York", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00", ["sun 01:00-04:00"], 2),
        ("America/New_York", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00", ["sun 02:30-04:00"], 0.5),
        ("America/New_York", "2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00", ["sun 00:00-24:00"], 25),
        ("America/New_York", "2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00", ["sun 01:30-03:00"], 2.5),
        # São Paulo did so at midnight: 4 November 2018 began at 1:00, 16 February 2019 had 25 hours.
        ("America/Sao_Paulo", "2018-11-03T12:00-03:00", "2018-11-05T00:00-02:00", ["sun 00:00-24:00"], 23),
        ("America/Sao_Paulo", "2019-02-16T00:00-02:00", "2019-02-17T12:00-03:00", ["sat 00:00-24:00"], 25),
        # Lord Howe moves its clock by half an hour.
        ("Australia/Lord_Howe", "2026-10-03T00:00+10:30", "2026-10-05T00:00+11:00", ["sun 00:00-24:00"], 23.5),
    ],
)
def test_days_on_which_the_clock_changes(zone: str, start: str, end: str, ranges: list[str], expected: float) -> None:
    assert hours(start, end, timezone=zone, ranges=ranges) == expected


def test_ranges_may_overlap_cross_midnight_and_go_around_the_week() -> None:
    week = ("2026-11-23T00:00-03:00", "2026-11-30T00:00-03:00")
    assert hours(*week, ranges=["mon 08:00-12:00 10:00-14:00"]) == 6
    assert hours(*week, ranges=["mon 08:00-12:00 12:00-14:00"]) == 6
    assert hours(*week, ranges=["wed 22:00-06:00"]) == 8
    assert hours(*week, ranges=["sat-mon 10:00-11:00"]) == 3
    assert hours(*week, ranges=["mon-sun 00:00-24:00"]) == 7 * 24
    assert hours(*week, ranges=[]) == 0


@given(zone=st.sampled_from(ZONES), start=MOMENTS, parts=st.lists(st.timedeltas(timedelta(), timedelta(9)), max_size=4))
def test_the_parts_add_up_and_are_never_more_than_the_whole(zone: str, start: datetime, parts: list[timedelta]) -> None:
    hours = BusinessHours.of(BusinessHoursSettings(timezone=zone, **OFFICE))
    instants = [int(start.timestamp() * 1000)]
    for part in parts:
        instants.append(instants[-1] + int(part.total_seconds() * 1000))
    clock = hours.clock(instants[0], instants[-1])
    pieces = [clock.between(*pair) for pair in pairwise(instants)]
    assert sum(pieces) == clock.between(instants[0], instants[-1])
    for piece, pair in zip(pieces, pairwise(instants), strict=True):
        assert 0 <= piece <= Calendar().between(*pair)


@given(zone=st.sampled_from(ZONES), at=MOMENTS)
def test_what_counts_is_what_the_desk_calls_within_hours(zone: str, at: datetime) -> None:
    own = BusinessHours.of(BusinessHoursSettings(timezone=zone, ranges=OFFICE["ranges"]))
    start = int(at.timestamp()) * 1000
    counted = own.clock(start, start + 1).between(start, start + 1)
    assert counted == own.hours.include(datetime.fromtimestamp(start / 1000, UTC))


def test_the_version_is_of_what_matters() -> None:
    one = BusinessHoursSettings(**OFFICE)
    others = [one.model_copy(update=change) for change in ({}, {"holidays": ["12-25"]}, {"timezone": "UTC"})]
    versions = [BusinessHours.of(other).version for other in others]
    assert [version == BusinessHours.of(one).version for version in versions] == [True, False, False]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ranges", ["mon 8:00-9:00"]),
        ("ranges", ["mon"]),
        ("ranges", ["monday 08:00-09:00"]),
        ("ranges", ["mon 24:00-09:00"]),
        ("timezone", "Brasilia"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("holidays", ["20261225"]),
        ("holidays", ["2026-02-29"]),
        ("holidays", ["25/12"]),
    ],
)
def test_what_cannot_be_meant_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Settings(business_hours={key: value})


def test_the_environment_says_it_with_commas() -> None:
    settings = BusinessHoursSettings(ranges="mon-fri 08:00-12:00 13:00-18:00, sat 09:00-12:00", holidays="12-25, 01-01")  # type: ignore[arg-type]
    assert settings.ranges == OFFICE["ranges"]
    assert settings.holidays == ["12-25", "01-01"]
