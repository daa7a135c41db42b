"""What reports keep: rows that can be worked out anew from the history at any time, and exports."""

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    BigSerial,
    Boolean,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.ids import new_id
from elsehu.media.tables import MediaFile


class FinishedConversation(Table, db=DIALECT, tablename="report_conversations"):
    """The figures of one finished conversation (docs/reports.md), in milliseconds; `…_business` by business hours.

    `hours` is the version of the business hours by which they were worked out.
    """

    id = UUID(primary_key=True, default=new_id)
    instance_id = UUID()
    operator_id = UUID(default=None, null=True)
    tabulation_id = UUID(default=None, null=True)
    lane_id = UUID(default=None, null=True)
    opened_at = Timestamptz()
    assigned_at = Timestamptz(default=None, null=True)
    first_reply_at = Timestamptz(default=None, null=True)
    closed_at = Timestamptz()
    wait = BigInt(default=None, null=True)
    first_response = BigInt(default=None, null=True)
    operator_response = BigInt(default=None, null=True)
    customer_response = BigInt(default=None, null=True)
    handling = BigInt(default=None, null=True)
    queue = BigInt(default=0)
    duration = BigInt(default=0)
    wait_business = BigInt(default=None, null=True)
    first_response_business = BigInt(default=None, null=True)
    operator_response_business = BigInt(default=None, null=True)
    customer_response_business = BigInt(default=None, null=True)
    handling_business = BigInt(default=None, null=True)
    queue_business = BigInt(default=0)
    duration_business = BigInt(default=0)
    messages_in = Integer(default=0)
    messages_out = Integer(default=0)
    replies = Integer(default=0)
    responses = Integer(default=0)
    answers = Integer(default=0)
    transfers = SmallInt(default=0)
    reopenings = SmallInt(default=0)
    hours = BigInt(default=0)


class OperatorPart(Table, db=DIALECT, tablename="report_parts"):
    """What one operator did in a finished conversation: who had it (`had`), or wrote in it.

    `is_last`: it was his when it was closed. The conversation's own columns are repeated to be filtered by.
    """

    id = BigSerial(primary_key=True)
    conversation_id = UUID()
    operator_id = UUID()
    instance_id = UUID()
    tabulation_id = UUID(default=None, null=True)
    lane_id = UUID(default=None, null=True)
    closed_at = Timestamptz()
    is_last = Boolean(default=False)
    had = Boolean(default=False)
    first_response = BigInt(default=None, null=True)
    operator_response = BigInt(default=None, null=True)
    handling = BigInt(default=None, null=True)
    first_response_business = BigInt(default=None, null=True)
    operator_response_business = BigInt(default=None, null=True)
    handling_business = BigInt(default=None, null=True)
    messages = Integer(default=0)
    responses = Integer(default=0)


class ReportMark(Table, db=DIALECT, tablename="report_marks"):
    """That a conversation was closed, reopened or changed since its figures were worked out. Triggers write it."""

    id = BigSerial(primary_key=True)
    conversation_id = UUID()


class ReportExport(Table, db=DIALECT, tablename="report_exports"):
    """A report that was asked for as a file to be fetched later. `request` is the query; the row is the queue.

    `status` is waiting, running, ready, failed or expired. `attempts` tells which runner may speak for it, `media_id`
    is the file.
    """

    id = UUID(primary_key=True, default=new_id)
    report = Varchar(length=60)
    format = Varchar(length=60)
    request = JSONB()
    status = Varchar(length=10, default="waiting")
    rows = Integer(default=0)
    total = Integer(default=None, null=True)
    error = Text(default=None, null=True)
    attempts = SmallInt(default=0)
    asked_by = Varchar(length=200, default="")
    media_id = ForeignKey(MediaFile, on_delete=OnDelete.set_null, null=True, index=True)
    created_at = Timestamptz(default=TimestamptzNow())
    touched_at = Timestamptz(default=TimestamptzNow())
    finished_at = Timestamptz(default=None, null=True)
    expires_at = Timestamptz(default=None, null=True)
