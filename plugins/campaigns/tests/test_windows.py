"""Sending windows and local days, on ordinary days and on those of clock changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from elsehu_campaigns.windows import Window, end_of_day, instant, local_day, opening, window_of
from hypothesis import given
from hypothesis import strategies as st

BERLIN, SAO_PAULO, APIA, NEW_YORK = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "America/New_York")
)
WORKDAYS = frozenset({1, 2, 3, 4, 5})
EVERY_DAY = frozenset(range(1, 8))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


INSTANTS = [
    ("an ordinary morning", date(2026, 11, 23), 9 * 60, SAO_PAULO, "2026-11-23T12:00"),
    ("the end of a day", date(2026, 11, 23), 24 * 60, SAO_PAULO, "2026-11-24T03:00"),
    ("an hour that comes twice counts from its first time", date(2026, 10, 25), 150, BERLIN, "2026-10-25T00:30"),
    ("an hour that is left out begins when the clock jumps", date(2026, 3, 29), 150, BERLIN, "2026-03-29T01:00"),
    ("a midnight that is left out", date(2018, 11, 4), 0, SAO_PAULO, "2018-11-04T03:00"),
    ("a whole day that is left out", date(2011, 12, 30), 600, APIA, "2011-12-30T10:00"),
]


@pytest.mark.parametrize(("name", "day", "minutes", "zone", "at"), INSTANTS, ids=[one[0] for one in INSTANTS])
def test_instants(name: str, day: date, minutes: int, zone: ZoneInfo, at: str) -> None:
    assert instant(day, minutes, zone) == utc(at)


OPENINGS = [
    ("inside", "2026-11-23T15:00", ("2026-11-23T12:00", "2026-11-23T21:00")),
    ("its first instant is inside", "2026-11-23T12:00", ("2026-11-23T12:00", "2026-11-23T21:00")),
    ("its last instant is not", "2026-11-23T21:00", ("2026-11-24T12:00", "2026-11-24T21:00")),
    ("before it", "2026-11-23T04:00", ("2026-11-23T12:00", "2026-11-23T21:00")),
    ("over the weekend", "2026-11-27T22:00", ("2026-11-30T12:00", "2026-11-30T21:00")),
]


@pytest.mark.parametrize(("name", "now", "span"), OPENINGS, ids=[one[0] for one in OPENINGS])
def test_openings(name: str, now: str, span: tuple[str, str]) -> None:
    found = opening(Window(WORKDAYS, 9 * 60, 18 * 60, SAO_PAULO), utc(now))
    assert (found.start, found.end) == (utc(span[0]), utc(span[1]))


def test_a_window_as_the_api_shows_it() -> None:
    shown = {"days": [6], "from": "08:30", "to": "24:00"}
    assert window_of(shown, BERLIN) == Window(frozenset({6}), 510, 1440, BERLIN)
    assert window_of(None, BERLIN) is None


moments = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from([BERLIN, SAO_PAULO, APIA, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")])
windows = st.builds(
    lambda days, ends, zone: Window(days, min(ends), max(ends), zone),
    st.frozensets(st.integers(1, 7), min_size=1),
    st.sets(st.integers(0, 24 * 60), min_size=2, max_size=2),
    zones,
)


@given(window=windows, now=moments, share=st.floats(0, 0.999))
def test_whatever_the_day_the_clock_in_a_span_shows_the_window(window: Window, now: datetime, share: float) -> None:
    span = opening(window, now)
    assert now < span.end
    assert span.start < span.end
    local = (span.start + share * (span.end - span.start)).astimezone(window.zone)
    assert local.isoweekday() in window.days
    if span.end - span.start == timedelta(minutes=window.end - window.start):
        assert window.start <= local.hour * 60 + local.minute < window.end


@given(window=windows, now=moments)
def test_openings_follow_one_another(window: Window, now: datetime) -> None:
    first = opening(window, now)
    assert opening(window, first.start) == first
    second = opening(window, first.end)
    assert second.start >= first.end
    between = first.end + (second.start - first.end) / 2
    assert opening(window, between) == second


@given(now=moments, zone=zones)
def test_a_day_ends_where_the_next_begins(now: datetime, zone: ZoneInfo) -> None:
    end = end_of_day(now, zone)
    assert now < end <= now + timedelta(hours=49)
    assert local_day(end, zone) > local_day(now, zone)
    assert local_day(end - timedelta(seconds=1), zone) == local_day(now, zone)
