"""What is checked of a campaign before it is written or started: that all it names is there, and every place filled.

All of this looks things up by itself: call it outside of transactions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from elsehu.plugin import Directory, FieldError, Invalid, Kernel
from elsehu_campaigns.content import drafter_of
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.places import origin_of
from elsehu_campaigns.schemas import CampaignBody
from elsehu_campaigns.sources import Sheet, sheet_of


async def check(kernel: Kernel, body: CampaignBody, before: Campaign | None = None) -> None:
    """Raise Invalid where a campaign names what is not there: its number, its file, a column.

    If it has begun (`before`), also where its texts could not be filled.
    """
    problems: list[FieldError] = []
    if await kernel.part(Directory).get(body.service_instance_id) is None:
        problems.append(FieldError("serviceInstanceId", "is no number; GET /api/service-instances lists them"))
    async with kernel.db.reader() as uow:
        sheet = await sheet_of(uow, body.file_id)
    if body.file_id is not None and not sheet.columns:
        problems.append(FieldError("fileId", "is no uploaded file; POST /api/campaigns/upload takes one"))
    else:
        problems += _unknown_columns(body.mapping, sheet.columns)
    if problems:
        raise Invalid("invalid_request", "The campaign names what is not there; see errors.", errors=problems)
    if before is not None and before.started_at is not None:
        await require_whole(kernel, _with_content(before, body))


def _with_content(before: Campaign, body: CampaignBody) -> Campaign:
    return replace(
        before,
        text=body.text,
        template_id=body.template_id,
        header_media_id=body.header_media_id,
        mapping=body.mapping,
    )


def _unknown_columns(mapping: Mapping[str, str], columns: Sequence[str]) -> list[FieldError]:
    return [
        FieldError(f"mapping.{place}", f"{source!r} is neither a column of the file nor a field of the contact")
        for place, source in mapping.items()
        if origin_of(place, mapping, columns) is None
    ]


async def require_whole(kernel: Kernel, campaign: Campaign) -> None:
    """Raise Invalid unless it is said for every place from where it is filled, and which column holds the phones.

    Raises also what `drafter_of` raises.
    """
    drafter = await drafter_of(kernel, campaign)
    async with kernel.db.reader() as uow:
        sheet = await sheet_of(uow, campaign.file_id)
    open_places = [
        place for place in sorted(drafter.places) if origin_of(place, campaign.mapping, sheet.columns) is None
    ]
    if campaign.file_id is not None and not _has_phones(campaign, sheet):
        open_places.insert(0, "phone")
    if open_places:
        problems = [
            FieldError(f"mapping.{place}", "name the column or the contact's field for it") for place in open_places
        ]
        raise Invalid(
            "mapping_incomplete", "Say in `mapping` from where each place is filled; see errors.", errors=problems
        )


def _has_phones(campaign: Campaign, sheet: Sheet) -> bool:
    return campaign.mapping.get("phone", (sheet.mapping or {}).get("phone")) in sheet.columns
