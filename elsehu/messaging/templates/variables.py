"""The places in a template that are filled when it is sent: where they are, and what stands there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from elsehu.contracts.template import ProviderTemplate, TemplateButton

Field = Literal["variables", "headerVariables", "buttonVariables"]

PLACE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
TAKES_VALUE = {"copy_code": True, "quick_reply": False, "flow": False, "otp": False}
"""Which buttons without a place of their own take a value, and whether they need it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One place: the field of a request that fills it, its name there, an example, and whether it must be filled.

    A button's name is its number in the template, from 0.
    """

    field: Field
    name: str
    example: str | None
    required: bool = True

    @property
    def path(self) -> str:
        """Where its value stands in a request."""
        return f"{self.field}.{self.name}"


def names_in(text: str) -> list[str]:
    """Return the names of the variables in `text`: numbers in their order, others as they first appear."""
    names = list(dict.fromkeys(PLACE.findall(text)))
    return sorted(names, key=int) if all(name.isdigit() for name in names) else names


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its places filled; those without a value stay. Values are not looked into."""
    return PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def variables_of(template: ProviderTemplate) -> list[Variable]:
    """Return what can be filled in a template, in the order in which people read it."""
    return [*_in_header(template), *_in_body(template), *_in_buttons(template)]


def _in_header(template: ProviderTemplate) -> Iterator[Variable]:
    if template.header is not None and template.header.text is not None:
        for name in names_in(template.header.text):
            yield Variable("headerVariables", name, template.header.example)


def _in_body(template: ProviderTemplate) -> Iterator[Variable]:
    examples = iter(template.examples)
    for name in names_in(template.body):
        yield Variable("variables", name, next(examples, None))


def _in_buttons(template: ProviderTemplate) -> Iterator[Variable]:
    for number, button in enumerate(template.buttons):
        required = needs_value(button)
        if required is not None:
            yield Variable("buttonVariables", str(number), button.example, required)


def needs_value(button: TemplateButton) -> bool | None:
    """Whether a button needs a value; None where it takes none."""
    if button.type == "url":
        return True if names_in(button.url or "") else None
    return TAKES_VALUE.get(button.type)
