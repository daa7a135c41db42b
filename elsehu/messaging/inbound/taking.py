"""From an authenticated webhook to committed rows."""

import structlog

from elsehu.contracts.inbound import Broken, Normalized
from elsehu.contracts.webhook import Accepted
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.plugins import Plugin

log = structlog.get_logger("elsehu.webhooks")


async def apply_accepted(kernel: Kernel, plugin: Plugin, accepted: Accepted) -> None:
    """Normalise an authenticated payload and commit what it says."""
    assert plugin.info.provider is not None
    provider = plugin.info.provider.name
    normalized = _normalize(kernel, plugin, accepted)
    known = {instance.id for instance in accepted.instances}
    instance_id = next(iter(known)) if len(known) == 1 else None
    await kernel.part(Ingest).submit(provider, normalized, instance_id)


def _normalize(kernel: Kernel, plugin: Plugin, accepted: Accepted) -> Normalized:
    """Normalise; a plugin that breaks its promise never to raise costs a dead letter, not the webhook."""
    try:
        return kernel.plugins.normalize(plugin, accepted)
    except Exception as error:
        log.exception("normalize_failed", plugin=plugin.info.name, error=type(error).__name__)
        return Normalized(broken=[Broken(f"{type(error).__name__} in provider_normalize", None)])
