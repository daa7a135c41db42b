"""Who is it? From a provider's addresses to one contact, however many addresses and processes there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from elsehu.contracts.message import Identity, IdentityKind
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.messaging.contacts.search import search_text

SEEN_AGAIN_AFTER = timedelta(hours=1)
Key = tuple[str, str, str]


def key_of(identity: Identity) -> Key:
    """Return what makes an address unique."""
    return (identity.kind, identity.value, identity.scope)


@dataclass(slots=True)
class Known:
    """An address that is in the database."""

    contact_id: UUID
    address: str
    last_seen_at: datetime


@dataclass(slots=True)
class Person:
    """A contact as the events of a batch show it. `id` is new where `is_new`."""

    id: UUID
    is_new: bool
    name: str = ""
    email: str | None = None
    phone: str | None = None
    profile_name: str = ""
    profile_name_at: datetime | None = None
    is_archived: bool = False
    is_changed: bool = False
    added: dict[Key, Identity] = field(default_factory=dict)

    def is_called(self, name: str, at: datetime) -> None:
        """Take over a profile name, unless a newer one is known.

        Of two names of the same second the greater text wins, so that the order of arrival does not matter. That the
        same name was seen again changes no contact: the message's conversation notes it (`named_at`).
        """
        if self.profile_name_at is None or (at, name) > (self.profile_name_at, self.profile_name):
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


Called = tuple[Person, str, datetime]
"""(person, profile name, when a message showed it)"""


class NeedsMerge(Exception):
    """Addresses that belong to one person have several contacts: `people` has those of each such person."""

    def __init__(self, *people: Sequence[UUID]) -> None:
        super().__init__("contacts must be merged")
        self.people = people

    def after(self, earlier: "NeedsMerge | None") -> "NeedsMerge":
        """Return what must be merged if this was found once `earlier` had been."""
        return self if earlier is None else NeedsMerge(*earlier.people, *self.people)


RESOLVE = """
SELECT i.kind, i.value, i.scope, i.contact_id, i.address, i.last_seen_at,
       c.name, c.email, c.phone, c.profile_name, c.profile_name_at, c.archived_at IS NOT NULL AS is_archived
FROM unnest($1::text[], $2::text[], $3::text[]) AS k(kind, value, scope)
CROSS JOIN LATERAL (
    SELECT * FROM contact_identities WHERE kind = k.kind AND value = k.value AND scope = k.scope LIMIT 1
) i
JOIN contacts c ON c.id = i.contact_id
"""
"""The LIMIT has every plan look each address up in the unique index, whatever is known of the table's size."""

NAMED_AT = "SELECT contact_id, max(named_at) AS at FROM conversations WHERE contact_id = ANY($1::uuid[]) GROUP BY 1"

INSERT_CONTACTS = """
INSERT INTO contacts (id, name, profile_name, profile_name_at, phone, search_text, tags, custom)
SELECT id, '', name, name_at, phone, search, '{}', '{}'
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS n(id, name, name_at, phone, search)
"""

INSERT_IDENTITIES = """
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address, last_seen_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
"""

SEE_IDENTITIES = """
UPDATE contact_identities i SET address = s.address, last_seen_at = greatest(i.last_seen_at, s.at)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS s(kind, value, scope, address, at)
WHERE i.kind = s.kind AND i.value = s.value AND i.scope = s.scope
"""

UPDATE_CONTACTS = """
UPDATE contacts c SET profile_name = n.name, profile_name_at = n.name_at, phone = coalesce(c.phone, n.phone),
       archived_at = CASE WHEN n.is_archived THEN c.archived_at END, updated_at = now(), search_text = n.search
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bool[])
    AS n(id, name, name_at, phone, search, is_archived)
WHERE c.id = n.id
"""


class People:
    """The contacts behind the addresses of one batch: found, or to be made when `save` is called.

    The caller holds the locks of all addresses (`locks.identity_key`), so nobody else makes them meanwhile.
    """

    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}
        self._persons: dict[UUID, Person] = {}
        self._owner: dict[Key, UUID] = {}
        self._seen: dict[Key, tuple[str, datetime]] = {}

    @classmethod
    async def find(cls, uow: UnitOfWork, identities: Iterable[Identity]) -> "People":
        """Look up every address in one statement."""
        people = cls()
        keys = sorted({key_of(identity) for identity in identities})
        if keys:
            kinds, values, scopes = zip(*keys, strict=True)
            for row in await uow.fetch(RESOLVE, kinds, values, scopes):
                people._learn(row)
        return people

    def _learn(self, row: Mapping[str, object]) -> None:
        key: Key = (str(row["kind"]), str(row["value"]), str(row["scope"]))
        contact_id: UUID = row["contact_id"]  # type: ignore[assignment]
        self._known[key] = Known(contact_id, str(row["address"]), row["last_seen_at"])  # type: ignore[arg-type]
        self._owner[key] = contact_id
        if contact_id not in self._persons:
            self._persons[contact_id] = Person(
                contact_id,
                is_new=False,
                name=str(row["name"]),
                email=row["email"],  # type: ignore[arg-type]
                phone=row["phone"],  # type: ignore[arg-type]
                profile_name=str(row["profile_name"]),
                profile_name_at=row["profile_name_at"],  # type: ignore[arg-type]
                is_archived=bool(row["is_archived"]),
            )

    def known(self, identities: Sequence[Identity]) -> Person | None:
        """Return the one known contact of `identities`, or None. Raises NeedsMerge if they have several."""
        owners = {self._owner[key] for key in map(key_of, identities) if key in self._owner}
        if len(owners) > 1:
            raise NeedsMerge(sorted(owners))
        return self._persons[owners.pop()] if owners else None

    def person(self, identities: Sequence[Identity], at: datetime) -> Person:
        """Return the contact of `identities`, a new one if nobody has any of them, and note what they teach."""
        person = self.known(identities) or self._new_person()
        person.is_back()
        self.link(person, identities, at)
        return person

    async def call(self, uow: UnitOfWork, called: Sequence[Called]) -> None:
        """Take over profile names. When a known one was last seen is asked for only where another one turns up."""
        others = {person.id for person, name, _ in called if not person.is_new and name != person.profile_name}
        if others:
            for row in await uow.fetch(NAMED_AT, sorted(others)):
                self._persons[row["contact_id"]].was_called(row["at"])
        for person, name, at in called:
            person.is_called(name, at)

    def _new_person(self) -> Person:
        person = Person(new_id(), is_new=True)
        self._persons[person.id] = person
        return person

    def link(self, person: Person, identities: Sequence[Identity], at: datetime) -> None:
        """Note that `identities` are addresses of `person`, seen at `at`."""
        for identity in identities:
            key = key_of(identity)
            if key not in self._owner:
                self._owner[key] = person.id
                person.added[key] = identity
                if identity.kind is IdentityKind.PHONE and person.phone is None:
                    person.phone, person.is_changed = identity.value, True
            self._see(key, identity, at)

    def _see(self, key: Key, identity: Identity, at: datetime) -> None:
        known = self._known.get(key)
        if known and (known.address != identity.address or at - known.last_seen_at > SEEN_AGAIN_AFTER):
            self._seen[key] = (identity.address, at)

    async def save(self, uow: UnitOfWork, now: datetime) -> None:
        """Write new contacts, new addresses, and what changed of known ones. Nothing in the common case."""
        new = [person for person in self._persons.values() if person.is_new and person.added]
        changed = [person for person in self._persons.values() if person.is_changed and not person.is_new]
        if new:
            await uow.execute(INSERT_CONTACTS, *_columns(new))
        if changed:
            changed.sort(key=lambda person: person.id)
            await uow.execute(UPDATE_CONTACTS, *_columns(changed), [person.is_archived for person in changed])
        await self._save_identities(uow, now)
        if self._seen:
            keys = sorted(self._seen)
            kinds, values, scopes = zip(*keys, strict=True)
            addresses, times = zip(*(self._seen[key] for key in keys), strict=True)
            await uow.execute(SEE_IDENTITIES, kinds, values, scopes, addresses, times)

    async def _save_identities(self, uow: UnitOfWork, now: datetime) -> None:
        added = [(person.id, identity) for person in self._persons.values() for identity in person.added.values()]
        if added:
            await uow.execute(
                INSERT_IDENTITIES,
                [new_id() for _ in added],
                [contact_id for contact_id, _ in added],
                [identity.kind for _, identity in added],
                [identity.value for _, identity in added],
                [identity.scope for _, identity in added],
                [identity.address for _, identity in added],
                [now for _ in added],
            )


def _columns(persons: Sequence[Person]) -> tuple[list[object], ...]:
    return (
        [person.id for person in persons],
        [person.profile_name for person in persons],
        [person.profile_name_at for person in persons],
        [person.phone for person in persons],
        [search_text(person.name, person.profile_name, person.phone, person.email) for person in persons],
    )
