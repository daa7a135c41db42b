"""Connecting and disconnecting a number at its provider, on a person's word."""

from uuid import UUID

import structlog

from elsehu.contracts.errors import Conflict, ProviderError
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus, Pairing
from elsehu.instances import pairings, refusals
from elsehu.instances.asking import apply, ask, not_enabled, report_of
from elsehu.instances.directory import Directory
from elsehu.instances.locks import exclusive
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.instances")

KEEP_CONNECTED = "UPDATE service_instances SET keep_connected = $2 WHERE id = $1"


async def usable(kernel: Kernel, instance_id: UUID, *, only_active: bool = True) -> Instance:
    """Return an instance that its provider can be asked about. Raises NotFound, Conflict or WrongSecretKey."""
    instance = await kernel.part(Directory).load(instance_id)
    if kernel.plugins.provider(instance.provider) is None:
        raise Conflict("provider_not_enabled", not_enabled(instance).detail)
    if only_active and not instance.is_active:
        raise refusals.inactive()
    return instance


async def connect(kernel: Kernel, instance_id: UUID) -> None:
    """Make a number ready at its provider, and have it kept so. Raises ProviderError once that is written down."""
    async with exclusive(kernel, instance_id):
        instance = await usable(kernel, instance_id)
        await kernel.db.execute(KEEP_CONNECTED, instance_id, True)
        try:
            report = await ask(kernel, instance, kernel.plugins.connect)
        except ProviderError as error:
            await apply(kernel, instance_id, report_of(error))
            raise
        await apply(kernel, instance_id, report)


async def try_to_connect(kernel: Kernel, instance_id: UUID) -> None:
    """Connect if it can be done now. What went wrong stands in the instance's status; a Watch tries again."""
    try:
        await connect(kernel, instance_id)
    except (ProviderError, Conflict) as error:
        log.warning("instance_not_connected", instance=str(instance_id), code=error.code, detail=error.detail)


async def disconnect(kernel: Kernel, instance_id: UUID, *, forget: bool = False) -> None:
    """Log a number out, and have it stay so; with `forget` delete it at the provider. Raises ProviderError."""
    async with exclusive(kernel, instance_id):
        instance = await usable(kernel, instance_id, only_active=False)
        await kernel.db.execute(KEEP_CONNECTED, instance_id, False)
        report = await ask(kernel, instance, lambda it: kernel.plugins.disconnect(it, forget))
        await apply(kernel, instance_id, report)
    await pairings.forget(kernel, instance_id)


async def live_status(kernel: Kernel, instance_id: UUID) -> None:
    """Ask the provider how a number stands, and write it down. Raises ProviderError."""
    instance = await usable(kernel, instance_id, only_active=False)
    await apply(kernel, instance_id, await ask(kernel, instance, kernel.plugins.status))


async def pairing(kernel: Kernel, instance_id: UUID) -> Pairing:
    """Return what is to be scanned: the last one if it still can be, else a new one. Raises ProviderError.

    Raises Invalid (422) where the provider has no pairing, Conflict (409) where there is no need of it.
    """
    instance = await usable(kernel, instance_id)
    if not kernel.plugins.can(instance, "qrcode"):
        raise refusals.no_pairing(instance.provider)
    return await pairings.recall(kernel, instance_id) or await _new_pairing(kernel, instance)


async def _new_pairing(kernel: Kernel, instance: Instance) -> Pairing:
    made = await ask(kernel, instance, kernel.plugins.qrcode)
    if made.status is not instance.status:
        await apply(kernel, instance.id, InstanceReport(made.status))
    if made.status is InstanceStatus.CONNECTED:
        raise refusals.already_connected()
    return await pairings.remember(kernel, instance.id, made)
