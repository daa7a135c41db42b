"""What only a sandbox can do, over REST: let customers act, order faults, scan the code, look at the phone."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from pydantic import ValidationError

from elsehu.plugin import (
    SUPERVISORS,
    Call,
    Directory,
    FieldError,
    Instance,
    Invalid,
    NoQuery,
    NotFound,
    Operation,
    PluginContext,
    invalid,
)
from elsehu_sandbox import templates
from elsehu_sandbox.connection import scan
from elsehu_sandbox.customer import act
from elsehu_sandbox.phone import Line, Phone, phone_of, type_of
from elsehu_sandbox.schemas import Connection, EventsBody, FaultsBody, Happened, PhonePage, PhoneQuery, SayBody
from elsehu_sandbox.webhooks import Deliveries

TAG = "Sandbox"
BASE = "/api/sandbox/{instanceId}"
SHOWN_BY_PHONE = frozenset({"marked_read", "shown_typing"})


def operations(deliveries: Deliveries) -> list[Operation]:
    """Return the sandbox's operations."""

    def operation(method: str, name: str, handler: Any, summary: str, answer: Any, **more: Any) -> Operation:
        return Operation(
            method, f"{BASE}/{name}", handler, summary, TAG, roles=SUPERVISORS, answer=answer, refusals=(404,), **more
        )

    return [
        operation("POST", "say", _say, "A customer writes", Happened, body=SayBody, status=201),
        operation("POST", "events", _events, "Customers edit, react, type, …", Happened, body=EventsBody, status=201),
        operation("GET", "faults", _faults, "What is still to go wrong", FaultsBody),
        operation("POST", "faults", _order_faults, "Let things go wrong", FaultsBody, body=FaultsBody),
        operation("POST", "scan", partial(_scan, deliveries), "Scan the QR code", Connection),
        operation("GET", "phone", _phone, "What reached the phone", PhonePage, query=PhoneQuery),
    ]


async def _of(call: Call[Any, Any]) -> tuple[PluginContext, Instance]:
    instance = await call.kernel.part(Directory).get(call.path_id("instanceId"))
    if instance is None or instance.provider != "sandbox":
        raise NotFound("not_found", "There is no sandbox instance with this id. See GET /api/service-instances.")
    return call.kernel.plugins.context("sandbox"), instance


async def _say(call: Call[SayBody, NoQuery]) -> Happened:
    said = call.body.model_dump(mode="json", by_alias=True, exclude_none=True)
    return await _act(call, [{"kind": _kind_of(said), **said, "type": "message"}])


def _kind_of(said: Mapping[str, Any]) -> str:
    if "media" not in said:
        return "text"
    family = str(said["media"]["mimeType"]).partition("/")[0]
    return family if family in {"image", "audio", "video"} else "document"


async def _events(call: Call[EventsBody, NoQuery]) -> Happened:
    return await _act(call, call.body.events)


async def _act(call: Call[Any, NoQuery], events: Sequence[Mapping[str, Any]]) -> Happened:
    context, instance = await _of(call)
    try:
        lines, taken = await act(context, instance, events)
        templates.follow(context, instance, lines)
    except ValidationError as error:
        raise invalid(error) from None
    return Happened(events=[dict(line) for line in lines], taken=taken)


async def _faults(call: Call[None, NoQuery]) -> FaultsBody:
    context, instance = await _of(call)
    return FaultsBody(sequence=phone_of(context, instance).state().faults)


async def _order_faults(call: Call[FaultsBody, NoQuery]) -> FaultsBody:
    context, instance = await _of(call)
    with phone_of(context, instance).changing() as state:
        state.faults = call.body.sequence
    return call.body


async def _scan(deliveries: Deliveries, call: Call[None, NoQuery]) -> Connection:
    context, instance = await _of(call)
    report = scan(context, instance, deliveries)
    return Connection(status=report.status.value, detail=report.detail)


async def _phone(call: Call[None, PhoneQuery]) -> dict[str, Any]:
    context, instance = await _of(call)
    return page(phone_of(context, instance), call.query)


def _reached(phone: Phone, start: int, kind: str | None) -> Iterator[tuple[int, Line]]:
    for offset, line in phone.read(start):
        is_ours = line.get("direction") == "outbound" or type_of(line) in SHOWN_BY_PHONE
        if is_ours and kind in (None, type_of(line)):
            yield offset, line


def page(phone: Phone, query: PhoneQuery) -> dict[str, Any]:
    """Return one page of what reached the phone. Raises Invalid for a cursor that is none."""
    try:
        found = list(islice(_reached(phone, query.cursor, query.type), query.limit + 1))
    except ValueError:
        problem = FieldError("cursor", "is not a cursor that this list gave; start again without it")
        raise Invalid("invalid_cursor", "The cursor cannot be read.", errors=[problem]) from None
    shown = found[: query.limit]
    more = len(found) > query.limit
    return {"items": [line for _, line in shown], "nextCursor": str(shown[-1][0]) if more else None}
