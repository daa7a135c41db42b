"""Freezing who gets what, when a campaign starts: a piece at a time, each in one transaction that may die anywhere.

Every row of the source becomes a recipient, if only a skipped one that says why: so the total is the number of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import BulkDrafter, ContactRow, Draft, Invalid, Kernel, UnitOfWork, new_id, to_e164, upsert_contacts
from elsehu_campaigns import sources
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.places import Origin, Person, origins_of, values_of
from elsehu_campaigns.sources import Entry

SLICE = 500
KNOWN = "SELECT contact_id FROM campaign_recipients WHERE campaign_id = $1 AND contact_id = ANY($2::uuid[])"
PEOPLE = """
SELECT id, name, phone, email, custom, opted_out_at IS NOT NULL AS opted_out, unreachable_at IS NOT NULL AS unreachable
FROM public_contacts WHERE id = ANY($1::uuid[])
"""
LAST = "SELECT coalesce(max(position), 0) FROM campaign_recipients WHERE campaign_id = $1"
ADD = """
INSERT INTO campaign_recipients (id, campaign_id, position, row_number, contact_id, name, phone, variables, kind, text,
    payload, media_id, template_id, fate, reason, detail)
SELECT id, $1, $2 + ordinality, row_number, contact_id, left(name, 200), left(phone, 60), variables, kind, text,
    payload, media_id, template_id, CASE WHEN reason IS NULL THEN 'planned' ELSE 'skipped' END, reason, detail
FROM unnest($3::uuid[], $4::int[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[], $9::text[], $10::text[],
            $11::jsonb[], $12::uuid[], $13::uuid[], $14::text[], $15::text[]) WITH ORDINALITY
    AS r(id, row_number, contact_id, name, phone, variables, kind, text, payload, media_id, template_id, reason,
         detail, ordinality)
"""
GO_ON = "UPDATE campaigns SET planned_after = $2 WHERE id = $1"
DONE = "UPDATE campaigns SET planned_at = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What one recipient gets: a draft, or the reason why nothing, and what the places were filled with."""

    values: Mapping[str, str]
    draft: Draft | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An entry of the source and what becomes of it."""

    entry: Entry
    contact_id: UUID | None
    name: str
    phone: str
    frozen: Frozen


async def plan(uow: UnitOfWork, kernel: Kernel, campaign: Campaign, drafter: BulkDrafter, now: datetime) -> bool:
    """Freeze the next piece of a campaign's recipients. Whether any are left."""
    region = kernel.settings.messaging.default_region
    sheet = await sources.sheet_of(uow, campaign.file_id)
    entries = await sources.read(uow, campaign, sheet, SLICE, region)
    if not entries:
        await uow.execute(DONE, campaign.id, now)
        return False
    origins = origins_of(wanted(campaign, drafter), campaign.mapping, sheet.columns)
    await _add(uow, campaign, await _planned(uow, campaign, entries, origins, drafter))
    await uow.execute(GO_ON, campaign.id, entries[-1].key)
    return True


async def _planned(
    uow: UnitOfWork, campaign: Campaign, entries: Sequence[Entry], origins: Mapping[str, Origin], drafter: BulkDrafter
) -> list[Planned]:
    contacts = await _contacts(uow, entries)
    ids = [one for one in contacts if one is not None]
    taken = {row["contact_id"] for row in await uow.fetch(KNOWN, campaign.id, ids)}
    people = {row["id"]: row for row in await uow.fetch(PEOPLE, ids)}
    planned = []
    for entry, contact_id in zip(entries, contacts, strict=True):
        is_duplicate = contact_id in taken
        if contact_id is not None:
            taken.add(contact_id)
        row = people.get(contact_id) if contact_id else None
        frozen = fate_of(entry, row, is_duplicate, origins, drafter)
        planned.append(_of(entry, None if is_duplicate else contact_id, row, frozen))
    return planned


async def _contacts(uow: UnitOfWork, entries: Sequence[Entry]) -> list[UUID | None]:
    """Return the contact of each entry, made if it is new; None where the entry has no number."""
    rows = [ContactRow(one.phone, name_if_none=one.name[:200]) for one in entries if one.phone is not None]
    found = iter(await upsert_contacts(uow, rows))
    return [next(found).contact_id if one.phone is not None else one.contact_id for one in entries]


def _of(entry: Entry, contact_id: UUID | None, row: Any, frozen: Frozen) -> Planned:
    phone = entry.phone or (row["phone"] if row is not None else None)
    name = entry.name or (row["name"] if row is not None else "")
    return Planned(entry, contact_id, name, to_e164(phone) if phone else entry.written, frozen)


def fate_of(entry: Entry, row: Any, is_duplicate: bool, origins: Mapping[str, Origin], drafter: BulkDrafter) -> Frozen:
    """Return what an entry gets, whose contact is as `row` (of PEOPLE) says, or why nothing. Pure."""
    person = person_of(row)
    values = values_of(origins, entry.cells, person)
    if entry.contact_id is None and entry.phone is None:
        detail = f"{entry.written[:60]!r} is no phone number." if entry.written else "There is no phone number."
        return Frozen(values, None, "invalid_number", detail)
    if is_duplicate:
        return Frozen(values, None, "duplicate", "The same person is in another row.")
    if row is None:
        return Frozen(values, None, "contact_gone", "The contact was deleted.")
    if row["opted_out"]:
        return Frozen(values, None, "opted_out", "The customer does not want such messages.")
    if row["unreachable"]:
        return Frozen(values, None, "unreachable", "The provider cannot deliver to this number.")
    return freeze(drafter, values)


def wanted(campaign: Campaign, drafter: BulkDrafter) -> list[str]:
    """Return the places to fill: those that must be, and those that somebody thought of."""
    return sorted({*drafter.places, *campaign.mapping})


def person_of(row: Any) -> Person | None:
    """Return whom a row of PEOPLE describes."""
    if row is None:
        return None
    return Person(row["name"] or "", row["phone"], row["email"], orjson.loads(row["custom"]))


def freeze(drafter: BulkDrafter, values: Mapping[str, str]) -> Frozen:
    """Return the message with its places filled, or why it cannot be."""
    try:
        return Frozen(values, drafter.draft(values))
    except Invalid as error:
        words = "; ".join(f"{one.field} {one.message}" for one in error.errors) or error.detail
        return Frozen(values, None, error.code, words)


async def _add(uow: UnitOfWork, campaign: Campaign, planned: Sequence[Planned]) -> None:
    last = await uow.fetch_value(LAST, campaign.id)
    frozen = [one.frozen for one in planned]
    await uow.execute(
        ADD,
        campaign.id,
        last,
        [new_id() for _ in planned],
        [one.entry.row_number for one in planned],
        [one.contact_id for one in planned],
        [one.name for one in planned],
        [one.phone for one in planned],
        *columns_of(frozen),
    )


def columns_of(frozen: Sequence[Frozen]) -> list[list[Any]]:
    """Return variables, kind, text, payload, media id, template id, reason and detail, as SQL takes them."""
    drafts = [one.draft for one in frozen]
    return [
        [orjson.dumps(dict(one.values)).decode() for one in frozen],
        [draft and draft.kind for draft in drafts],
        [draft and draft.text for draft in drafts],
        [orjson.dumps(draft.payload).decode() if draft and draft.payload is not None else None for draft in drafts],
        [draft and draft.media_id for draft in drafts],
        [draft and draft.template_id for draft in drafts],
        [one.reason for one in frozen],
        [one.detail for one in frozen],
    ]
