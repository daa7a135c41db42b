"""Bulk sending: paced, stoppable, and each recipient's fate told."""

from collections.abc import Sequence

from elsehu.plugin import Job, Operation, PluginInfo, hookimpl
from elsehu_campaigns import opt_out
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.files import routes as files
from elsehu_campaigns.opt_out import message_received

__all__ = ["message_received", "plugin_info", "register_jobs", "register_routes", "register_tables"]


@hookimpl
def plugin_info() -> PluginInfo:
    """Say who we are."""
    return PluginInfo(NAME, "Bulk sending that tells each recipient's fate", config=CampaignSettings)


@hookimpl
def register_tables() -> Sequence[str]:
    """Keep campaigns in tables of our own."""
    return ["elsehu_campaigns.piccolo_app"]


@hookimpl
def register_routes() -> Sequence[Operation]:
    """Serve lists and campaigns."""
    return [*files.OPERATIONS]


@hookimpl
def register_jobs() -> Sequence[Job]:
    """Run what nobody waits for."""
    return [*files.JOBS, *opt_out.JOBS]
