"""The outbox: what happened, by reference, committed with the change itself."""

from piccolo.columns import JSONB, UUID, BigSerial, Text, Timestamptz, Varchar
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.columns import Xid8
from elsehu.db import DIALECT


class EventRow(Table, db=DIALECT, tablename="events"):
    """One event: its type, what it is about, and the transaction that it was committed with.

    `data` is only for what cannot be read from the subject any more (who lost a conversation, say).
    """

    seq = BigSerial(primary_key=True)
    xid = Xid8(default=None, null=True)
    type = Varchar(length=60)
    subject_id = UUID(default=None, null=True)
    conversation_id = UUID(default=None, null=True)
    data = JSONB(default=None, null=True)
    at = Timestamptz(default=TimestamptzNow())


class EventReader(Table, db=DIALECT, tablename="event_readers"):
    """How far somebody has read who must not miss anything while no process runs: a cursor."""

    name = Varchar(length=60, primary_key=True)
    position = Text()
    updated_at = Timestamptz(default=TimestamptzNow())
