"""Times reports on a busy desk with a timeline: making all rows anew, and each report for a month and for all time.

python -m bench.busy_desk postgresql://…
python -m bench.reports postgresql://… --fill --explain kpis
"""

import asyncpg

TIMELINE = """
WITH closed AS (
    SELECT v.id, row_number() OVER (ORDER BY v.id) AS n, v.assigned_to, v.opened_at, v.closed_at,
           v.closed_at - v.opened_at AS took, tabulation_name,
           assigned_to IS NOT NULL AND closed_at IS NOT NULL AS taken_and_closed,
           (SELECT id FROM users ORDER BY id LIMIT 1) AS other
    FROM conversations v WHERE v.status <> 'queued'
), steps AS (
    SELECT id, 1 AS place, 'assigned' AS action, opened_at + interval '1 minute' AS at,
           jsonb_build_object('to', jsonb_build_object('id',
                              CASE n % 10 WHEN 0 THEN other ELSE assigned_to END)) AS more
    FROM closed WHERE assigned_to IS NOT NULL
    UNION ALL
    SELECT id, 2, 'transferred', opened_at + took / 2, jsonb_build_object('from', jsonb_build_object('id', other),
           'to', jsonb_build_object('id', assigned_to), 'reason', NULL)
    FROM closed WHERE taken_and_closed AND n % 10 = 0
    UNION ALL
    SELECT id, 3, 'closed', opened_at + took * 0.6, '{}' FROM closed WHERE taken_and_closed AND n % 25 = 7
    UNION ALL
    SELECT id, 4, 'reopened', opened_at + took * 0.7, jsonb_build_object('to', jsonb_build_object('id', assigned_to))
    FROM closed WHERE taken_and_closed AND n % 25 = 7
    UNION ALL
    SELECT id, 5, 'closed', closed_at, jsonb_build_object('tabulation', tabulation_name)
    FROM closed WHERE closed_at IS NOT NULL
)
INSERT INTO conversation_timeline (conversation_id, action, actor_id, details, at)
SELECT id, action, NULL, more, at FROM steps ORDER BY at, id, place
"""

HASTE = """
UPDATE messages SET created_at = created_at - interval '1 second' * (hashint8(seq) & 127) WHERE direction = 'OUTBOUND'
"""
"""No two operators are equally fast."""


async def add_timeline(connection: asyncpg.Connection) -> None:
    """Add what happened at the desk to conversations that `bench.busy_desk` made."""
    await connection.execute(TIMELINE)
    await connection.execute(HASTE)
    await connection.execute(
        "INSERT INTO report_marks (conversation_id) SELECT id FROM conversations WHERE status = 'closed'"
    )
    await connection.execute("VACUUM (ANALYZE) conversation_timeline, messages")
