"""What became of each recipient, said once in SQL: stats, lists and exports select from it.

A recipient without a message is as its `fate` says; one with a message is as that is. So nobody writes a status down
twice, and the sum of all statuses is always the number of recipients.
"""

OUTCOMES = """
    SELECT r.id, r.campaign_id, r.position, r.row_number, r.contact_id, r.name, r.phone, r.variables,
           coalesce(m.kind, r.kind) AS kind, coalesce(m.text, r.text) AS text, m.conversation_id,
           m.sent_at, m.delivered_at, m.read_at, m.failed_at,
           CASE WHEN m.last_inbound_at >= date_trunc('second', m.sent_at) THEN m.last_inbound_at END AS replied_at,
           CASE
               WHEN m.id IS NULL AND r.fate = 'skipped' THEN 'skipped'
               WHEN m.id IS NULL AND c.state IN ('finished', 'cancelled', 'failed') THEN 'cancelled'
               WHEN m.id IS NULL THEN 'planned'
               WHEN m.status IN ('pending', 'sending') THEN 'queued'
               WHEN m.status = 'failed' AND m.error_code = 'opted_out' THEN 'skipped'
               WHEN m.status IN ('failed', 'unconfirmed') THEN m.status
               WHEN m.last_inbound_at >= date_trunc('second', m.sent_at) THEN 'replied'
               WHEN m.status = 'played' THEN 'read'
               ELSE m.status
           END AS status,
           coalesce(m.error_code, r.reason) AS reason, coalesce(m.error_detail, r.detail) AS detail, m.provider_code
    FROM campaign_recipients r
    JOIN campaigns c ON c.id = r.campaign_id
    LEFT JOIN public_messages m ON m.id = r.id
"""
"""One row for each recipient. Providers' times have whole seconds: an answer may look as old as what it answers."""

STATUSES = (
    "planned",
    "queued",
    "sent",
    "delivered",
    "read",
    "replied",
    "failed",
    "unconfirmed",
    "cancelled",
    "skipped",
)
