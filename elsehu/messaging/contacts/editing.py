"""Making and changing contacts. Whoever touches an address holds its lock, as ingest does, so nothing is doubled."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import Conflict, FieldError, Invalid
from elsehu.contracts.message import Identity, IdentityKind
from elsehu.db import Row, UnitOfWork
from elsehu.ids import new_id
from elsehu.messaging.contacts.listing import kept_contact, tell_of_contact
from elsehu.messaging.contacts.search import search_text
from elsehu.messaging.inbound.locks import AddressesChanged, identity_key, key_of, lock
from elsehu.messaging.inbound.merging import identities_of, merge
from elsehu.messaging.schemas import ContactIn
from elsehu.phones import parse_phone

OWNER = """
SELECT c.id, c.archived_at FROM contact_identities i JOIN contacts c ON c.id = i.contact_id
WHERE i.kind = $1 AND i.value = $2 AND i.scope = $3
"""
LOCKED = "SELECT merged_into FROM contacts WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE"
INSERT = """
INSERT INTO contacts (id, name, profile_name, phone, email, tags, custom, search_text)
VALUES ($1, $2, '', $3, $4, $5, $6::jsonb, $7)
"""
INSERT_IDENTITY = """
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address) VALUES ($1, $2, $3, $4, $5, $6)
"""
TAKE_IDENTITY = """
WITH taken AS (
    DELETE FROM contact_identities WHERE contact_id = $1 AND kind = $2 AND value = $3 AND scope = $4
    RETURNING kind, value, scope, contact_id
)
INSERT INTO identity_notes (kind, value, scope, contact_id, until)
SELECT kind, value, scope, contact_id, now() FROM taken
"""
"""What comes late from the address is still the contact's."""
READ = "SELECT name, profile_name, username, phone, email, tags, custom FROM contacts WHERE id = $1 FOR NO KEY UPDATE"
UPDATE = """
UPDATE contacts SET name = $2, phone = $3, email = $4, tags = $5, custom = $6::jsonb, search_text = $7,
    updated_at = now()
WHERE id = $1
"""
SET_ARCHIVED = "UPDATE contacts SET archived_at = $2, updated_at = now() WHERE id = $1"
SET_CONSENT = """
UPDATE contacts SET opted_out_at = CASE WHEN NOT $2 THEN coalesce(opted_out_at, $3) END,
    consent_at = greatest(consent_at, $3), updated_at = now()
WHERE id = $1
"""


def phone_identity(text: str, default_region: str) -> Identity:
    """Return the address of a phone that a person typed. Raises Invalid."""
    digits = parse_phone(text, default_region)
    if digits is None:
        message = "is no phone number; write it with its country code, such as +5511999990000"
        raise Invalid("invalid_request", "The phone number is not valid.", errors=[FieldError("phone", message)])
    return Identity(IdentityKind.PHONE, digits, digits)


async def create(uow: UnitOfWork, body: ContactIn, default_region: str) -> UUID:
    """Make a contact with its phone and return its id; one that was archived comes back as it is now described.

    Raises Invalid (phone) and Conflict `contact_exists` with the `contactId` of whose phone it is.
    """
    identity = phone_identity(body.phone, default_region)
    await lock(uow, [identity_key(identity)])
    owner = await uow.fetch_row(OWNER, *key_of(identity))
    if owner is None:
        return await _insert(uow, body, identity)
    if owner["archived_at"] is None:
        raise contact_exists(owner["id"])
    await set_archived(uow, owner["id"], None)
    await change(uow, owner["id"], body.model_dump(exclude_unset=True, exclude={"phone"}))
    return owner["id"]  # type: ignore[no-any-return]


async def _insert(uow: UnitOfWork, body: ContactIn, identity: Identity) -> UUID:
    contact_id, phone = new_id(), identity.value
    found_by = search_text(body.name, "", phone, body.email)
    await uow.execute(INSERT, contact_id, body.name, phone, body.email, body.tags, _json(body.custom), found_by)
    await _add(uow, contact_id, identity)
    return contact_id


async def update(uow: UnitOfWork, contact_id: UUID, changes: Mapping[str, Any], default_region: str) -> None:
    """Change what `changes` holds of a contact; another phone moves its address.

    Raises NotFound, Invalid (phone), Conflict `contact_exists` and AddressesChanged.
    """
    wanted = phone_identity(changes["phone"], default_region) if "phone" in changes else None
    kept = await kept_contact(uow, contact_id)
    await lock_addresses(uow, [kept], [wanted] if wanted else [])
    if wanted is not None:
        changes = {**changes, "phone": wanted.value}
        await _move_phone(uow, kept, wanted)
    await change(uow, kept, changes)


async def lock_addresses(uow: UnitOfWork, contact_ids: list[UUID], more: Iterable[Identity] = ()) -> None:
    """Hold the locks of all addresses of the (kept) contacts, and of `more`. Raises AddressesChanged."""
    before = await identities_of(uow, contact_ids)
    await lock(uow, [identity_key(identity) for identity in (*before, *more)])
    after = await identities_of(uow, contact_ids)
    is_merged = any(row["merged_into"] for row in await uow.fetch(LOCKED, contact_ids))
    if is_merged or not {key_of(one) for one in after} <= {key_of(one) for one in before}:
        raise AddressesChanged


async def _move_phone(uow: UnitOfWork, contact_id: UUID, wanted: Identity) -> None:
    owner = await uow.fetch_row(OWNER, *key_of(wanted))
    if owner is not None and owner["id"] != contact_id:
        raise contact_exists(owner["id"])
    before = await uow.fetch_value("SELECT phone FROM contacts WHERE id = $1", contact_id)
    if before is not None and before != wanted.value:
        await uow.execute(TAKE_IDENTITY, contact_id, IdentityKind.PHONE, before, wanted.scope)
    if owner is None:
        await _add(uow, contact_id, wanted)


async def change(uow: UnitOfWork, contact_id: UUID, changes: Mapping[str, Any]) -> None:
    """Write `changes` (canonical digits as phone), and tell the conversations that show the contact."""
    row: Row | None = await uow.fetch_row(READ, contact_id)
    assert row is not None
    new = {**row, "custom": orjson.loads(row["custom"]), **changes}
    found_by = search_text(new["name"], new["profile_name"], new["phone"], new["email"], new["username"])
    values = (new["name"], new["phone"], new["email"], new["tags"], _json(new["custom"]), found_by)
    await uow.execute(UPDATE, contact_id, *values)
    await tell_of_contact(uow, contact_id)


async def set_archived(uow: UnitOfWork, contact_id: UUID, at: datetime | None) -> None:
    """Hide a contact from the list, or (None) show it again."""
    await uow.execute(SET_ARCHIVED, contact_id, at)


async def set_consent(uow: UnitOfWork, contact_id: UUID, at: datetime, *, accepts: bool) -> None:
    """Record that a contact wants campaigns, or none, from `at` on: what the customer says later counts again."""
    await uow.execute(SET_CONSENT, contact_id, accepts, at)
    await tell_of_contact(uow, contact_id)


async def merge_contacts(uow: UnitOfWork, contact_ids: Iterable[UUID]) -> UUID:
    """Make one contact of several and return its id. Raises NotFound and AddressesChanged."""
    kept = sorted({await kept_contact(uow, contact_id) for contact_id in contact_ids})
    await lock_addresses(uow, kept)
    await merge(uow, kept)
    return kept[0]


async def _add(uow: UnitOfWork, contact_id: UUID, identity: Identity) -> None:
    await uow.execute(INSERT_IDENTITY, new_id(), contact_id, *key_of(identity), identity.address)


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def contact_exists(contact_id: UUID) -> Conflict:
    """Return the refusal of a phone that a contact has."""
    detail = "There is a contact with this phone already: see contactId. Change that one, or merge the two."
    return Conflict("contact_exists", detail, contactId=str(contact_id))
