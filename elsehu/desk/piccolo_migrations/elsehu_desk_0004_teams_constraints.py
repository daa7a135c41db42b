"""Constraints and indexes: names, memberships, shortcuts, and what operators gave back."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0004-teams-constraints"
VERSION = "1.38.0"
DESCRIPTION = "names, memberships, shortcuts"

SQL = """
CREATE UNIQUE INDEX teams_name ON teams (lower(name));
CREATE UNIQUE INDEX team_members_once ON team_members (team_id, user_id);
CREATE UNIQUE INDEX given_back_once ON given_back (conversation_id, user_id);
ALTER TABLE desk_operators ADD CONSTRAINT desk_operators_presence CHECK (presence IN ('online', 'away', 'offline'));
CREATE INDEX desk_operators_gone ON desk_operators (presence_since) WHERE presence = 'offline';
-- A shortcut is one reply of a user's own, and one of everybody's.
CREATE UNIQUE INDEX quick_replies_shortcut ON quick_replies (owner_id, lower(shortcut)) NULLS NOT DISTINCT;
CREATE INDEX bulk_closings_open ON bulk_closings (created_at) WHERE finished_at IS NULL;
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_desk", ID, DESCRIPTION, SQL)
