"""What tests make happen: people write, messages are read, numbers and templates change. One function an action."""

import base64
import secrets
import time
from typing import Any

from . import templates
from .backend import Backend
from .blobs import blob_of, large_blob
from .errors import GraphError
from .faults import Fault
from .media import new_file
from .sending import tell_status
from .world import Delivered, Number, Person, RequestRecord, WebhookRecord


def reset(backend: Backend) -> None:
    """Begin anew, as it was at the start."""
    backend.reset()


def add_person(backend: Backend, **person: Any) -> None:
    """Add a customer, or change what is known of one."""
    people = backend.world.people
    made = Person(**person)
    same = [one for one in people if (made.user_id and one.user_id == made.user_id) or one.wa_id == made.wa_id]
    for one in same:
        people.remove(one)
    people.append(made)


def write(
    backend: Backend,
    address: str,
    type: str,
    content: Any,
    *,
    number_id: str | None = None,
    at: float | None = None,
    message_id: str | None = None,
    **more: Any,
) -> str:
    """Have a customer write to a number; return the message's id. ``more`` stands beside the type."""
    number, person = _number(backend, number_id), backend.world.person(address)
    message_id = message_id or "wamid." + base64.b64encode(secrets.token_bytes(24)).decode()
    at = time.time() if at is None else at
    message: dict[str, Any] = {**_sender(person), "id": message_id, "timestamp": str(int(at)), "type": type, **more}
    if content is not None:
        message[type] = content
    backend.world.opens(number.id, person, at)
    value = backend.webhooks.number_value(number, contacts=[_card(person)], messages=[message])
    backend.webhooks.fire(number.waba_id, "messages", value, number)
    return message_id


def store_file(
    backend: Backend, mime_type: str, data: str = "", *, size: int | None = None, number_id: str | None = None
) -> dict[str, Any]:
    """Keep a customer's file (base64, or ``size`` made-up bytes after it); return what a webhook says of it."""
    raw = base64.b64decode(data)
    blob = blob_of(raw) if size is None else large_blob(size, raw)
    file = new_file(backend, _number(backend, number_id).id, mime_type, blob)
    digest = base64.b64encode(bytes.fromhex(blob.sha256)).decode()
    return {"id": file.id, "mime_type": mime_type, "sha256": digest}


def tell(backend: Backend, message_id: str, status: str, code: int | None = None, details: str = "") -> None:
    """Tell how far a message has come that was taken."""
    delivered = next(one for one in backend.world.delivered if one.id == message_id)
    failure = GraphError(code, details) if code is not None else None
    tell_status(backend, _number(backend, delivered.number_id), delivered, status, failure)


def emit(backend: Backend, field: str, value: Any, *, number_id: str | None = None) -> None:
    """Send any change. A ``value`` with ``metadata`` is of the number, any other of the account."""
    number = _number(backend, number_id)
    backend.webhooks.fire(number.waba_id, field, value, number if "metadata" in value else None)


def add_number(backend: Backend, number_id: str, phone: str, waba_id: str | None = None) -> None:
    """Add a number, to the usual account unless another is named."""
    backend.world.add_number(number_id, waba_id or backend.options.waba_id, phone)


def change_number(backend: Backend, number_id: str | None = None, **facts: Any) -> None:
    """Change what ``GET /<number>`` tells: status, quality_rating, health_status…"""
    _number(backend, number_id).facts.update(facts)


def hide_fields(backend: Backend, names: list[str]) -> None:
    """Have this version not know some fields of numbers."""
    backend.world.unknown_fields = set(names)


def set_tokens(backend: Backend, tokens: list[str]) -> None:
    """Accept these access tokens and no others."""
    backend.world.tokens = set(tokens)


def add_template(backend: Backend, waba_id: str | None = None, **template: Any) -> str:
    """Add a template in Meta's form; return its id."""
    account = backend.world.accounts[waba_id or backend.options.waba_id]
    return str(templates.add(account, template)["id"])


def change_template(backend: Backend, template_id: str, **changes: Any) -> None:
    """Change a template and, where its status changes, tell the app."""
    for account in backend.world.accounts.values():
        template = account.templates.get(template_id)
        if template is None:
            continue
        template.update(changes)
        if "status" in changes:
            value = {
                "event": changes["status"],
                "message_template_id": int(template_id),
                "message_template_name": template["name"],
                "message_template_language": template["language"],
                "reason": template.get("rejected_reason", "NONE"),
            }
            backend.webhooks.fire(account.id, "message_template_status_update", value)


def set_callback(backend: Backend, url: str | None) -> None:
    """Set the app's own address and subscribe every account, without any verification."""
    backend.world.app.callback = url
    for account in backend.world.accounts.values():
        account.subscribed.add(backend.world.app.id)


def limit(backend: Backend, pair: list[float] | None = None, throughput: list[float] | None = None) -> None:
    """Put rate limits in force: [seconds for each message, burst]; None lifts one."""
    backend.limits.set(
        pair=(pair[0], pair[1]) if pair else None,
        throughput=(throughput[0], throughput[1]) if throughput else None,
    )


def forget_files(backend: Backend) -> None:
    """Forget all files, as Meta does after 30 days."""
    backend.world.files.clear()


def add_fault(backend: Backend, **fault: Any) -> str:
    """Put a fault in force; see ``Fault``."""
    return backend.faults.add(Fault(**fault))


def clear_faults(backend: Backend) -> None:
    """Lift all faults."""
    backend.faults.clear()


def phones(backend: Backend) -> list[Delivered]:
    """Return what arrived on people's phones, oldest first."""
    return list(backend.world.delivered)


def requests(backend: Backend) -> list[RequestRecord]:
    """Return every request, oldest first."""
    return list(backend.world.requests)


def webhooks(backend: Backend) -> list[WebhookRecord]:
    """Return every webhook, oldest first."""
    return list(backend.world.webhooks)


def state(backend: Backend) -> dict[str, Any]:
    """Return what was marked as read, where typing was shown, and the addresses that are set."""
    world = backend.world
    return {
        "read": list(world.read),
        "typing": list(world.typing),
        "files": len(world.files),
        "app_callback": world.app.callback,
        "callbacks": {one.id: one.callback for one in world.numbers.values()},
        "subscribed": {one.id: sorted(one.subscribed) for one in world.accounts.values()},
    }


def _number(backend: Backend, number_id: str | None) -> Number:
    return backend.world.numbers[number_id or backend.options.number_id]


def _sender(person: Person) -> dict[str, str]:
    shown = person.wa_id if person.shows_number else None
    known = {"from": shown, "from_user_id": person.user_id}
    return {name: value for name, value in known.items() if value}


def _card(person: Person) -> dict[str, Any]:
    profile = {"name": person.name, **({"username": person.username} if person.username else {})}
    shown = person.wa_id if person.shows_number else None
    known = {"wa_id": shown, "user_id": person.user_id}
    return {"profile": profile, **{name: value for name, value in known.items() if value}}
