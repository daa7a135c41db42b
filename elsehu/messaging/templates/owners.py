"""Who keeps a template: the provider of a number, or we alone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from elsehu.contracts.errors import Conflict, Invalid, OutcomeUnknown, Rejected
from elsehu.contracts.instance import Instance
from elsehu.contracts.template import ProviderTemplate, TemplateStatus
from elsehu.instances.asking import ask
from elsehu.instances.connecting import usable
from elsehu.kernel import Kernel

LIST, SAVE, DELETE = "templates", "save_template", "delete_template"

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who keeps templates: the provider of the number `keeper`, or (None) we. `instance_id` is whose they are."""

    instance_id: UUID | None
    keeper: Instance | None


LOCK = "SELECT pg_advisory_lock(hashtextextended(concat_ws(' ', 'template', $1::uuid, $2::text, $3::text), 0))"


def is_our_own(kernel: Kernel, row: Mapping[str, Any], provider: str) -> bool:
    """Whether no provider knows the template of `row`, which a number of `provider` is to send."""
    return row["instance_id"] is None or LIST not in kernel.plugins.abilities(provider)


async def owner(kernel: Kernel, instance_id: UUID | None, ability: str) -> Owner:
    """Return who keeps the templates of a number (None: those of none).

    Raises NotFound, Conflict `instance_inactive`, and Invalid where the provider has templates but not `ability`.
    """
    instance = await usable(kernel, instance_id) if instance_id else None
    if instance is None or not kernel.plugins.can(instance, LIST):
        return Owner(instance_id, None)
    if not kernel.plugins.can(instance, ability):
        detail = f"{instance.provider} does not let us change its templates. Do it there, then POST …/sync."
        raise Invalid("unsupported_by_provider", detail)
    return Owner(instance_id, instance)


async def save(kernel: Kernel, owner: Owner, wanted: ProviderTemplate) -> ProviderTemplate:
    """Have a template kept, and return what became of it: our own are approved at once.

    Raises Invalid `refused_by_provider`, or another ProviderError.
    """
    if owner.keeper is None:
        return replace(wanted, status=TemplateStatus.APPROVED)
    made = await _asked(kernel, owner.keeper, lambda it: kernel.plugins.save_template(it, wanted))
    return replace(made, name=wanted.name, language=wanted.language)


async def delete(kernel: Kernel, owner: Owner, template: ProviderTemplate) -> None:
    """Have a template deleted. Raises as `save` does."""
    if owner.keeper is not None:
        await _asked(kernel, owner.keeper, lambda it: kernel.plugins.delete_template(it, template))


async def _asked(kernel: Kernel, instance: Instance, verb: Callable[[Instance], Awaitable[Said]]) -> Said:
    try:
        return await ask(kernel, instance, verb)
    except Rejected as refusal:
        raise Invalid("refused_by_provider", refusal.detail, providerCode=refusal.provider_code) from None
    except OutcomeUnknown as error:
        detail = f"{error.detail} It may have been done all the same: POST /api/templates/sync shows."
        raise OutcomeUnknown(error.code, detail, error.provider_code) from None


@asynccontextmanager
async def alone(kernel: Kernel, owner: Owner, name: str, language: str) -> AsyncIterator[None]:
    """Keep others from changing a template meanwhile. Raises Conflict `template_busy` if they do so for long."""
    async with kernel.db.session() as connection:
        milliseconds = int(kernel.settings.instances.connect_timeout * 1000)
        await connection.execute("SELECT set_config('lock_timeout', $1, false)", f"{milliseconds}ms")
        try:
            await connection.execute(LOCK, owner.instance_id, name, language)
        except asyncpg.LockNotAvailableError:
            detail = "Somebody else is changing this template now. Try again shortly."
            raise Conflict("template_busy", detail) from None
        yield
