"""Imports of contacts, their files and their rows, while they are needed."""

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    BigSerial,
    Bytea,
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


class ContactImport(Table, db=DIALECT, tablename="contact_imports"):
    """An import. `status` is queued, running (its rows are staged), finished or failed.

    `columns` and `mapping` are as asked for while it is queued, then as they were found. `merged_to` is the id of the
    last staged row that is done, `attempts` how often it was begun since something was done, `told_at` when the sockets
    were last told.
    """

    id = UUID(primary_key=True, default=new_id)
    file_name = Varchar(length=255)
    status = Varchar(length=12, default="queued")
    mapping = JSONB(default="{}")
    default_region = Varchar(length=2)
    columns = JSONB(default="[]")
    total = Integer(default=None, null=True)
    created = Integer(default=0)
    updated = Integer(default=0)
    skipped = Integer(default=0)
    failed = Integer(default=0)
    merged_to = BigInt(default=0)
    attempts = SmallInt(default=0)
    error_code = Varchar(length=60, default=None, null=True)
    error_detail = Text(default=None, null=True)
    created_by = UUID(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    begun_at = Timestamptz(default=None, null=True)
    told_at = Timestamptz(default=None, null=True)
    finished_at = Timestamptz(default=None, null=True)


class ContactImportChunk(Table, db=DIALECT, tablename="contact_import_chunks"):
    """A piece of a file, until its rows are staged. Pieces are in the order of their ids."""

    id = BigSerial(primary_key=True)
    import_id = ForeignKey(ContactImport, on_delete=OnDelete.cascade, null=False, index=True)
    content = Bytea()


class ContactImportRow(Table, db=DIALECT, tablename="contact_import_rows"):
    """A row of a file, in the order of the ids: a `contact` to be merged, or what is wrong with its `cells`.

    `number` is what a person calls it. Rows with a `problem` are kept after the import, to be handed back.
    """

    id = BigSerial(primary_key=True)
    import_id = ForeignKey(ContactImport, on_delete=OnDelete.cascade, null=False)
    number = Integer()
    contact = JSONB(default=None, null=True)
    cells = JSONB(default=None, null=True)
    problem = Text(default=None, null=True)
