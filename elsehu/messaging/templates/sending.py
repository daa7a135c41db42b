"""From a template and its variables to a message.

A template of a provider goes as such. One of our own goes as what every provider can send: a text, or the header's
file with the rest as its caption.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import Conflict, FieldError, Invalid
from elsehu.contracts.message import MEDIA_KINDS, Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.template import ProviderTemplate, TemplateStatus
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.messaging.outbound import limits
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.schemas import TemplateMessage
from elsehu.messaging.templates.filling import FILES, problems, too_long
from elsehu.messaging.templates.listing import one
from elsehu.messaging.templates.owners import is_our_own
from elsehu.messaging.templates.rendering import button_value, render
from elsehu.messaging.templates.stored import template_of
from elsehu.messaging.templates.variables import names_in


@dataclass(frozen=True, slots=True)
class Sendable:
    """A template that may be sent from a number of the provider of `spec`: as such, or (`as_text`) as a text."""

    id: UUID
    template: ProviderTemplate
    spec: ProviderSpec
    as_text: bool

    @property
    def kind(self) -> Kind:
        """The kind of message that it becomes."""
        if not self.as_text:
            return Kind.TEMPLATE
        header = self.template.header
        return Kind(header.format) if header and header.format in FILES else Kind.TEXT

    @property
    def kind_of_file(self) -> Kind | None:
        """What its header's file is sent as; None where it shows none."""
        header = self.template.header
        return Kind(header.format) if header and header.format in FILES else None


async def prepare(kernel: Kernel, context: Mapping[str, Any], request: TemplateMessage) -> Draft:
    """Return the draft of a template for the conversation of `context` (`instance_id`, `provider`).

    Whether its header's file may be sent is for the caller to check. Raises NotFound, Conflict
    `template_not_approved`, and Invalid.
    """
    sendable = await find_sendable(kernel, context["instance_id"], context["provider"], request.template_id)
    return draft_of(sendable, request)


async def find_sendable(kernel: Kernel, instance_id: UUID, provider: str, template_id: UUID) -> Sendable:
    """Return a template that may be sent from a number. Raises NotFound, Conflict, and Invalid for one that may not."""
    row = await one(kernel.db, template_id)
    template = template_of(row)
    _require_sendable(row, template, instance_id)
    spec = kernel.plugins.spec(provider)
    assert spec is not None
    sendable = Sendable(row["id"], template, spec, is_our_own(kernel, row, provider))
    limits.require_kind(sendable.kind, spec)
    return sendable


def draft_of(sendable: Sendable, given: TemplateMessage) -> Draft:
    """Return the message that a template becomes with what is `given`. Looks nothing up. Raises Invalid."""
    template = sendable.template
    _require_none(problems(template, given))
    text = render(template, given).text
    if sendable.as_text:
        _require_none(_too_long_a_text(sendable, text))
        payload = None
    else:
        _require_none(too_long(template, given))
        payload = payload_of(sendable.id, template, given)
    return Draft(sendable.kind, text, payload, given.header_media_id, template_id=sendable.id)


def _require_sendable(row: Row, template: ProviderTemplate, instance_id: UUID) -> None:
    if row["instance_id"] not in (None, instance_id):
        problem = FieldError("template.templateId", "is a template of another number; see GET /api/templates")
        raise Invalid("template_of_another_number", "Choose a template of this number, or our own.", errors=[problem])
    if not template.supported:
        detail = "Elsehu can list this template, but not send it: it has parts that the plugin does not know."
        raise Invalid("unsupported_by_provider", detail, errors=[FieldError("template.templateId", "cannot be sent")])
    if template.status is not TemplateStatus.APPROVED:
        why = f": {template.reason}" if template.reason else "."
        detail = f"The template {template.name} ({template.language}) is {template.status}{why}"
        raise Conflict("template_not_approved", detail, templateStatus=template.status, reason=template.reason)


def _require_none(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid("invalid_template_variables", "The template cannot be filled so; see errors.", errors=errors)


def payload_of(template_id: UUID, template: ProviderTemplate, given: TemplateMessage) -> dict[str, Any]:
    """Return the payload of a message of kind `template`: what varies, as the provider is told."""
    return {
        "template": {"id": str(template_id), "name": template.name, "language": template.language},
        "header": _header(template, given),
        "body": _parameters(template, template.body, given.variables),
        "buttons": [
            {"index": number, "type": button.type, "value": value}
            for number, button in enumerate(template.buttons)
            if (value := button_value(template, number, given)) is not None
        ],
    }


def _header(template: ProviderTemplate, given: TemplateMessage) -> dict[str, Any] | None:
    header = template.header
    if header is None:
        return None
    if header.format in FILES:
        return {"format": header.format}
    if given.header_location is not None:
        return {"format": "location", "location": given.header_location.model_dump(mode="json", by_alias=True)}
    parameters = _parameters(template, header.text or "", given.header_variables)
    return {"format": "text", "parameters": parameters} if parameters else None


def _parameters(template: ProviderTemplate, text: str, values: Mapping[str, str]) -> list[dict[str, str | None]]:
    return [{"name": name if template.named else None, "text": values[name]} for name in names_in(text)]


def _too_long_a_text(sendable: Sendable, text: str) -> list[FieldError]:
    most = sendable.spec.max_caption if sendable.kind in MEDIA_KINDS else sendable.spec.max_text
    if len(text) <= most:
        return []
    message = f"make a text of {len(text)} characters; {sendable.spec.name} takes {most}"
    return [FieldError("template.variables", message)]
