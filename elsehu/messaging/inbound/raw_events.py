"""Raw webhooks, kept for replay, and dead letters: what could not be applied, kept until somebody looks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.db import UnitOfWork

KEEP = """
INSERT INTO webhook_events (provider, instance_id, event_name, body)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::jsonb[])
"""
BURY = """
INSERT INTO dead_letters (provider, instance_id, error, item)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::jsonb[])
"""
NUL = rb"\u0000"
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Raw:
    """A webhook's cleaned body, and whose it is if that is known."""

    provider: str
    instance_id: UUID | None
    event_name: str
    body: Any


@dataclass(frozen=True, slots=True)
class Dead:
    """A part of a webhook that could not be applied, and why."""

    provider: str
    instance_id: UUID | None
    error: str
    item: Any


def to_jsonb(value: Any) -> str:
    """Return `value` as JSON that jsonb takes.

    That has no place for NUL, which senders can put in any text, nor do we write what is nested deeper than any
    provider's bodies are.
    """
    try:
        raw = orjson.dumps(value, default=str)
    except orjson.JSONEncodeError as error:
        return orjson.dumps({"unstorable": str(error)}).decode()
    return (_NUL.sub(rb"\1", raw) if NUL in raw else raw).decode()


def _storable(text: str) -> str:
    """Return `text` without what a text column has no place for: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


async def keep(uow: UnitOfWork, raws: Sequence[Raw]) -> None:
    """Store webhooks' bodies."""
    if raws:
        await uow.execute(
            KEEP,
            [raw.provider for raw in raws],
            [raw.instance_id for raw in raws],
            [_storable(raw.event_name)[:80] for raw in raws],
            [to_jsonb(raw.body) for raw in raws],
        )


async def bury(uow: UnitOfWork, dead: Sequence[Dead]) -> None:
    """Store what could not be applied."""
    if dead:
        await uow.execute(
            BURY,
            [one.provider for one in dead],
            [one.instance_id for one in dead],
            [_storable(one.error)[:2000] for one in dead],
            [to_jsonb(one.item) for one in dead],
        )


async def purge(uow: UnitOfWork, before: datetime) -> None:
    """Drop raw webhooks received before `before`."""
    await uow.execute("DELETE FROM webhook_events WHERE received_at < $1", before)
