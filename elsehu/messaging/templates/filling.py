"""Whether what is given fills a template's places: each that must be, none that is not there, with what may stand."""

import re
from collections.abc import Iterator, Mapping

from elsehu.contracts.errors import FieldError
from elsehu.contracts.template import ProviderTemplate
from elsehu.messaging.outbound.schemas import TemplateMessage, TemplateValues
from elsehu.messaging.templates.rendering import render
from elsehu.messaging.templates.schemas import LONGEST_BODY, LONGEST_CODE, LONGEST_HEADER, LONGEST_URL
from elsehu.messaging.templates.variables import Variable, variables_of

FILES = frozenset({"image", "video", "document"})
LONGEST_PAYLOAD = 256
BROKEN_LINE = re.compile(r"[\r\n\t]")
WIDE_GAP = re.compile(r" {5}")


def given_values(given: TemplateValues) -> dict[str, str]:
    """Return every given value by its path (`variables.1`)."""
    fields: Mapping[str, Mapping[str, str]] = {
        "variables": given.variables,
        "headerVariables": given.header_variables,
        "buttonVariables": given.button_variables,
    }
    return {f"{field}.{name}": value for field, values in fields.items() for name, value in values.items()}


def missing(template: ProviderTemplate, given: TemplateValues) -> list[Variable]:
    """Return the places that must be filled and are not."""
    values = given_values(given)
    return [one for one in variables_of(template) if one.required and one.path not in values]


def needless(template: ProviderTemplate, given: TemplateValues) -> list[str]:
    """Return the paths of values for which there is no place."""
    places = {one.path for one in variables_of(template)}
    return [path for path in given_values(given) if path not in places]


def problems(template: ProviderTemplate, given: TemplateMessage) -> list[FieldError]:
    """Return what keeps a template from being sent with what is given (paths as in `POST /api/messages/send`)."""
    found = [*_unfilled(template, given), *_unfit(template, given), *header_problems(template, given)]
    return [FieldError(f"template.{one.field}", one.message) for one in found]


def too_long(template: ProviderTemplate, given: TemplateMessage) -> list[FieldError]:
    """Return which parts become longer by their values than a provider with templates takes."""
    rendered = render(template, given)
    parts = [("headerVariables", rendered.header or "", LONGEST_HEADER), ("variables", rendered.body, LONGEST_BODY)]
    if template.header is None or template.header.format != "text":
        parts = parts[1:]
    for number, button in enumerate(rendered.buttons):
        if button.type == "url":
            parts.append((f"buttonVariables.{number}", button.value or "", LONGEST_URL))
    return [
        FieldError(f"template.{field}", f"make {len(text)} characters together with the template's; {most} are allowed")
        for field, text, most in parts
        if len(text) > most
    ]


def _unfilled(template: ProviderTemplate, given: TemplateValues) -> Iterator[FieldError]:
    for one in missing(template, given):
        yield FieldError(one.path, "is missing" + (f"; an example is {one.example!r}" if one.example else ""))
    for path in needless(template, given):
        yield FieldError(path, "is no variable of this template")


def _unfit(template: ProviderTemplate, given: TemplateValues) -> Iterator[FieldError]:
    values = given_values(given)
    for one in variables_of(template):
        problem = _problem(_type(template, one), values[one.path]) if one.path in values else None
        if problem:
            yield FieldError(one.path, problem)


def _type(template: ProviderTemplate, variable: Variable) -> str:
    return template.buttons[int(variable.name)].type if variable.field == "buttonVariables" else "text"


def _problem(kind: str, value: str) -> str | None:
    """Return why `value` cannot stand in a text, or in a button of type `kind`."""
    if not value.strip():
        return "is empty"
    if BROKEN_LINE.search(value):
        return "may hold neither line breaks nor tabs"
    if kind == "text":
        return "may hold at most four spaces in a row" if WIDE_GAP.search(value) else None
    if kind in {"url", "copy_code"} and " " in value:
        return "may hold no spaces"
    longest = LONGEST_CODE if kind == "copy_code" else LONGEST_URL if kind == "url" else LONGEST_PAYLOAD
    return f"may have at most {longest} characters" if len(value) > longest else None


def header_problems(template: ProviderTemplate, given: TemplateMessage) -> Iterator[FieldError]:
    """Yield what is wrong with the file, or the place, that is given for a header."""
    shown = template.header.format if template.header else None
    if shown in FILES and given.header_media_id is None:
        yield FieldError("headerMediaId", f"is needed: the header of this template shows a file ({shown})")
    if shown not in FILES and given.header_media_id is not None:
        yield FieldError("headerMediaId", "does not belong here: the header of this template shows no file")
    if shown == "location" and given.header_location is None:
        yield FieldError("headerLocation", "is needed: the header of this template shows a place")
    if shown != "location" and given.header_location is not None:
        yield FieldError("headerLocation", "does not belong here: the header of this template shows no place")
