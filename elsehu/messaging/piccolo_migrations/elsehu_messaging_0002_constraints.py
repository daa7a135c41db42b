"""Constraints and indexes: identity, uniqueness, queues and lists."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "identity, uniqueness, queues and lists"

SQL = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- Identity and uniqueness are here, not in code.
CREATE UNIQUE INDEX contact_identities_one_contact ON contact_identities (kind, value, scope);
CREATE UNIQUE INDEX conversations_one_open ON conversations (contact_id, instance_id) WHERE status <> 'closed';
CREATE UNIQUE INDEX messages_external ON messages (instance_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX messages_client ON messages (conversation_id, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX message_reactions_one ON message_reactions (message_id, reactor);
ALTER TABLE conversations ADD CONSTRAINT conversations_status CHECK (status IN ('queued', 'assigned', 'closed'));
ALTER TABLE conversations ADD CONSTRAINT conversations_owner
    CHECK (status = 'closed' OR (status = 'assigned') = (assigned_to IS NOT NULL)) NOT VALID;
ALTER TABLE messages ADD CONSTRAINT messages_direction CHECK (direction IN ('INBOUND', 'OUTBOUND'));
-- Updates that wait for their message are found when it comes.
CREATE INDEX waiting_updates_for ON waiting_updates (instance_id, external_id);
CREATE INDEX waiting_updates_age ON waiting_updates (created_at);
-- The conversation list, newest activity first, is a union of ranges of these, each read in its order. Indexes of
-- open conversations are written to with every message, so there are few; those of closed ones cost nothing there.
CREATE INDEX conversations_status ON conversations (status, last_activity_at DESC, id DESC);
CREATE INDEX conversations_owner ON conversations (assigned_to, status, last_activity_at DESC, id DESC);
CREATE INDEX conversations_instance ON conversations (instance_id, status, last_activity_at DESC, id DESC);
CREATE INDEX conversations_tabulation ON conversations (tabulation_id, last_activity_at DESC, id DESC)
    WHERE status = 'closed';
CREATE INDEX conversations_tags ON conversations USING gin (tags) WHERE tags <> '{}';
CREATE INDEX conversations_closed ON conversations (contact_id, instance_id, closed_at DESC)
    WHERE status = 'closed' AND merged_into IS NULL;
CREATE INDEX conversations_contact ON conversations (contact_id);
CREATE INDEX conversations_merged ON conversations (merged_into) WHERE merged_into IS NOT NULL;
-- A conversation's messages, newest first.
CREATE INDEX messages_thread ON messages (conversation_id, at DESC, seq DESC);
-- The outbound queue: what is to be sent, in order, and what a conversation has in flight.
CREATE INDEX messages_queue ON messages (instance_id, lane, seq) WHERE status = 'pending';
CREATE INDEX messages_in_flight ON messages (conversation_id, seq)
    WHERE status IN ('pending', 'sending');
CREATE INDEX messages_claims ON messages (claimed_until) WHERE status = 'sending';
-- Echoes look for the send that they may be the answer to.
CREATE INDEX messages_unanswered ON messages (conversation_id, seq)
    WHERE status IN ('sending', 'unconfirmed');
CREATE INDEX contacts_search ON contacts USING gin (search_text gin_trgm_ops);
CREATE INDEX contacts_list ON contacts (created_at DESC, id DESC) WHERE archived_at IS NULL AND merged_into IS NULL;
CREATE INDEX contacts_tags ON contacts USING gin (tags);
CREATE INDEX webhook_events_age ON webhook_events USING brin (received_at);
CREATE INDEX webhook_events_instance ON webhook_events (instance_id, id DESC);
CREATE INDEX dead_letters_open ON dead_letters (id DESC) WHERE resolved_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_messaging", ID, DESCRIPTION, SQL)
