"""Constraints and indexes: e-mail addresses are unique; the audit log only grows."""

from elsehu.migrating import run_sql
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "0002-constraints"
VERSION = "1.38.0"
DESCRIPTION = "e-mail addresses are unique; the audit log only grows"

SQL = """
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX audit_log_actor ON audit_log (actor_id, id DESC);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE FUNCTION elsehu_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION elsehu_refuse_change();
ALTER TABLE users ADD CONSTRAINT users_role CHECK (role IN ('ADMIN', 'SUPERVISOR', 'OPERATOR'));
ALTER TABLE api_keys ADD CONSTRAINT api_keys_role CHECK (role IN ('ADMIN', 'SUPERVISOR', 'OPERATOR'));
"""


async def forwards() -> MigrationManager:
    """Run the SQL above."""
    return run_sql("elsehu_identity", ID, DESCRIPTION, SQL)
