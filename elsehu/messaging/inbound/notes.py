"""What is known of addresses beyond whose they are: whose they were, and what was told of people unknown so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from elsehu.contracts.inbound import IdentitiesLinked, IdentityChanged
from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound.locks import Key, key_of

Fact = IdentitiesLinked | IdentityChanged
TYPES: dict[str, TypeAdapter[Any]] = {one.__name__: TypeAdapter(one) for one in (IdentitiesLinked, IdentityChanged)}

FIND = """
SELECT n.id, n.kind, n.value, n.scope, n.contact_id, n.until, n.event
FROM unnest($1::text[], $2::text[], $3::text[]) AS k(kind, value, scope)
CROSS JOIN LATERAL (
    SELECT * FROM identity_notes WHERE value = k.value AND kind = k.kind AND scope = k.scope
    ORDER BY until DESC NULLS FIRST LIMIT 100
) n
ORDER BY n.until, n.id
"""
"""The LIMIT has every plan look each address up in the index, whatever is known of the table's size."""

ADD = """
INSERT INTO identity_notes (kind, value, scope, contact_id, until, event)
SELECT a.* FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::jsonb[])
    AS a(kind, value, scope, contact_id, until, event)
WHERE NOT EXISTS (SELECT 1 FROM identity_notes n WHERE n.kind = a.kind AND n.value = a.value AND n.scope = a.scope
    AND (n.contact_id, n.until, n.event) IS NOT DISTINCT FROM (a.contact_id, a.until, a.event))
"""
DROP = "DELETE FROM identity_notes WHERE id = ANY($1::bigint[])"
PURGE = "DELETE FROM identity_notes WHERE contact_id IS NULL AND created_at < $1"


@dataclass(frozen=True, slots=True)
class Note:
    """One note of an address. Either `until` is there, or `fact`."""

    id: int | None
    key: Key
    contact_id: UUID | None = None
    until: datetime | None = None
    fact: Fact | None = None


def addresses_of(fact: Fact) -> Sequence[Identity]:
    """Return every address that a fact is about."""
    return fact.identities if isinstance(fact, IdentitiesLinked) else (*fact.old, *fact.new)


def hashable(fact: Fact) -> Fact:
    """Return a fact as it can be compared: its sequences as tuples."""
    if isinstance(fact, IdentitiesLinked):
        return IdentitiesLinked(tuple(fact.identities))
    return IdentityChanged(tuple(fact.old), tuple(fact.new), fact.at)


def parked(fact: Fact) -> list[Note]:
    """Return the notes under which a fact waits for somebody who has one of its addresses."""
    return [Note(None, key, fact=fact) for key in sorted({key_of(one) for one in addresses_of(fact)})]


async def find(uow: UnitOfWork, keys: Iterable[Key]) -> list[Note]:
    """Return the notes of addresses, those whose `until` is earlier first."""
    kinds, values, scopes = zip(*sorted(keys), strict=True)
    return [
        Note(
            row["id"],
            (row["kind"], row["value"], row["scope"]),
            row["contact_id"],
            row["until"],
            _load(row["event"]) if row["event"] else None,
        )
        for row in await uow.fetch(FIND, kinds, values, scopes)
    ]


async def add(uow: UnitOfWork, new: Sequence[Note]) -> None:
    """Keep notes that are not kept already."""
    if new:
        kinds, values, scopes = zip(*(one.key for one in new), strict=True)
        contacts, untils = [one.contact_id for one in new], [one.until for one in new]
        events = [_dump(one.fact) if one.fact else None for one in new]
        await uow.execute(ADD, kinds, values, scopes, contacts, untils, events)


async def drop(uow: UnitOfWork, ids: Iterable[int]) -> None:
    """Forget notes."""
    wanted = sorted(set(ids))
    if wanted:
        await uow.execute(DROP, wanted)


async def purge(uow: UnitOfWork, before: datetime) -> None:
    """Drop what has waited since `before` for people whom nobody has met."""
    await uow.execute(PURGE, before)


def _dump(fact: Fact) -> str:
    name = type(fact).__name__
    return orjson.dumps({"type": name, "event": TYPES[name].dump_python(fact, mode="json")}).decode()


def _load(text: str) -> Fact:
    stored = orjson.loads(text)
    return hashable(TYPES[stored["type"]].validate_python(stored["event"]))
