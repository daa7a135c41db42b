"""The account's templates."""

from collections.abc import AsyncIterator, Sequence

from elsehu.plugin import Instance, PluginContext, ProviderTemplate, Rejected

NOT_YET = Rejected("unsupported_by_provider", "Not built yet.")


async def pages(context: PluginContext, instance: Instance) -> AsyncIterator[Sequence[ProviderTemplate]]:
    """Refuse."""
    raise NOT_YET
    yield ()


async def save(context: PluginContext, instance: Instance, template: ProviderTemplate) -> ProviderTemplate:
    """Refuse."""
    raise NOT_YET


async def delete(context: PluginContext, instance: Instance, template: ProviderTemplate) -> None:
    """Refuse."""
    raise NOT_YET
