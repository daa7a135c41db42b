"""Random people change, lose and take over numbers while they write; webhooks come in any order, some twice.

However it comes, in the end each person is one contact with one open conversation, and no two people share one.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from elsehu.contracts.inbound import Event, IdentitiesLinked, IdentityChanged, MessageArrived
from elsehu.contracts.message import Identity
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest

from .conftest import deliver, lid, phone
from .test_identities import at, bsuid, forget_everybody, people, says

NUMBERS = 4
CLOUD, MOBILE = 3, 1
"""People with a BSUID, who may hide their numbers and change them; people with a LID, who keep theirs."""


@dataclass
class Someone:
    """A person as the world knows them; `number` is None where it was given to somebody else."""

    name: str
    number: int | None
    ids: int = 0

    @property
    def bsuid(self) -> Identity:
        return bsuid(f"{self.name}{self.ids}")


@dataclass
class World:
    """What people do, day by day, and what providers tell of it."""

    persons: list[Someone] = field(default_factory=lambda: [Someone(f"cloud{n}", n) for n in range(CLOUD)])
    events: list[Event] = field(default_factory=list)
    hour: int = 0

    def write(self, who: int, shows_number: bool) -> None:
        """One message, with or without the number; the BSUID is always there."""
        person = self.persons[who]
        number = [_number(person.number)] if shows_number and person.number is not None else []
        self.events.append(says(f"{self.hour} {person.name}", *number, person.bsuid))

    def move(self, who: int, number: int, changes_id: bool, at_once: bool) -> None:
        """Another number, perhaps somebody's who loses it, perhaps another BSUID with it."""
        person = self.persons[who]
        if person.number == number:
            return
        for other in self.persons:
            if other.number == number:
                other.number = None
        left, before, person.number = person.number, person.bsuid, number
        person.ids += changes_id
        if left is not None and at_once:
            self._change((_number(left), before), (_number(number), person.bsuid))
        elif left is not None:
            self._change((_number(left), before), (_number(number), before))
        if changes_id and not (left is not None and at_once):
            self._change((before,), (person.bsuid,))

    def _change(self, old: Sequence[Identity], new: Sequence[Identity]) -> None:
        self.events.append(IdentityChanged(old, new, at(self.hour)))

    def call(self, who: int, shows: str) -> None:
        """One message of who has a LID."""
        addresses = {"phone": [phone(f"55119900000{who}")], "lid": [lid(f"{who}")]}
        both = [*addresses["phone"], *addresses["lid"]]
        self.events.append(says(f"{self.hour} mobile{who}", *addresses.get(shows, both)))
        self.events.append(IdentitiesLinked(both))


def _number(number: int) -> Identity:
    return phone(f"551190000000{number}")


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, CLOUD - 1), st.booleans()),
    st.tuples(st.just("move"), st.integers(0, CLOUD - 1), st.integers(0, NUMBERS - 1), st.booleans(), st.booleans()),
    st.tuples(st.just("call"), st.integers(0, MOBILE - 1), st.sampled_from(["phone", "lid", "both"])),
)


@st.composite
def deliveries(draw: Any) -> list[tuple[bool, list[list[Event]]]]:
    """Return what is told, in groups of webhooks that come at once or one after the other."""
    world = World()
    for action, *details in draw(st.lists(ACTIONS, min_size=2, max_size=9)):
        world.hour += 24
        getattr(world, action)(*details)
    twice = draw(st.lists(st.sampled_from(world.events), max_size=3)) if world.events else []
    events = draw(st.permutations([*world.events, *twice]))
    return [(draw(st.booleans()), webhooks) for webhooks in _grouped(draw, list(_grouped(draw, events)))]


def _grouped(draw: Any, things: Sequence[Any]) -> Iterator[Any]:
    rest = list(things)
    while rest:
        size = draw(st.integers(1, 3))
        yield rest[:size]
        rest = rest[size:]


@given(told=deliveries())
@settings(max_examples=settings.default.max_examples // 3, suppress_health_check=list(HealthCheck))
async def test_one_person_is_one_contact(
    kernel: Kernel, ingest: Ingest, number: UUID, told: list[tuple[bool, list[list[Event]]]]
) -> None:
    await forget_everybody(kernel)
    for at_once, webhooks in told:
        if at_once:
            await asyncio.gather(*(deliver(ingest, number, *events) for events in webhooks))
        else:
            for events in webhooks:
                await deliver(ingest, number, *events)
    note(
        "\n".join(
            f"{at_once} {[[_brief(event) for event in events] for events in webhooks]}" for at_once, webhooks in told
        )
    )
    await people(kernel)


def _brief(event: Event) -> str:
    if isinstance(event, IdentityChanged):
        hours = (event.at - at(0)).total_seconds() / 3600
        return f"{hours:g}: {[one.value for one in event.old]} -> {[one.value for one in event.new]}"
    if isinstance(event, MessageArrived):
        return f"{event.text} {[one.value for one in event.sender]}"
    return "linked"
