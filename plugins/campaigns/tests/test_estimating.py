"""When a campaign is likely to end: as it would, sent message by message."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from elsehu_campaigns.estimating import Plan, end_of
from elsehu_campaigns.limits import Days, limit_of, on
from elsehu_campaigns.windows import Window, local_day, opening
from hypothesis import given
from hypothesis import strategies as st

ZONE = ZoneInfo("America/Sao_Paulo")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday, 09:00 there
OFFICE = Window(frozenset({1, 2, 3, 4, 5}), 9 * 60, 18 * 60, ZONE)

CASES = [
    ("one leaves now", Plan(2, None, None, [], ZONE), 1, NOW),
    ("each after its gap", Plan(2, None, None, [], ZONE), 51, NOW + timedelta(seconds=100)),
    ("within the window", Plan(3600, OFFICE, None, [], ZONE), 9, NOW + timedelta(hours=8)),
    ("over night", Plan(3600, OFFICE, None, [], ZONE), 10, NOW + timedelta(days=1)),
    ("over the weekend", Plan(3600, OFFICE, None, [], ZONE), 46, NOW + timedelta(days=7)),
    ("by the day's limit", Plan(1, OFFICE, 100, [], ZONE), 101, NOW + timedelta(days=1)),
    ("warming up", Plan(1, OFFICE, None, [1, 2], ZONE), 4, NOW + timedelta(days=2)),
    ("never mind", Plan(86_400, Window(frozenset({1}), 0, 1, ZONE), None, [], ZONE), 1000, None),
]


@pytest.mark.parametrize(("name", "plan", "messages", "end"), CASES, ids=[one[0] for one in CASES])
def test_cases(name: str, plan: Plan, messages: int, end: datetime | None) -> None:
    assert end_of(plan, messages, NOW) == end


def test_what_has_left_today_counts() -> None:
    plan = Plan(1, OFFICE, 100, [], ZONE)
    assert end_of(plan, 11, NOW, Days(date(2026, 11, 23), 400, 4), used=490) == NOW + timedelta(days=1)


@given(
    messages=st.integers(1, 60),
    gap=st.sampled_from([0.5, 7.0, 1800.0, 5000.0]),
    window=st.none()
    | st.builds(Window, st.frozensets(st.integers(1, 7), min_size=1), st.just(600), st.just(700), st.just(ZONE)),
    daily=st.none() | st.integers(1, 20),
    steps=st.lists(st.integers(1, 10), max_size=3),
)
def test_it_is_as_sending_one_by_one(
    messages: int, gap: float, window: Window | None, daily: int | None, steps: list[int]
) -> None:
    assert end_of(Plan(gap, window, daily, steps, ZONE), messages, NOW) == one_by_one(
        messages, gap, window, daily, steps
    )


def one_by_one(messages: int, gap: float, window: Window | None, daily: int | None, steps: list[int]) -> datetime:
    """Send a message when all rules allow it, and the next a gap later; a new span begins at once."""
    at, days, used, span_end = NOW, Days(), 0, None
    while True:
        span = opening(window, at) if window else None
        at = max(at, span.start) if span else at
        days = on(days, local_day(at, ZONE), used)
        limit = limit_of(days, daily, steps)
        if limit is not None and used - days.used_before >= limit:
            at = _midnight(at)
            continue
        used += 1
        if used == messages:
            return at
        span_end = min(_midnight(at), span.end) if span else _midnight(at)
        at = min(at + timedelta(seconds=gap), span_end)


def _midnight(at: datetime) -> datetime:
    local = at.astimezone(ZONE)
    return datetime(local.year, local.month, local.day, tzinfo=ZONE).astimezone(UTC) + timedelta(days=1)
