"""A service instance as plugins see it: one configured number on a provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class InstanceStatus(StrEnum):
    """How a number stands at its provider. Only `CONNECTED` sends; the others hold the queue."""

    NEW = "new"
    CONNECTING = "connecting"
    NEEDS_PAIRING = "needs_pairing"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured number, handed to every provider hook.

    `credentials` and `settings` were validated by the plugin's own schemas (snake_case keys, secrets in
    plain text). `state` is what the plugin asked to keep (`InstanceReport.state`), encrypted at rest.
    `webhook_url` is where the provider is to reach us, `webhook_secret` what it must show there.
    """

    id: UUID
    name: str
    phone: str
    provider: str
    credentials: Mapping[str, Any]
    settings: Mapping[str, Any]
    state: Mapping[str, Any]
    status: InstanceStatus
    webhook_url: str
    webhook_secret: str
    is_active: bool = True

    def __repr__(self) -> str:
        """Show what identifies the instance and none of its secrets."""
        return f"Instance(id={self.id}, name={self.name!r}, provider={self.provider!r})"


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """What a provider says of a number: its status, a sentence for people, and what the plugin wants kept.

    `health` is what admins see beside the status (quality, limits…), in the plugin's own camelCase keys: laid
    over what is known key by key, None takes a key away. Nothing secret.
    """

    status: InstanceStatus
    detail: str = ""
    phone: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a person needs to link a phone. `base64` is a data URI of a PNG, `code` the text inside the QR."""

    status: InstanceStatus
    base64: str | None = None
    code: str | None = None
    pairing_code: str | None = None
    expires_at: datetime | None = None
