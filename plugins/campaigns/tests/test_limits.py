"""The daily limit and the warm-up."""

from datetime import date, timedelta

import pytest
from elsehu_campaigns.limits import Days, left, limit_of, on
from hypothesis import given
from hypothesis import strategies as st

MONDAY = date(2026, 11, 23)


def test_a_day_begins_with_what_had_left_before() -> None:
    first = on(Days(), MONDAY, used=0)
    assert first == Days(MONDAY, 0, 0)
    assert on(first, MONDAY, used=40) == first
    assert on(first, MONDAY + timedelta(days=1), used=40) == Days(MONDAY + timedelta(days=1), 40, 1)


def test_a_day_without_messages_does_not_warm_up() -> None:
    first = on(Days(), MONDAY, used=0)
    assert on(first, MONDAY + timedelta(days=3), used=0).days_used == 0


def test_no_time_zone_brings_a_day_back() -> None:
    today = Days(MONDAY, 10, 1)
    assert on(today, MONDAY - timedelta(days=1), used=60) == today


LIMITS = [
    ("none", None, [], 0, None),
    ("each day", 1000, [], 4, 1000),
    ("the first step", None, [50, 100], 0, 50),
    ("the second step", None, [50, 100], 1, 100),
    ("warm", None, [50, 100], 2, None),
    ("warm, with a limit", 80, [50, 100], 2, 80),
    ("the smaller counts", 80, [50, 100], 1, 80),
]


@pytest.mark.parametrize(("name", "daily", "steps", "days_used", "limit"), LIMITS, ids=[one[0] for one in LIMITS])
def test_limits(name: str, daily: int | None, steps: list[int], days_used: int, limit: int | None) -> None:
    assert limit_of(Days(MONDAY, 0, days_used), daily, steps) == limit


@given(
    steps=st.lists(st.integers(1, 50), max_size=4),
    daily=st.none() | st.integers(1, 60),
    asked=st.lists(st.integers(0, 100), min_size=1, max_size=10),
)
def test_no_day_gets_more_than_its_limit(steps: list[int], daily: int | None, asked: list[int]) -> None:
    days, used = Days(), 0
    for number, wanted in enumerate(asked):
        days = on(days, MONDAY + timedelta(days=number), used)
        limit = limit_of(days, daily, steps)
        if limit is None:
            continue
        sent = min(wanted, left(days, limit, used, waiting=0))
        used += sent
        assert sent <= limit
        assert left(days, limit, used, waiting=0) == limit - sent
        assert left(days, limit, used, waiting=limit) <= 0
