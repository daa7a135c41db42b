"""Many contacts at once: made, or told what is new of them, in a few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from elsehu.contracts.message import Identity, IdentityKind
from elsehu.db import Row, UnitOfWork
from elsehu.events import SIGNAL
from elsehu.ids import new_id
from elsehu.messaging.contacts.search import search_text
from elsehu.messaging.inbound.locks import identity_key, lock

MOST_ROWS = 1000
"""Each row holds a lock until the transaction ends, and PostgreSQL has room for some thousands."""

FIND = """
SELECT i.value AS found_by, c.id, c.name, c.profile_name, c.username, c.phone, c.email, c.tags, c.custom,
       c.archived_at IS NOT NULL AS is_archived
FROM unnest($1::text[]) AS k(value)
CROSS JOIN LATERAL (
    SELECT contact_id, value FROM contact_identities WHERE kind = 'phone' AND value = k.value AND scope = '' LIMIT 1
) i
JOIN contacts c ON c.id = i.contact_id
ORDER BY c.id FOR NO KEY UPDATE OF c
"""
"""The LIMIT has every plan look each address up in the unique index, whatever is known of the table's size."""

INSERT = """
WITH made AS (
    INSERT INTO contacts (id, name, profile_name, phone, email, tags, custom, search_text)
    SELECT id, name, '', phone, email, tags, custom, search_text
    FROM jsonb_to_recordset($1::jsonb)
        AS n(id uuid, name text, phone text, email text, tags text[], custom jsonb, search_text text)
)
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address)
SELECT identity_id, id, 'phone', phone, '', phone
FROM jsonb_to_recordset($1::jsonb) AS n(id uuid, identity_id uuid, phone text)
"""
UPDATE = """
WITH changed AS (
    UPDATE contacts c SET name = n.name, phone = n.phone, email = n.email, tags = n.tags, custom = n.custom,
        search_text = n.search_text, archived_at = NULL, updated_at = now()
    FROM jsonb_to_recordset($1::jsonb)
        AS n(id uuid, name text, phone text, email text, tags text[], custom jsonb, search_text text)
    WHERE c.id = n.id RETURNING c.id
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', v.id, v.id FROM changed c JOIN conversations v ON v.contact_id = c.id
WHERE v.status <> 'closed'
"""


class Outcome(StrEnum):
    """What a row came to. An archived contact that comes back is updated."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ContactRow:
    """What is told of one person, who has the phone `phone` (canonical digits, see `parse_phone`).

    What is empty says nothing: a contact keeps what it has. `tags` are added to its own, `custom` is laid over its own.
    `name_if_none` names who has no name yet.
    """

    phone: str
    name: str = ""
    email: str | None = None
    tags: Sequence[str] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    name_if_none: str = ""


@dataclass(frozen=True, slots=True)
class Upserted:
    """Who a row's person is, and what it came to."""

    contact_id: UUID
    outcome: Outcome


async def upsert_contacts(uow: UnitOfWork, rows: Sequence[ContactRow]) -> list[Upserted]:
    """Make or complete the contacts of at most MOST_ROWS rows; returns what each came to, in their order.

    Several rows of one phone count one after the other. Texts hold no NUL and are as short as the API wants them.
    Waits for whoever changes one of the contacts, ingest among them, and cannot deadlock with any of them. Call it
    first in its transaction, and once: what it holds afterwards, others wait for.
    """
    if len(rows) > MOST_ROWS:
        raise ValueError(f"at most {MOST_ROWS} rows at once, not {len(rows)}")
    phones = sorted({row.phone for row in rows})
    if not phones:
        return []
    await lock(uow, [identity_key(Identity(IdentityKind.PHONE, phone, phone)) for phone in phones])
    known = {row["found_by"]: row for row in await uow.fetch(FIND, phones)}
    drafts: dict[UUID, _Draft] = {}
    by_phone: dict[str, _Draft] = {}
    for phone in phones:
        draft = _Draft.of(known[phone], phone) if phone in known else _Draft(new_id(), phone)
        by_phone[phone] = drafts.setdefault(draft.id, draft)  # one contact may have several phones
    done = [Upserted(by_phone[row.phone].id, by_phone[row.phone].take(row)) for row in rows]
    await _save(uow, list(drafts.values()))
    return done


async def _save(uow: UnitOfWork, drafts: Sequence["_Draft"]) -> None:
    new = [draft.as_json() for draft in drafts if draft.is_new]
    changed = [draft.as_json() for draft in drafts if draft.is_changed and not draft.is_new]
    if new:
        await uow.execute(INSERT, orjson.dumps(new).decode())
    if changed:
        await uow.execute(UPDATE, orjson.dumps(changed).decode())
        uow.signal(SIGNAL)


@dataclass(slots=True)
class _Draft:
    """A contact as it is to be."""

    id: UUID
    phone: str
    name: str = ""
    profile_name: str = ""
    username: str = ""
    email: str | None = None
    tags: list[str] = field(default_factory=list)
    custom: dict[str, Any] = field(default_factory=dict)
    is_new: bool = True
    is_made: bool = False
    is_archived: bool = False
    is_changed: bool = False

    @classmethod
    def of(cls, row: Row, phone: str) -> "_Draft":
        """Return the contact of a row of FIND; where it has no phone, it gets `phone`."""
        return cls(
            id=row["id"],
            phone=row["phone"] or phone,
            name=row["name"],
            profile_name=row["profile_name"],
            username=row["username"],
            email=row["email"],
            tags=list(row["tags"]),
            custom=orjson.loads(row["custom"]),
            is_new=False,
            is_archived=row["is_archived"],
        )

    def take(self, row: ContactRow) -> Outcome:
        """Take over what a row tells, and return what that came to."""
        tags = list(dict.fromkeys([*self.tags, *row.tags]))
        custom = {**self.custom, **{key: value for key, value in row.custom.items() if value not in ("", None)}}
        told = (row.name or self.name or row.name_if_none, row.email or self.email, tags, custom, False)
        is_news = told != (self.name, self.email, self.tags, self.custom, self.is_archived)
        self.name, self.email, self.tags, self.custom, self.is_archived = told
        if self.is_new and not self.is_made:
            self.is_made = True
            return Outcome.CREATED
        self.is_changed |= is_news
        return Outcome.UPDATED if is_news else Outcome.UNCHANGED

    def as_json(self) -> dict[str, Any]:
        """Return the columns to write."""
        found_by = search_text(self.name, self.profile_name, self.phone, self.email, self.username)
        return {
            "id": str(self.id),
            "identity_id": new_id(),
            "name": self.name,
            "phone": self.phone,
            "email": self.email,
            "tags": self.tags,
            "custom": self.custom,
            "search_text": found_by,
        }
