"""Who is behind a batch's addresses: usually one look tells; else it is decided, and contacts are merged or made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.contacts.consent import set_consents
from elsehu.messaging.inbound import notes
from elsehu.messaging.inbound.batch import Batch
from elsehu.messaging.inbound.changing import settle
from elsehu.messaging.inbound.identities import People, Person
from elsehu.messaging.inbound.locks import Key, key_of
from elsehu.messaging.inbound.merging import merge
from elsehu.messaging.inbound.notes import Fact, Note, addresses_of
from elsehu.messaging.inbound.resolving import Resolving, SamePerson
from elsehu.messaging.inbound.studying import study

CLOCK_SLACK = timedelta(minutes=5)
"""How far a provider's clock may be ahead of ours."""

TELL = """
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', id, id FROM conversations WHERE contact_id = ANY($1::uuid[]) AND status <> 'closed'
"""

Seen = tuple[Sequence[Identity], datetime]
"""(addresses seen together, when)"""


@dataclass(frozen=True, slots=True)
class Met:
    """The people of a batch; `persons` are those of its messages and `consenting` those of its consents, in order."""

    people: People
    persons: Sequence[Person]
    consenting: Sequence[Person]
    parked: Sequence[Note] = ()
    resolving: Resolving | None = None

    async def save(self, uow: UnitOfWork, batch: Batch) -> None:
        """Write what was learnt. Nothing in the common case."""
        await self.people.save(uow)
        await set_consents(
            uow, [(who.id, one.accepts, one.at) for who, one in zip(self.consenting, batch.consents, strict=True)]
        )
        if self.resolving is not None:
            await _save_notes(uow, self.resolving, self.parked)
            await _tell(uow, self.people)


async def meet(uow: UnitOfWork, batch: Batch, now: datetime, held: set[int]) -> Met:
    """Find or make the people of a batch, merging contacts that turn out to be one person. Raises NeedsLocks.

    `held` are the locks of this transaction; what is locked besides is added.
    """
    identities, latest = list(batch.identities()), now + CLOCK_SLACK
    seen: list[Seen] = [(one.event.sender, min(one.event.at, latest)) for one in batch.messages]
    seen += [(one.sender, min(one.at, latest)) for one in batch.consents]
    facts: list[Fact] = [*batch.links, *batch.changes]
    while True:
        people = await People.find(uow, identities)
        persons = [people.at_once(*one) for one in seen]
        doubtful = set(_doubtful(people, seen, persons, facts))
        if not doubtful:
            return _met(batch, people, [one for one in persons if one])
        people, found = await study(uow, people, identities, doubtful, held)
        try:
            return _decide(batch, Resolving.of(people, found), seen, facts, now)
        except SamePerson as error:
            await merge(uow, error.contact_ids)


def _doubtful(
    people: People, seen: Sequence[Seen], persons: Sequence[Person | None], facts: Sequence[Fact]
) -> Iterator[Key]:
    """Yield the addresses of which one look did not tell whose they are."""
    for (identities, _), person in zip(seen, persons, strict=True):
        if person is None:
            yield from map(key_of, identities)
    for fact in facts:
        if not people.know_already(fact):
            yield from map(key_of, addresses_of(fact))


def _decide(batch: Batch, resolving: Resolving, seen: Sequence[Seen], facts: Sequence[Fact], now: datetime) -> Met:
    persons = [resolving.whose(*one) for one in seen]
    parked = settle(resolving, facts, now)
    return _met(batch, resolving.people, [one.known_now() for one in persons], parked, resolving)


def _met(
    batch: Batch,
    people: People,
    persons: Sequence[Person],
    parked: Sequence[Note] = (),
    resolving: Resolving | None = None,
) -> Met:
    count = len(batch.messages)
    for person in persons[:count]:
        person.is_back()
    return Met(people, persons[:count], persons[count:], parked, resolving)


async def _save_notes(uow: UnitOfWork, resolving: Resolving, parked: Sequence[Note]) -> None:
    await notes.drop(uow, resolving.dropped)
    new = [
        Note(None, key, one.person.known_now().id if one.person else None, one.until)
        for key, one in resolving.new_notes
    ]
    await notes.add(uow, [*new, *parked])


async def _tell(uow: UnitOfWork, people: People) -> None:
    """Tell of the conversations whose contact shows another phone."""
    changed = [person.id for person in people.persons.values() if person.sets_phone and not person.is_new]
    if changed:
        await uow.execute(TELL, changed)
        uow.signal(SIGNAL)
