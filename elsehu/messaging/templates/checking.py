"""Whether a template that people write can be one: its variables, examples and buttons, as providers want them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.template import ProviderTemplate, TemplateButton
from elsehu.messaging.templates.schemas import LONGEST_CODE
from elsehu.messaging.templates.variables import names_in

WELL_FORMED = re.compile(r"\{\{[a-z0-9_]+\}\}")
BRACES = re.compile(r"\{\{|\}\}")
MOST = {"url": 2, "phone": 1, "copy_code": 1, "contact_request": 1}
OWN_FIELD = {"url": "url", "phone": "phone", "copy_code": "example"}


def require(template: ProviderTemplate, *, with_examples: bool) -> None:
    """Raise Invalid, naming every field at fault. `with_examples`: each variable must have one, for the provider."""
    errors = [
        *_texts(template),
        *_header(template),
        *_body_examples(template, with_examples),
        *_header_example(template, with_examples),
        *_buttons(template.buttons, with_examples),
    ]
    if errors:
        raise Invalid("invalid_request", "The template is not valid; see errors.", errors=errors)


def is_named(body: str, header: str | None) -> bool:
    """Whether the variables of a template are names (else numbers, or there are none)."""
    return any(not name.isdigit() for name in names_in(f"{body} {header or ''}"))


def _texts(template: ProviderTemplate) -> Iterator[FieldError]:
    header = template.header.text if template.header else None
    if not template.body.strip():
        yield FieldError("body", "is empty")
    for field, text in (("body", template.body), ("header.text", header)):
        yield from _places(field, text or "")
    for field, text in _fixed(template):
        if BRACES.search(text):
            yield FieldError(field, "cannot hold variables")
    styles = {name.isdigit() for name in names_in(f"{template.body} {header or ''}")}
    if len(styles) > 1:
        yield FieldError("body", "mixes numbers and names (header included): write all variables one way")


def _fixed(template: ProviderTemplate) -> Iterator[tuple[str, str]]:
    yield "footer", template.footer or ""
    for number, button in enumerate(template.buttons):
        yield f"buttons.{number}.text", button.text


def _places(field: str, text: str) -> Iterator[FieldError]:
    if BRACES.search(WELL_FORMED.sub("", text)):
        yield FieldError(field, "has braces around what is no variable: write {{1}}, {{2}}, … or {{order_id}}")
    numbers = [int(name) for name in names_in(text) if name.isdigit()]
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        yield FieldError(field, "must number its variables from {{1}} on, without gaps")


def _header(template: ProviderTemplate) -> Iterator[FieldError]:
    header = template.header
    if header is None:
        return
    if header.format == "text" and not (header.text or "").strip():
        yield FieldError("header.text", "is needed for a header of text")
    if header.format != "text" and header.text is not None:
        yield FieldError("header.text", f"does not belong to a header of format {header.format}")
    if header.format == "location" and header.example is not None:
        yield FieldError("header.example", "does not belong to a header that shows a place")
    if len(names_in(header.text or "")) > 1:
        yield FieldError("header.text", "may hold one variable at most")


def _body_examples(template: ProviderTemplate, with_examples: bool) -> Iterator[FieldError]:
    names = names_in(template.body)
    if len(template.examples) != len(names) and (with_examples or template.examples):
        yield FieldError("examples", f"must be {len(names)}, one for each variable of the body: {', '.join(names)}")


def _header_example(template: ProviderTemplate, with_examples: bool) -> Iterator[FieldError]:
    header = template.header
    if header is None or header.format != "text":
        return
    has_variable = bool(names_in(header.text or ""))
    if has_variable and with_examples and not header.example:
        yield FieldError("header.example", "is needed: an example of the header's variable")
    if header.example is not None and not has_variable:
        yield FieldError("header.example", "does not belong to a header without a variable")


def _buttons(buttons: Sequence[TemplateButton], with_examples: bool) -> Iterator[FieldError]:
    for number, button in enumerate(buttons):
        for error in _button(button, with_examples):
            yield FieldError(f"buttons.{number}.{error.field}", error.message)
    for kind, count in Counter(button.type for button in buttons).items():
        if count > MOST.get(kind, count):
            yield FieldError("buttons", f"may hold at most {MOST[kind]} of type {kind}")
    labels = [button.text for button in buttons]
    if len(set(labels)) < len(labels):
        yield FieldError("buttons", "must have different texts")
    if _is_mingled([button.type == "quick_reply" for button in buttons]):
        yield FieldError("buttons", "must have all of type quick_reply next to each other")


def _is_mingled(flags: Sequence[bool]) -> bool:
    """Whether what is true does not stand together."""
    return sum(1 for before, after in zip([False, *flags], flags, strict=False) if after and not before) > 1


def _button(button: TemplateButton, with_examples: bool) -> Iterator[FieldError]:
    own = OWN_FIELD.get(button.type)
    for field in ("url", "phone"):
        value = getattr(button, field)
        if field == own and value is None:
            yield FieldError(field, f"is needed for a button of type {button.type}")
        if field != own and value is not None:
            yield FieldError(field, f"does not belong to a button of type {button.type}")
    if button.type == "url" and button.url is not None:
        yield from _url(button, with_examples)
    elif button.type == "copy_code":
        yield from _code(button, with_examples)
    elif button.example is not None:
        yield FieldError("example", f"does not belong to a button of type {button.type}")


def _url(button: TemplateButton, with_examples: bool) -> Iterator[FieldError]:
    url = button.url or ""
    has_place = url.endswith("{{1}}")
    if BRACES.search(url.removesuffix("{{1}}")):
        yield FieldError("url", "may hold one variable only, {{1}}, at its end")
    if has_place and with_examples and not button.example:
        yield FieldError("example", "is needed: an example of what stands in the URL's variable")
    if not has_place and button.example is not None:
        yield FieldError("example", "does not belong to a URL without a variable")


def _code(button: TemplateButton, with_examples: bool) -> Iterator[FieldError]:
    if with_examples and not button.example:
        yield FieldError("example", "is needed: an example of a code")
    if len(button.example or "") > LONGEST_CODE:
        yield FieldError("example", f"may have at most {LONGEST_CODE} characters")
