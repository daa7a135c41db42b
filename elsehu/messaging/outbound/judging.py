"""What becomes of a message after an attempt to send it: the one place where a provider's errors are judged."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, Rejected, Retryable
from elsehu.contracts.instance import InstanceStatus
from elsehu.contracts.message import Mark, Status
from elsehu.contracts.outbound import Sent
from elsehu.settings import MessagingSettings

SICK_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A message's next state. `next_attempt_at` is set for `pending`.

    `hold_until` also holds its instance, which becomes `instance_status` (None: stays as it is). `mark` is what a
    failure says beyond this message.
    """

    status: Status
    sent: Sent | None = None
    code: str | None = None
    detail: str | None = None
    provider_code: str | None = None
    next_attempt_at: datetime | None = None
    hold_until: datetime | None = None
    instance_status: InstanceStatus | None = None
    counts_attempt: bool = True
    mark: Mark | None = None


LONGEST_WAIT = 24 * 3600.0
"""In seconds. What a provider asks for beyond is no wait that anybody means."""


def judge_sent(sent: Sent) -> Verdict:
    """Judge an attempt that the provider took."""
    return Verdict(sent.status, sent)


def judge_error(error: Exception, attempts: int, age: timedelta, settings: MessagingSettings, now: datetime) -> Verdict:
    """Judge a failed attempt, the `attempts`-th (from 1), at a message of this `age`."""
    match error:
        case Retryable():
            return _retry(error, attempts, age, settings, now)
        case InstanceSick():
            return _hold(error, now)
        case Rejected():
            return Verdict(Status.FAILED, None, error.code, error.detail, error.provider_code, mark=error.mark)
        case OutcomeUnknown():
            return _unknown(error.code, error.detail)
        case _:
            return _unknown("outcome_unknown", f"The provider plugin failed with {type(error).__name__}.")


def _unknown(code: str, detail: str) -> Verdict:
    return Verdict(Status.UNCONFIRMED, None, code, detail)


def _hold(error: InstanceSick, now: datetime) -> Verdict:
    return Verdict(
        Status.PENDING,
        None,
        error.code,
        error.detail,
        error.provider_code,
        next_attempt_at=now,
        hold_until=now + SICK_FOR,
        instance_status=_known(error.instance_status),
        counts_attempt=False,
    )


def _known(status: str) -> InstanceStatus:
    """Return what a plugin said that a number became. A word that says nothing holds its queue all the same."""
    return InstanceStatus(status) if status in list(InstanceStatus) else InstanceStatus.DISCONNECTED


def _retry(error: Retryable, attempts: int, age: timedelta, settings: MessagingSettings, now: datetime) -> Verdict:
    asked = error.retry_after if error.retry_after is not None else backoff(attempts, settings)
    wait = min(asked, LONGEST_WAIT) if asked >= 0 else 0.0
    again = now + timedelta(seconds=wait)
    hold = again if error.holds_instance else None
    most = min(settings.max_attempts, error.most_attempts or settings.max_attempts)
    if attempts >= most or age >= timedelta(hours=settings.max_age_hours):
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        detail = f"{error.detail} Given up after {tries}."
        return Verdict(Status.FAILED, None, error.code, detail, error.provider_code, hold_until=hold)
    return Verdict(
        Status.PENDING,
        None,
        error.code,
        error.detail,
        error.provider_code,
        next_attempt_at=again,
        hold_until=hold,
    )


def backoff(attempts: int, settings: MessagingSettings) -> float:
    """Return the seconds to wait after the `attempts`-th failure: doubling, capped, with ±20 % jitter."""
    doubled = settings.backoff_first * 2.0 ** min(attempts - 1, 20)
    return min(doubled, settings.backoff_max) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
