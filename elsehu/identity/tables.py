"""Users, their sessions, API keys and the audit log."""

from piccolo.columns import JSONB, UUID, BigSerial, Boolean, Bytea, ForeignKey, Text, Timestamptz, Varchar
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.ids import new_id


class User(Table, db=DIALECT, tablename="users"):
    """A person who logs in. The e-mail address is unique without regard to case."""

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=200)
    email = Varchar(length=320)
    password_hash = Text(secret=True)
    role = Varchar(length=20)
    is_active = Boolean(default=True)
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow())


class Session(Table, db=DIALECT, tablename="sessions"):
    """One login: a family of refresh tokens that lives and dies together."""

    id = UUID(primary_key=True, default=new_id)
    user_id = ForeignKey(User, on_delete=OnDelete.cascade, null=False, index=True)
    created_at = Timestamptz(default=TimestamptzNow())
    expires_at = Timestamptz(default=None, null=True)
    revoked_at = Timestamptz(default=None, null=True)
    revoked_why = Varchar(length=40, default="")
    address = Varchar(length=64, default="")
    user_agent = Varchar(length=300, default="")


class RefreshToken(Table, db=DIALECT, tablename="refresh_tokens"):
    """One refresh token of a session, as its SHA-256. Used once; a second use revokes the session."""

    token_hash = Bytea(primary_key=True)
    session_id = ForeignKey(Session, on_delete=OnDelete.cascade, null=False, index=True)
    created_at = Timestamptz(default=TimestamptzNow())
    used_at = Timestamptz(default=None, null=True)


class ApiKey(Table, db=DIALECT, tablename="api_keys"):
    """A machine's key (`elk_…`), as its SHA-256, with a role."""

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=200)
    key_hash = Bytea(unique=True)
    hint = Varchar(length=12)
    role = Varchar(length=20)
    created_by = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    expires_at = Timestamptz(default=None, null=True)
    revoked_at = Timestamptz(default=None, null=True)
    last_used_at = Timestamptz(default=None, null=True)


class AuditEntry(Table, db=DIALECT, tablename="audit_log"):
    """Who did what, when, from where. Append-only: a trigger refuses updates and deletes."""

    id = BigSerial(primary_key=True)
    at = Timestamptz(default=TimestamptzNow())
    actor_id = UUID(default=None, null=True)
    actor_name = Varchar(length=200, default="")
    action = Varchar(length=60)
    subject = Varchar(length=120, default="")
    details = JSONB(default="{}")
    address = Varchar(length=64, default="")
    request_id = Varchar(length=80, default="")
