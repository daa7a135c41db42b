"""Locks on addresses and on provider ids, so that what one person or message needs is done one at a time.

Every transaction that makes contacts, or applies something to a message by its external id, takes its locks
first, all in one sorted statement: they cannot deadlock among themselves, in one process or many. The unique
indexes stay the last word.
"""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork


class AddressesChanged(Exception):
    """A contact got another address between reading its addresses and locking them: try again."""


LOCK = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def identity_key(identity: Identity) -> int:
    """Return the lock key of an address."""
    return _key(f"identity {identity.kind} {identity.scope} {identity.value}")


def message_key(instance_id: UUID, external_id: str) -> int:
    """Return the lock key of a message as a provider knows it."""
    return _key(f"message {instance_id} {external_id}")


async def lock(uow: UnitOfWork, keys: Iterable[int]) -> None:
    """Hold `keys` until the transaction ends, waiting for whoever holds one."""
    ordered: Sequence[int] = sorted(set(keys))
    if ordered:
        await uow.execute(LOCK, ordered)
