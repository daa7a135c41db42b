"""What the API takes and gives of instances."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from elsehu.contracts.instance import InstanceStatus
from elsehu.http.schemas import ApiModel, PageQuery

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=32)]
Keys = Annotated[dict[str, Any], Field(default_factory=dict, max_length=100)]


class NewInstance(ApiModel):
    """A number to add. `credentials` and `settings` are those of its provider."""

    name: Name
    phone: Phone
    provider: str
    credentials: Keys
    settings: Keys


class InstanceChanges(ApiModel):
    """What to change. `credentials` and `settings` are replaced key by key; null takes a key back."""

    name: Name | None = None
    phone: Phone | None = None
    credentials: Keys
    settings: Keys


class InstanceQuery(PageQuery):
    """Which instances to list."""

    include_inactive: bool = False


class DeletionQuery(ApiModel):
    """`forget` also deletes the number at its provider."""

    forget: bool = False


class ServiceInstance(ApiModel):
    """One configured number on a provider. Its credentials are never shown."""

    id: UUID
    name: str
    phone: str
    provider: str
    is_active: bool
    status: InstanceStatus
    status_detail: str
    last_seen_at: datetime | None
    health: dict[str, Any]
    abilities: list[str]
    webhook_url: str
    created_at: datetime


class ServiceInstances(ApiModel):
    """A page of instances, in the order of their names."""

    items: list[ServiceInstance]
    next_cursor: str | None


class QrCode(ApiModel):
    """What a person scans or types to link a phone. `base64` is a data URI of a PNG, `code` the text in the QR."""

    state: InstanceStatus
    base64: str | None
    code: str | None
    pairing_code: str | None
    expires_at: datetime | None
