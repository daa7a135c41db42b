"""What reports are read by, and the marks: the database itself notes whose figures are no longer right."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "indexes, and marks by triggers"

SQL = """
ALTER TABLE report_conversations ADD FOREIGN KEY (id) REFERENCES conversations ON DELETE CASCADE;
ALTER TABLE report_conversations ADD FOREIGN KEY (lane_id) REFERENCES message_lanes ON DELETE SET NULL;
ALTER TABLE report_parts ADD FOREIGN KEY (conversation_id) REFERENCES report_conversations ON DELETE CASCADE;
ALTER TABLE report_parts ADD FOREIGN KEY (lane_id) REFERENCES message_lanes ON DELETE SET NULL;
CREATE INDEX report_conversations_closed ON report_conversations (closed_at DESC, id DESC);
CREATE INDEX report_conversations_opened ON report_conversations (opened_at DESC, id DESC);
CREATE INDEX report_conversations_hours ON report_conversations (hours);
CREATE INDEX report_conversations_lane ON report_conversations (lane_id, closed_at) WHERE lane_id IS NOT NULL;
CREATE UNIQUE INDEX report_parts_one ON report_parts (conversation_id, operator_id);
CREATE INDEX report_parts_closed ON report_parts (closed_at);
CREATE INDEX report_parts_lane ON report_parts (lane_id) WHERE lane_id IS NOT NULL;
CREATE INDEX report_exports_ends ON report_exports (expires_at) WHERE status = 'ready';
-- Figures are made of a conversation's row, its steps and its messages. Steps that count, and messages that come later,
-- change the row too; of messages that go only the messages tell. Open conversations, the busy ones, are never marked.
CREATE FUNCTION report_mark_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO report_marks (conversation_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER report_mark AFTER UPDATE OF
    status, instance_id, assigned_to, opened_at, closed_at, tabulation_id, merged_into, last_activity_at
ON conversations FOR EACH ROW WHEN (OLD.status = 'closed' OR NEW.status = 'closed')
EXECUTE FUNCTION report_mark_conversation();
CREATE TRIGGER report_mark_new AFTER INSERT ON conversations FOR EACH ROW WHEN (NEW.status = 'closed')
EXECUTE FUNCTION report_mark_conversation();
CREATE FUNCTION report_mark_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO report_marks (conversation_id)
    SELECT DISTINCT v.id FROM gone JOIN conversations v ON v.id = gone.conversation_id WHERE v.status = 'closed';
    RETURN NULL;
END $$;
CREATE TRIGGER report_mark AFTER DELETE ON messages REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
EXECUTE FUNCTION report_mark_messages();
INSERT INTO report_marks (conversation_id)
SELECT id FROM conversations WHERE status = 'closed' AND merged_into IS NULL ORDER BY closed_at;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_reporting", ID, DESCRIPTION, SQL)
