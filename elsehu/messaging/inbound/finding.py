"""Which message is it? By the provider's id for it, by an id that it had before, or by our own id, which some echo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import StatusChanged
from elsehu.contracts.message import RANK, Status
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound.waiting import Waits

FIND = """
SELECT u.place, m.id
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(instance_id, external_id, place)
JOIN messages m ON m.instance_id = u.instance_id AND m.external_id = u.external_id
"""

FIND_ELSEWHERE = """
SELECT u.place, m.id, m.status, m.external_id, f.id IS NOT NULL AS is_former
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY AS u(instance_id, external_id, ref, place)
LEFT JOIN LATERAL (
    SELECT id, message_id FROM former_message_ids o
    WHERE o.instance_id = u.instance_id AND o.external_id = u.external_id LIMIT 1
) f ON TRUE
JOIN messages m ON m.id = coalesce(f.message_id, u.ref)
WHERE m.instance_id = u.instance_id AND m.direction = 'OUTBOUND'
"""
"""Asked only for what the first look missed. The LIMIT has every plan look former ids up by their key."""

NAME = """
UPDATE messages m SET external_id = n.external_id FROM unnest($1::uuid[], $2::text[]) AS n(id, external_id)
WHERE m.id = n.id AND m.external_id IS NULL RETURNING m.id
"""

KEEP_FORMER = """
INSERT INTO former_message_ids (message_id, instance_id, external_id)
SELECT f.* FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS f(message_id, instance_id, external_id)
ON CONFLICT (instance_id, external_id) DO NOTHING
"""

ARRIVED = RANK[Status.DELIVERED]


@dataclass(frozen=True, slots=True)
class Found:
    """A message that something is told of. `is_former`: of an attempt to send it before its last one."""

    id: UUID
    is_former: bool = False


@dataclass(slots=True)
class Findings:
    """What was found, by place; `named` are the messages whose id at the provider is known only now."""

    places: dict[int, Found] = field(default_factory=dict)
    named: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)


async def find(uow: UnitOfWork, updates: Sequence[tuple[UUID, Waits]]) -> Findings:
    """Find the messages that `updates` (instance id, update) are about.

    A message of ours that has no id at the provider is given the one that a status tells beside our own id.
    """
    rows = await uow.fetch(FIND, [one for one, _ in updates], [update.external_id for _, update in updates])
    findings = Findings({row["place"] - 1: Found(row["id"]) for row in rows})
    missed = [place for place in range(len(updates)) if place not in findings.places]
    if missed:
        await _find_elsewhere(uow, updates, missed, findings)
    return findings


async def _find_elsewhere(
    uow: UnitOfWork, updates: Sequence[tuple[UUID, Waits]], missed: Sequence[int], findings: Findings
) -> None:
    instances = [updates[place][0] for place in missed]
    externals = [updates[place][1].external_id for place in missed]
    refs = [_reference(updates[place][1]) for place in missed]
    rows = {missed[row["place"] - 1]: row for row in await uow.fetch(FIND_ELSEWHERE, instances, externals, refs)}
    nameless = {row["id"]: place for place, row in sorted(rows.items()) if _gives_name(row, updates[place][1])}
    findings.named = await _name(uow, {message_id: updates[place] for message_id, place in nameless.items()})
    for place, row in rows.items():
        instance_id, update = updates[place]
        is_named = findings.named.get(row["id"]) == (instance_id, update.external_id)
        findings.places[place] = Found(row["id"], is_former=row["is_former"] or not is_named)
    former = [place for place, row in rows.items() if findings.places[place].is_former and not row["is_former"]]
    await _keep_former(uow, [(rows[place]["id"], *_name_in(updates[place])) for place in former])


def _reference(update: Waits) -> UUID | None:
    """Return our id as the provider echoes it."""
    if not isinstance(update, StatusChanged) or update.client_ref is None:
        return None
    try:
        return UUID(update.client_ref)
    except ValueError:
        return None


def _gives_name(row: Mapping[str, Any], update: Waits) -> bool:
    """Whether the id in `update` becomes the message's: it has none, and this is not of an attempt that failed."""
    if row["external_id"] is not None or not isinstance(update, StatusChanged):
        return False
    if row["is_former"]:
        return RANK[update.status] >= ARRIVED
    return row["status"] != Status.PENDING or update.status is not Status.FAILED


async def _name(uow: UnitOfWork, wanted: Mapping[UUID, tuple[UUID, Waits]]) -> dict[UUID, tuple[UUID, str]]:
    names = {message_id: _name_in(one) for message_id, one in sorted(wanted.items())}
    if not names:
        return {}
    rows = await uow.fetch(NAME, list(names), [external_id for _, external_id in names.values()])
    return {row["id"]: names[row["id"]] for row in rows}


def _name_in(located: tuple[UUID, Waits]) -> tuple[UUID, str]:
    instance_id, update = located
    return instance_id, update.external_id


async def _keep_former(uow: UnitOfWork, former: Sequence[tuple[UUID, UUID, str]]) -> None:
    if former:
        messages, instances, externals = zip(*former, strict=True)
        await uow.execute(KEEP_FORMER, messages, instances, externals)
