"""A number's life at Meta."""

from elsehu.plugin import Instance, InstanceReport, PluginContext, Rejected

NOT_YET = Rejected("unsupported_by_provider", "Not built yet.")


async def connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Refuse."""
    raise NOT_YET


async def status(context: PluginContext, instance: Instance) -> InstanceReport:
    """Refuse."""
    raise NOT_YET


async def disconnect(context: PluginContext, instance: Instance, *, forget: bool) -> InstanceReport:
    """Refuse."""
    raise NOT_YET
