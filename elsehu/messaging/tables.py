"""Contacts, conversations, messages, and the webhooks that they come from: what changes in one transaction."""

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
    BigSerial,
    Boolean,
    ForeignKey,
    Integer,
    Real,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.identity.tables import User
from elsehu.ids import new_id
from elsehu.instances.tables import ServiceInstance
from elsehu.media.tables import MediaFile


class Contact(Table, db=DIALECT, tablename="contacts"):
    """A customer. `name` is what our people wrote, `profile_name` what the provider shows.

    `profile_name_at` is when a message made it so; conversations know of later ones that show it (`named_at`).
    `phone` holds canonical digits. `search_text` is names, phone and e-mail without accents or case. `consent_at` is
    the time of the last word on whether they want marketing, the customer's or ours. `unreachable_at` is set while the
    provider cannot deliver to them.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=200, default="")
    profile_name = Varchar(length=200, default="")
    profile_name_at = Timestamptz(default=None, null=True)
    username = Varchar(length=200, default="")
    phone = Varchar(length=32, default=None, null=True)
    email = Varchar(length=320, default=None, null=True)
    tags = Array(base_column=Varchar(length=60), default=list)
    custom = JSONB(default="{}")
    search_text = Text(default="")
    opted_out_at = Timestamptz(default=None, null=True)
    consent_at = Timestamptz(default=None, null=True)
    unreachable_at = Timestamptz(default=None, null=True)
    unreachable_reason = Text(default="")
    archived_at = Timestamptz(default=None, null=True)
    merged_into = UUID(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow())


class ContactIdentity(Table, db=DIALECT, tablename="contact_identities"):
    """One address of a contact. (kind, value, scope) is unique: no address has two contacts.

    Times are the provider's, of messages. What is seen again within an hour moves `last_seen_at` only where it decides.
    """

    id = UUID(primary_key=True, default=new_id)
    contact_id = ForeignKey(Contact, on_delete=OnDelete.cascade, null=False, index=True)
    kind = Varchar(length=12)
    value = Varchar(length=200)
    scope = Varchar(length=60, default="")
    address = Varchar(length=200)
    last_seen_at = Timestamptz(default=TimestamptzNow())
    first_seen_at = Timestamptz(default=TimestamptzNow())


class IdentityNote(Table, db=DIALECT, tablename="identity_notes"):
    """What is known of an address beyond whose it is.

    Either whose it was `until` then (no contact: somebody's whom we do not know), or an `event` that tells of a person
    whom nobody knows yet: it waits under each of its addresses.
    """

    id = BigSerial(primary_key=True)
    kind = Varchar(length=12)
    value = Varchar(length=200, index=True)
    scope = Varchar(length=60, default="")
    contact_id = ForeignKey(Contact, on_delete=OnDelete.cascade, null=True, index=True)
    until = Timestamptz(default=None, null=True)
    event = JSONB(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow(), index=True)


class Conversation(Table, db=DIALECT, tablename="conversations"):
    """A thread between a contact and an instance. At most one of a pair is open (partial unique index).

    `status` is queued, assigned, closed, or dormant: open, but only we have written, in bulk. A dormant one is in
    nobody's queue until the customer answers; then it is `opened_at` that answer. It waits, or waited, with the team
    `team_id`, else with the operators of its number; `queued_at` is set where its place is not that of `opened_at`.

    The tabulation's name is frozen here when a conversation is closed; last-message columns are of the
    message with the newest (provider time, arrival). `named_at` is the time of the newest message that showed
    the customer's profile name. `paced_until` is how far ahead of the provider's limit for one customer we are.
    """

    id = UUID(primary_key=True, default=new_id)
    contact_id = ForeignKey(Contact, on_delete=OnDelete.restrict, null=False)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.restrict, null=False)
    status = Varchar(length=10, default="queued")
    assigned_to = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    team_id = UUID(default=None, null=True)
    queued_at = Timestamptz(default=None, null=True)
    last_activity_at = Timestamptz(default=TimestamptzNow())
    last_message_kind = Varchar(length=12, default=None, null=True)
    last_message_preview = Varchar(length=200, default=None, null=True)
    last_message_direction = Varchar(length=8, default=None, null=True)
    last_message_at = Timestamptz(default=None, null=True)
    last_inbound_at = Timestamptz(default=None, null=True)
    named_at = Timestamptz(default=None, null=True)
    unread_count = Integer(default=0)
    window_expires_at = Timestamptz(default=None, null=True)
    paced_until = Timestamptz(default=None, null=True)
    tags = Array(base_column=Varchar(length=60), default=list)
    opened_at = Timestamptz(default=TimestamptzNow())
    assigned_at = Timestamptz(default=None, null=True)
    first_reply_at = Timestamptz(default=None, null=True)
    closed_at = Timestamptz(default=None, null=True)
    closed_by = UUID(default=None, null=True)
    tabulation_id = UUID(default=None, null=True)
    tabulation_name = Varchar(length=120, default=None, null=True)
    closing_notes = Text(default=None, null=True)
    closing_fields = JSONB(default=None, null=True)
    merged_into = UUID(default=None, null=True)


class Lane(Table, db=DIALECT, tablename="message_lanes"):
    """A stream of messages from one number that what people write overtakes: paced, and stopped at once.

    Its messages leave while `is_open`, from `next_at` on and before `open_until`, `gap_ms` apart (0: as fast as the
    number may), each gap drawn from ±`jitter` of that (0 to 1). `owner` is the name of the plugin that steers it.
    """

    id = UUID(primary_key=True, default=new_id)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.cascade, null=False, index=True)
    owner = Varchar(length=60)
    is_open = Boolean(default=False)
    gap_ms = Integer(default=0)
    jitter = Real(default=0.0)
    next_at = Timestamptz(default=None, null=True)
    open_until = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())


class Message(Table, db=DIALECT, tablename="messages"):
    """One message, and while it is outbound and `pending`, its own place in the queue.

    `seq` is the order of arrival. `at` is the time to show and sort by: the provider's, or our own until
    the provider tells. `status_rank` is `contracts.message.RANK[status]`. `failed_at` is when the provider last said
    that it failed, `sent_again_at` when it last said `sent` of what we knew to be sent before. `request_id` is of the
    request that brought it. `lane` is 1 for the messages of a Lane, else 0.
    """

    id = UUID(primary_key=True, default=new_id)
    seq = BigSerial()
    conversation_id = ForeignKey(Conversation, on_delete=OnDelete.restrict, null=False)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.restrict, null=False)
    direction = Varchar(length=8)
    kind = Varchar(length=12)
    text = Text(default=None, null=True)
    payload = JSONB(default=None, null=True)
    media_id = ForeignKey(MediaFile, on_delete=OnDelete.set_null, null=True, index=True)
    status = Varchar(length=12)
    status_rank = SmallInt()
    external_id = Varchar(length=256, default=None, null=True)
    client_id = Varchar(length=120, default=None, null=True)
    reply_to_external_id = Varchar(length=256, default=None, null=True)
    template_id = UUID(default=None, null=True)
    request_id = Varchar(length=80, default=None, null=True)
    sender_id = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    author_name = Varchar(length=200, default=None, null=True)
    at = Timestamptz(default=TimestamptzNow())
    created_at = Timestamptz(default=TimestamptzNow())
    sent_at = Timestamptz(default=None, null=True)
    delivered_at = Timestamptz(default=None, null=True)
    read_at = Timestamptz(default=None, null=True)
    sent_again_at = Timestamptz(default=None, null=True)
    failed_at = Timestamptz(default=None, null=True)
    edited_at = Timestamptz(default=None, null=True)
    deleted_at = Timestamptz(default=None, null=True)
    error_code = Varchar(length=60, default=None, null=True)
    error_detail = Text(default=None, null=True)
    provider_code = Varchar(length=60, default=None, null=True)
    lane = SmallInt(default=0)
    lane_id = ForeignKey(Lane, on_delete=OnDelete.set_null, null=True)
    attempts = SmallInt(default=0)
    next_attempt_at = Timestamptz(default=None, null=True)
    claimed_until = Timestamptz(default=None, null=True)


class Reaction(Table, db=DIALECT, tablename="message_reactions"):
    """One party's reaction to a message. An empty emoji is a reaction taken back, kept for its time."""

    id = BigSerial(primary_key=True)
    message_id = ForeignKey(Message, on_delete=OnDelete.cascade, null=False)
    reactor = Varchar(length=240)
    from_company = Boolean()
    emoji = Varchar(length=40, default="")
    at = Timestamptz()


class FormerId(Table, db=DIALECT, tablename="former_message_ids"):
    """The provider's id of a message that was since sent anew: what is still told of it is told of the message."""

    id = BigSerial(primary_key=True)
    message_id = ForeignKey(Message, on_delete=OnDelete.cascade, null=False, index=True)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.cascade, null=False)
    external_id = Varchar(length=256)
    created_at = Timestamptz(default=TimestamptzNow())


class Template(Table, db=DIALECT, tablename="message_templates"):
    """A template in one language: of one number's account, or (no instance) our own, which all numbers send as text.

    The JSON columns hold `contracts.template` values; `named` says how its variables are written. What is deleted is
    kept, archived, for the messages that were sent with it. `synced_at` is when the provider showed all of it last.
    `changed_at`, `category_at` and `quality_at` are the times of the news of its status, category and quality.
    """

    id = UUID(primary_key=True, default=new_id)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.cascade, null=True)
    name = Varchar(length=512)
    language = Varchar(length=20)
    category = Varchar(length=20)
    status = Varchar(length=10)
    reason = Text(default="")
    quality = Varchar(length=20, default="")
    header = JSONB(default=None, null=True)
    body = Text()
    footer = Text(default="")
    buttons = JSONB(default="[]")
    named = Boolean(default=False)
    examples = JSONB(default="[]")
    supported = Boolean(default=True)
    external_id = Varchar(length=100, default=None, null=True)
    synced_at = Timestamptz(default=None, null=True)
    changed_at = Timestamptz(default=None, null=True)
    category_at = Timestamptz(default=None, null=True)
    quality_at = Timestamptz(default=None, null=True)
    archived_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow())


class WaitingUpdate(Table, db=DIALECT, tablename="waiting_updates"):
    """A status, edit, deletion, reaction or echo that came before its message: applied when that comes."""

    id = BigSerial(primary_key=True)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.cascade, null=False)
    external_id = Varchar(length=256)
    event = JSONB()
    created_at = Timestamptz(default=TimestamptzNow())


class WebhookEvent(Table, db=DIALECT, tablename="webhook_events"):
    """A webhook's body as it came, without secrets and media bytes: kept for a time, for replay."""

    id = BigSerial(primary_key=True)
    provider = Varchar(length=60)
    instance_id = UUID(default=None, null=True)
    event_name = Varchar(length=80, default="")
    body = JSONB()
    received_at = Timestamptz(default=TimestamptzNow())


class DeadLetter(Table, db=DIALECT, tablename="dead_letters"):
    """A part of a webhook that could not be applied, with its JSON and the error, until somebody looks."""

    id = BigSerial(primary_key=True)
    provider = Varchar(length=60)
    instance_id = UUID(default=None, null=True)
    error = Text()
    item = JSONB()
    created_at = Timestamptz(default=TimestamptzNow())
    resolved_at = Timestamptz(default=None, null=True)
