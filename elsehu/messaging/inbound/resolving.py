"""Who is it, where that is not plain at once? New addresses, addresses of several contacts, late messages.

An address is a person's from when it was first seen until it was seen with somebody else or was said to have changed.
`notes` keeps whose it was before; so a message finds who had its addresses when it was written, however late it comes.
A BSUID decides: it is never anybody else's. Two contacts that share an address are one person, unless each has a
BSUID of its own in one scope: then the address went from one to the other, and is whose it was seen with last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from elsehu.contracts.inbound import IdentityChanged
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.messaging.inbound.identities import Address, People, Person
from elsehu.messaging.inbound.locks import Key, key_of
from elsehu.messaging.inbound.notes import Fact, Note

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
Scopes = dict[str, set[str]]
"""BSUIDs by scope."""


class SamePerson(Exception):
    """Two known contacts are one person: `contact_ids`, the one to keep first."""

    def __init__(self, *contact_ids: UUID) -> None:
        super().__init__("contacts must be merged")
        self.contact_ids = contact_ids


@dataclass(slots=True, eq=False)
class Former:
    """Whose an address was until a time; nobody: somebody's who is not known."""

    until: datetime
    person: Person | None
    note_id: int | None = None


@dataclass(slots=True)
class Resolving:
    """People of a batch and what was noted of their addresses, while it is decided who is who."""

    people: People
    former: dict[Key, list[Former]] = field(default_factory=dict)
    waiting: list[Note] = field(default_factory=list)
    new_notes: list[tuple[Key, Former]] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, people: People, found: Iterable[Note]) -> "Resolving":
        """Return the state before anything of a batch is decided."""
        resolving = cls(people)
        for note in found:
            if note.until is not None:
                person = people.persons[note.contact_id] if note.contact_id else None
                resolving.former.setdefault(note.key, []).append(Former(note.until, person, note.id))
            else:
                resolving.waiting.append(note)
        return resolving

    def owner(self, key: Key) -> Person | None:
        """Return whose an address is now."""
        address = self.people.addresses.get(key)
        return address.owner if address else None

    def had_by(self, key: Key, at: datetime) -> Person | None:
        """Return who had an address at the time `at`. A BSUID is whose it ever was."""
        if key[0] == IdentityKind.BSUID:
            return self.owner(key) or self.once_had_by(key)
        former = self.former_at(key, at)
        if former is not None:
            return former.person and former.person.known_now()
        return None if self._was_of_unknown(key, at) else self.owner(key)

    def once_had_by(self, key: Key) -> Person | None:
        """Return who had an address last of those who have it no more."""
        persons = [one.person for one in self.former.get(key, ()) if one.person]
        return persons[-1].known_now() if persons else None

    def former_at(self, key: Key, at: datetime) -> Former | None:
        """Return whose an address was at the time `at`, if it is known that it was somebody else's later."""
        later = [one for one in self.former.get(key, ()) if one.until > at]
        return min(later, key=lambda one: one.until, default=None)

    def _was_of_unknown(self, key: Key, at: datetime) -> bool:
        """Whether the address changed hands, as was told of a person unknown so far, before its owner was seen."""
        address = self.people.addresses.get(key)
        return address is not None and any(
            at < note.fact.at <= address.first_seen_at
            for note in self.waiting
            if note.key == key and isinstance(note.fact, IdentityChanged) and note.id not in self.dropped
        )

    def drop_facts_but(self, waiting: Sequence[Fact]) -> None:
        """Forget the facts that no longer wait."""
        self.dropped.update(one.id for one in self.waiting if one.id is not None and one.fact not in waiting)

    def note(self, key: Key, person: Person | None, until: datetime) -> None:
        """Note whose an address was `until` then."""
        known = self.former.setdefault(key, [])
        if not any(one.until == until and one.person is person for one in known):
            former = Former(until, person)
            known.append(former)
            known.sort(key=lambda one: one.until)
            self.new_notes.append((key, former))

    def whose(self, identities: Sequence[Identity], at: datetime) -> Person:
        """Return who wrote from `identities` at the time `at`, a new contact if nobody had them, and learn from it.

        Raises SamePerson.
        """
        known = self.people.at_once(identities, at)
        if known is not None:
            return known
        person = self._anchor(identities, at) or self.people.new_person()
        for identity in by_strength(identities):
            person = self._join(person.known_now(), identity, identities, at)
        return person

    def _anchor(self, identities: Sequence[Identity], at: datetime) -> Person | None:
        for identity in by_strength(identities):
            person = self.had_by(key_of(identity), at)
            if person is None:
                continue
            if identity.kind == IdentityKind.BSUID or not self._contradicts(bsuids(identities), person, identity, at):
                return person
        return None

    def _join(self, person: Person, identity: Identity, seen: Sequence[Identity], at: datetime) -> Person:
        """Make one address of those that were seen together `person`'s, as far as it is. Returns the person."""
        key = key_of(identity)
        holder = self.had_by(key, at)
        if holder is person:
            if self.owner(key) is person:
                self.people.see(identity, at)
        elif holder is None:
            self._learn(person, identity, at)
        elif self._contradicts(self._merged(bsuids(seen), self.bsuids_of(person)), holder, identity, at):
            self._dispute(person, identity, at)
        else:
            return self.unite(person, holder)
        return person

    def _learn(self, person: Person, identity: Identity, at: datetime) -> None:
        """Note an address that nobody had then: it is the person's, or was, if it is somebody else's by now."""
        key = key_of(identity)
        former, address = self.former_at(key, at), self.people.addresses.get(key)
        if former is not None:
            self._replace(key, former, person)
        elif address is not None and address.owner is not None:
            self.note(key, person, address.first_seen_at)
        elif identity.kind != IdentityKind.BSUID or self._replaces(person, identity, at):
            self.people.give(identity, person, at, at)

    def _replace(self, key: Key, nobody: Former, person: Person) -> None:
        """Note who it was that had an address until a time."""
        self.former[key].remove(nobody)
        if nobody.note_id is not None:
            self.dropped.add(nobody.note_id)
        self.new_notes = [one for one in self.new_notes if one[1] is not nobody]
        self.note(key, person, nobody.until)

    def _replaces(self, person: Person, identity: Identity, at: datetime) -> bool:
        """Make room for another BSUID of a person. Returns False where it is the older one that comes late."""
        others = [one for one in self._own(person, identity.scope) if one.identity.value != identity.value]
        later = [one.first_seen_at for one in others if one.last_seen_at > at]
        if later:
            self.note(key_of(identity), person, min(later))
            return False
        for one in others:
            self.lose(person, key_of(one.identity), at)
        return True

    def _dispute(self, person: Person, identity: Identity, at: datetime) -> None:
        """An address was seen with a person while another one has it: it is whose it was seen with last."""
        key = key_of(identity)
        address = self.people.addresses.get(key)
        if address is None or address.owner is None:
            return
        if address.owner is person:
            self.people.see(identity, at)
        elif at > address.last_seen_at:
            self.move(identity, person, at)
        elif at < address.first_seen_at:
            self.note(key, person, address.first_seen_at)

    def move(self, identity: Identity, person: Person, at: datetime) -> None:
        """Make an address a person's from `at` on; whoever had it had it until then."""
        before = self.owner(key_of(identity))
        self.people.give(identity, person, at, at)
        self.note(key_of(identity), before, at)

    def lose(self, person: Person, key: Key, at: datetime) -> None:
        """Make an address nobody's; it was `person`'s until `at`."""
        if self.owner(key) is person:
            self.people.take(key)
        self.note(key, person, at)

    def unite(self, person: Person, other: Person) -> Person:
        """Make one of two. Returns who is kept. Raises SamePerson where both are in the database already."""
        person, other = person.known_now(), other.known_now()
        if person is other:
            return person
        if not person.is_new and not other.is_new:
            raise SamePerson(person.id, other.id)
        kept, folded = (person, other) if other.is_new else (other, person)
        self.people.fold(folded, kept)
        return kept

    def _own(self, person: Person, scope: str) -> list[Address]:
        return [self.people.addresses[key] for key in person.keys if key[0] == IdentityKind.BSUID and key[2] == scope]

    def bsuids_of(self, person: Person) -> Scopes:
        """Return a person's BSUIDs."""
        return bsuids(self.people.addresses[key].identity for key in person.keys)

    def _merged(self, *several: Scopes) -> Scopes:
        return {scope: set().union(*(one.get(scope, ()) for one in several)) for one in several for scope in one}

    def _contradicts(self, ids: Scopes, person: Person, by: Identity, at: datetime) -> bool:
        """Whether somebody with BSUIDs `ids` cannot be `person`, who had the address `by` at the time `at`.

        A BSUID that was last seen before the address was the person's, or first after it, went with another number:
        then `ids` may be what took its place, unless they are older than that.
        """
        since, until = self._time_with(person, key_of(by), at)
        for scope, values in ids.items():
            own = self._own(person, scope)
            is_another = own and not values & {one.identity.value for one in own}
            if not is_another:
                continue
            known = [self.people.addresses.get((IdentityKind.BSUID, value, scope)) for value in values]
            is_older = any(one.owner and one.first_seen_at < since for one in known if one)
            if is_older or any(one.last_seen_at >= since and one.first_seen_at < until for one in own):
                return True
        return False

    def _time_with(self, person: Person, key: Key, at: datetime) -> tuple[datetime, datetime]:
        """Return since when and until when an address was a person's, as far as it is known."""
        address, former = self.people.addresses.get(key), self.former_at(key, at)
        if former is None and address and address.owner is person:
            return address.first_seen_at, LATEST
        return EARLIEST, former.until if former else LATEST


def by_strength(identities: Sequence[Identity]) -> list[Identity]:
    """Return `identities`, those first that tell people apart."""
    return sorted(identities, key=lambda one: one.kind != IdentityKind.BSUID)


def bsuids(identities: Iterable[Identity]) -> Scopes:
    """Return the BSUIDs among `identities`."""
    found: Scopes = {}
    for one in identities:
        if one.kind == IdentityKind.BSUID:
            found.setdefault(one.scope, set()).add(one.value)
    return found
