"""Bulk sending: paced, stoppable, and each recipient's fate told."""

from collections.abc import Sequence

from elsehu.plugin import PluginInfo, hookimpl
from elsehu_campaigns.config import CampaignSettings


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo("campaigns", "Bulk sending that tells each recipient's fate", config=CampaignSettings)


@hookimpl
def register_tables() -> Sequence[str]:
    """Keep campaigns in tables of our own."""
    return ["elsehu_campaigns.piccolo_app"]
