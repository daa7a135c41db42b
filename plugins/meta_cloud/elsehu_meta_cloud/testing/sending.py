"""``POST /<number>/messages``: taken or refused, and what the customer and the webhooks see of it."""

import asyncio
import base64
import secrets
import time
from typing import Any

from .backend import Backend, Call
from .checks import check_message
from .errors import GraphError, bad, missing, no_object
from .faults import Fault
from .message import Message
from .world import Delivered, Number, Person

COUNTRY_DIGITS = {"1": 1, "5": 2, "4": 2, "3": 2, "2": 2, "6": 2, "7": 1, "8": 2, "9": 2}


async def post_message(call: Call) -> Any:
    """Take a message, a read receipt, or refuse it."""
    number = number_of(call)
    if call.body.get("messaging_product") != "whatsapp":
        raise GraphError(100, "(#100) The parameter messaging_product is required.")
    if call.body.get("status") == "read":
        return _mark_read(call)
    message = Message(call.world, number.id, call.body)
    check_message(message)
    person, contact = _addressee(call, number)
    call.backend.limits.check(number.id, contact.get("wa_id") or contact.get("user_id", ""))
    return await _accept(call.backend, message, number, person, contact)


def number_of(call: Call) -> Number:
    """Return the number that the path names. Raises GraphError."""
    number = call.world.numbers.get(call.parts[0])
    if number is None:
        raise no_object(call.parts[0])
    return number


def _mark_read(call: Call) -> dict[str, bool]:
    message_id = call.body.get("message_id")
    if not isinstance(message_id, str) or not message_id.startswith("wamid."):
        raise missing("message_id")
    indicator = call.body.get("typing_indicator")
    if indicator is not None and (not isinstance(indicator, dict) or indicator.get("type") != "text"):
        raise bad("typing_indicator.type must be text")
    call.world.read.append(message_id)
    if indicator:
        call.world.typing.append(message_id)
    return {"success": True}


def _addressee(call: Call, number: Number) -> tuple[Person, dict[str, str]]:
    """Return who is meant, and what the answer says of them. With both, ``to`` wins."""
    to, recipient = call.body.get("to"), call.body.get("recipient")
    if to is None:
        person = call.world.person(str(recipient))
        return person, {"input": str(recipient), "user_id": str(recipient)}
    if call.body.get("recipient_type") == "group":
        return call.world.person(str(to)), {"input": str(to), "wa_id": str(to)}
    digits = "".join(letter for letter in str(to) if letter.isdigit())
    if not 7 <= len(digits) <= 15:
        raise bad("to must be a phone number")
    if not str(to).strip().startswith("+"):
        digits = number.phone[: COUNTRY_DIGITS.get(number.phone[0], 2)] + digits
    person = call.world.person(digits)
    return person, {"input": str(to), "wa_id": person.wa_id or digits}


async def _accept(
    backend: Backend, message: Message, number: Number, person: Person, contact: dict[str, str]
) -> dict[str, Any]:
    subject = f"POST {number.id}/messages"
    wamid = "wamid." + base64.b64encode(secrets.token_bytes(24)).decode()
    body = message.body
    failure = _later_failure(backend, message, number, person, subject)
    delivered = Delivered(
        wamid,
        number.id,
        contact.get("wa_id") or contact.get("user_id", ""),
        message.type,
        body.get(message.type),
        message.quoted,
        body.get("biz_opaque_callback_data"),
        time.time(),
    )
    if failure is None:
        backend.world.delivered.append(delivered)
    first = backend.faults.strike(subject, "status_first")
    telling = backend.run(_tell(backend, number, delivered, failure, at_once=first is not None))
    if first is not None:
        await _after(telling, first)
    state = {"message_status": "accepted"} if message.type == "template" else {}
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid, **state}]}


async def _after(telling: "asyncio.Task[Any]", first: Fault) -> None:
    await telling
    await asyncio.sleep(first.seconds)


def _later_failure(
    backend: Backend, message: Message, number: Number, person: Person, subject: str
) -> GraphError | None:
    """Return what a status will say went wrong: Meta takes first, and finds out later."""
    fault = backend.faults.strike(subject, "fail_later")
    if fault is not None:
        return GraphError(fault.code, fault.details)
    is_template = message.type == "template"
    if backend.options.checks_window and not is_template and not backend.world.is_open(number.id, person):
        return GraphError(131047, "More than 24 hours have passed since the customer last replied to this number.")
    return _unusable_file(message)


def _unusable_file(message: Message) -> GraphError | None:
    content = message.body.get(message.type)
    file = message.world.files.get(str(content.get("id"))) if isinstance(content, dict) else None
    if file is None or message.type not in ("image", "video", "audio", "sticker"):
        return None
    wanted = {"sticker": "image/webp"}.get(message.type, message.type + "/")
    return None if file.mime_type.startswith(wanted) else GraphError(131053, f"{file.mime_type} is no {message.type}")


async def _tell(
    backend: Backend, number: Number, delivered: Delivered, failure: GraphError | None, *, at_once: bool
) -> None:
    if not at_once:
        await asyncio.sleep(backend.options.status_after)
    words = [one for one in backend.options.statuses.split(",") if one]
    for word in ["failed"] if failure else words[:1] if delivered.type == "reaction" else words:
        told = tell_status(backend, number, delivered, word, failure)
        if told is not None:
            await asyncio.wait([told])


def tell_status(
    backend: Backend, number: Number, delivered: Delivered, word: str, failure: GraphError | None = None
) -> "asyncio.Task[None] | None":
    """Start telling how far a message has come."""
    person = backend.world.person(delivered.to)
    status: dict[str, Any] = {"id": delivered.id, "status": word, "timestamp": str(int(time.time()))}
    status["recipient_id" if delivered.to.isdigit() else "recipient_user_id"] = delivered.to
    if person.user_id and word != "failed":
        status["recipient_user_id"] = person.user_id
    if delivered.reference is not None:
        status["biz_opaque_callback_data"] = delivered.reference
    if failure is not None:
        status["errors"] = [failure.as_status]
    if word == "sent":
        status["pricing"] = {"billable": True, "pricing_model": "PMP", "category": "service", "type": "regular"}
    value = backend.webhooks.number_value(number, statuses=[status])
    return backend.webhooks.fire(number.waba_id, "messages", value, number)
