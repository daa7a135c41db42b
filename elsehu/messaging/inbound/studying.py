"""What must be read and locked before it is decided who somebody is, where that is not plain at once."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound import notes
from elsehu.messaging.inbound.identities import People
from elsehu.messaging.inbound.locks import Key, address_key, key_of, try_lock
from elsehu.messaging.inbound.notes import Note, addresses_of


async def study(
    uow: UnitOfWork, people: People, identities: Sequence[Identity], doubtful: Iterable[Key], held: set[int]
) -> tuple[People, list[Note]]:
    """Read everything that `doubtful` addresses are about, and hold the locks of all that.

    `people` are those of `identities`, as they are known so far; `held` are the locks of this transaction. Returns
    the people and the notes of the addresses as they are once all locks are held. Raises NeedsLocks.
    """
    start = set(doubtful)
    while True:
        found, keys = await _read(uow, people, start)
        missing = {address_key(key) for key in keys} - held
        if not missing:
            return people, found
        await try_lock(uow, missing)
        held |= missing
        people = await People.find(uow, identities)


async def _read(uow: UnitOfWork, people: People, start: set[Key]) -> tuple[list[Note], set[Key]]:
    """Read notes and contacts from one to the next, until nothing new turns up. Returns notes and addresses."""
    found: list[Note] = []
    looked_up: set[Key] = set()
    studied: set[UUID] = set()
    keys = start
    while keys:
        new = await notes.find(uow, keys)
        looked_up |= keys
        found += new
        told = {key_of(one) for note in new if note.fact for one in addresses_of(note.fact)}
        await people.look_up(uow, told - looked_up - people.addresses.keys())
        contacts = {note.contact_id for note in new if note.contact_id} | _owners(people, keys)
        if contacts - studied:
            await people.study(uow, contacts - studied)
            studied |= contacts
        keys = told - looked_up
    return found, looked_up.union(*(people.persons[contact_id].keys for contact_id in studied))


def _owners(people: People, keys: Iterable[Key]) -> set[UUID]:
    return {address.owner.id for key in keys if (address := people.addresses.get(key)) and address.owner}
