"""A provider's limits on interactive messages."""

from collections import Counter
from collections.abc import Iterator, Sequence

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.plugin import InteractiveLimits, ProviderSpec
from elsehu.messaging.outbound.interactive import (
    Header,
    HeaderText,
    Interactive,
    InteractiveButtons,
    InteractiveContactRequest,
    InteractiveFlow,
    InteractiveLink,
    InteractiveList,
    InteractiveLocationRequest,
    ListRow,
    ReplyButton,
)

ROOT = "interactive"
Placed = tuple[str, ReplyButton | ListRow]
"""A choice and its path."""


def check(message: Interactive, spec: ProviderSpec) -> list[FieldError]:
    """Return what of `message` the provider would not take. Raises Invalid where it does not take its type."""
    limits = spec.interactive.get(message.type)
    if limits is None:
        can = ", ".join(sorted(spec.interactive)) or "none"
        detail = f"{spec.name} cannot send interactive messages of the type {message.type}; it sends: {can}."
        raise Invalid("unsupported_by_provider", detail, errors=[FieldError(f"{ROOT}.type", f"must be one of: {can}")])
    return [*_frame(message, limits), *_content(message, limits)]


def _frame(message: Interactive, limits: InteractiveLimits) -> Iterator[FieldError]:
    yield from _length("body", message.body, limits.max_body)
    if isinstance(message, InteractiveLocationRequest | InteractiveContactRequest):
        return
    yield from _length("footer", message.footer, limits.max_footer)
    if message.header is not None:
        yield from _header(message.header, limits)


def _header(header: Header, limits: InteractiveLimits) -> Iterator[FieldError]:
    if header.format not in limits.headers:
        can = ", ".join(sorted(limits.headers))
        yield FieldError(f"{ROOT}.header.format", f"must be one of: {can}" if can else "a header cannot be sent here")
    if isinstance(header, HeaderText):
        yield from _length("header.text", header.text, limits.max_header)


def _content(message: Interactive, limits: InteractiveLimits) -> Iterator[FieldError]:
    match message:
        case InteractiveButtons():
            placed = [(f"buttons.{place}", one) for place, one in enumerate(message.buttons)]
            yield from _choices("buttons", placed, limits)
            yield from _repeated([(f"{path}.title", one.title) for path, one in placed])
        case InteractiveList():
            yield from _length("label", message.label, limits.max_label)
            yield from _sections(message, limits)
        case InteractiveLink() | InteractiveFlow():
            yield from _length("label", message.label, limits.max_label)


def _sections(message: InteractiveList, limits: InteractiveLimits) -> Iterator[FieldError]:
    yield from _count("sections", len(message.sections), limits.max_sections, "sections")
    for place, section in enumerate(message.sections):
        yield from _length(f"sections.{place}.title", section.title, limits.max_section_title)
        if section.title is None and len(message.sections) > 1:
            yield FieldError(f"{ROOT}.sections.{place}.title", "is needed where there is more than one section")
    rows = [
        (f"sections.{place}.rows.{number}", row)
        for place, section in enumerate(message.sections)
        for number, row in enumerate(section.rows)
    ]
    yield from _choices("sections", rows, limits)
    for path, row in rows:
        yield from _length(f"{path}.description", row.description, limits.max_choice_description)


def _choices(field: str, placed: Sequence[Placed], limits: InteractiveLimits) -> Iterator[FieldError]:
    yield from _count(field, len(placed), limits.max_choices, "choices")
    for path, choice in placed:
        yield from _length(f"{path}.id", choice.id, limits.max_choice_id)
        yield from _length(f"{path}.title", choice.title, limits.max_choice_title)
    yield from _repeated([(f"{path}.id", choice.id) for path, choice in placed])


def _count(field: str, count: int, most: int, what: str) -> Iterator[FieldError]:
    if count > most:
        yield FieldError(f"{ROOT}.{field}", f"may have at most {most} {what}; these are {count}")


def _length(field: str, text: str | None, most: int) -> Iterator[FieldError]:
    if text is not None and len(text) > most:
        yield FieldError(f"{ROOT}.{field}", f"may have at most {most} characters; it has {len(text)}")


def _repeated(values: Sequence[tuple[str, str]]) -> Iterator[FieldError]:
    """Find what must be there once, at its second place and further ones."""
    seen: Counter[str] = Counter()
    for path, value in values:
        seen[value] += 1
        if seen[value] > 1:
            yield FieldError(f"{ROOT}.{path}", "is used twice; each must be another")
