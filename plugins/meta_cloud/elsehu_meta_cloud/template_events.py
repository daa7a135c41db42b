"""What Meta says of templates (Meta Cloud API reference, sections 5.2 and 13.5)."""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import Event, TemplateChanged

from .flavours import Json, Unreadable, id_of, mapping, text
from .parts import Value
from .template_states import own_word, template_status

NO_REASON = frozenset({"NONE", "NULL"})
LONGEST_REASON = 500


def status_updated(value: Value, part: Any) -> Iterator[Event]:
    """Read `message_template_status_update`. What came before no longer counts: without a reason there is none."""
    data = mapping(part)
    event = text(data.get("event"))
    if event is None:
        raise Unreadable("a template's status that is none")
    yield _changed(value, data, status=template_status(event), category=_category(data), reason=_reason(event, data))


def quality_updated(value: Value, part: Any) -> Iterator[Event]:
    """Read `message_template_quality_update`."""
    data = mapping(part)
    yield _changed(value, data, quality=_upper(data.get("new_quality_score")))


def category_updated(value: Value, part: Any) -> Iterator[Event]:
    """Read `template_category_update`; an announcement's `new_category` is the present one."""
    data = mapping(part)
    yield _changed(value, data, category=_upper(data.get("new_category")))


def components_updated(value: Value, part: Any) -> Iterator[Event]:
    """Read `message_template_components_update`: its text was edited at Meta."""
    yield _changed(value, mapping(part))


def _changed(value: Value, data: Json, **changes: Any) -> TemplateChanged:
    name, language = text(data.get("message_template_name")), text(data.get("message_template_language"))
    if name is None or language is None:
        raise Unreadable("a template without name or language")
    return TemplateChanged(name, language, id_of(data.get("message_template_id")), at=value.at, **changes)


def _category(data: Json) -> str | None:
    return _upper(data.get("message_template_category"))


def _upper(value: Any) -> str | None:
    found = text(value)
    return found.upper() if found else None


def _reason(event: str, data: Json) -> str:
    """Return why, in Meta's words; where its status is finer than ours, that as well."""
    rejection, other = mapping(data.get("rejection_info")), mapping(data.get("other_info"))
    code = text(data.get("reason"))
    told = [
        own_word(event),
        "" if code is None or code.upper() in NO_REASON else code,
        rejection.get("reason"),
        rejection.get("recommendation"),
        other.get("title"),
        other.get("description"),
        mapping(data.get("disable_info")).get("disable_date"),
    ]
    return ". ".join(str(one).rstrip(".") for one in told if one and type(one) in (str, int))[:LONGEST_REASON]
