"""Bulk sending: paced, stoppable, and each recipient's fate told."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import click

from elsehu.plugin import ContactData, EventType, Job, Kernel, Operation, PluginInfo, hookimpl
from elsehu_campaigns import exports, jobs, numbers, opt_out, people, previews, realtime, restoring, routes, trying
from elsehu_campaigns.cli import campaign_group
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.files import routes as files
from elsehu_campaigns.opt_out import message_received

HELD = "SELECT EXISTS (SELECT FROM campaigns WHERE state = 'running' AND hold_reason IS NOT NULL AND instance_id = $1)"

__all__ = [
    "instance_updated",
    "message_received",
    "plugin_info",
    "register_after_restore",
    "register_commands",
    "register_contact_data",
    "register_events",
    "register_jobs",
    "register_routes",
    "register_tables",
]


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
    return [*files.OPERATIONS, *routes.OPERATIONS, *previews.OPERATIONS, *trying.OPERATIONS, *exports.OPERATIONS]


@hookimpl
def register_jobs() -> Sequence[Job]:
    """Run what nobody waits for."""
    return [*jobs.JOBS, *files.JOBS, *numbers.JOBS, *opt_out.JOBS]


@hookimpl
def register_events() -> Sequence[EventType]:
    """Tell how campaigns come along."""
    return realtime.EVENT_TYPES


@hookimpl
def register_commands() -> Sequence[click.Command]:
    """Offer the emergency brake on the command line."""
    return [campaign_group]


@hookimpl
def register_contact_data() -> Sequence[ContactData]:
    """Hand out and erase what we keep of people."""
    return [people.CONTACT_DATA]


@hookimpl
def register_after_restore() -> Sequence[Any]:
    """Pause what may have gone on since the backup."""
    return [restoring.settle]


@hookimpl
async def instance_updated(kernel: Kernel, data: Mapping[str, Any]) -> None:
    """Let campaigns that were held by their number go on as soon as it is connected."""
    if data["status"] == "connected" and await kernel.db.fetch_value(HELD, UUID(data["id"])):
        await jobs.wake(kernel)
