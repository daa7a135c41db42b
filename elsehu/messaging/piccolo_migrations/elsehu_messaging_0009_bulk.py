"""What bulk sending rests on: lanes are found at once, dormant conversations, and the views that plugins may read."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0009-bulk"
VERSION = "1.38.0"
DESCRIPTION = "lanes, dormant conversations, views for plugins"

SQL = """
ALTER TABLE conversations DROP CONSTRAINT conversations_status;
ALTER TABLE conversations ADD CONSTRAINT conversations_status
    CHECK (status IN ('dormant', 'queued', 'assigned', 'closed'));
-- The queue of each lane, in order, and all that ever went through it.
CREATE INDEX messages_lane_queue ON messages (lane_id, seq) WHERE status = 'pending' AND lane_id IS NOT NULL;
CREATE INDEX messages_lane ON messages (lane_id, seq) WHERE lane_id IS NOT NULL;
CREATE INDEX message_lanes_open ON message_lanes (instance_id) WHERE is_open;
-- What plugins may read in SQL, and nothing else of these tables. A LEFT JOIN of which nobody asks for a column is free.
CREATE VIEW public_contacts AS
SELECT id, coalesce(nullif(name, ''), profile_name) AS name, phone, email, tags, custom, opted_out_at, unreachable_at,
       archived_at, merged_into, created_at
FROM contacts;
CREATE VIEW public_messages AS
SELECT m.id, m.seq, m.lane_id, m.conversation_id, v.contact_id, m.instance_id, m.direction, m.kind, m.text, m.status,
       m.error_code, m.error_detail, m.provider_code, m.attempts, m.created_at, m.at, m.sent_at, m.delivered_at,
       m.read_at, m.failed_at, v.last_inbound_at
FROM messages m LEFT JOIN conversations v ON v.id = m.conversation_id;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
