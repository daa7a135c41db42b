"""Constraints and indexes: one recipient for each contact, and one send for each recipient."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from elsehu.plugin import run_sql

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "one recipient for each contact"

SQL = """
ALTER TABLE campaigns
    ADD CONSTRAINT campaigns_state
        CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'finished', 'cancelled', 'failed')),
    ADD CONSTRAINT campaigns_content CHECK ((text IS NULL) <> (template_id IS NULL)),
    ADD CONSTRAINT campaigns_source CHECK ((file_id IS NULL) <> (contact_filter IS NULL));
CREATE INDEX campaigns_by_state ON campaigns (state, id);
CREATE INDEX campaigns_by_file ON campaigns (file_id);

ALTER TABLE campaign_recipients
    ADD CONSTRAINT campaign_recipients_fate CHECK (fate IN ('planned', 'queued', 'skipped')),
    ADD CONSTRAINT campaign_recipients_reason CHECK ((fate = 'skipped') = (reason IS NOT NULL)),
    ADD CONSTRAINT campaign_recipients_known CHECK (fate = 'skipped' OR contact_id IS NOT NULL);
-- At most one recipient for each contact, and with messages.id = campaign_recipients.id one send for each recipient.
CREATE UNIQUE INDEX campaign_recipients_contact ON campaign_recipients (campaign_id, contact_id)
    WHERE contact_id IS NOT NULL;
CREATE UNIQUE INDEX campaign_recipients_position ON campaign_recipients (campaign_id, position);
CREATE INDEX campaign_recipients_planned ON campaign_recipients (campaign_id, position) WHERE fate = 'planned';
CREATE INDEX campaign_recipients_queued ON campaign_recipients (contact_id, queued_at) WHERE fate = 'queued';
CREATE UNIQUE INDEX campaign_file_rows_number ON campaign_file_rows (file_id, number);
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_campaigns", ID, DESCRIPTION, SQL)
