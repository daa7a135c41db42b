"""A webhook request as `provider_receive` sees it, and what it may answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.contracts.instance import Instance


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request at `/api/webhooks/{provider}[/{instance_id}[/{secret}]]`.

    Header names are lower case; `body` is raw.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    instance_id: UUID | None = None
    path_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """A verification request, answered with exactly this text."""

    text: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """An authenticated webhook: its parsed payload and the instances that its sender may speak for.

    `instances` may be empty: the body is recorded and answered 200.
    """

    payload: Any
    instances: Sequence[Instance]
