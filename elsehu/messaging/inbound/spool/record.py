"""An authenticated webhook as a line of the spool: encrypted, for a payload may hold a provider's secrets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.secretbox import SecretBox


@dataclass(frozen=True, slots=True)
class Record:
    """What `Accepted` says, and when it came: `arrived` orders the webhooks of this process."""

    arrived: int
    provider: str
    payload: Any
    instance_ids: Sequence[UUID]


def line_of(record: Record, box: SecretBox) -> bytes:
    """Return a record as a line. Raises TypeError or ValueError for a payload that is not JSON."""
    stored = [record.arrived, record.provider, record.payload, [str(one) for one in record.instance_ids]]
    return box.encrypt(json.dumps(stored).encode())  # not orjson: a payload may hold what that refuses


def record_of(line: bytes, box: SecretBox) -> Record:
    """Return what `line_of` was given. Raises WrongSecretKey."""
    arrived, provider, payload, instance_ids = json.loads(box.decrypt(line))
    return Record(arrived, provider, payload, [UUID(one) for one in instance_ids])
