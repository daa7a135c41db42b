"""Applying a batch of normalised events in one transaction. The same end state, in any order, any number of times.

The order of steps: locks, people, conversations, echoes, messages, then what changes messages (of this
batch or waiting since earlier).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from elsehu.contracts.inbound import ConsentChanged, IdentitiesLinked, IdentityChanged, MessageArrived
from elsehu.contracts.message import Direction, Identity
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound import arrivals, echoes, updates, waiting
from elsehu.messaging.inbound.arrivals import Arrival
from elsehu.messaging.inbound.identities import Called, NeedsMerge, People, Person
from elsehu.messaging.inbound.locks import AddressesChanged, identity_key, lock, message_key
from elsehu.messaging.inbound.merging import identities_of, merge
from elsehu.messaging.inbound.threads import Pair, Thread, Threads
from elsehu.messaging.inbound.updates import Update
from elsehu.messaging.inbound.waiting import Early

CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Arriving:
    """A message about to be applied: whose number it came to, its stored file, and its service window."""

    instance_id: UUID
    event: MessageArrived
    media_id: UUID | None = None
    window_hours: float | None = None


@dataclass(slots=True)
class Batch:
    """The events of one transaction."""

    messages: list[Arriving] = field(default_factory=list)
    updates: list[tuple[UUID, Update]] = field(default_factory=list)
    links: list[IdentitiesLinked] = field(default_factory=list)
    changes: list[IdentityChanged] = field(default_factory=list)
    consents: list[ConsentChanged] = field(default_factory=list)

    def lock_keys(self) -> Iterator[int]:
        """Yield the keys of everything that the batch concerns."""
        for message in self.messages:
            yield message_key(message.instance_id, message.event.external_id)
            yield from map(identity_key, message.event.sender)
        for instance_id, update in self.updates:
            yield message_key(instance_id, update.external_id)
        for link in self.links:
            yield from map(identity_key, link.identities)


async def apply(uow: UnitOfWork, batch: Batch, now: datetime) -> frozenset[int]:
    """Apply `batch`; returns the places in `batch.messages` that became new rows.

    Raises NeedsMerge (see `apply_with_merge`) and ClosedMeanwhile (try again).
    """
    await lock(uow, batch.lock_keys())
    people = await People.find(uow, _identities(batch))
    persons = [people.person(one.event.sender, one.event.at) for one in batch.messages]
    await people.call(uow, list(_called(persons, batch.messages)))
    _link(people, batch.links, now)
    threads = await Threads.find(uow, _pairs(persons, batch.messages))
    placed, homeless = _place(batch.messages, persons, threads, now)
    await people.save(uow, now)
    opened = await threads.save(uow)
    await waiting.park(uow, homeless)
    new = await _store(uow, batch, placed)
    await updates.apply(uow, batch.updates, now)
    await _apply_homeless(uow, [pair for pair, _ in opened], now)
    return new


async def apply_with_merge(uow: UnitOfWork, batch: Batch, now: datetime, error: NeedsMerge) -> frozenset[int]:
    """Apply `batch` after making one contact of each person's in `error`, holding the locks of all their addresses.

    Raises AddressesChanged (try again), and what `apply` raises.
    """
    contacts = [contact_id for person in error.people for contact_id in person]
    others = await identities_of(uow, contacts)
    await lock(uow, [*batch.lock_keys(), *map(identity_key, others)])
    if not set(await identities_of(uow, contacts)) <= set(others):
        raise AddressesChanged
    for person in error.people:
        await merge(uow, person)
    return await apply(uow, batch, now)


def _identities(batch: Batch) -> Iterator[Identity]:
    for message in batch.messages:
        yield from message.event.sender
    for link in batch.links:
        yield from link.identities


def _called(persons: Sequence[Person], messages: Sequence[Arriving]) -> Iterator[Called]:
    for person, message in zip(persons, messages, strict=True):
        name = arrivals.shown_name(message.event)
        if name:
            yield person, name, message.event.at


def _link(people: People, links: Sequence[IdentitiesLinked], now: datetime) -> None:
    for link in links:
        person = people.known(link.identities)
        if person is not None:
            people.link(person, link.identities, now)


def _pairs(persons: Sequence[Person], messages: Sequence[Arriving]) -> Iterator[Pair]:
    for person, message in zip(persons, messages, strict=True):
        if not person.is_new:
            yield (person.id, message.instance_id)


def _place(
    messages: Sequence[Arriving], persons: Sequence[Person], threads: Threads, now: datetime
) -> tuple[Mapping[int, Arrival], Sequence[Early]]:
    """Find each message's conversation. What opens none and has none waits for one."""
    placed: dict[int, Arrival] = {}
    homeless: list[Early] = []
    latest = now + CLOCK_SLACK
    for place, (message, person) in sorted(
        enumerate(zip(messages, persons, strict=True)), key=lambda one: not one[1][0].event.opens
    ):
        event = message.event if message.event.at <= latest else replace(message.event, at=latest)
        pair = (person.id, message.instance_id)
        thread = _thread(threads, pair, event)
        if thread is None:
            homeless.append(Early(message.instance_id, message.event, waiting.conversation_key(person.id)))
            person.is_changed = True  # no conversation notes when the name was seen
        else:
            placed[place] = Arrival(message.instance_id, thread.id, event, message.media_id, _window(message, event))
    return placed, homeless


def _thread(threads: Threads, pair: Pair, event: MessageArrived) -> Thread | None:
    if not event.opens:
        return threads.last(pair)
    if event.direction is Direction.OUTBOUND:
        return threads.of_outbound(pair, event.at)
    return threads.of_inbound(pair, event.at)


def _window(message: Arriving, event: MessageArrived) -> datetime | None:
    if message.window_hours is None or event.direction is not Direction.INBOUND:
        return None
    return event.at + timedelta(hours=message.window_hours)


async def _store(uow: UnitOfWork, batch: Batch, placed: Mapping[int, Arrival]) -> frozenset[int]:
    settled = await echoes.settle(
        uow,
        [
            echoes.Echo(place, one.instance_id, one.conversation_id, one.event)
            for place, one in placed.items()
            if echoes.may_be_ours(one.event)
        ],
    )
    await waiting.park(uow, [Early(placed[place].instance_id, placed[place].event) for place in settled.waiting])
    rest = [place for place in placed if place not in settled.done | settled.waiting]
    stored = await arrivals.store(uow, [placed[place] for place in rest])
    adopted = [placed[place] for place in settled.done]
    batch.updates += await _waiting_for(uow, [*stored.awaited, *adopted])
    return frozenset(rest[place] for place in stored.new)


async def _waiting_for(uow: UnitOfWork, messages: Sequence[Arrival]) -> list[tuple[UUID, Update]]:
    taken = await waiting.take(uow, [(one.instance_id, one.event.external_id) for one in messages])
    return [(instance_id, event) for instance_id, event in taken if not isinstance(event, MessageArrived)]


async def _apply_homeless(uow: UnitOfWork, opened: Sequence[Pair], now: datetime) -> None:
    """Apply what waited for the conversations that were just opened."""
    taken = await waiting.take(uow, [(instance, waiting.conversation_key(contact)) for contact, instance in opened])
    found = [Arriving(instance, event) for instance, event in taken if isinstance(event, MessageArrived)]
    if found:
        await apply(uow, Batch(found), now)
