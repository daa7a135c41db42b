"""Templates in Meta's words and in ours: components and examples (Meta Cloud API reference, section 5.2)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import ProviderTemplate, TemplateButton, TemplateHeader

from .flavours import Json, id_of, listed, mapping, text
from .template_states import own_word, template_status

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")

BUTTONS: Mapping[str, str] = {
    "QUICK_REPLY": "quick_reply",
    "URL": "url",
    "PHONE_NUMBER": "phone",
    "COPY_CODE": "copy_code",
    "FLOW": "flow",
    "OTP": "otp",
    "REQUEST_CONTACT_INFO": "contact_request",
}
META_BUTTONS = {ours: theirs for theirs, ours in BUTTONS.items()}
FORMATS = ("TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION")


def template_of(said: Json) -> ProviderTemplate | None:
    """Return a template as Meta lists it, or None where it has no name."""
    name, language = text(said.get("name")), text(said.get("language"))
    if name is None or language is None:
        return None
    components = [mapping(one) for one in listed(said, "components")]
    parts = {str(one.get("type", "")).upper(): one for one in components}
    body, header = parts.get("BODY", {}), _header(parts.get("HEADER"))
    buttons = [_button(mapping(one)) for one in listed(parts.get("BUTTONS", {}), "buttons")]
    is_named = str(said.get("parameter_format", "")).upper() == "NAMED"
    word, reason = text(said.get("status")) or "", text(said.get("rejected_reason"))
    return ProviderTemplate(
        name=name,
        language=language,
        category=(text(said.get("category")) or "UTILITY").upper(),
        status=template_status(word),
        body=text(body.get("text")) or "",
        header=header,
        footer=text(parts.get("FOOTER", {}).get("text")),
        buttons=buttons,
        named=is_named,
        examples=_examples(body, is_named=is_named),
        external_id=id_of(said.get("id")),
        quality=_quality(said.get("quality_score")),
        reason=own_word(word) or None if reason in (None, "NONE") else reason,
        supported=_is_supported(parts, header, buttons),
    )


def components_of(template: ProviderTemplate) -> list[dict[str, Any]]:
    """Return a template's components as Meta takes them, each variable with its example."""
    components = [_header_part(template.header, is_named=template.named)] if template.header else []
    components.append({"type": "BODY", "text": template.body, **_body_example(template)})
    if template.footer:
        components.append({"type": "FOOTER", "text": template.footer})
    if template.buttons:
        components.append({"type": "BUTTONS", "buttons": [_button_part(one) for one in template.buttons]})
    return components


def variables_of(body: str) -> list[str]:
    """Return the names of a text's variables in the order in which they first appear."""
    return list(dict.fromkeys(VARIABLE.findall(body)))


def _is_supported(parts: Json, header: TemplateHeader | None, buttons: Sequence[TemplateButton]) -> bool:
    """Whether this plugin can send a template: nothing in it that it would have to leave out."""
    known = set(parts) <= {"HEADER", "BODY", "FOOTER", "BUTTONS"}
    has_known_header = "HEADER" not in parts or header is not None
    return known and has_known_header and all(one.type != "other" for one in buttons)


def _header(part: Json | None) -> TemplateHeader | None:
    form = str((part or {}).get("format", "")).upper()
    if part is None or form not in FORMATS:
        return None
    example = mapping(part.get("example"))
    shown = _first(example.get("header_text")) or _first(example.get("header_handle"))
    named = mapping(_first(example.get("header_text_named_params"))).get("example")
    return TemplateHeader(form.lower(), text(part.get("text")), text(shown) or text(named))


def _header_part(header: TemplateHeader, *, is_named: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "HEADER", "format": header.format.upper()}
    if header.format != "text":
        return {**part, "example": {"header_handle": [header.example]}} if header.example else part
    part["text"] = header.text or ""
    names = variables_of(part["text"])
    if names and header.example:
        named = {"header_text_named_params": [{"param_name": names[0], "example": header.example}]}
        part["example"] = named if is_named else {"header_text": [header.example]}
    return part


def _body_example(template: ProviderTemplate) -> dict[str, Any]:
    names = variables_of(template.body)
    if not names or not template.examples:
        return {}
    if template.named:
        pairs = zip(names, template.examples, strict=False)
        return {"example": {"body_text_named_params": [{"param_name": name, "example": one} for name, one in pairs]}}
    return {"example": {"body_text": [list(template.examples)]}}


def _examples(body: Json, *, is_named: bool) -> Sequence[str]:
    example = mapping(body.get("example"))
    if not is_named:
        first = _first(example.get("body_text"))
        values = first if isinstance(first, list) else example.get("body_text")
        return [one for one in values if isinstance(one, str)] if isinstance(values, list) else []
    pairs = [mapping(one) for one in listed(example, "body_text_named_params")]
    by_name = {one.get("param_name"): one.get("example") for one in pairs}
    return [str(by_name.get(name, "")) for name in variables_of(text(body.get("text")) or "")] if by_name else []


def _button(said: Json) -> TemplateButton:
    kind = BUTTONS.get(str(said.get("type", "")).upper(), "other")
    url = text(said.get("url"))
    if kind == "url" and "code=otp" in (url or ""):
        kind = "otp"  # Lists show the button of a one-time password as the URL button that it is sent as.
    example = said.get("example")
    shown = _first(example) if isinstance(example, list) else example
    return TemplateButton(kind, text(said.get("text")) or "", url, text(said.get("phone_number")), text(shown))


def _button_part(button: TemplateButton) -> dict[str, Any]:
    part: dict[str, Any] = {"type": META_BUTTONS.get(button.type, button.type.upper()), "text": button.text}
    match button.type:
        case "url":
            example = {"example": [button.example]} if button.example else {}
            return {**part, "url": button.url, **example}
        case "phone":
            return {**part, "phone_number": button.phone}
        case "copy_code":
            return {"type": part["type"], "example": button.example}
        case "otp":
            return {**part, "otp_type": "COPY_CODE"}
        case _:
            return part


def _quality(said: Any) -> str | None:
    return text(mapping(said).get("score")) or text(said)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None
