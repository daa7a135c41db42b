"""Templates of an account: listed by pages, created, edited, deleted (Meta Cloud API reference, section 5.2)."""

import base64
import re
import secrets
from typing import Any

from .backend import Call
from .errors import GraphError, bad, missing, no_object
from .world import Account

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
NAME = re.compile(r"[a-z0-9_]{1,512}")
CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")
EDITABLE = ("APPROVED", "REJECTED", "PAUSED")
MOST = {"HEADER": 60, "BODY": 1024, "FOOTER": 60}
MOST_BUTTON = {"text": 25, "url": 2000, "phone_number": 20}


async def list_templates(call: Call) -> Any:
    """Give one page, and the address of the next while there is more."""
    account = _account(call)
    filters = {name: call.query[name] for name in ("name", "language", "category", "status") if name in call.query}
    found = [one for one in account.templates.values() if all(one[key] == value for key, value in filters.items())]
    limit, start = int(call.query.get("limit", "25")), _position(call.query.get("after"))
    page = found[start : start + limit]
    answer: dict[str, Any] = {"data": [_shown(one, call.query.get("fields")) for one in page]}
    if page:
        answer["paging"] = {"cursors": {"before": _cursor(start), "after": _cursor(start + len(page))}}
        if start + len(page) < len(found):
            after = answer["paging"]["cursors"]["after"]
            answer["paging"]["next"] = f"{call.backend.url}/v24.0/{account.id}/message_templates?after={after}"
    return answer


async def create(call: Call) -> Any:
    """Take a new template for review."""
    account, body = _account(call), call.body
    if not NAME.fullmatch(str(body.get("name", ""))):
        raise GraphError(100, "name must be lower case letters, digits and underscores")
    if body.get("category") not in CATEGORIES or not body.get("language"):
        raise missing("category and language")
    key = (body["name"], body["language"])
    if key in {(one["name"], one["language"]) for one in account.templates.values()}:
        raise GraphError(100, "There is already content in this language for this template", subcode=2388024)
    is_named = body.get("parameter_format") == "NAMED"
    _check_components(body.get("components"), is_named=is_named)
    template = add(account, {**body, "parameter_format": "NAMED" if is_named else "POSITIONAL", "status": "PENDING"})
    return {"id": template["id"], "status": template["status"], "category": template["category"]}


def add(account: Account, template: dict[str, Any]) -> dict[str, Any]:
    """Put a template into an account and return it."""
    usual = {
        "id": str(secrets.randbelow(10**15) + 10**15),
        "language": "pt_BR",
        "category": "UTILITY",
        "status": "APPROVED",
        "parameter_format": "POSITIONAL",
        "rejected_reason": "NONE",
        "quality_score": {"score": "UNKNOWN"},
    }
    made = {**usual, **template}
    account.templates[made["id"]] = made
    return made


async def delete(call: Call) -> Any:
    """Delete all languages of a name, or one with ``hsm_id``."""
    account, name, one = _account(call), call.query.get("name"), call.query.get("hsm_id")
    if not name:
        raise missing("name")
    ids = [key for key, found in account.templates.items() if found["name"] == name and one in (None, key)]
    if not ids:
        raise GraphError(100, "Message template not found", subcode=2593002)
    for key in ids:
        del account.templates[key]
    return {"success": True}


async def get(call: Call) -> Any:
    """Tell one template."""
    return _shown(_template(call), call.query.get("fields"))


async def edit(call: Call) -> Any:
    """Replace the components of a template, which is reviewed again."""
    template = _template(call)
    if template["status"] not in EDITABLE:
        raise GraphError(100, "Only approved, rejected and paused templates can be edited", subcode=2593003)
    if "components" in call.body:
        _check_components(call.body["components"], is_named=template["parameter_format"] == "NAMED")
        template["components"] = call.body["components"]
    template["category"] = call.body.get("category", template["category"])
    template["status"] = "PENDING"
    return {"success": True}


def is_template(call: Call) -> bool:
    """Whether the path names a template."""
    return any(call.parts[0] in account.templates for account in call.world.accounts.values())


def _template(call: Call) -> dict[str, Any]:
    for account in call.world.accounts.values():
        if call.parts[0] in account.templates:
            return account.templates[call.parts[0]]
    raise no_object(call.parts[0])


def _account(call: Call) -> Account:
    account = call.world.accounts.get(call.parts[0])
    if account is None:
        raise no_object(call.parts[0])
    return account


def _shown(template: dict[str, Any], fields: str | None) -> dict[str, Any]:
    names = (
        fields.split(",") if fields else ["name", "parameter_format", "components", "language", "status", "category"]
    )
    return {"id": template["id"], **{name: template[name] for name in names if name in template}}


def _cursor(position: int) -> str:
    return base64.b64encode(f"p{position}".encode()).decode()


def _position(cursor: str | None) -> int:
    return int(base64.b64decode(cursor).decode()[1:]) if cursor else 0


def _check_components(components: Any, *, is_named: bool) -> None:
    if not isinstance(components, list) or "BODY" not in [one.get("type") for one in components]:
        raise missing("components with a BODY")
    for one in components:
        if len(one.get("text", "")) > MOST.get(one["type"], 1024):
            raise bad(f"{one['type']} must have at most {MOST[one['type']]} characters")
        _check_example(one, is_named=is_named)
        for button in one.get("buttons", ()):
            _check_button(button)


def _check_example(one: dict[str, Any], *, is_named: bool) -> None:
    """Raise GraphError where a variable has no example, or a media header no sample."""
    kind, example = one["type"], one.get("example") or {}
    if kind == "HEADER" and one.get("format") in ("IMAGE", "VIDEO", "DOCUMENT") and not example.get("header_handle"):
        raise GraphError(100, "a media header needs example.header_handle", subcode=2388273)
    names = list(dict.fromkeys(VARIABLE.findall(one.get("text", ""))))
    if not names or kind == "FOOTER":
        return
    key = f"{kind.lower()}_text"
    if is_named:
        given = {pair.get("param_name") for pair in example.get(f"{key}_named_params", ()) if pair.get("example")}
        fits = given == set(names)
    else:
        rows = example.get(key)
        values = rows[0] if kind == "BODY" and rows else rows
        fits = isinstance(values, list) and len(values) == len(names)
    if not fits:
        raise GraphError(100, f"{kind} component is missing expected field(s) (example)", subcode=2388043)


def _check_button(button: dict[str, Any]) -> None:
    for name, most in MOST_BUTTON.items():
        if len(button.get(name, "")) > most:
            raise bad(f"a button's {name} must have at most {most} characters")
    if button["type"] == "URL" and VARIABLE.search(button.get("url", "")) and not button.get("example"):
        raise GraphError(100, "a URL button with a variable needs an example", subcode=2388043)
