"""Checks of provider_normalize: what payloads say, again and again."""

import re
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from elsehu.contracts.errors import WebhookRejected
from elsehu.contracts.inbound import Event, InstanceChanged, MessageArrived, Normalized
from elsehu.contracts.message import Direction, IdentityKind, Kind
from elsehu.contracts.webhook import Accepted
from elsehu.messaging.inbound.raw_events import to_jsonb
from elsehu.phones import canonical
from elsehu.testing.conformance.declaration import Expected, Payload, declares, encoded
from elsehu.testing.conformance.garbage import garbage_bytes
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.outcome import Check, Failed, Skipped, require
from elsehu.testing.conformance.seeing import told
from elsehu.testing.conformance.trial import Trial

GARBAGE = 600
WORD = re.compile(r"\w{4,}")
AN_HOUR = timedelta(hours=1)


async def all_payloads(house: House) -> list[Payload]:
    """Return what is declared, and one message as `message` writes it."""
    instance = await house.instance()
    written = house.written()
    message = Payload("message()", house.declared.message(instance, written))
    return [message, *house.declared.payloads(instance)]


async def payloads_say(trial: Trial) -> None:
    """Read every declared payload."""
    house = await trial.house()
    instance = await house.instance()
    written = house.written()
    _is_message(await house.read(house.declared.message(instance, written)), written)
    for payload in house.declared.payloads(instance):
        found = await house.read(payload.body)
        seen = [item.event for item in found.items]
        if payload.events is None:
            require(not found.broken, f"{payload.name}: {len(found.broken)} parts are broken: {_errors(found)}")
        else:
            fits = len(seen) == len(payload.events) and all(map(_fits, payload.events, seen))
            require(
                fits, f"{payload.name}: expected {_list(payload.events)}, got {_list(seen)}; broken: {_errors(found)}"
            )
        _is_sound(payload.name, found, {instance.id})


def _is_message(found: Normalized, written: Any) -> None:
    events = [item.event for item in found.items]
    require(
        len(events) == 1 and isinstance(events[0], MessageArrived) and not found.broken,
        f"the body of `message` must give one MessageArrived, and gives {_list(events)}; broken: {_errors(found)}",
    )
    [event] = events
    assert isinstance(event, MessageArrived)
    wanted = {"external_id": written.external_id, "text": written.text, "direction": Direction.INBOUND}
    for name, value in wanted.items():
        require(getattr(event, name) == value, f"`message`: {name} is {getattr(event, name)!r}, written was {value!r}")
    require(event.at.tzinfo is not None, "`message`: `at` has no time zone: give aware times, in UTC")
    require(
        abs(event.at - written.at) < timedelta(seconds=1), f"`message`: `at` is {event.at}, written at {written.at}"
    )
    require(event.sender, "`message`: `sender` is empty: give the customer's address")


def _is_sound(name: str, found: Normalized, instance_ids: set[Any]) -> None:
    """Check what the database and other people rely on."""
    for item in found.items:
        event = item.event
        require(
            item.instance_id in instance_ids,
            f"{name}: an item is of instance {item.instance_id}, which was not accepted",
        )
        _has_its_types(name, item.event)
        require(_is_json(item.raw), f"{name}: Item.raw is no JSON object (bytes are not)")
        for identity in getattr(event, "sender", ()):
            require(identity.value and identity.address, f"{name}: an identity has no value or no address")
            if identity.kind is IdentityKind.PHONE:
                fits = identity.value == canonical(identity.value) and identity.value.isdigit()
                require(
                    fits, f"{name}: the phone {identity.value!r} is not in canonical form: use elsehu.plugin.canonical"
                )
        at = getattr(event, "at", None)
        require(at is None or (isinstance(at, datetime) and at.tzinfo), f"{name}: `at` must be an aware datetime")
        if isinstance(event, MessageArrived):
            require(isinstance(event.external_id, str) and event.external_id, f"{name}: a message has no external_id")
            require(_is_json(event.payload), f"{name}: the payload of a message is no JSON")
    require(_is_json(found.raw), f"{name}: Normalized.raw is no JSON (bytes are not)")
    require(all(_is_json(one.raw) for one in found.broken), f"{name}: Broken.raw is no JSON (bytes are not)")


def _has_its_types(name: str, event: Event) -> None:
    """Raise Failed where a field holds something else than the guide says, such as one Identity for a list."""
    try:
        adapter = _adapter(type(event))  # type: ignore[arg-type]
        adapter.dump_python(event, warnings="error")
    except PydanticSerializationError as error:
        words = " ".join(str(error).split())
        raise Failed(f"{name}: a field of {type(event).__name__} has the wrong type: {words[:300]}") from error


@cache
def _adapter(kind: type[Event]) -> TypeAdapter[Event]:
    return TypeAdapter(kind)


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _fits(expected: Expected, seen: Event) -> bool:
    return isinstance(seen, expected.event) and all(
        getattr(seen, name, None) == value for name, value in expected.fields.items()
    )


def _list(events: Any) -> str:
    return "[" + ", ".join(_short(one) for one in events) + "]"


def _short(one: Any) -> str:
    if isinstance(one, Expected):
        return f"{one.event.__name__}({', '.join(f'{name}={value!r}' for name, value in one.fields.items())})"
    return f"{one!r:.300}"


def _errors(found: Normalized) -> str:
    return "; ".join(str(one.error) for one in found.broken)[:300] or "nothing"


async def normalize_is_pure(trial: Trial) -> None:
    """Normalise twice, later, and from what was kept: it must be the same."""
    house = await trial.house()
    for payload in await all_payloads(house):
        accepted = await house.receive(await house.genuine(payload.body))
        assert isinstance(accepted, Accepted)
        before = deepcopy(accepted.payload)
        first = house.normalize(accepted)
        require(accepted.payload == before, f"{payload.name}: provider_normalize changed the payload that it was given")
        again = house.normalize(accepted, AN_HOUR)
        require(_lasting(again) == _lasting(first), f"{payload.name}: an hour later the same body says something else")
        stored = orjson.loads(to_jsonb(first.raw))
        replayed = house.normalize(Accepted(stored, accepted.instances))
        require(
            _lasting(replayed) == _lasting(first),
            f"{payload.name}: replayed from the stored `raw` it says {_list(_lasting(replayed))} instead of "
            f"{_list(_lasting(first))}; broken: {_errors(replayed)}",
        )


def _lasting(found: Normalized) -> list[Event]:
    """Return the events without what `raw` need not hold: bytes of files, and codes that expire."""
    return [_without_bytes(item.event) for item in found.items]


def _without_bytes(event: Event) -> Event:
    if isinstance(event, MessageArrived) and event.media:
        return replace(event, media=replace(event.media, data=None, reference={}, size=None, sha256=None))
    return replace(event, pairing=None) if isinstance(event, InstanceChanged) else event


async def unknown_is_kept(trial: Trial) -> None:
    """Read what nobody has heard of: further keys, and what the author declares as unknown."""
    house = await trial.house()
    instance = await house.instance()
    written = house.written()
    await _ignores_further_keys(house, house.declared.message(instance, written))
    if not declares(house.declared, "unknown"):
        raise Skipped("further keys do no harm; declare `unknown` to have unknown types tried as well")
    for payload in house.declared.unknown(instance):
        found = await house.read(payload.body)
        require(
            not found.broken, f"{payload.name}: what is unknown is not broken: leave it in `raw` ({_errors(found)})"
        )
        strange = [item.event for item in found.items if not _is_unsupported(item.event)]
        require(
            not strange, f"{payload.name}: must give no item, or a message of Kind.UNSUPPORTED; gives {_list(strange)}"
        )
        require(_is_in(payload.body, found), f"{payload.name}: it is not in `raw`, so nobody can ever look at it")
        before = await house.stored()
        answer = await house.post(await house.genuine(payload.body))
        require(answer.status_code == 200, f"{payload.name}: answered {answer.status_code}: {answer.text[:200]}")
        require(await house.stored() > before, f"{payload.name}: nothing was stored")


async def _ignores_further_keys(house: House, body: Any) -> None:
    if not isinstance(body, dict):
        return
    found = await house.read({**body, "elsehuUnknownKey": {"type": "unknown"}})
    require(
        len(found.items) == 1 and not found.broken, f"a further key in the body costs the message: {_errors(found)}"
    )


def _is_unsupported(event: Event) -> bool:
    return isinstance(event, MessageArrived) and event.kind is Kind.UNSUPPORTED


def _is_in(body: Any, found: Normalized) -> bool:
    """Whether at least one text of the body is in what is kept."""
    kept = orjson.dumps([found.raw, [item.raw for item in found.items]]).decode()
    return any(text in kept for text in _texts(body))


def _texts(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return WORD.findall(value.decode("utf-8", "replace"))
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) and len(value) > 3 else []


async def garbage_never_raises(trial: Trial) -> None:
    """Receive and normalise mutilated payloads, any JSON and any bytes, with a genuine proof."""
    house = await trial.house()
    async for body, found in _normalized_garbage(house):
        name = f"the body {body!r:.200}"
        require(isinstance(found, Normalized), f"{name}: provider_normalize returned no Normalized")
        _is_sound(name, found, {house.instance_id})


async def _normalized_garbage(house: House) -> AsyncIterator[tuple[bytes, Any]]:
    genuine = [encoded(payload.body) for payload in await all_payloads(house)]
    instance = await house.instance()
    for body in garbage_bytes(genuine, GARBAGE):
        try:
            accepted = await house.receive(house.declared.webhook(instance, body))
            if isinstance(accepted, Accepted):
                yield body, house.normalize(accepted)
        except WebhookRejected:
            continue
        except Failed:
            raise
        except Exception as error:
            raise Failed(f"the body {body!r:.200} (with a genuine proof) raised {told(error)}") from error


CHECKS = (
    Check(
        "payloads give their events",
        "Correct provider_normalize, or the `events` that the declaration expects.",
        payloads_say,
    ),
    Check(
        "normalize is pure and replays",
        "Use nothing but the payload; keep in `raw` what is needed to read it again, and take a parsed payload "
        "(parse the body in provider_receive).",
        normalize_is_pure,
    ),
    Check(
        "unknown things are kept",
        "Leave what you do not know in `raw`, or make it a message of Kind.UNSUPPORTED; never Broken, never an error.",
        unknown_is_kept,
    ),
    Check(
        "garbage never raises",
        "Catch what reading raises (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) "
        "for each part, and make that part Broken.",
        garbage_never_raises,
    ),
)
