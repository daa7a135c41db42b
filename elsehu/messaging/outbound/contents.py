"""What messages of some kinds hold: a place, contact cards, a reaction."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from elsehu.http.schemas import NO_NUL, ApiModel
from elsehu.messaging.outbound.emoji import is_one_emoji
from elsehu.messaging.schemas import Name, Short

MOST_OF_ONE_SORT = 20
"""How many phones, e-mail addresses and so on one card may have."""


class Location(ApiModel):
    """A place."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: Short | None = None
    address: Short | None = None
    url: Annotated[str, StringConstraints(max_length=2000, pattern=NO_NUL)] | None = None


class ContactPhone(ApiModel):
    """A phone on a contact card. `waId` is its WhatsApp account, where it is known."""

    phone: Name
    type: Short | None = None
    wa_id: Short | None = None


class ContactEmail(ApiModel):
    """An e-mail address on a contact card."""

    email: Name
    type: Short | None = None


class ContactUrl(ApiModel):
    """A page on a contact card."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=NO_NUL)]
    type: Short | None = None


class ContactAddress(ApiModel):
    """A postal address on a contact card. `countryCode` has two letters."""

    street: Short | None = None
    city: Short | None = None
    state: Short | None = None
    zip: Short | None = None
    country: Short | None = None
    country_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")] | None = None
    type: Short | None = None


class ContactCard(ApiModel):
    """A contact card. `name` is the whole name, as it is shown; the parts of it are optional."""

    name: Name
    prefix: Short | None = None
    first_name: Short | None = None
    middle_name: Short | None = None
    last_name: Short | None = None
    suffix: Short | None = None
    organization: Short | None = None
    department: Short | None = None
    title: Short | None = None
    birthday: date | None = None
    email: Short | None = None
    url: Short | None = None
    phones: Annotated[list[ContactPhone], Field(max_length=MOST_OF_ONE_SORT)] = Field(default_factory=list)
    emails: Annotated[list[ContactEmail], Field(max_length=MOST_OF_ONE_SORT)] = Field(default_factory=list)
    urls: Annotated[list[ContactUrl], Field(max_length=MOST_OF_ONE_SORT)] = Field(default_factory=list)
    addresses: Annotated[list[ContactAddress], Field(max_length=MOST_OF_ONE_SORT)] = Field(default_factory=list)


def _one_emoji(text: str) -> str:
    if text and not is_one_emoji(text):
        raise ValueError("must be exactly one emoji, or empty to take the reaction back")
    return text


class ReactionIn(ApiModel):
    """A reaction to a message: one emoji; an empty one takes it back."""

    message_id: UUID
    emoji: Annotated[str, StringConstraints(max_length=40, pattern=NO_NUL), AfterValidator(_one_emoji)]
