"""`/api/service-instances`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.contracts.instance import Pairing
from elsehu.db import UnitOfWork
from elsehu.http.operations import ADMINS, SUPERVISORS, Call, Handler, Operation
from elsehu.http.schemas import ApiModel, NoQuery
from elsehu.identity import audit
from elsehu.instances import connecting, editing, queries
from elsehu.instances.schemas import (
    DeletionQuery,
    InstanceChanges,
    InstanceQuery,
    NewInstance,
    QrCode,
    ServiceInstance,
    ServiceInstances,
)

TAG = "service-instances"
PATH = "/api/service-instances"
ONE = PATH + "/{id}"

View = dict[str, Any]


async def list_instances(call: Call[None, InstanceQuery]) -> View:
    """Active ones only, unless `includeInactive` is true."""
    query = call.query
    return await queries.page(call.kernel, query.limit, query.cursor, query.include_inactive)


async def create_instance(call: Call[NewInstance, NoQuery]) -> View:
    """The number is stored first and then connected; if that fails, `status` and `statusDetail` say so.

    Elsehu then goes on trying by itself.
    """
    async with call.transaction() as uow:
        instance_id = await editing.create(uow, call.kernel, call.body)
        await _audit(uow, call, "instance_created", instance_id, name=call.body.name, provider=call.body.provider)
    await connecting.try_to_connect(call.kernel, instance_id)
    return await queries.one(call.kernel, instance_id)


async def get_instance(call: Call[None, NoQuery]) -> View:
    """Return one instance, active or not."""
    return await queries.one(call.kernel, call.path_id())


async def change_instance(call: Call[InstanceChanges, NoQuery]) -> View:
    """After a change of credentials or settings the number is connected anew."""
    instance_id, changes = call.path_id(), call.body
    async with call.kernel.db.transaction() as uow:
        is_configured = await editing.update(uow, call.kernel, instance_id, changes)
        await _audit(uow, call, "instance_changed", instance_id, fields=_changed_fields(changes))
    if is_configured:
        await connecting.try_to_connect(call.kernel, instance_id)
    return await queries.one(call.kernel, instance_id)


async def delete_instance(call: Call[None, DeletionQuery]) -> None:
    """Deactivate it: nothing is sent by it any more, and its conversations stay.

    At the provider it stays as it is, unless `forget` is true: then it is deleted there too. Repeat the
    request if the provider could not be reached.
    """
    instance_id, forget = call.path_id(), call.query.forget
    async with call.kernel.db.transaction() as uow:
        await editing.set_active(uow, instance_id, is_active=False)
        await _audit(uow, call, "instance_deactivated", instance_id, forget=forget)
    if forget:
        await connecting.disconnect(call.kernel, instance_id, forget=True)


async def activate_instance(call: Call[None, NoQuery]) -> View:
    """Activate it and connect it; if that fails, `status` and `statusDetail` say so."""
    instance_id = call.path_id()
    async with call.kernel.db.transaction() as uow:
        await editing.set_active(uow, instance_id, is_active=True)
        await _audit(uow, call, "instance_activated", instance_id)
    await connecting.try_to_connect(call.kernel, instance_id)
    return await queries.one(call.kernel, instance_id)


async def connect_instance(call: Call[None, NoQuery]) -> View:
    """Connect it now, and keep it connected."""
    return await _told(call, "instance_connect", connecting.connect)


async def disconnect_instance(call: Call[None, NoQuery]) -> View:
    """Log it out at the provider, and keep it so until somebody connects it."""
    return await _told(call, "instance_disconnect", connecting.disconnect)


async def get_instance_status(call: Call[None, NoQuery]) -> View:
    """Ask the provider now; the answer is the instance with its fresh `status`."""
    instance_id = call.path_id()
    await connecting.live_status(call.kernel, instance_id)
    return await queries.one(call.kernel, instance_id)


async def get_instance_qrcode(call: Call[None, NoQuery]) -> View:
    """Poll it, or get it again on `instance:updated` with `qrRefreshedAt`; 409 `already_connected` once scanned."""
    return _qrcode_view(await connecting.pairing(call.kernel, call.path_id()))


async def _told(call: Call[None, NoQuery], action: str, verb: Any) -> View:
    """Write to the audit log that a person wants it, then do it: whatever comes of it, he did."""
    instance_id: UUID = call.path_id()
    await connecting.usable(call.kernel, instance_id, only_active=False)
    async with call.kernel.db.transaction() as uow:
        await _audit(uow, call, action, instance_id)
    await verb(call.kernel, instance_id)
    return await queries.one(call.kernel, instance_id)


async def _audit(uow: UnitOfWork, call: Call[Any, Any], action: str, instance_id: UUID, **details: Any) -> None:
    subject = f"instance:{instance_id}"
    await audit.record(uow, call.caller, action, subject, details, **audit.origin(call.request))


def _changed_fields(changes: InstanceChanges) -> list[str]:
    """Return the names of what was changed, never the values."""
    plain = [name for name in ("name", "phone") if getattr(changes, name) is not None]
    credentials = [f"credentials.{name}" for name in changes.credentials]
    return plain + credentials + [f"settings.{name}" for name in changes.settings]


def _qrcode_view(pairing: Pairing) -> View:
    return {
        "state": pairing.status,
        "base64": pairing.base64,
        "code": pairing.code,
        "pairingCode": pairing.pairing_code,
        "expiresAt": pairing.expires_at and isoformat(pairing.expires_at),
    }


def _act(name: str, handler: Handler, summary: str, *refusals: int) -> Operation:
    path = f"{ONE}/{name}"
    return Operation("POST", path, handler, summary, TAG, SUPERVISORS, answer=ServiceInstance, refusals=refusals)


def _ask(name: str, handler: Handler, summary: str, answer: type[ApiModel], *refusals: int) -> Operation:
    return Operation("GET", f"{ONE}/{name}", handler, summary, TAG, SUPERVISORS, answer=answer, refusals=refusals)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", PATH, list_instances, "List numbers.", TAG, query=InstanceQuery, answer=ServiceInstances),
    Operation("GET", ONE, get_instance, "See a number.", TAG, answer=ServiceInstance),
    Operation(
        "POST",
        PATH,
        create_instance,
        "Add a number and connect it. 409 `name_taken` if the name is another's.",
        TAG,
        ADMINS,
        body=NewInstance,
        answer=ServiceInstance,
        status=201,
        refusals=(409,),
    ),
    Operation(
        "PATCH",
        ONE,
        change_instance,
        "Change a number. 409 `name_taken` if the name is another's.",
        TAG,
        ADMINS,
        body=InstanceChanges,
        answer=ServiceInstance,
        refusals=(409,),
    ),
    Operation(
        "DELETE", ONE, delete_instance, "Deactivate a number.", TAG, ADMINS, query=DeletionQuery, refusals=(502,)
    ),
    _act("activate", activate_instance, "Activate a number and connect it."),
    _act("connect", connect_instance, "Connect a number. 409 `instance_inactive` if it is not active.", 409, 502),
    _act("disconnect", disconnect_instance, "Log a number out.", 409, 502),
    _ask("status", get_instance_status, "Ask the provider how a number stands.", ServiceInstance, 409, 502),
    _ask(
        "qrcode",
        get_instance_qrcode,
        "Get what links a phone. 409 `already_connected` if one is.",
        QrCode,
        409,
        422,
        502,
    ),
)
