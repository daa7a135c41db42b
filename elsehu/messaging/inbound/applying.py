"""Applying a batch of normalised events in one transaction. The same end state, in any order, any number of times.

The order of steps: locks, people, conversations, echoes, messages, then what changes messages (of this
batch or waiting since earlier).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from elsehu.contracts.inbound import MessageArrived
from elsehu.contracts.message import Direction
from elsehu.db import UnitOfWork
from elsehu.messaging.inbound import arrivals, echoes, updates, waiting, windows
from elsehu.messaging.inbound.arrivals import Arrival
from elsehu.messaging.inbound.batch import Arriving, Batch
from elsehu.messaging.inbound.identities import Called, Person
from elsehu.messaging.inbound.locks import lock
from elsehu.messaging.inbound.meeting import CLOCK_SLACK, meet
from elsehu.messaging.inbound.threads import Pair, Thread, Threads
from elsehu.messaging.inbound.updates import Update
from elsehu.messaging.inbound.waiting import Early


async def apply(uow: UnitOfWork, batch: Batch, now: datetime, more_locks: Collection[int] = ()) -> frozenset[int]:
    """Apply `batch`; returns the places in `batch.messages` that became new rows.

    `more_locks` are held beside those of what the batch itself names. Raises NeedsLocks (try again with these) and
    ClosedMeanwhile (try again).
    """
    held = {*batch.lock_keys(), *more_locks}
    await lock(uow, held)
    met = await meet(uow, batch, now, held)
    people, persons = met.people, met.persons
    await people.call(uow, list(_called(persons, batch.messages)))
    threads = await Threads.find(uow, _pairs(persons, batch.messages))
    placed, homeless = _place(batch, persons, threads, now)
    await met.save(uow)
    opened = await threads.save(uow)
    await waiting.park(uow, homeless)
    new = await _store(uow, batch, placed)
    await updates.apply(uow, batch.updates, now)
    await windows.renew(uow, batch.updates, batch.windows, now + CLOCK_SLACK)
    await _apply_homeless(uow, opened, batch.windows, now)
    return new


def _called(persons: Sequence[Person], messages: Sequence[Arriving]) -> Iterator[Called]:
    for person, message in zip(persons, messages, strict=True):
        event = message.event
        person.is_back()
        if event.direction is Direction.INBOUND:
            person.has_written(event.at)
            name, username = arrivals.shown_name(event), arrivals.shown_username(event)
            if name or username:
                yield person, name, username, event.at


def _pairs(persons: Sequence[Person], messages: Sequence[Arriving]) -> Iterator[Pair]:
    for person, message in zip(persons, messages, strict=True):
        if not person.is_new:
            yield (person.id, message.instance_id)


def _place(
    batch: Batch, persons: Sequence[Person], threads: Threads, now: datetime
) -> tuple[Mapping[int, Arrival], Sequence[Early]]:
    """Find each message's conversation. What opens none and has none waits for one."""
    placed: dict[int, Arrival] = {}
    homeless: list[Early] = []
    latest = now + CLOCK_SLACK
    for place, (message, person) in sorted(
        enumerate(zip(batch.messages, persons, strict=True)), key=lambda one: not one[1][0].event.opens
    ):
        event = message.event if message.event.at <= latest else replace(message.event, at=latest)
        pair = (person.id, message.instance_id)
        thread = _thread(threads, pair, event)
        if thread is None:
            homeless.append(Early(message.instance_id, message.event, waiting.conversation_key(person.id)))
            person.is_changed = True  # no conversation notes when the name was seen
        else:
            is_customers = event.direction is Direction.INBOUND
            window = windows.until(event.at, batch.windows.get(message.instance_id)) if is_customers else None
            placed[place] = Arrival(message.instance_id, thread.id, event, message.media_id, window, message.request_id)
    return placed, homeless


def _thread(threads: Threads, pair: Pair, event: MessageArrived) -> Thread | None:
    if not event.opens:
        return threads.last(pair)
    if event.direction is Direction.OUTBOUND:
        return threads.of_outbound(pair, event)
    return threads.of_inbound(pair, event)


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


async def _apply_homeless(uow: UnitOfWork, opened: Sequence[Pair], hours: Mapping[UUID, float], now: datetime) -> None:
    """Apply what waited for the conversations that were just opened."""
    taken = await waiting.take(uow, [(instance, waiting.conversation_key(contact)) for contact, instance in opened])
    found = [Arriving(instance, event) for instance, event in taken if isinstance(event, MessageArrived)]
    if found:
        await apply(uow, Batch(found, windows=dict(hours)), now)
