"""Files: what is stored, what is still to be fetched, and the objects in storage that no file has claimed."""

from piccolo.columns import JSONB, UUID, BigInt, Boolean, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.columns.base import OnDelete
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.identity.tables import ApiKey, User
from elsehu.ids import new_id
from elsehu.instances.tables import ServiceInstance


class MediaFile(Table, db=DIALECT, tablename="media_files"):
    """One file. `state`: pending (to fetch), ready, failed (given up, `error` says why), expired.

    `reference` is what the provider plugin needs to fetch it; while it is pending, `size`, `sha256` and
    `mime_type` are the provider's claims. `storage_key` is where the bytes are, in the plugin `storage`.
    An upload belongs to a user or an API key.
    """

    id = UUID(primary_key=True, default=new_id)
    instance_id = ForeignKey(ServiceInstance, on_delete=OnDelete.set_null, null=True)
    state = Varchar(length=12, default="pending")
    mime_type = Varchar(length=127, default="application/octet-stream")
    file_name = Varchar(length=255, default="")
    size = BigInt(default=None, null=True)
    sha256 = Varchar(length=64, default=None, null=True)
    storage_key = Varchar(length=200, default=None, null=True)
    storage = Varchar(length=60, default="")
    reference = JSONB(default="{}")
    is_voice = Boolean(default=False)
    attempts = Integer(default=0)
    next_attempt_at = Timestamptz(default=TimestamptzNow())
    claimed_until = Timestamptz(default=None, null=True)
    error = Text(default="")
    uploaded_by = ForeignKey(User, on_delete=OnDelete.set_null, null=True)
    uploaded_by_key = ForeignKey(ApiKey, on_delete=OnDelete.set_null, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    ready_at = Timestamptz(default=None, null=True)


class UnclaimedObject(Table, db=DIALECT, tablename="unclaimed_objects"):
    """An object that may be in storage without belonging to a file.

    Written before the object is stored, deleted in the transaction that makes it a file's. What stays is
    swept: first `doomed`, after which no file can claim it, then deleted in storage.
    """

    key = Varchar(length=200, primary_key=True)
    storage = Varchar(length=60)
    since = Timestamptz(default=TimestamptzNow())
    doomed = Boolean(default=False)


class MediaRendition(Table, db=DIALECT, tablename="media_renditions"):
    """The same file in another form: `purpose` thumbnail (a small picture) or voice (sound as voice notes need it).

    Made on demand, at most one of a purpose for a file. Goes with its file; without one it is swept.
    """

    id = UUID(primary_key=True, default=new_id)
    media_id = ForeignKey(MediaFile, on_delete=OnDelete.set_null, null=True)
    purpose = Varchar(length=12)
    mime_type = Varchar(length=127)
    size = BigInt()
    sha256 = Varchar(length=64)
    storage_key = Varchar(length=200)
    storage = Varchar(length=60)
    created_at = Timestamptz(default=TimestamptzNow())
