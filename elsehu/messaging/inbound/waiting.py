"""Updates and echoes that came before their message: kept until it comes, however long the provider takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from elsehu.contracts.inbound import (
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
    StatusChanged,
)
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound import notes

Waits = StatusChanged | MessageEdited | MessageDeleted | ReactionChanged | MessageArrived
TYPES: dict[str, TypeAdapter[Any]] = {
    one.__name__: TypeAdapter(one)
    for one in (StatusChanged, MessageEdited, MessageDeleted, ReactionChanged, MessageArrived)
}

PARK = """
INSERT INTO waiting_updates (instance_id, external_id, event)
SELECT p.* FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) AS p(instance_id, external_id, event)
WHERE NOT EXISTS (SELECT 1 FROM waiting_updates w
                  WHERE w.instance_id = p.instance_id AND w.external_id = p.external_id AND w.event = p.event)
"""

TAKE = """
DELETE FROM waiting_updates w USING unnest($1::uuid[], $2::text[]) AS t(instance_id, external_id)
WHERE w.instance_id = t.instance_id AND w.external_id = t.external_id
RETURNING w.id, w.instance_id, w.event
"""

PURGE = "DELETE FROM waiting_updates WHERE created_at < $1"


@dataclass(frozen=True, slots=True)
class Early:
    """Something that waits for the message `event.external_id`, or for what `key` names."""

    instance_id: UUID
    event: Waits
    key: str | None = None


def conversation_key(contact_id: UUID) -> str:
    """Return the key of what waits for a contact's conversation to be opened: no provider id starts so."""
    return f"~{contact_id}"


def _dump(event: Waits) -> str:
    name = type(event).__name__
    if isinstance(event, MessageArrived) and event.media is not None:
        event = replace(event, media=replace(event.media, data=None))
    return orjson.dumps({"type": name, "event": TYPES[name].dump_python(event, mode="json")}).decode()


def _load(text: str) -> Waits:
    stored = orjson.loads(text)
    event: Waits = TYPES[stored["type"]].validate_python(stored["event"])
    return event


async def park(uow: UnitOfWork, early: Sequence[Early]) -> None:
    """Keep `early` until what they wait for comes."""
    if early:
        await uow.execute(
            PARK,
            [one.instance_id for one in early],
            [one.key or one.event.external_id for one in early],
            [_dump(one.event) for one in early],
        )


async def take(uow: UnitOfWork, keys: Iterable[tuple[UUID, str]]) -> list[tuple[UUID, Waits]]:
    """Take out what waits for `keys` (instance id, external id or key), oldest first."""
    wanted = sorted(set(keys))
    if not wanted:
        return []
    instances, externals = zip(*wanted, strict=True)
    rows = sorted(await uow.fetch(TAKE, instances, externals), key=lambda row: row["id"])
    return [(row["instance_id"], _load(row["event"])) for row in rows]


async def purge(uow: UnitOfWork, before: datetime) -> None:
    """Drop what has waited since `before`: its message, or its person, is not coming."""
    await uow.execute(PURGE, before)
    await notes.purge(uow, before)
