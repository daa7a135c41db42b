"""Tabulations, and what happened to a conversation at the desk."""

from piccolo.columns import JSONB, UUID, BigSerial, Boolean, ForeignKey, Integer, Timestamptz, Varchar
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.identity.tables import User
from elsehu.ids import new_id
from elsehu.messaging.tables import Conversation


class Tabulation(Table, db=DIALECT, tablename="tabulations"):
    """A reason for closing a conversation."""

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=120)
    group = Varchar(length=120, default="")
    is_active = Boolean(default=True)
    position = Integer(default=0)
    rule = Varchar(length=60, default=None, null=True)
    required_fields = JSONB(default="[]")
    created_at = Timestamptz(default=TimestamptzNow())


class TimelineEntry(Table, db=DIALECT, tablename="conversation_timeline"):
    """One step of a conversation: opened, assigned, transferred, released, closed, reopened, note, tags.

    `actor_name` is the actor's name at that time: of a user, or of an API key, which has no `actor_id`.
    """

    id = BigSerial(primary_key=True)
    conversation_id = ForeignKey(Conversation, on_delete=OnDelete.cascade, null=False)
    action = Varchar(length=20)
    actor_id = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    actor_name = Varchar(length=200, default="")
    details = JSONB(default="{}")
    at = Timestamptz(default=TimestamptzNow())
