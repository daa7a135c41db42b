"""Who is behind a batch's addresses: usually one look tells; else it is decided, and contacts are merged or made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from elsehu.contracts.inbound import ConsentChanged, MessageArrived
from elsehu.contracts.message import Identity
from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL
from elsehu.messaging.contacts.consent import Consent, set_consents
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
    """The people of a batch: those of its messages, in order, and what of them is to be written."""

    people: People
    persons: Sequence[Person]
    consents: Sequence[Consent]
    parked: Sequence[Note] = ()
    resolving: Resolving | None = None

    async def save(self, uow: UnitOfWork) -> None:
        """Write what was learnt. Nothing in the common case."""
        await self.people.save(uow)
        await set_consents(uow, self.consents)
        if self.resolving is not None:
            await _save_notes(uow, self.resolving, self.parked)
            await _tell(uow, self.people)


async def meet(uow: UnitOfWork, batch: Batch, now: datetime, held: set[int]) -> Met:
    """Find or make the people of a batch, merging contacts that turn out to be one person. Raises NeedsLocks.

    `held` are the locks of this transaction; what is locked besides is added.
    """
    identities, latest = list(batch.identities()), now + CLOCK_SLACK
    events: list[MessageArrived | ConsentChanged] = [*(one.event for one in batch.messages), *batch.consents]
    seen: list[Seen] = [(one.sender, min(one.at, latest)) for one in events]
    facts: list[Fact] = [*batch.links, *batch.changes]
    while True:
        people = await People.find(uow, identities)
        persons = [people.at_once(*one) for one in seen]
        doubtful = set(_doubtful(people, seen, persons, facts))
        if not doubtful:
            return Met(people, *_by_event(batch, [one for one in persons if one], seen))
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
    by_event = _by_event(batch, [one.known_now() for one in persons], seen)
    return Met(resolving.people, *by_event, parked, resolving)


def _by_event(
    batch: Batch, persons: Sequence[Person], seen: Sequence[Seen]
) -> tuple[Sequence[Person], Sequence[Consent]]:
    """Return the people of the messages, and what the others consent to."""
    count = len(batch.messages)
    consenting = zip(persons[count:], seen[count:], batch.consents, strict=True)
    return persons[:count], [(person.id, one.accepts, at) for person, (_, at), one in consenting]


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
