"""What planning would come to, found out without writing anything: each entry is decided as planning decides it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.plugin import BulkDrafter, Draft, Kernel, Kind, Row, UnitOfWork, to_e164
from elsehu_campaigns import sources
from elsehu_campaigns.feeding import RECENT, RECENTLY
from elsehu_campaigns.files.reading import polite
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.places import Origin, origins_of
from elsehu_campaigns.planning import PEOPLE, Frozen, fate_of, wanted
from elsehu_campaigns.sources import Entry

SLICE = 250
FIND = """
SELECT k.phone AS found_by, p.contact_id FROM unnest($1::text[]) AS k(phone)
CROSS JOIN LATERAL (SELECT contact_id FROM public_phones WHERE phone = k.phone LIMIT 1) p
"""
NEW = {"email": None, "custom": "{}", "opted_out": False, "unreachable": False}
"""What is known of somebody who becomes a contact by being planned."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, and what would become of it."""

    entry: Entry
    name: str
    phone: str
    frozen: Frozen


@dataclass(frozen=True, slots=True)
class People:
    """Those among the contacts whom entries are for: by id, whose a phone is, and who was written to of late."""

    rows: Mapping[UUID, Row]
    by_phone: Mapping[str, UUID]
    recent: frozenset[UUID]


@dataclass(slots=True)
class DryRun:
    """How many would get something (reason None) and how many not, by reason; the first ones, one of each reason."""

    drafter: BulkDrafter
    origins: Mapping[str, Origin]
    shown: int
    counts: Counter[str | None] = field(default_factory=Counter)
    first: list[Told] = field(default_factory=list)
    examples: dict[str, Told] = field(default_factory=dict)
    kinds: set[Kind] = field(default_factory=set)
    _seen: set[UUID | str] = field(default_factory=set)

    def decide(self, entries: Sequence[Entry], people: People) -> None:
        """Decide what becomes of the next entries. Work for the processor: for a thread."""
        for entry in polite(entries):
            contact_id = entry.contact_id or people.by_phone.get(entry.phone or "")
            row: Any = people.rows.get(contact_id) if contact_id else {"name": entry.name, "phone": entry.phone, **NEW}
            frozen = self._fate(entry, row, contact_id or entry.phone)
            if frozen.draft is not None and contact_id in people.recent:
                frozen = Frozen(frozen.values, None, RECENTLY, "Another campaign wrote to them within the quiet hours.")
            phone = entry.phone or (row and row["phone"])
            name = entry.name or (row and row["name"]) or ""
            self._note(Told(entry, name, to_e164(phone) if phone else entry.written, frozen))

    def _fate(self, entry: Entry, row: Any, person: UUID | str | None) -> Frozen:
        is_duplicate = person in self._seen
        if person is not None:
            self._seen.add(person)
        return fate_of(entry, row, is_duplicate, self.origins, self.drafter)

    def _note(self, told: Told) -> None:
        frozen = told.frozen
        self.counts[frozen.reason] += 1
        if len(self.first) < self.shown:
            self.first.append(told)
        if frozen.reason is not None:
            self.examples.setdefault(frozen.reason, told)
        elif frozen.draft is not None:
            self.kinds.add(frozen.draft.kind)


class NoDrafter(BulkDrafter):
    """Stands in where the campaign's own content cannot be sent: who would get it can be told all the same."""

    def __init__(self) -> None:
        super().__init__(())

    def _filled(self, variables: Mapping[str, str]) -> Draft:
        return Draft(Kind.TEXT)


async def dry_run(kernel: Kernel, campaign: Campaign, drafter: BulkDrafter, shown: int, now: datetime) -> DryRun:
    """Decide what becomes of each entry of a campaign's source; show the first `shown`."""
    region = kernel.settings.messaging.default_region
    async with kernel.db.reader() as uow:
        sheet = await sources.sheet_of(uow, campaign.file_id)
        run = DryRun(drafter, origins_of(wanted(campaign, drafter), campaign.mapping, sheet.columns), shown)
        rest = replace(campaign, planned_after=None)
        while entries := await sources.read(uow, rest, sheet, SLICE, region):
            await asyncio.to_thread(run.decide, entries, await _people(uow, campaign, entries, now))
            rest = replace(rest, planned_after=entries[-1].key)
    return run


async def _people(uow: UnitOfWork, campaign: Campaign, entries: Sequence[Entry], now: datetime) -> People:
    phones = [one.phone for one in entries if one.phone is not None]
    by_phone = {row["found_by"]: row["contact_id"] for row in await uow.fetch(FIND, phones)}
    ids = [*by_phone.values(), *(one.contact_id for one in entries if one.contact_id is not None)]
    rows = {row["id"]: row for row in await uow.fetch(PEOPLE, ids)}
    since = now - timedelta(hours=campaign.quiet_hours)
    recent = await uow.fetch(RECENT, ids, since, campaign.id) if campaign.quiet_hours else []
    return People(rows, by_phone, frozenset(row["contact_id"] for row in recent))
