"""Templates: texts that were agreed upon before they are sent, with places for variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class TemplateStatus(StrEnum):
    """Whether a template can be sent: only `APPROVED` can. A provider's finer words go into `reason`."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PAUSED = "PAUSED"
    DISABLED = "DISABLED"


class TemplateCategory(StrEnum):
    """What a template is for."""

    MARKETING = "MARKETING"
    UTILITY = "UTILITY"
    AUTHENTICATION = "AUTHENTICATION"


@dataclass(frozen=True, slots=True)
class TemplateHeader:
    """What stands above a template's body. `format`: text (one variable at most), image, video, document, location.

    `example` is the text header's example value; of media, a handle under which the provider knows a sample.
    """

    format: str
    text: str | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class TemplateButton:
    """A button under a template. `type`: quick_reply, url, phone, copy_code, flow, otp, contact_request, other.

    `url` may end in a variable (`https://shop.example/{{1}}`), of which `example` is a value.
    """

    type: str
    text: str
    url: str | None = None
    phone: str | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderTemplate:
    """A template as a provider has it, or is to have it.

    `body` and a text header hold variables: `{{1}}`, `{{2}}`… or, where `named`, `{{order_id}}`. `examples` are
    values of the body's variables, in the order of their numbers, or in which their names first appear. `supported`
    is False for one that this plugin can list but not send (a carousel, say).
    """

    name: str
    language: str
    category: str
    status: TemplateStatus
    body: str
    header: TemplateHeader | None = None
    footer: str | None = None
    buttons: Sequence[TemplateButton] = ()
    named: bool = False
    examples: Sequence[str] = ()
    external_id: str | None = None
    quality: str | None = None
    reason: str | None = None
    supported: bool = True
