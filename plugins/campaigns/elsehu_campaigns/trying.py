"""A test send: what one recipient would get, to a phone of one's own. It is nobody's recipient and counts nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from elsehu.plugin import (
    SUPERVISORS,
    ApiModel,
    BulkMessage,
    Call,
    Conflict,
    ContactRow,
    Draft,
    FieldError,
    Invalid,
    Kernel,
    NoQuery,
    Operation,
    UnitOfWork,
    new_id,
    origin,
    parse_phone,
    queue_message,
    record_audit,
    to_e164,
    upsert_contacts,
)
from elsehu_campaigns import sources
from elsehu_campaigns.content import drafter_of
from elsehu_campaigns.model import Campaign, find
from elsehu_campaigns.places import origins_of, values_of
from elsehu_campaigns.planning import PEOPLE, person_of, wanted
from elsehu_campaigns.schemas import Short, Text
from elsehu_campaigns.sources import Entry

CONTACT = "SELECT contact_id FROM public_phones WHERE phone = $1"
CONVERSATION = "SELECT conversation_id FROM public_messages WHERE id = $1"
REFUSALS: Mapping[str, str] = {
    "opted_out": "This phone opted out. Opt it in again (POST /api/contacts/{id}/opt-in), or use another.",
    "unreachable": "The provider cannot deliver to this phone. Use another.",
    "window_closed": "This phone has not written to the number lately, so the provider takes only a template for it. "
    "Write to the number from it, and try again.",
    "media_gone": "The file of the header was deleted. Upload it again, and change the campaign.",
    "no_address": "This phone has no address that the provider knows. Use another.",
}


class TestBody(ApiModel):
    """To which phone, and what its places are filled with: as of the row `row` (default: the first); `variables`."""

    __test__ = False

    phone: Short
    row: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    variables: Annotated[dict[Short, Text], Field(max_length=250)] = Field(default_factory=dict)


class Tried(ApiModel):
    """The message that was queued: GET /api/messages/{messageId} tells what becomes of it."""

    message_id: UUID
    conversation_id: UUID
    contact_id: UUID
    phone: str
    text: str | None
    variables: dict[str, str]


async def try_out(call: Call[TestBody, NoQuery]) -> dict[str, Any]:
    """Send what one recipient would get to a phone of one's own."""
    phone = _phone(call.kernel, call.body.phone)
    async with call.kernel.db.reader() as uow:
        campaign = await find(uow, call.path_id())
        draft, values = await _drafted(call.kernel, uow, campaign, call.body)
    async with call.kernel.db.transaction() as uow:
        [contact] = await upsert_contacts(uow, [ContactRow(phone)])
    async with call.transaction() as uow:
        message = BulkMessage(new_id(), contact.contact_id, draft)
        refused = await queue_message(uow, call.kernel, campaign.instance_id, message, call.kernel.now())
        if refused is not None:
            raise Conflict(refused, REFUSALS.get(refused, "The message could not be queued. Try again."))
        await record_audit(uow, call.caller, "campaign_tested", f"campaign:{campaign.id}", **origin(call.request))
        return {
            "messageId": str(message.id),
            "conversationId": str(await uow.fetch_value(CONVERSATION, message.id)),
            "contactId": str(contact.contact_id),
            "phone": to_e164(phone),
            "text": draft.text,
            "variables": dict(values),
        }


def _phone(kernel: Kernel, written: str) -> str:
    phone = parse_phone(written, kernel.settings.messaging.default_region)
    if phone is None:
        problem = FieldError("phone", "is no phone number; write it with its country code, such as +5511999990000")
        raise Invalid("invalid_request", "The phone number is not valid.", errors=[problem])
    return phone


async def _drafted(
    kernel: Kernel, uow: UnitOfWork, campaign: Campaign, body: TestBody
) -> tuple[Draft, Mapping[str, str]]:
    """Return the message, and what its places were filled with. Raises what drafting raises."""
    drafter = await drafter_of(kernel, campaign)
    sheet = await sources.sheet_of(uow, campaign.file_id)
    entry = await _entry(kernel, uow, campaign, sheet, body.row)
    contact_id = entry.contact_id or await uow.fetch_value(CONTACT, entry.phone)
    person = person_of(await uow.fetch_row(PEOPLE, [contact_id]) if contact_id else None)
    origins = origins_of(wanted(campaign, drafter), campaign.mapping, sheet.columns)
    values = {**values_of(origins, entry.cells, person), **body.variables}
    return drafter.draft(values), values


async def _entry(kernel: Kernel, uow: UnitOfWork, campaign: Campaign, sheet: sources.Sheet, row: int | None) -> Entry:
    """Return the entry of the source whose text is tried out. Raises Invalid for a row that is not there."""
    after = None if row is None or campaign.file_id is None else str(row - 1)
    at = replace(campaign, planned_after=after)
    entries = await sources.read(uow, at, sheet, 1, kernel.settings.messaging.default_region)
    if row is not None and (not entries or entries[0].row_number != row):
        problem = FieldError("row", "is no row of the campaign's list")
        raise Invalid("invalid_request", "The list has no such row. Leave `row` out for the first.", errors=[problem])
    return entries[0] if entries else Entry("")


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        "/api/campaigns/{id}/test",
        try_out,
        "Send what one recipient would get to a phone of your own",
        "campaigns",
        SUPERVISORS,
        TestBody,
        answer=Tried,
        status=201,
        refusals=(404, 409, 422),
    ),
)
