"""Service instances: configured numbers."""

from piccolo.columns import JSONB, UUID, Boolean, Bytea, DoublePrecision, Text, Timestamptz, Varchar
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT
from elsehu.ids import new_id


class ServiceInstance(Table, db=DIALECT, tablename="service_instances"):
    """One number on a provider. `credentials`, `state` and `webhook_secret` are encrypted (sealing.py).

    `keep_connected` is False while a person wants it disconnected. `just_connected` stays True from becoming
    connected until a Watch has told its listeners. `next_check_at` is when a Watch looks at it again.
    `health` is what the provider says of it beyond its status.
    """

    id = UUID(primary_key=True, default=new_id)
    name = Varchar(length=120, unique=True)
    phone = Varchar(length=32, default="")
    provider = Varchar(length=60, index=True)
    is_active = Boolean(default=True)
    status = Varchar(length=20, default="new")
    status_detail = Text(default="")
    credentials = Bytea()
    state = Bytea()
    webhook_secret = Bytea()
    settings = JSONB(default="{}")
    keep_connected = Boolean(default=True)
    just_connected = Boolean(default=False)
    next_check_at = Timestamptz(default=None, null=True)
    hold_until = Timestamptz(default=None, null=True)
    hold_reason = Text(default="")
    health = JSONB(default="{}")
    last_seen_at = Timestamptz(default=None, null=True)
    history_at = Timestamptz(default=None, null=True)
    rate_tokens = DoublePrecision(default=0)
    rate_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow())
