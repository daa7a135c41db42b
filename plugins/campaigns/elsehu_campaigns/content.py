"""What a campaign sends, as something that can fill its places."""

from elsehu.plugin import BulkDrafter, Kernel, TemplateContent, bulk_drafter
from elsehu_campaigns.model import Campaign


async def drafter_of(kernel: Kernel, campaign: Campaign) -> BulkDrafter:
    """Return what drafts a campaign's messages. Raises NotFound, Conflict and Invalid where they cannot be sent."""
    if campaign.text is not None:
        return await bulk_drafter(kernel, campaign.instance_id, campaign.text)
    assert campaign.template_id is not None
    content = TemplateContent(campaign.template_id, campaign.header_media_id)
    return await bulk_drafter(kernel, campaign.instance_id, content)
