"""What a provider's error means for a message, for its number, and for what is beyond them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, Rejected, Retryable
from elsehu.contracts.message import Mark, Status
from elsehu.messaging.outbound.judging import judge_error
from elsehu.settings import MessagingSettings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = MessagingSettings(max_attempts=5, max_age_hours=24, backoff_first=1, backoff_max=8)
PENDING, FAILED, UNCONFIRMED = Status.PENDING, Status.FAILED, Status.UNCONFIRMED


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


BUSY = Retryable("busy", "d", retry_after=7)
TWICE = Retryable("busy", "d", retry_after=7, most_attempts=2)
MANY = Retryable("busy", "d", retry_after=7, most_attempts=99)
SLOW_DOWN = Retryable("slow", "d", retry_after=60, holds_instance=True)
HELD = {"hold_until": after(60), "instance_status": None}
NOBODY = Rejected("no", "d", "131026", mark=Mark.RECIPIENT)
TABLE: list[tuple[Exception, int, float, dict[str, Any]]] = [
    (BUSY, 1, 0, {"status": PENDING, "next_attempt_at": after(7), "hold_until": None}),
    (BUSY, 5, 0, {"status": FAILED, "code": "busy", "detail": "d Given up after 5 attempts."}),
    (BUSY, 1, 25, {"status": FAILED, "detail": "d Given up after 1 attempt."}),
    (Retryable("b", "d", retry_after=1e300), 1, 0, {"status": PENDING, "next_attempt_at": after(86400)}),
    (Retryable("b", "d", retry_after=float("nan")), 1, 0, {"status": PENDING, "next_attempt_at": NOW}),
    (Retryable("b", "d", retry_after=-5), 1, 0, {"status": PENDING, "next_attempt_at": NOW}),
    (TWICE, 1, 0, {"status": PENDING}),
    (TWICE, 2, 0, {"status": FAILED}),
    (MANY, 4, 0, {"status": PENDING}),
    (MANY, 5, 0, {"status": FAILED}),
    (SLOW_DOWN, 1, 0, {"status": PENDING, "next_attempt_at": after(60), "counts_attempt": True, **HELD}),
    (SLOW_DOWN, 5, 0, {"status": FAILED, **HELD}),
    (InstanceSick("token", "d", "blocked"), 9, 99, {"status": PENDING, "instance_status": "blocked"}),
    (InstanceSick("token", "d", "no such word"), 1, 0, {"status": PENDING, "instance_status": "disconnected"}),
    (NOBODY, 1, 0, {"status": FAILED, "mark": Mark.RECIPIENT, "provider_code": "131026"}),
    (Rejected("no", "d"), 1, 0, {"status": FAILED, "mark": None, "hold_until": None}),
    (OutcomeUnknown("late", "d"), 1, 0, {"status": UNCONFIRMED, "code": "late"}),
    (ValueError(), 1, 0, {"status": UNCONFIRMED, "code": "outcome_unknown"}),
]


@pytest.mark.parametrize(("error", "attempts", "hours", "expected"), TABLE)
def test_judgement(error: Exception, attempts: int, hours: float, expected: dict[str, Any]) -> None:
    verdict = judge_error(error, attempts, timedelta(hours=hours), SETTINGS, NOW)
    assert {name: getattr(verdict, name) for name in expected} == expected


@pytest.mark.parametrize(("attempts", "wait"), [(1, 1), (2, 2), (3, 4), (4, 8)])
def test_without_a_time_the_waits_double_and_the_hold_is_as_long(attempts: int, wait: float) -> None:
    error = Retryable("busy", "d", holds_instance=True)
    verdict = judge_error(error, attempts, timedelta(), SETTINGS, NOW)
    assert verdict.next_attempt_at is not None
    assert wait * 0.8 <= (verdict.next_attempt_at - NOW).total_seconds() <= wait * 1.2
    assert verdict.hold_until == verdict.next_attempt_at
