"""What campaigns keep of a person: handed out with the rest that is kept of them, and erased with it."""

from typing import Any

from elsehu.plugin import ContactData, Person, Row, UnitOfWork, isoformat

ERASE_RECIPIENTS = """
UPDATE campaign_recipients SET name = '', phone = '', variables = '{}', text = NULL, payload = NULL, media_id = NULL
WHERE contact_id = ANY($1::uuid[])
"""
"""Who was sent to stays a recipient without a name: figures do not change."""

ERASE_NOBODYS = """
UPDATE campaign_recipients r SET name = '', phone = '', variables = '{}', text = NULL, payload = NULL, media_id = NULL
FROM campaigns c, campaign_file_rows f
WHERE c.id = r.campaign_id AND f.file_id = c.file_id AND f.number = r.row_number AND f.phone = ANY($1::text[])
"""
ERASE_ROWS = """
UPDATE campaign_file_rows
SET phone = NULL, cells = (SELECT coalesce(jsonb_agg(''::text), '[]') FROM jsonb_array_elements(cells))
WHERE phone = ANY($1::text[])
"""
EXPORT = """
SELECT c.name AS campaign, r.name, r.phone, r.variables, r.text, r.fate, r.reason, r.queued_at
FROM campaign_recipients r JOIN campaigns c ON c.id = r.campaign_id
WHERE r.contact_id = ANY($1::uuid[]) ORDER BY c.created_at, r.position
"""


async def erase(uow: UnitOfWork, person: Person) -> None:
    """Make a contact unrecognisable in campaigns and in the lists that they came from."""
    await uow.execute(ERASE_RECIPIENTS, person.ids)
    await uow.execute(ERASE_NOBODYS, person.phones)
    await uow.execute(ERASE_ROWS, person.phones)


async def export(uow: UnitOfWork, person: Person) -> list[dict[str, Any]]:
    """Return what a contact was to get by which campaign."""
    return [_shown(row) for row in await uow.fetch(EXPORT, person.ids)]


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "queued_at": row["queued_at"] and isoformat(row["queued_at"])}


CONTACT_DATA = ContactData("campaigns", erase, export)
