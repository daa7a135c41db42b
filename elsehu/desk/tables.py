"""Tabulations, teams, what operators may get, canned replies, and what happened to a conversation at the desk."""

from piccolo.columns import JSONB, UUID, Array, BigSerial, Boolean, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.identity.tables import User
from elsehu.ids import new_id
from elsehu.messaging.tables import Conversation


class Tabulation(Table, db=DIALECT, tablename="tabulations"):
    """A reason for closing a conversation.

    `instance_ids` are the numbers for which it is meant (null: all). A customer who writes again within
    `return_minutes` goes back to the operator who closed.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=120)
    group = Varchar(length=120, default="")
    is_active = Boolean(default=True)
    position = Integer(default=0)
    rule = Varchar(length=60, default=None, null=True)
    required_fields = JSONB(default="[]")
    notes_required = Boolean(default=False)
    instance_ids = Array(base_column=UUID(), default=None, null=True)
    return_minutes = Integer(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())


class TimelineEntry(Table, db=DIALECT, tablename="conversation_timeline"):
    """One step of a conversation: opened, assigned, transferred, released, closed, reopened, note, tags.

    `actor_name` is the actor's name at that time: of a user, or of an API key or a rule, which have no `actor_id`.
    """

    id = BigSerial(primary_key=True)
    conversation_id = ForeignKey(Conversation, on_delete=OnDelete.cascade, null=False)
    action = Varchar(length=20)
    actor_id = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    actor_name = Varchar(length=200, default="")
    details = JSONB(default="{}")
    at = Timestamptz(default=TimestamptzNow())


class Team(Table, db=DIALECT, tablename="teams"):
    """Operators who share a queue, the numbers that they serve beside it (null: it says nothing of numbers), and when.

    `hours` is `desk.hours.Hours` as JSON; null: always.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=120)
    is_active = Boolean(default=True)
    instance_ids = Array(base_column=UUID(), default=None, null=True)
    hours = JSONB(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())


class TeamMember(Table, db=DIALECT, tablename="team_members"):
    """A user in a team."""

    id = BigSerial(primary_key=True)
    team_id = ForeignKey(Team, on_delete=OnDelete.cascade, null=False)
    user_id = ForeignKey(User, on_delete=OnDelete.cascade, null=False, index=True)


class DeskOperator(Table, db=DIALECT, tablename="desk_operators"):
    """What a user may get, and whether he is there. Nulls are the installation's defaults: see `[desk]`.

    `presence` follows Redis (automatic/presence.py): here it can be held still while a conversation is given.
    """

    user_id = ForeignKey(User, on_delete=OnDelete.cascade, null=False, primary_key=True)
    capacity = Integer(default=None, null=True)
    instance_ids = Array(base_column=UUID(), default=None, null=True)
    hours = JSONB(default=None, null=True)
    presence = Varchar(length=10, default="offline")
    presence_since = Timestamptz(default=TimestamptzNow())
    last_given_at = Timestamptz(default=None, null=True)


class GivenBack(Table, db=DIALECT, tablename="given_back"):
    """That an operator gave a conversation back: he gets it no more by itself."""

    id = BigSerial(primary_key=True)
    conversation_id = ForeignKey(Conversation, on_delete=OnDelete.cascade, null=False)
    user_id = ForeignKey(User, on_delete=OnDelete.cascade, null=False)


class QuickReply(Table, db=DIALECT, tablename="quick_replies"):
    """A canned reply: everybody's, or (`owner_id`) one user's own. `search_text` has no accents and no case."""

    id = UUID(primary_key=True, default=new_id)
    owner_id = ForeignKey(User, on_delete=OnDelete.cascade, null=True)
    shortcut = Varchar(length=40)
    title = Varchar(length=120, default="")
    text = Text()
    search_text = Text()
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow())


class BulkClosing(Table, db=DIALECT, tablename="bulk_closings"):
    """An order to close many conversations: what was asked for, by whom, and how far it came.

    `after_id` is the last conversation that was looked at. The row is the queue: a run that died is gone on with.
    """

    id = UUID(primary_key=True, default=new_id)
    request = JSONB()
    status = Varchar(length=10, default="waiting")
    total = Integer()
    closed = Integer(default=0)
    refused = Integer(default=0)
    skipped = Integer(default=0)
    after_id = UUID(default=None, null=True)
    actor = JSONB()
    error = Text(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    touched_at = Timestamptz(default=TimestamptzNow())
    finished_at = Timestamptz(default=None, null=True)
