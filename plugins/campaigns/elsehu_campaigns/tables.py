"""Campaigns, their recipients, and the files that recipients come from.

Nothing here refers to the kernel's tables by a foreign key: without the plugin these rows must be in nobody's way.
"""

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
    BigInt,
    BigSerial,
    Boolean,
    Date,
    ForeignKey,
    Integer,
    Real,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.plugin import DIALECT, new_id


class CampaignFile(Table, db=DIALECT, tablename="campaign_files"):
    """An uploaded list. `columns` are its headings, in order; `rows` says how many rows it has.

    `mapping` says which column holds the phones (and names), guessed or corrected; phones without a country code are
    of `default_region`.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=255)
    columns = JSONB()
    rows = Integer(default=0)
    mapping = JSONB(default="{}")
    default_region = Varchar(length=2, default="")
    created_by = UUID(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())


class CampaignFileRow(Table, db=DIALECT, tablename="campaign_file_rows"):
    """One row of a list: `number` is that of its line in the file, `cells` are as many texts as it has columns.

    `phone` are the canonical digits of whom it is for, as its file's `mapping` says; None where it holds no number.
    `same_as` is the number of the first row for the same person, of every later one.
    """

    id = BigSerial(primary_key=True)
    file_id = ForeignKey(CampaignFile, on_delete=OnDelete.cascade, null=False)
    number = Integer()
    cells = JSONB()
    phone = Varchar(length=32, default=None, null=True)
    same_as = Integer(default=None, null=True)


class Campaign(Table, db=DIALECT, tablename="campaigns"):
    """A bulk send from one number.

    What it sends is `text` or the template `template_id`; to whom, `file_id` or `contact_filter`; `mapping` says from
    where each place is filled. `gap_ms` and `jitter` are those of its lane. `sending_window`, `stop_rules` and
    `contact_filter` are as the API shows them.

    `planned_after` is how far the recipients are frozen (a row's number, a contact's id), `planned_at` when all were.
    While `frozen_after` is set, the texts up to that position, and no further, are frozen anew; nothing is sent until
    all are. With `check_numbers` only recipients up to the position `checked_after` are sent to. Outcomes count for the
    stop rules from `judged_after` on (a message's `seq`). `day` is the local day that the daily limit counts,
    `used_before` how many messages had left the queue when it began, and `days_used` how many days it had sent on.
    `told` is what was last told of its stats, at `told_at`.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=200)
    instance_id = UUID()
    created_by = UUID(default=None, null=True)
    text = Text(default=None, null=True)
    template_id = UUID(default=None, null=True)
    header_media_id = UUID(default=None, null=True)
    file_id = ForeignKey(CampaignFile, on_delete=OnDelete.restrict, null=True)
    contact_filter = JSONB(default=None, null=True)
    mapping = JSONB(default="{}")
    gap_ms = Integer(default=0)
    jitter = Real(default=0.0)
    start_at = Timestamptz(default=None, null=True)
    sending_window = JSONB(default=None, null=True)
    timezone = Varchar(length=64)
    daily_limit = Integer(default=None, null=True)
    warm_up = Array(base_column=Integer(), default=list)
    stop_rules = JSONB()
    check_numbers = Boolean(default=False)
    quiet_hours = Integer(default=0)
    state = Varchar(length=10, default="draft")
    state_reason = Text(default=None, null=True)
    hold_reason = Text(default=None, null=True)
    lane_id = UUID(default=None, null=True)
    planned_after = Varchar(length=40, default=None, null=True)
    planned_at = Timestamptz(default=None, null=True)
    frozen_after = Integer(default=None, null=True)
    checked_after = Integer(default=None, null=True)
    judged_after = BigInt(default=0)
    day = Date(default=None, null=True)
    used_before = Integer(default=0)
    days_used = Integer(default=0)
    told = JSONB(default=None, null=True)
    told_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    started_at = Timestamptz(default=None, null=True)
    finished_at = Timestamptz(default=None, null=True)
    updated_at = Timestamptz(default=TimestamptzNow())


class Recipient(Table, db=DIALECT, tablename="campaign_recipients"):
    """One recipient, with a fate of its own. Its id is its message's: so no recipient can be sent to twice.

    `fate` is `planned`, `queued` (from then on its message tells), or `skipped`, for `reason` (a stable code; `detail`
    says it in words). A row of a file that
    is nobody's (no number, or somebody's who is there already) has no contact. `kind`, `text`, `payload`, `media_id`
    and `template_id` are its frozen message.
    """

    id = UUID(primary_key=True, default=new_id)
    campaign_id = ForeignKey(Campaign, on_delete=OnDelete.cascade, null=False)
    position = Integer()
    row_number = Integer(default=None, null=True)
    contact_id = UUID(default=None, null=True)
    name = Varchar(length=200, default="")
    phone = Varchar(length=60, default="")
    variables = JSONB(default="{}")
    kind = Varchar(length=12, default=None, null=True)
    text = Text(default=None, null=True)
    payload = JSONB(default=None, null=True)
    media_id = UUID(default=None, null=True)
    template_id = UUID(default=None, null=True)
    fate = Varchar(length=8)
    reason = Varchar(length=60, default=None, null=True)
    detail = Text(default=None, null=True)
    queued_at = Timestamptz(default=None, null=True)


class HeardWord(Table, db=DIALECT, tablename="campaign_heard_words"):
    """A customer's message that was a word of the opt-out lists: heard once, however often we are told of it.

    `owes_answer` until its confirmation is queued.
    """

    message_id = UUID(primary_key=True)
    owes_answer = Boolean(default=False)
    heard_at = Timestamptz(default=TimestamptzNow())
