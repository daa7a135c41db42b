"""The rows that reports are made of: the figures of a finished conversation, on both clocks, and each operator's part.

They are worked out from its history and the business hours alone, so that they can be dropped and made again.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.reporting import figures
from elsehu.reporting.business_hours import BusinessHours
from elsehu.reporting.clocks import Calendar, Clock
from elsehu.reporting.figures import Told
from elsehu.reporting.history import Who
from elsehu.reporting.holding import holding_of
from elsehu.reporting.reading import Finished
from elsehu.reporting.turns import lane_of, turns_of

Values = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CALENDAR = Calendar()
FIGURES: Mapping[str, Callable[[Told, Clock], int | None]] = {
    "wait": figures.wait,
    "first_response": figures.first_response,
    "operator_response": figures.operator_response,
    "customer_response": figures.customer_response,
    "handling": figures.handling,
    "queue": figures.queue,
    "duration": figures.duration,
}
"""The columns of a conversation."""

OWN_FIGURES: Mapping[str, Callable[[Told, Clock, UUID], int | None]] = {
    "first_response": figures.own_first_response,
    "operator_response": figures.operator_response,
    "handling": figures.handling,
}
"""The columns of an operator's part."""


def facts_of(finished: Finished, hours: BusinessHours) -> tuple[Values, list[Values]]:
    """Return the row of a conversation, and one of each operator who had it or wrote in it."""
    history, row = finished.history, finished.row
    told = Told(holding_of(history.thread), turns_of(history.messages))
    clocks = {"": CALENDAR, "_business": hours.clock(history.thread.opened, history.thread.closed)}
    kept = {name: row[name] for name in ("instance_id", "tabulation_id", "closed_at")}
    kept["lane_id"] = lane_of(history.messages)
    conversation = {
        **kept,
        "id": row["id"],
        "operator_id": row["assigned_to"],
        "opened_at": row["opened_at"],
        "assigned_at": _time(told.holding.first_taken),
        "first_reply_at": _time(told.turns.first_reply),
        "hours": hours.version,
        **{name + end: work_out(told, clock) for end, clock in clocks.items() for name, work_out in FIGURES.items()},
        **_counts(finished, told),
    }
    return conversation, [{**kept, **_part(finished, told, clocks, one)} for one in _operators(finished, told)]


def _counts(finished: Finished, told: Told) -> Values:
    wrote = [one.who for one in finished.history.messages]
    actions = [step.action for step in finished.history.thread.all_steps()]
    return {
        "messages_in": wrote.count(Who.CUSTOMER),
        "messages_out": len(wrote) - wrote.count(Who.CUSTOMER),
        "replies": wrote.count(Who.OPERATOR),
        "responses": len(told.turns.responses),
        "answers": len(told.turns.answers),
        "transfers": actions.count("transferred"),
        "reopenings": actions.count("reopened"),
    }


def _operators(finished: Finished, told: Told) -> list[UUID]:
    """Return who had it or wrote in it, in the order of their ids."""
    had = {one.operator_id for one in told.holding.stints}
    return sorted(had | {one.operator_id for one in finished.history.messages if one.operator_id is not None})


def _part(finished: Finished, told: Told, clocks: Mapping[str, Clock], operator_id: UUID) -> Values:
    return {
        "conversation_id": finished.row["id"],
        "operator_id": operator_id,
        "is_last": operator_id == finished.row["assigned_to"],
        "had": any(one.operator_id == operator_id for one in told.holding.stints),
        "messages": sum(one.operator_id == operator_id for one in finished.history.messages),
        "responses": len(figures.responses(told, operator_id)),
        **{
            name + end: work_out(told, clock, operator_id)
            for end, clock in clocks.items()
            for name, work_out in OWN_FIGURES.items()
        },
    }


def _time(at: int | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(milliseconds=at)
