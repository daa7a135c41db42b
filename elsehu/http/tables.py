"""What the HTTP edge remembers: requests that must not be carried out twice."""

from piccolo.columns import Bytea, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from elsehu.db import DIALECT


class IdempotencyKey(Table, db=DIALECT, tablename="idempotency_keys"):
    """One `Idempotency-Key` of one caller on one path, and the answer that its first request got.

    `request` and `answer` are encrypted: a request may hold a password, an answer an API key.
    """

    id = Bytea(primary_key=True)
    request = Bytea()
    answer = Bytea(default=None, null=True)
    created_at = Timestamptz(default=TimestamptzNow(), index=True)
