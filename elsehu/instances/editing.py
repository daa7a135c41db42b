"""Adding and changing instances on an admin's word. Nothing here talks to a provider."""

from uuid import UUID

import asyncpg
import orjson

from elsehu import events
from elsehu.db import Row, UnitOfWork
from elsehu.events import Change
from elsehu.ids import new_id, new_token
from elsehu.instances.configuration import Configuration, configure, provider_spec
from elsehu.instances.directory import SIGNAL
from elsehu.instances.opening import kept_configuration
from elsehu.instances.refusals import bad_phone, name_taken, not_found
from elsehu.instances.schemas import InstanceChanges, NewInstance
from elsehu.instances.sealing import seal, seal_text
from elsehu.kernel import Kernel
from elsehu.phones import parse_phone, to_e164
from elsehu.secretbox import WrongSecretKey

INSERT = """
INSERT INTO service_instances
    (id, name, phone, provider, is_active, status, status_detail, credentials, state, webhook_secret, settings,
     keep_connected, just_connected, next_check_at, hold_reason, rate_tokens, created_at, updated_at)
VALUES ($1, $2, $3, $4, true, 'new', '', $5, $6, $7, $8,
        true, false, now() + make_interval(secs => $9), '', 0, now(), now())
ON CONFLICT (name) DO NOTHING RETURNING id
"""
LOCK = """
SELECT id, name, phone, provider, credentials, settings FROM service_instances WHERE id = $1 FOR NO KEY UPDATE
"""
UPDATE = "UPDATE service_instances SET name = $2, phone = $3, updated_at = now() WHERE id = $1"
RECONFIGURE = "UPDATE service_instances SET credentials = $2, settings = $3 WHERE id = $1"
RENEW = "UPDATE service_instances SET state = $2, webhook_secret = $3 WHERE id = $1"
SET_ACTIVE = """
UPDATE service_instances SET is_active = $2, keep_connected = $2, updated_at = now()
WHERE id = $1 RETURNING is_active
"""


async def create(uow: UnitOfWork, kernel: Kernel, new: NewInstance) -> UUID:
    """Add an instance with a webhook secret of its own; return its id. Raises Invalid (422), Conflict (409)."""
    spec = provider_spec(kernel.plugins, new.provider)
    phone = checked_phone(kernel, new.phone)
    configuration = configure(spec, new.credentials, new.settings)
    instance_id: UUID | None = await uow.fetch_value(
        INSERT,
        new_id(),
        new.name,
        phone,
        spec.name,
        seal(kernel.secrets, configuration.credentials),
        seal(kernel.secrets, {}),
        seal_text(kernel.secrets, new_token()),
        orjson.dumps(configuration.settings).decode(),
        kernel.settings.instances.connect_timeout,
    )
    if instance_id is None:
        raise name_taken(new.name)
    await _tell(uow, instance_id)
    return instance_id


async def update(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, changes: InstanceChanges) -> bool:
    """Change an instance; return whether its provider must be told. Raises NotFound, Invalid or Conflict."""
    row = await uow.fetch_row(LOCK, instance_id)
    if row is None:
        raise not_found(instance_id)
    name = changes.name or row["name"]
    phone = checked_phone(kernel, changes.phone) if changes.phone else row["phone"]
    try:
        await uow.execute(UPDATE, instance_id, name, phone)
    except asyncpg.UniqueViolationError:
        raise name_taken(name) from None
    is_configured = bool(changes.credentials or changes.settings)
    if is_configured:
        await _reconfigure(uow, kernel, row, changes)
    await _tell(uow, instance_id)
    return is_configured


async def set_active(uow: UnitOfWork, instance_id: UUID, is_active: bool) -> None:
    """Activate or deactivate an instance. Raises NotFound."""
    if await uow.fetch_value(SET_ACTIVE, instance_id, is_active) is None:
        raise not_found(instance_id)
    await _tell(uow, instance_id)


def checked_phone(kernel: Kernel, text: str) -> str:
    """Return a number that a person typed as E.164. Raises Invalid."""
    digits = parse_phone(text, kernel.settings.messaging.default_region)
    if digits is None:
        raise bad_phone()
    return to_e164(digits)


async def _reconfigure(uow: UnitOfWork, kernel: Kernel, row: Row, changes: InstanceChanges) -> None:
    """Write new credentials and settings. Where the old ones cannot be read any more, everything secret is new."""
    spec = provider_spec(kernel.plugins, row["provider"])
    try:
        old = kept_configuration(kernel.secrets, row)
    except WrongSecretKey:
        old = Configuration({}, orjson.loads(row["settings"]))
        secret = seal_text(kernel.secrets, new_token())
        await uow.execute(RENEW, row["id"], seal(kernel.secrets, {}), secret)
    new = configure(spec, changes.credentials, changes.settings, old)
    sealed = seal(kernel.secrets, new.credentials)
    await uow.execute(RECONFIGURE, row["id"], sealed, orjson.dumps(new.settings).decode())


async def _tell(uow: UnitOfWork, instance_id: UUID) -> None:
    await events.record(uow, [Change("instance:updated", instance_id)])
    uow.signal(SIGNAL)
