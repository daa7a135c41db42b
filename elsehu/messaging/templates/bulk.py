"""Drafting for many people at once: everything is looked up beforehand, so that each draft is a pure function.

The places of a text are what stands in double braces, whatever it is called: `{{nome}}`, `{{Order no.}}`. Those of a
template are called as its variables are: `1` or `order_id` in the body, `header.1` in the header if it is numbered (a
name means the same in both), `button.0` the one of its first button.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from elsehu.contracts.errors import Conflict, FieldError, Invalid, NotFound
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.user import Caller, Role
from elsehu.kernel import Kernel
from elsehu.messaging.outbound import files, limits
from elsehu.messaging.outbound.contents import Location
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.schemas import TemplateMessage
from elsehu.messaging.templates.filling import header_problems
from elsehu.messaging.templates.sending import Sendable, draft_of, find_sendable
from elsehu.messaging.templates.variables import Variable, variables_of

PROVIDER = "SELECT provider FROM service_instances WHERE id = $1"
PLACE = re.compile(r"\{\{([^{}]*)\}\}")
UNWRITABLE = re.compile("[\0\ud800-\udfff]")
BRACES = re.compile(r"\{\{|\}\}")
LONGEST_VALUE = 4096
WHOEVER = Caller(Role.ADMIN, None, "bulk sending")
"""Who looks at a header's file here. Whether the one who chose it may send it is for the plugin to decide."""


@dataclass(frozen=True, slots=True)
class TemplateContent:
    """A template as the content of many messages: what is the same in all of them stands here.

    `header_media_id` is the file of a header that shows one, `header_location` the place of one that shows that.
    """

    template_id: UUID
    header_media_id: UUID | None = None
    header_location: Location | None = None


class BulkDrafter(ABC):
    """Makes one person's message. `places` are the names that must be filled, in the order in which they are read."""

    def __init__(self, places: Iterable[str], optional: Iterable[str] = ()) -> None:
        self.places: Sequence[str] = list(dict.fromkeys(places))
        self._fillable: Sequence[str] = list(dict.fromkeys([*self.places, *optional]))

    def draft(self, variables: Mapping[str, str]) -> Draft:
        """Return the message with its places filled; what it has no place for is passed over.

        Looks nothing up. Raises Invalid, and nothing else: `missing_variables` with all places that are empty, or
        `invalid_variables` with those that cannot hold what they are given, or for a message that becomes too long.
        """
        _require_none("missing_variables", "Not every place is filled; see errors.", self._missing(variables))
        _require_none("invalid_variables", "The places cannot be filled so; see errors.", self._unwritable(variables))
        return self._filled(variables)

    def _missing(self, variables: Mapping[str, str]) -> list[FieldError]:
        return [FieldError(place, "is missing") for place in self.places if not variables.get(place, "").strip()]

    def _unwritable(self, variables: Mapping[str, str]) -> list[FieldError]:
        reasons = ((place, _why_unwritable(variables[place])) for place in self._fillable if place in variables)
        return [FieldError(place, reason) for place, reason in reasons if reason]

    @abstractmethod
    def _filled(self, variables: Mapping[str, str]) -> Draft:
        """Return the message of variables that are all there and can be written. Raises Invalid."""


def _why_unwritable(value: str) -> str | None:
    """Return why neither a database nor a provider would take a text."""
    if len(value) > LONGEST_VALUE:
        return f"may have at most {LONGEST_VALUE} characters"
    return "holds characters that cannot be sent" if UNWRITABLE.search(value) else None


def _require_none(code: str, detail: str, errors: Sequence[FieldError]) -> None:
    if errors:
        raise Invalid(code, detail, errors=errors)


class TextDrafter(BulkDrafter):
    """Fills the places of a text."""

    def __init__(self, text: str, spec: ProviderSpec) -> None:
        """Raises Invalid for what is no text, or has braces around what is no place."""
        if not text.strip() or UNWRITABLE.search(text):
            problem = FieldError("text", "is needed" if not text.strip() else "holds characters that cannot be sent")
            raise Invalid("invalid_text", "This is no text that can be sent.", errors=[problem])
        names = [name.strip() for name in PLACE.findall(text)]
        if "" in names or BRACES.search(PLACE.sub("", text)):
            problem = FieldError("text", "has braces around what is no place: write {{name}}")
            raise Invalid("invalid_text", "The text has braces that belong to no place.", errors=[problem])
        super().__init__(names)
        self._text = text
        self._spec = spec

    def _filled(self, variables: Mapping[str, str]) -> Draft:
        text = PLACE.sub(lambda place: variables[place[1].strip()], self._text)
        if len(text) > self._spec.max_text:
            message = f"becomes a text of {len(text)} characters; {self._spec.name} takes {self._spec.max_text}"
            raise Invalid("invalid_variables", "The text becomes too long.", errors=[FieldError("text", message)])
        return Draft(Kind.TEXT, text)


class TemplateDrafter(BulkDrafter):
    """Fills the places of a template."""

    def __init__(self, sendable: Sendable, content: TemplateContent) -> None:
        self._sendable = sendable
        self._variables = [(_place_of(one, sendable), one) for one in variables_of(sendable.template)]
        super().__init__(
            (place for place, one in self._variables if one.required), (place for place, _ in self._variables)
        )
        self._examples = {place: one.example for place, one in self._variables if one.example}
        self._same = _same_in_all(content)

    def _missing(self, variables: Mapping[str, str]) -> list[FieldError]:
        return [self._with_example(error) for error in super()._missing(variables)]

    def _with_example(self, error: FieldError) -> FieldError:
        example = self._examples.get(error.field)
        return replace(error, message=f"{error.message}; an example is {example!r}") if example else error

    def _filled(self, variables: Mapping[str, str]) -> Draft:
        try:
            return draft_of(self._sendable, self._given(variables))
        except Invalid as error:
            places = {f"template.{one.path}": place for place, one in self._variables}
            errors = [replace(one, field=places.get(one.field, _short(one.field))) for one in error.errors]
            raise Invalid("invalid_variables", error.detail, errors=list(dict.fromkeys(errors))) from None

    def _given(self, variables: Mapping[str, str]) -> TemplateMessage:
        """Return what a request to send it would say. Not validated again: that took most of the time of a draft."""
        values: dict[str, dict[str, str]] = {"variables": {}, "headerVariables": {}, "buttonVariables": {}}
        for place, one in self._variables:
            if variables.get(place, "").strip():
                values[one.field][one.name] = variables[place]
        return self._same.model_copy(
            update={
                "variables": values["variables"],
                "header_variables": values["headerVariables"],
                "button_variables": values["buttonVariables"],
            }
        )


def _same_in_all(content: TemplateContent) -> TemplateMessage:
    return TemplateMessage(
        templateId=content.template_id,
        headerMediaId=content.header_media_id,
        headerLocation=content.header_location,
    )


def _short(field: str) -> str:
    return field.removeprefix("template.")


def _place_of(variable: Variable, sendable: Sendable) -> str:
    if variable.field == "variables" or (variable.field == "headerVariables" and sendable.template.named):
        return variable.name
    return f"{'header' if variable.field == 'headerVariables' else 'button'}.{variable.name}"


async def bulk_drafter(kernel: Kernel, instance_id: UUID, content: str | TemplateContent) -> BulkDrafter:
    """Return what drafts messages of `content` for the contacts of a number: a text with places, or a template.

    Raises NotFound (number, template, file), Conflict (`template_not_approved`, `provider_not_enabled`), Gone for a
    file that has expired, and Invalid for what can be sent to nobody.
    """
    spec, provider = await _spec_of(kernel, instance_id)
    if isinstance(content, str):
        limits.require_kind(Kind.TEXT, spec)
        return TextDrafter(content, spec)
    sendable = await find_sendable(kernel, instance_id, provider, content.template_id)
    errors = list(header_problems(sendable.template, _same_in_all(content)))
    _require_none("invalid_template_variables", "The template's header cannot be shown so; see errors.", errors)
    if content.header_media_id is not None and sendable.kind_of_file is not None:
        kind, media_id = sendable.kind_of_file, content.header_media_id
        await files.check(kernel, WHOEVER, media_id, kind, spec, field="headerMediaId")
    return TemplateDrafter(sendable, content)


async def _spec_of(kernel: Kernel, instance_id: UUID) -> tuple[ProviderSpec, str]:
    provider = await kernel.db.fetch_value(PROVIDER, instance_id)
    if provider is None:
        raise NotFound("not_found", f"There is no service instance with the id {instance_id}.")
    spec = kernel.plugins.spec(provider)
    if spec is None:
        raise Conflict("provider_not_enabled", f"The provider {provider!r} is not enabled. Ask an admin.")
    return spec, provider
