"""Whether contacts want marketing: what they told the provider, what their provider's refusals say, what people record.

The word with the latest time counts, whoever it comes from and in whatever order; of two of one moment, the no.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.events import SIGNAL

Consent = tuple[UUID, bool, datetime]
"""(contact id, whether they accept marketing, since when)"""

SET = """
WITH told AS (
    SELECT DISTINCT ON (contact_id) *
    FROM unnest($1::uuid[], $2::bool[], $3::timestamptz[]) AS t(contact_id, accepts, at)
    ORDER BY contact_id, at DESC, accepts
), held AS (
    SELECT c.id, c.opted_out_at IS NOT NULL AS was_out, t.accepts, t.at
    FROM contacts c JOIN told t ON t.contact_id = c.id
    WHERE (t.at, t.accepts::int) IS DISTINCT FROM (c.consent_at, (c.opted_out_at IS NULL)::int)
      AND (coalesce(c.consent_at, c.opted_out_at, '-infinity'), (c.opted_out_at IS NOT NULL)::int)
          <= (t.at, (NOT t.accepts)::int)
    ORDER BY c.id FOR NO KEY UPDATE OF c
), changed AS (
    UPDATE contacts c SET opted_out_at = CASE WHEN NOT h.accepts THEN h.at END, consent_at = h.at, updated_at = now()
    FROM held h WHERE c.id = h.id
    RETURNING c.id, h.was_out = h.accepts AS looks_different
)
INSERT INTO events (type, subject_id, conversation_id)
SELECT 'conversation:updated', v.id, v.id FROM changed c JOIN conversations v ON v.contact_id = c.id
WHERE c.looks_different AND v.status <> 'closed'
"""


async def set_consents(uow: UnitOfWork, consents: Sequence[Consent]) -> None:
    """Record `consents` where nothing later is known, and tell the conversations whose contact now looks different."""
    if consents:
        contacts, accepts, times = zip(*consents, strict=True)
        await uow.execute(SET, contacts, accepts, times)
        uow.signal(SIGNAL)
