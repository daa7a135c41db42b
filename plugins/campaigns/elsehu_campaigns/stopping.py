"""When a campaign stops itself. Outcomes are judged in the order in which the messages left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.plugin import UnitOfWork

LOOK_BACK = 2_000
"""How many outcomes are looked at: more than any rule asks for, so that none slips by between two looks."""

OUTCOMES = """
SELECT status, error_code, error_detail FROM public_messages
WHERE lane_id = $1 AND seq > $2 AND status NOT IN ('pending', 'sending')
  AND (error_code IS NULL OR status NOT IN ('failed', 'unconfirmed')
       OR error_code NOT IN ('opted_out', 'contact_erased', 'interrupted'))
ORDER BY seq DESC LIMIT $3
"""
"""Without those that say nothing of how sending goes: the customer's own wish, and sends that died with Elsehu."""

LATEST = "SELECT coalesce(max(seq), 0) FROM public_messages WHERE lane_id = $1"
FAILURES = ("failed", "unconfirmed")
"""An unconfirmed message counts: a provider that never answers must not be sent a whole list."""


@dataclass(frozen=True, slots=True)
class Rules:
    """As `schemas.StopRules`."""

    error_rate: float | None
    over: int
    consecutive_failures: int | None


def rules_of(shown: Mapping[str, Any]) -> Rules:
    """Return the rules that the API shows as `shown`."""
    return Rules(shown["errorRate"], shown["over"], shown["consecutiveFailures"])


def judge(rules: Rules, failed: Sequence[bool]) -> str | None:
    """Return in words which rule the outcomes break, oldest first, or None."""
    return _in_a_row(rules, failed) or _rate(rules, failed)


def _in_a_row(rules: Rules, failed: Sequence[bool]) -> str | None:
    run = 0
    for one in failed:
        run = run + 1 if one else 0
        if run == rules.consecutive_failures:
            return f"{run} messages failed one after the other"
    return None


def _rate(rules: Rules, failed: Sequence[bool]) -> str | None:
    if rules.error_rate is None:
        return None
    failures = sum(failed[: rules.over])
    for end in range(rules.over, len(failed) + 1):
        if failures >= rules.error_rate * rules.over:
            return f"{failures} of {rules.over} messages failed"
        if end < len(failed):
            failures += failed[end] - failed[end - rules.over]
    return None


async def reason_to_stop(uow: UnitOfWork, lane_id: UUID, since: int, rules: Rules) -> str | None:
    """Return in words why what was sent in the lane after the message numbered `since` is reason to stop, or None."""
    rows = (await uow.fetch(OUTCOMES, lane_id, since, LOOK_BACK))[::-1]
    broken = judge(rules, [row["status"] in FAILURES for row in rows])
    if broken is None:
        return None
    last = next(row for row in reversed(rows) if row["status"] in FAILURES)
    return f"{broken}, the last because: {last['error_detail'] or last['error_code'] or 'no reason given'}"


async def latest(uow: UnitOfWork, lane_id: UUID | None) -> int:
    """Return the number of the lane's newest message: what comes after it is judged from now on."""
    return int(await uow.fetch_value(LATEST, lane_id)) if lane_id else 0
