"""How far our messages have come: `statuses[]` (Meta Cloud API reference, section 13.4)."""

from collections.abc import Iterator, Mapping
from typing import Any

from elsehu.plugin import Event, IdentitiesLinked, Status, StatusChanged

from .errors import AGAIN, BAD_REQUEST, Action, rule_of
from .flavours import Json, Unreadable, id_of, listed, mapping, moment, text, whole
from .identities import identities
from .number_events import error_told
from .parts import Value

STATUSES: Mapping[str, Status] = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "played": Status.PLAYED,
    "failed": Status.FAILED,
}
SEND_AGAIN = "Send it again."
"""What failed after Meta had taken it is not tried again by itself."""
LONGEST_DETAIL = 500


def status_changed(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `statuses[]`. Others than the five that we know are historic, and say nothing."""
    told = mapping(part)
    word = told.get("status")
    if type(word) is not str:
        raise Unreadable("a status that is none")
    status, external_id = STATUSES.get(word.lower()), id_of(told.get("id"))
    if status is None:
        return
    if external_id is None:
        raise Unreadable("a status without the id of its message")
    if status is Status.FAILED:
        yield from _failed(value, told, external_id)
        return
    at, client_ref = moment(told.get("timestamp")), text(told.get("biz_opaque_callback_data"))
    yield StatusChanged(external_id, status, at, client_ref=client_ref)
    if status is Status.SENT:
        yield from _linked(value, told)


def _linked(value: Value, told: Json) -> Iterator[IdentitiesLinked]:
    """Yield the number and the user id of the recipient: no answer to a send by number tells the latter."""
    if told.get("recipient_type") == "group":
        return
    names = ("recipient_id", "recipient_user_id", "recipient_parent_user_id", "parent_recipient_user_id")
    people = identities([told.get(name) for name in names], value.scope)
    if len(people) > 1:
        yield IdentitiesLinked(people)


def _failed(value: Value, told: Json, external_id: str) -> Iterator[Event]:
    """Read a failure. One of a single member of a group is not the message's own."""
    if text(told.get("recipient_participant_id")) or text(told.get("recipient_participant_user_id")):
        return
    error = next((mapping(one) for one in listed(told, "errors")), {})
    code = whole(error.get("code"))
    rule = rule_of(code)
    yield StatusChanged(
        external_id,
        Status.FAILED,
        moment(told.get("timestamp")),
        error_code=rule.code,
        error_detail=_advice(rule.detail, rule.code, error),
        provider_code=None if code is None else str(code),
        client_ref=text(told.get("biz_opaque_callback_data")),
        mark=rule.mark,
    )
    if rule.action is Action.PAUSE:
        yield error_told(error)


def _advice(detail: str, code: str, error: Json) -> str:
    """Return what to do, with Meta's own words where the code alone does not say what is wrong."""
    advice = detail.replace(AGAIN, SEND_AGAIN)
    words = text(mapping(error.get("error_data")).get("details")) or text(error.get("details"))
    if code == BAD_REQUEST.code and words:
        advice = f"{advice} Meta says: {words}"
    return advice[:LONGEST_DETAIL]
