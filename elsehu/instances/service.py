"""What becomes of an instance while it works: provider's reports, signs of life, holds.

Messaging calls these for every webhook and send, so each writes only where something differs.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

from elsehu import events
from elsehu.clock import isoformat
from elsehu.contracts.inbound import InstanceChanged
from elsehu.contracts.instance import InstanceReport, InstanceStatus, Pairing
from elsehu.db import CONNECTION_LOST, Row, UnitOfWork
from elsehu.events import Change
from elsehu.instances import pairings
from elsehu.instances.directory import SIGNAL, Directory
from elsehu.instances.sealing import seal, unseal
from elsehu.kernel import Kernel
from elsehu.phones import canonical, to_e164

log = structlog.get_logger("elsehu.instances")

OUTBOUND = "outbound"
FLAP_SECONDS = 2.0
LONGEST_DETAIL = 500

READ = "SELECT status, status_detail, phone, state, health, updated_at FROM service_instances WHERE id = $1"
WRITE = """
UPDATE service_instances
SET status = $2, status_detail = $3, phone = $4, state = $5, health = $6::jsonb, updated_at = $7
WHERE id = $1
"""
BECAME_CONNECTED = """
UPDATE service_instances SET just_connected = true, keep_connected = true, hold_until = NULL, hold_reason = ''
WHERE id = $1
"""
LOOK_SOON = """
UPDATE service_instances SET next_check_at = $2 WHERE id = $1 AND is_active AND next_check_at > $2 RETURNING true
"""
TOUCH = "UPDATE service_instances SET last_seen_at = $2 WHERE id = ANY($1::uuid[])"
HOLD = """
WITH before AS (SELECT status, status_detail FROM service_instances WHERE id = $1 FOR NO KEY UPDATE)
UPDATE service_instances AS it
SET hold_until = greatest(it.hold_until, $2), hold_reason = $3, updated_at = now(),
    status = coalesce($4::text, it.status),
    status_detail = CASE WHEN $4::text IS NULL THEN it.status_detail ELSE $3 END
FROM before
WHERE it.id = $1 AND (it.hold_until IS NULL OR it.hold_until < $2 OR it.status <> coalesce($4::text, it.status))
RETURNING (before.status, before.status_detail) <> (it.status, it.status_detail) AS is_visible
"""


async def apply_report(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, report: InstanceReport) -> None:
    """Write what a provider says of a number, if it differs from what is known.

    `report.phone` None keeps the phone. `report.state` and `report.health` are laid over what is kept key by key,
    and a key with None is dropped. A change is told as `instance:updated`; becoming connected also ends a
    hold, wakes the dispatchers and has a Watch call its listeners. Raises WrongSecretKey if the kept state cannot
    be read.
    """
    if await _apply(uow, kernel, instance_id, report):
        await _tell(uow, instance_id)


async def apply_change(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, change: InstanceChanged) -> None:
    """Apply what a webhook says of a number, as `apply_report` does, and keep its new QR code for a moment.

    "Connecting" is no state that lasts, and webhooks overtake each other: of a number that is connected, or was just
    disconnected (which some report tens of times a second; Evolution API reference, section 7.4), it is passed
    over, and has a Watch look at the provider.
    """
    if change.status is InstanceStatus.CONNECTING and await _is_settled(uow, kernel, instance_id):
        await _look_soon(uow, kernel, instance_id)
        return
    is_changed = await _apply(uow, kernel, instance_id, change)
    if change.pairing and pairings.is_scannable(change.pairing):
        _remember_after_commit(uow, kernel, instance_id, change.pairing)
        await _tell(uow, instance_id, {"qrRefreshedAt": isoformat(kernel.now())})
    elif is_changed:
        await _tell(uow, instance_id)


async def touch(uow: UnitOfWork, kernel: Kernel, *instance_ids: UUID) -> None:
    """Note that the provider of these instances was heard: after commit, at most every 30 s for each."""
    due = kernel.part(Directory).due_for_touch(instance_ids)
    if due:
        uow.after_commit(lambda: _write_touch(kernel, due))


async def hold(
    uow: UnitOfWork, instance_id: UUID, until: datetime, reason: str, status: InstanceStatus | None = None
) -> None:
    """Have nothing sent by an instance before `until`; a Watch looks at it then.

    `reason` is for people. `status` is what the instance becomes; None (or `CONNECTED`) where the provider only
    asked to slow down. A hold is never shortened.
    """
    becomes = None if status in (None, InstanceStatus.CONNECTED) else status.value
    held = await uow.fetch_row(HOLD, instance_id, until, reason[:LONGEST_DETAIL], becomes)
    if held is None:
        return
    uow.signal(SIGNAL)
    if held["is_visible"]:
        await _tell(uow, instance_id)


async def _apply(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, report: InstanceReport | InstanceChanged) -> bool:
    """Write what differs; return whether anything did. The row is locked only if there is something to write."""
    row = await uow.fetch_row(READ, instance_id)
    if row is None or not _changes(kernel, row, report):
        return False
    row = await uow.fetch_row(READ + " FOR NO KEY UPDATE", instance_id)
    changed = {} if row is None else _changes(kernel, row, report)
    if row is None or not changed:
        return False
    await _write(uow, kernel, instance_id, {**row, **changed})
    if changed.get("status") == InstanceStatus.CONNECTED:
        await _connected(uow, kernel, instance_id)
    return True


def _changes(kernel: Kernel, row: Row, report: InstanceReport | InstanceChanged) -> dict[str, Any]:
    """Return the columns that `report` changes, with their new values."""
    wanted: dict[str, Any] = {}
    if report.status is not None:
        wanted = {"status": report.status.value, "status_detail": report.detail[:LONGEST_DETAIL]}
    if report.phone:
        wanted["phone"] = to_e164(canonical(report.phone))
    if isinstance(report, InstanceReport) and report.state:
        kept = unseal(kernel.secrets, row["state"])
        state = _laid_over(kept, report.state)
        if state != kept:
            wanted["state"] = seal(kernel.secrets, state)
    if report.health:
        known = orjson.loads(row["health"])
        health = _laid_over(known, report.health)
        if health != known:
            wanted["health"] = orjson.dumps(health).decode()
    return {name: value for name, value in wanted.items() if row[name] != value}


def _laid_over(kept: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `kept` with what is in `new`, without the keys for which that is None."""
    return {name: value for name, value in {**kept, **new}.items() if value is not None}


async def _write(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, new: dict[str, Any]) -> None:
    values = (new["status"], new["status_detail"], new["phone"], new["state"], new["health"])
    await uow.execute(WRITE, instance_id, *values, kernel.now())


async def _connected(uow: UnitOfWork, kernel: Kernel, instance_id: UUID) -> None:
    await uow.execute(BECAME_CONNECTED, instance_id)
    uow.signal(OUTBOUND)
    uow.after_commit(lambda: pairings.forget(kernel, instance_id))


async def _is_settled(uow: UnitOfWork, kernel: Kernel, instance_id: UUID) -> bool:
    row = await uow.fetch_row(READ, instance_id)
    if row is None or row["status"] not in (InstanceStatus.CONNECTED, InstanceStatus.DISCONNECTED):
        return False
    is_recent = kernel.now() - row["updated_at"] < timedelta(seconds=FLAP_SECONDS)
    return row["status"] == InstanceStatus.CONNECTED or bool(is_recent)


async def _look_soon(uow: UnitOfWork, kernel: Kernel, instance_id: UUID) -> None:
    at = kernel.now() + timedelta(seconds=FLAP_SECONDS)
    if await uow.fetch_value(LOOK_SOON, instance_id, at):
        uow.signal(SIGNAL)


def _remember_after_commit(uow: UnitOfWork, kernel: Kernel, instance_id: UUID, pairing: Pairing) -> None:
    async def remember() -> None:
        await pairings.remember(kernel, instance_id, pairing)

    uow.after_commit(remember)


async def _write_touch(kernel: Kernel, instance_ids: list[UUID]) -> None:
    try:
        await kernel.db.execute(TOUCH, instance_ids, kernel.now())
    except CONNECTION_LOST as error:
        log.warning("touch_lost", error=type(error).__name__)


async def _tell(uow: UnitOfWork, instance_id: UUID, data: dict[str, Any] | None = None) -> None:
    await events.record(uow, [Change("instance:updated", instance_id, data=data)])
    uow.signal(SIGNAL)
