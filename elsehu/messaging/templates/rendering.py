"""What the customer reads: a template with its places filled."""

from collections.abc import Sequence
from dataclasses import dataclass

from elsehu.contracts.template import ProviderTemplate, TemplateButton
from elsehu.messaging.outbound.contents import Location
from elsehu.messaging.outbound.schemas import TemplateValues
from elsehu.messaging.templates.variables import fill, names_in

MAP = "https://www.google.com/maps?q={latitude},{longitude}"


@dataclass(frozen=True, slots=True)
class RenderedButton:
    """A button with what is behind it: an address, a number, a code, or what its reply will tell us."""

    type: str
    text: str
    value: str | None

    @property
    def line(self) -> str:
        """The button where there are no buttons."""
        if self.value is None or self.type not in {"url", "phone", "copy_code"}:
            return f"• {self.text}"
        return f"{self.text}: {self.value}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template's parts as they are read. A header that is a file has no text; one that is a place has its own."""

    header: str | None
    body: str
    footer: str | None
    buttons: Sequence[RenderedButton]

    @property
    def text(self) -> str:
        """All of it as one text: what our people read, and customers of a provider without templates."""
        buttons = "\n".join(button.line for button in self.buttons)
        return "\n\n".join(part for part in (self.header, self.body, self.footer, buttons) if part)


def render(template: ProviderTemplate, given: TemplateValues) -> Rendered:
    """Return the template filled with what is `given`; what is missing stays as it is written."""
    return Rendered(
        header=_header(template, given),
        body=fill(template.body, given.variables),
        footer=template.footer,
        buttons=[
            RenderedButton(button.type, button.text, _behind(button, button_value(template, number, given)))
            for number, button in enumerate(template.buttons)
        ],
    )


def _header(template: ProviderTemplate, given: TemplateValues) -> str | None:
    if template.header is None:
        return None
    if template.header.format == "location":
        return place_text(given.header_location) if given.header_location else None
    return fill(template.header.text, given.header_variables) if template.header.text else None


def place_text(place: Location) -> str:
    """Return a place as lines: its name, its address, a link to a map."""
    link = MAP.format(latitude=place.latitude, longitude=place.longitude)
    return "\n".join(line for line in (place.name, place.address, link) if line)


def button_value(template: ProviderTemplate, number: int, given: TemplateValues) -> str | None:
    """Return what fills a button. One that copies a one-time password has that of the body."""
    value = given.button_variables.get(str(number))
    if value is None and template.buttons[number].type == "otp":
        return next((given.variables[name] for name in names_in(template.body) if name in given.variables), None)
    return value


def _behind(button: TemplateButton, value: str | None) -> str | None:
    if button.type == "url":
        url = button.url or ""
        return url if value is None else fill(url, dict.fromkeys(names_in(url), value))
    return button.phone if button.type == "phone" else value
