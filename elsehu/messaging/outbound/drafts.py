"""A message that may be sent, before it is queued."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.contracts.message import Kind


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked message, ready to be queued. `payload` and `media_id` as in `contracts.outbound.OutboundMessage`."""

    kind: Kind
    text: str | None = None
    payload: Mapping[str, Any] | None = None
    media_id: UUID | None = None
    reply_to: str | None = None
    client_id: str | None = None
    template_id: UUID | None = None
