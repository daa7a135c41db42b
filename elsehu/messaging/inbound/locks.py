"""Locks on addresses and on provider ids, so that what one person or message needs is done one at a time.

Every transaction that makes contacts, or applies something to a message by its external id, takes its locks
first, all in one sorted statement: they cannot deadlock among themselves, in one process or many. What turns out
to be needed later is only tried for (`try_lock`): nobody waits while holding. The unique indexes stay the last word.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork

Key = tuple[str, str, str]
"""(kind, value, scope): what makes an address unique."""


class AddressesChanged(Exception):
    """A contact got another address between reading its addresses and locking them: try again."""


class NeedsLocks(Exception):
    """Somebody else holds a lock that turned out to be needed: try again with `keys` held from the start."""

    def __init__(self, keys: Collection[int]) -> None:
        super().__init__("more addresses are concerned than could be known at first")
        self.keys = keys


LOCK = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"
TRY_LOCK = "SELECT bool_and(pg_try_advisory_xact_lock(key)) FROM unnest($1::bigint[]) AS key"


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def key_of(identity: Identity) -> Key:
    """Return what makes an address unique."""
    return (identity.kind, identity.value, identity.scope)


def address_key(key: Key) -> int:
    """Return the lock key of an address by what makes it unique."""
    kind, value, scope = key
    return _key(f"identity {kind} {scope} {value}")


def identity_key(identity: Identity) -> int:
    """Return the lock key of an address."""
    return address_key(key_of(identity))


def message_key(instance_id: UUID, external_id: str) -> int:
    """Return the lock key of a message as a provider knows it."""
    return _key(f"message {instance_id} {external_id}")


async def lock(uow: UnitOfWork, keys: Iterable[int]) -> None:
    """Hold `keys` until the transaction ends, waiting for whoever holds one."""
    ordered: Sequence[int] = sorted(set(keys))
    if ordered:
        await uow.execute(LOCK, ordered)


async def try_lock(uow: UnitOfWork, keys: Collection[int]) -> None:
    """Hold `keys` too until the transaction ends. Raises NeedsLocks where somebody else holds one."""
    if not await uow.fetch_value(TRY_LOCK, sorted(keys)):
        raise NeedsLocks(keys)
