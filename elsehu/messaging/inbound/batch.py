"""What one transaction applies: normalised events, sorted by what they are about."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from elsehu.contracts.inbound import ConsentChanged, IdentitiesLinked, IdentityChanged, MessageArrived
from elsehu.contracts.message import Identity
from elsehu.messaging.inbound.locks import identity_key, message_key
from elsehu.messaging.inbound.updates import Update


@dataclass(frozen=True, slots=True)
class Arriving:
    """A message about to be applied: whose number it came to, its stored file, and the request that told of it."""

    instance_id: UUID
    event: MessageArrived
    media_id: UUID | None = None
    request_id: str | None = None


@dataclass(slots=True)
class Batch:
    """The events of one transaction. `windows` are the service windows (hours) of the numbers that have any."""

    messages: list[Arriving] = field(default_factory=list)
    updates: list[tuple[UUID, Update]] = field(default_factory=list)
    links: list[IdentitiesLinked] = field(default_factory=list)
    changes: list[IdentityChanged] = field(default_factory=list)
    consents: list[ConsentChanged] = field(default_factory=list)
    windows: dict[UUID, float] = field(default_factory=dict)

    def lock_keys(self) -> Iterator[int]:
        """Yield the keys of everything that the batch concerns."""
        for message in self.messages:
            yield message_key(message.instance_id, message.event.external_id)
        for instance_id, update in self.updates:
            yield message_key(instance_id, update.external_id)
        yield from map(identity_key, self.identities())

    def identities(self) -> Iterator[Identity]:
        """Yield every address that the batch names."""
        for message in self.messages:
            yield from message.event.sender
        for link in self.links:
            yield from link.identities
        for change in self.changes:
            yield from (*change.old, *change.new)
        for consent in self.consents:
            yield from consent.sender
