"""Who is it? From a provider's addresses to one contact, however many addresses and processes there are.

Here is what the usual case needs: everybody is known, nothing contradicts. `resolving` has the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import IdentitiesLinked
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.messaging.contacts.search import search_text
from elsehu.messaging.inbound.locks import Key, key_of
from elsehu.messaging.inbound.notes import Fact

SEEN_AGAIN_AFTER = timedelta(hours=1)


@dataclass(slots=True, eq=False)
class Person:
    """A contact as the events of a batch show it. `id` is new where `is_new`.

    `keys` are their addresses, all of them only where the person was studied. `same` is set where this turned out to
    be somebody else. `sets_phone` is set where the phone was lost, so that another one, or none, takes its place.
    """

    id: UUID
    is_new: bool
    name: str = ""
    email: str | None = None
    phone: str | None = None
    profile_name: str = ""
    profile_name_at: datetime | None = None
    username: str = ""
    unreachable_at: datetime | None = None
    is_archived: bool = False
    is_changed: bool = False
    sets_phone: bool = False
    is_reached: bool = False
    same: "Person | None" = None
    keys: set[Key] = field(default_factory=set)

    def is_called(self, name: str, username: str, at: datetime) -> None:
        """Take over a profile name and a username, unless newer ones are known.

        Of two names of the same second the greater text wins, so that the order of arrival does not matter. That the
        same name was seen again changes no contact: the message's conversation notes it (`named_at`).
        """
        since = self.profile_name_at
        if username and (not self.username or since is None or (at, username) > (since, self.username)):
            self.is_changed |= username != self.username
            self.username = username
        if name and (since is None or (at, name) > (since, self.profile_name)):
            self.is_changed |= name != self.profile_name
            self.profile_name, self.profile_name_at = name, at

    def was_called(self, at: datetime | None) -> None:
        """Note that messages showed the known profile name as late as `at`."""
        if at is not None and (self.profile_name_at is None or at > self.profile_name_at):
            self.profile_name_at = at

    def is_back(self) -> None:
        """Show an archived contact in the list again: it writes."""
        if self.is_archived:
            self.is_archived, self.is_changed = False, True

    def has_written(self, at: datetime) -> None:
        """Note that somebody who could not be reached wrote at the time `at`: they can be reached."""
        if self.unreachable_at is not None and at >= self.unreachable_at:
            self.unreachable_at, self.is_reached, self.is_changed = None, True, True

    def known_now(self) -> "Person":
        """Return who this turned out to be."""
        person = self
        while person.same is not None:
            person = person.same
        return person


@dataclass(slots=True, eq=False)
class Address:
    """An address, whose it is (nobody's: was lost in this batch), and in which contact the database has it."""

    identity: Identity
    owner: Person | None
    first_seen_at: datetime
    last_seen_at: datetime
    stored_in: UUID | None = None


Called = tuple[Person, str, str, datetime]
"""(person, profile name, username, when a message showed them)"""

PERSON = """c.name, c.email, c.phone, c.profile_name, c.profile_name_at, c.username, c.unreachable_at,
       c.archived_at IS NOT NULL AS is_archived"""

RESOLVE = f"""
SELECT i.kind, i.value, i.scope, i.contact_id, i.address, i.last_seen_at, i.first_seen_at, {PERSON}
FROM unnest($1::text[], $2::text[], $3::text[]) AS k(kind, value, scope)
CROSS JOIN LATERAL (
    SELECT * FROM contact_identities WHERE kind = k.kind AND value = k.value AND scope = k.scope LIMIT 1
) i
JOIN contacts c ON c.id = i.contact_id
"""  # noqa: S608 - a constant
"""The LIMIT has every plan look each address up in the unique index, whatever is known of the table's size."""

STUDY = f"""
SELECT c.id AS contact_id, i.kind, i.value, i.scope, i.address, i.last_seen_at, i.first_seen_at, {PERSON}
FROM contacts c LEFT JOIN contact_identities i ON i.contact_id = c.id WHERE c.id = ANY($1::uuid[])
"""  # noqa: S608 - a constant

NAMED_AT = "SELECT contact_id, max(named_at) AS at FROM conversations WHERE contact_id = ANY($1::uuid[]) GROUP BY 1"

INSERT_CONTACTS = """
INSERT INTO contacts (id, name, profile_name, profile_name_at, username, phone, search_text, tags, custom)
SELECT id, '', name, name_at, username, phone, search, '{}', '{}'
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
    AS n(id, name, name_at, username, phone, search)
"""

UPDATE_CONTACTS = """
UPDATE contacts c SET profile_name = n.name, profile_name_at = n.name_at, username = n.username,
       phone = CASE WHEN n.sets_phone THEN n.phone ELSE coalesce(c.phone, n.phone) END,
       unreachable_at = CASE WHEN NOT n.is_reached THEN c.unreachable_at END,
       unreachable_reason = CASE WHEN n.is_reached THEN '' ELSE c.unreachable_reason END,
       archived_at = CASE WHEN n.is_archived THEN c.archived_at END, updated_at = now(), search_text = n.search
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::bool[],
    $9::bool[]) AS n(id, name, name_at, username, phone, search, is_archived, sets_phone, is_reached)
WHERE c.id = n.id
"""

INSERT_IDENTITIES = """
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address, first_seen_at, last_seen_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::timestamptz[])
"""

UPDATE_IDENTITIES = """
UPDATE contact_identities i SET contact_id = s.contact_id, address = s.address, first_seen_at = s.first_seen_at,
    last_seen_at = s.last_seen_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[])
    AS s(kind, value, scope, contact_id, address, first_seen_at, last_seen_at)
WHERE i.kind = s.kind AND i.value = s.value AND i.scope = s.scope
"""

DELETE_IDENTITIES = """
DELETE FROM contact_identities i USING unnest($1::text[], $2::text[], $3::text[]) AS s(kind, value, scope)
WHERE i.kind = s.kind AND i.value = s.value AND i.scope = s.scope
"""


class People:
    """The contacts behind the addresses of one batch: found, or to be made when `save` is called.

    The caller holds the locks of all addresses (`locks.identity_key`), so nobody else makes or moves them meanwhile.
    """

    def __init__(self) -> None:
        self.addresses: dict[Key, Address] = {}
        self.persons: dict[UUID, Person] = {}
        self._changed: set[Key] = set()

    @classmethod
    async def find(cls, uow: UnitOfWork, identities: Iterable[Identity]) -> "People":
        """Look up every address in one statement."""
        people = cls()
        await people.look_up(uow, {key_of(identity) for identity in identities})
        return people

    async def look_up(self, uow: UnitOfWork, keys: Iterable[Key]) -> None:
        """Learn whose addresses these are."""
        ordered = sorted(keys)
        if ordered:
            for row in await uow.fetch(RESOLVE, *zip(*ordered, strict=True)):
                self._learn(row)

    async def study(self, uow: UnitOfWork, contact_ids: Iterable[UUID]) -> None:
        """Learn all addresses of contacts."""
        for row in await uow.fetch(STUDY, sorted(contact_ids)):
            self._learn(row)

    def _learn(self, row: Mapping[str, Any]) -> None:
        contact_id: UUID = row["contact_id"]
        person = self.persons.get(contact_id)
        if person is None:
            person = self.persons[contact_id] = Person(
                contact_id,
                is_new=False,
                name=row["name"],
                email=row["email"],
                phone=row["phone"],
                profile_name=row["profile_name"],
                profile_name_at=row["profile_name_at"],
                username=row["username"],
                unreachable_at=row["unreachable_at"],
                is_archived=row["is_archived"],
            )
        if row["kind"] is None:
            return
        key: Key = (row["kind"], row["value"], row["scope"])
        if key not in self.addresses:
            identity = Identity(row["kind"], row["value"], row["address"], row["scope"])
            self.addresses[key] = Address(identity, person, row["first_seen_at"], row["last_seen_at"], contact_id)
            person.keys.add(key)

    def at_once(self, identities: Sequence[Identity], at: datetime) -> Person | None:
        """Return the one contact who is known to have had all of `identities` at the time `at`: the usual case."""
        owner: Person | None = None
        news: list[Identity] = []
        for identity in identities:
            address = self.addresses.get(key_of(identity))
            if address is None or address.owner is None or at < address.first_seen_at:
                return None
            if owner is None:
                owner = address.owner
            elif address.owner is not owner:
                return None
            if at - address.last_seen_at > SEEN_AGAIN_AFTER or _is_spelled_anew(address, identity, at):
                news.append(identity)
        for identity in news:
            self.see(identity, at)
        return owner

    def know_already(self, fact: Fact) -> bool:
        """Whether it is known that these addresses are one person's."""
        if not isinstance(fact, IdentitiesLinked):
            return False
        owners = {address.owner if (address := self.addresses.get(key_of(one))) else None for one in fact.identities}
        return len(owners) == 1 and None not in owners

    def see(self, identity: Identity, at: datetime) -> None:
        """Note that an address was seen at the time `at`, and how the provider spells it."""
        key = key_of(identity)
        address = self.addresses[key]
        if at >= address.last_seen_at:
            address.identity, address.last_seen_at = identity, at
        address.first_seen_at = min(address.first_seen_at, at)
        self._changed.add(key)

    def new_person(self) -> Person:
        """Return a contact that is to be made."""
        person = Person(new_id(), is_new=True)
        self.persons[person.id] = person
        return person

    def give(self, identity: Identity, person: Person, first_seen_at: datetime, last_seen_at: datetime) -> None:
        """Make an address a person's; whoever had it loses it."""
        key = key_of(identity)
        before = self.addresses.get(key)
        if before is not None:
            self.take(key)
        stored_in = before.stored_in if before else None
        self.addresses[key] = Address(identity, person, first_seen_at, last_seen_at, stored_in)
        self._changed.add(key)
        person.keys.add(key)
        if identity.kind == IdentityKind.PHONE and person.phone is None:
            person.phone, person.is_changed = identity.value, True

    def take(self, key: Key) -> None:
        """Make an address nobody's. A contact that showed it as its phone shows another one then, or none."""
        address = self.addresses[key]
        person, address.owner = address.owner, None
        self._changed.add(key)
        if person is None:
            return
        person.keys.discard(key)
        if address.identity.kind == IdentityKind.PHONE and person.phone == address.identity.value:
            rest = [self.addresses[one] for one in person.keys if one[0] == IdentityKind.PHONE]
            latest = max(rest, key=lambda one: one.last_seen_at, default=None)
            person.phone = latest.identity.value if latest else None
            person.sets_phone = person.is_changed = True

    def fold(self, new: Person, person: Person) -> None:
        """Note that somebody who was thought to be new is `person`."""
        for key in list(new.keys):
            address = self.addresses[key]
            self.give(address.identity, person, address.first_seen_at, address.last_seen_at)
        new.same = person

    async def call(self, uow: UnitOfWork, called: Sequence[Called]) -> None:
        """Take over names. When a known one was last seen is asked for only where another one turns up."""
        others = {
            person.id
            for person, name, username, _ in called
            if not person.is_new and (name not in ("", person.profile_name) or username not in ("", person.username))
        }
        if others:
            for row in await uow.fetch(NAMED_AT, sorted(others)):
                self.persons[row["contact_id"]].was_called(row["at"])
        for person, name, username, at in called:
            person.is_called(name, username, at)

    async def save(self, uow: UnitOfWork) -> None:
        """Write new contacts, and what changed of known ones and of addresses. Nothing in the common case."""
        there = [person for person in self.persons.values() if person.same is None]
        new = [person for person in there if person.is_new]
        changed = [person for person in there if person.is_changed and not person.is_new]
        if new:
            await uow.execute(INSERT_CONTACTS, *_columns(new))
        if changed:
            changed.sort(key=lambda person: person.id)
            flags = ([one.is_archived for one in changed], [one.sets_phone for one in changed])
            await uow.execute(UPDATE_CONTACTS, *_columns(changed), *flags, [one.is_reached for one in changed])
        if self._changed:
            await self._save_addresses(uow, [(key, self.addresses[key]) for key in sorted(self._changed)])

    async def _save_addresses(self, uow: UnitOfWork, changed: Sequence[tuple[Key, Address]]) -> None:
        lost = [key for key, one in changed if one.owner is None and one.stored_in is not None]
        moved = [(key, one) for key, one in changed if one.owner is not None and one.stored_in is not None]
        added = [(key, one) for key, one in changed if one.owner is not None and one.stored_in is None]
        if lost:
            await uow.execute(DELETE_IDENTITIES, *zip(*lost, strict=True))
        if moved:
            await uow.execute(UPDATE_IDENTITIES, *_key_columns(moved), *_address_columns(moved))
        if added:
            ids, (contacts, *rest) = [new_id() for _ in added], _address_columns(added)
            await uow.execute(INSERT_IDENTITIES, ids, contacts, *_key_columns(added), *rest)


def _is_spelled_anew(address: Address, identity: Identity, at: datetime) -> bool:
    return address.identity.address != identity.address and at >= address.last_seen_at


def _columns(persons: Sequence[Person]) -> tuple[list[object], ...]:
    return (
        [person.id for person in persons],
        [person.profile_name for person in persons],
        [person.profile_name_at for person in persons],
        [person.username for person in persons],
        [person.phone for person in persons],
        [search_text(one.name, one.profile_name, one.phone, one.email, one.username) for one in persons],
    )


def _key_columns(addresses: Sequence[tuple[Key, Address]]) -> Sequence[tuple[str, ...]]:
    return list(zip(*(key for key, _ in addresses), strict=True))


def _address_columns(addresses: Sequence[tuple[Key, Address]]) -> tuple[list[object], ...]:
    return (
        [one.owner.id for _, one in addresses if one.owner],
        [one.identity.address for _, one in addresses],
        [one.first_seen_at for _, one in addresses],
        [one.last_seen_at for _, one in addresses],
    )
