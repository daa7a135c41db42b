"""What is told of people's addresses: these are one person's; these gave way to those.

Whoever hears of people whom nobody knows yet keeps it (`notes`), until somebody writes from one of the addresses.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from elsehu.contracts.inbound import IdentitiesLinked, IdentityChanged
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.messaging.inbound.identities import Address, Person
from elsehu.messaging.inbound.locks import Key, key_of
from elsehu.messaging.inbound.notes import Fact, Note, hashable, parked
from elsehu.messaging.inbound.resolving import Resolving, bsuids, by_strength

SLACK = timedelta(minutes=5)
"""How far a change and the messages around it may be out of step: no number goes to somebody else so soon."""


def settle(resolving: Resolving, facts: Sequence[Fact], now: datetime) -> list[Note]:
    """Apply `facts`, and those that were waiting, as far as somebody is known. Returns notes of those that must wait.

    Raises SamePerson.
    """
    rest = list(dict.fromkeys([*(note.fact for note in resolving.waiting if note.fact), *map(hashable, facts)]))
    while True:
        waiting = [fact for fact in rest if not _is_settled(resolving, fact, now)]
        if len(waiting) == len(rest):
            resolving.drop_facts_but(waiting)
            return [note for fact in waiting for note in parked(fact)]
        rest = waiting


def _is_settled(resolving: Resolving, fact: Fact, now: datetime) -> bool:
    if isinstance(fact, IdentitiesLinked):
        return _link(resolving, fact.identities, now)
    return _change(resolving, fact)


def _link(resolving: Resolving, identities: Sequence[Identity], now: datetime) -> bool:
    """Make one contact of those who have `identities`, and give them what nobody ever had."""
    ordered = by_strength(identities)
    owners = [owner for one in ordered if (owner := _last_owner(resolving, key_of(one)))]
    if not owners:
        return False
    person = owners[0]
    if _are_two(resolving, bsuids(identities), person):
        return True
    for owner in owners[1:]:
        if not _are_two(resolving, resolving.bsuids_of(person.known_now()), owner.known_now()):
            person = resolving.unite(person, owner)
    _give(resolving, ordered, person.known_now(), now)
    return True


def _last_owner(resolving: Resolving, key: Key) -> Person | None:
    is_bsuid = key[0] == IdentityKind.BSUID
    return resolving.owner(key) or (resolving.once_had_by(key) if is_bsuid else None)


def _give(resolving: Resolving, identities: Sequence[Identity], person: Person, now: datetime) -> None:
    """An address that was anybody's once does not come back by a word that has no time."""
    since = min((resolving.people.addresses[key].first_seen_at for key in person.keys), default=now)
    for one in identities:
        key = key_of(one)
        if resolving.owner(key) is None and not resolving.former.get(key):
            resolving.people.give(one, person, since, now)


def _are_two(resolving: Resolving, ids: dict[str, set[str]], person: Person) -> bool:
    own = resolving.bsuids_of(person)
    return any(own.get(scope) and not own[scope] & values for scope, values in ids.items())


def _change(resolving: Resolving, told: IdentityChanged) -> bool:
    """Have the person of `old` lose these and get `new`. Returns False where nobody knows them."""
    old = _holder_before(resolving, told)
    new = _holder_after(resolving, told)
    if old is None:
        return new is not None and _is_told_of_new(resolving, told, new)
    if new is not None and new is not old:
        if _is_same(resolving, told, old, new):
            old = resolving.unite(old, new)
        else:
            _take_from_stranger(resolving, told, old, new)
    _claim(resolving, told, old)
    for identity in _lost(resolving, told, old):
        resolving.lose(old, key_of(identity), told.at + SLACK)
    return True


def _gone(told: IdentityChanged) -> list[Identity]:
    new = {key_of(one) for one in told.new}
    return [one for one in told.old if key_of(one) not in new]


def _holder_before(resolving: Resolving, told: IdentityChanged) -> Person | None:
    """Return who had the old addresses when they changed."""
    for identity in by_strength(told.old):
        key = key_of(identity)
        if identity.kind == IdentityKind.BSUID:
            person = _last_owner(resolving, key)
        else:
            person = _had_at_change(resolving, key, told.at)
            if person is not None and _is_another(resolving, told, told.old, person):
                continue
        if person is not None:
            return person
    return None


def _had_at_change(resolving: Resolving, key: Key, at: datetime) -> Person | None:
    former = next((one for one in resolving.former.get(key, ()) if one.until >= at), None)
    if former is not None:
        return former.person and former.person.known_now()
    address = resolving.people.addresses.get(key)
    return address.owner if address is not None and address.first_seen_at <= at else None


def _holder_after(resolving: Resolving, told: IdentityChanged) -> Person | None:
    """Return who has, or had after the change, one of the new addresses."""
    for identity in by_strength(told.new):
        key = key_of(identity)
        former = resolving.former_at(key, told.at) if identity.kind != IdentityKind.BSUID else None
        person = former.person if former else _last_owner(resolving, key)
        if person is not None:
            return person.known_now()
    return None


def _is_told_of_new(resolving: Resolving, told: IdentityChanged, new: Person) -> bool:
    """Nobody has the old addresses. Whoever has a new one is the person, unless they had it before."""
    gone = _gone(told)
    if any(former.person is new for one in gone for former in resolving.former.get(key_of(one), ())):
        return True
    if _had_before(resolving, told, new):
        for key in map(key_of, told.new):
            if resolving.owner(key) is new:
                resolving.lose(new, key, told.at)
        return False
    if _is_another(resolving, told, told.new, new):
        return False
    for identity in gone:
        if resolving.owner(key_of(identity)) is None:
            resolving.note(key_of(identity), new, told.at + SLACK)
    _claim(resolving, told, new)
    return True


def _had_before(resolving: Resolving, told: IdentityChanged, person: Person) -> bool:
    """Whether `person` had a new address before the change, so that it was a stranger's. A BSUID never is."""
    owned = [one for one in told.new if resolving.owner(key_of(one)) is person]
    if any(one.kind == IdentityKind.BSUID for one in owned):
        return False
    return any(resolving.people.addresses[key_of(one)].first_seen_at < told.at - SLACK for one in owned)


def _is_another(resolving: Resolving, told: IdentityChanged, had: Sequence[Identity], person: Person) -> bool:
    """Whether `person`, who has one of the addresses `had`, shows other BSUIDs than those that are told of."""
    ids = [key_of(one) for one in (*told.old, *told.new) if one.kind == IdentityKind.BSUID]
    if any(_last_owner(resolving, key) is person for key in ids):
        return False
    own = resolving.bsuids_of(person)
    told_of = bsuids((*told.old, *told.new))
    return any(own.get(scope) and not own[scope] & told_of[scope] for scope in bsuids(had))


def _is_same(resolving: Resolving, told: IdentityChanged, old: Person, new: Person) -> bool:
    """Whether who had the old addresses and who has the new ones are one: unless both show BSUIDs that go on beside."""
    if _had_before(resolving, told, new) or _is_another(resolving, told, told.new, new):
        return False
    addresses = resolving.people.addresses
    come = [addresses[key] for key in _bsuids_beside(resolving, new, told.new)]
    kept = [addresses[key] for key in _bsuids_beside(resolving, old, told.old)]
    return not any(_go_on_beside(one, other, told.at) for one in come for other in kept)


def _go_on_beside(new: Address, old: Address, at: datetime) -> bool:
    """Whether two BSUIDs of one scope were seen so that neither took the other's place with a change at `at`."""
    is_one_scope = new.identity.scope == old.identity.scope
    return is_one_scope and (old.last_seen_at > at + SLACK or new.first_seen_at < at - SLACK)


def _bsuids_beside(resolving: Resolving, person: Person, told: Sequence[Identity]) -> list[Key]:
    besides = {key_of(one) for one in told}
    return [key for key in person.keys if key[0] == IdentityKind.BSUID and key not in besides]


def _take_from_stranger(resolving: Resolving, told: IdentityChanged, person: Person, stranger: Person) -> None:
    """Move the new addresses from who had them before, unless these were seen with them since: they went on, then."""
    for identity in told.new:
        address = resolving.people.addresses.get(key_of(identity))
        if address is None or address.owner is not stranger:
            continue
        if address.first_seen_at >= told.at and address.last_seen_at > told.at:
            resolving.note(key_of(identity), person, address.first_seen_at)
        else:
            resolving.move(identity, person, told.at)


def _claim(resolving: Resolving, told: IdentityChanged, person: Person) -> None:
    """Make the new addresses the person's from the change on: what comes from them of before was somebody else's."""
    old = {key_of(one) for one in told.old}
    for identity in told.new:
        key = key_of(identity)
        address = resolving.people.addresses.get(key)
        if address is not None and address.owner is not None:
            if address.owner is person:
                resolving.people.see(identity, told.at)
        elif resolving.former_at(key, told.at) is None:
            resolving.people.give(identity, person, told.at, told.at)
        if resolving.owner(key) is person and key not in old and _is_first(resolving, key, told.at):
            resolving.note(key, None, told.at)


def _is_first(resolving: Resolving, key: Key, at: datetime) -> bool:
    """Whether an address was nobody's whom we know before it became its owner's at the time `at`."""
    address = resolving.people.addresses[key]
    return key[0] != IdentityKind.BSUID and address.first_seen_at >= at and not resolving.former.get(key)


def _lost(resolving: Resolving, told: IdentityChanged, person: Person) -> list[Identity]:
    """Return the old addresses, and the BSUIDs of the person that another one took the place of with the change."""
    gone, new = _gone(told), {key_of(one) for one in told.new}
    own = [resolving.people.addresses[key] for key in person.keys if key[0] == IdentityKind.BSUID]
    latest = {one.identity.scope: one for one in sorted(own, key=lambda one: one.first_seen_at)}
    for one in own:
        other = latest[one.identity.scope]
        is_replaced = other is not one and other.first_seen_at > told.at - SLACK >= one.last_seen_at - 2 * SLACK
        if is_replaced and key_of(one.identity) not in new:
            gone.append(one.identity)
    return gone
