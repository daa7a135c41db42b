"""Making our copy of a number's templates what its provider has."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.errors import Invalid, ProviderError
from elsehu.contracts.instance import Instance
from elsehu.contracts.template import ProviderTemplate
from elsehu.instances.asking import ask
from elsehu.instances.connecting import usable
from elsehu.kernel import Kernel
from elsehu.messaging.templates.owners import LIST
from elsehu.messaging.templates.stored import can_be_named
from elsehu.messaging.templates.storing import Stored, store_all, tell

log = structlog.get_logger("elsehu.templates")

MOST_TOLD = 100
"""Who follows events reloads the list after a sync that changes more."""

MOST = 20_000
"""Over three times what Meta lets the largest account have (Meta reference, section 5.2): more is a listing that
never ends."""


async def sync_number(kernel: Kernel, instance_id: UUID) -> dict[str, Any]:
    """Sync the templates of a number, and return how many there are and what changed.

    Raises NotFound, Conflict `instance_inactive`, Invalid where its provider has none, and ProviderError.
    """
    instance = await usable(kernel, instance_id)
    if not kernel.plugins.can(instance, LIST):
        detail = f"{instance.provider} has no templates. Our own are sent as text: nothing is to be synced."
        raise Invalid("unsupported_by_provider", detail)
    stored, total = await sync(kernel, instance)
    changes = {"created": stored.created, "updated": stored.updated, "removed": stored.removed}
    return {**{name: len(ids) for name, ids in changes.items()}, "total": total}


async def sync(kernel: Kernel, instance: Instance) -> tuple[Stored, int]:
    """Sync, all or (if the listing breaks off) nothing; return what changed, and how many the provider has."""
    asked_at = kernel.now()
    listed = await _listed(kernel, instance)
    async with kernel.db.transaction() as uow:
        stored = await store_all(uow, instance.id, listed, asked_at, kernel.now())
        changed = [*stored.created, *stored.updated, *stored.removed]
        await tell(uow, changed[:MOST_TOLD])
    log.info("templates_synced", instance=str(instance.id), total=len(listed), changed=len(changed))
    return stored, len(listed)


async def _listed(kernel: Kernel, instance: Instance) -> list[ProviderTemplate]:
    """Return all that the provider lists, one of a name and language. Each page has the time of a question."""
    found: dict[tuple[str, str], ProviderTemplate] = {}
    pages = aiter(kernel.plugins.templates(instance))
    seen = 0
    while (page := await ask(kernel, instance, lambda _: _next(pages))) is not None:
        seen += len(page)
        if seen > MOST:
            detail = f"The provider listed more than {MOST} templates, so the listing was broken off."
            raise ProviderError("templates_without_end", detail)
        found |= {(one.name, one.language): one for one in page if _storable(instance, one)}
    return list(found.values())


async def _next(pages: AsyncIterator[Sequence[ProviderTemplate]]) -> Sequence[ProviderTemplate] | None:
    return await anext(pages, None)


def _storable(instance: Instance, template: ProviderTemplate) -> bool:
    fits = can_be_named(template.name, template.language, template.external_id)
    if not fits:
        log.warning("template_not_stored", instance=str(instance.id), name=template.name[:80])
    return fits
