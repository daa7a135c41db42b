"""Which reader reads what of a webhook, by its `field` (Meta Cloud API reference, section 13.5).

Fields that are not named here, known or not, say nothing to us and stay in the raw event: state sync of the phone's
address book (contacts are made by those who write), groups' members, flows, payments…
"""

from collections.abc import Iterator, Mapping
from typing import Any

from . import (
    account_events,
    calls,
    history,
    messages,
    number_events,
    statuses,
    system_events,
    template_events,
)
from .flavours import Json, listed
from .parts import Parts, Reader


def _lists(**readers: Reader) -> Parts:
    def parts(data: Json) -> Iterator[tuple[Reader, Any]]:
        for name, reader in readers.items():
            for one in listed(data, name):
                yield reader, one

    return parts


NUMBER_FIELDS: Mapping[str, Parts] = {
    "messages": _lists(messages=messages.arrived, statuses=statuses.status_changed, errors=number_events.failed),
    "message_echoes": _lists(message_echoes=messages.echoed_by_api),
    "smb_message_echoes": _lists(message_echoes=messages.echoed),
    "history": history.chunks,
    "calls": _lists(calls=calls.called, errors=number_events.failed),
    "user_id_update": _lists(user_id_update=system_events.user_id_changed),
    "user_preferences": _lists(user_preferences=system_events.consent_changed),
}
"""Fields of one number, which `metadata` names. Each part of their lists stands alone."""

ACCOUNT_FIELDS: Mapping[str, Reader] = {
    "account_alerts": account_events.alerted,
    "account_review_update": account_events.reviewed,
    "account_update": account_events.updated,
    "business_capability_update": account_events.capability_updated,
    "message_template_components_update": template_events.components_updated,
    "message_template_quality_update": template_events.quality_updated,
    "message_template_status_update": template_events.status_updated,
    "template_category_update": template_events.category_updated,
}
"""Fields of a WhatsApp account: told to each of its numbers."""

SHOWN_NUMBER_FIELDS: Mapping[str, Reader] = {
    "phone_number_name_update": number_events.name_updated,
    "phone_number_quality_update": number_events.quality_updated,
    "security": number_events.security_changed,
}
"""Fields of one number, of which only the phone number is told."""
