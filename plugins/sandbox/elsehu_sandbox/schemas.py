"""What the sandbox's own routes take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, ConfigDict, Field

from elsehu.plugin import ApiModel, PluginModel
from elsehu_sandbox.faults import Fault

Text = Annotated[str, Field(min_length=1, max_length=4096)]


class PersonBody(ApiModel):
    """A customer: a phone, a LID, or both."""

    phone: str | None = "+5511987654321"
    lid: str | None = None
    name: str | None = "Maria Souza"


class MediaBody(ApiModel):
    """A file: `base64`, or nothing, for the sandbox to make up `size` bytes of it."""

    mime_type: str
    file_name: str | None = None
    size: int | None = Field(None, ge=1, le=2**30)
    base64: str | None = None
    is_voice: bool = False


class SayBody(ApiModel):
    """A message that a customer is to write. `kind` follows from what is given: text, or the media's."""

    sender: Annotated[PersonBody, Field(alias="from")] = PersonBody()
    text: Text | None = None
    kind: str | None = None
    media: MediaBody | None = None
    payload: dict[str, Any] | None = None
    reply_to: str | None = None
    id: str | None = None
    at: datetime | None = None


def _writable(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        orjson.dumps(events)
    except TypeError:
        detail = "are nested too deeply, or hold a number with more digits than can be kept (send it as text)"
        raise ValueError(detail) from None
    return events


class EventsBody(ApiModel):
    """Events in the format of the sandbox's webhooks; `id` and `at` are made up where they are missing."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000), AfterValidator(_writable)]


class Happened(ApiModel):
    """What the customers did. `taken` says whether Elsehu was told of all of it (a phone offline tells later)."""

    events: list[dict[str, Any]]
    taken: bool


class FaultsBody(PluginModel):
    """What is to go wrong next, in this order; it replaces what was still to come, and `[]` ends it."""

    sequence: Annotated[list[Fault], Field(max_length=1000)]


class PhoneQuery(ApiModel):
    """`?limit=&cursor=&type=` of the phone's memory."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    cursor: Annotated[int, Field(ge=0, le=2**53)] = 0
    type: str | None = None


class PhonePage(ApiModel):
    """What reached the phone, oldest first, in the format of the sandbox's webhooks."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class Connection(ApiModel):
    """How the number stands."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["new", "connecting", "needs_pairing", "connected", "disconnected", "blocked"]
    detail: str
