"""What a campaign sends, as something that can fill its places."""

from elsehu.plugin import BulkDrafter, FieldError, Invalid, Kernel, TemplateContent, UnitOfWork, bulk_drafter
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.places import origin_of
from elsehu_campaigns.sources import Sheet, sheet_of


async def drafter_of(kernel: Kernel, campaign: Campaign) -> BulkDrafter:
    """Return what drafts a campaign's messages. Raises NotFound, Conflict and Invalid where they cannot be sent."""
    if campaign.text is not None:
        return await bulk_drafter(kernel, campaign.instance_id, campaign.text)
    assert campaign.template_id is not None
    content = TemplateContent(campaign.template_id, campaign.header_media_id)
    return await bulk_drafter(kernel, campaign.instance_id, content)


async def require_whole(kernel: Kernel, uow: UnitOfWork, campaign: Campaign) -> None:
    """Raise Invalid unless it is said for every place from where it is filled, and which column holds the phones."""
    drafter = await drafter_of(kernel, campaign)
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
