"""Checks at the front door: who may bring webhooks, in what order, and how often."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from elsehu.contracts.errors import WebhookRejected
from elsehu.contracts.webhook import WebhookRequest
from elsehu.ids import new_id
from elsehu.testing.conformance.declaration import Webhook, Written, encoded
from elsehu.testing.conformance.garbage import SEED, garbage_bytes
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.outcome import Check, Failed, require
from elsehu.testing.conformance.reading import all_payloads
from elsehu.testing.conformance.seeing import told
from elsehu.testing.conformance.trial import Trial

AT_ONCE = 8
GARBAGE = 60


async def forgeries_are_refused(trial: Trial) -> None:
    """Post a customer's message with every proof taken away, cut and changed: 401, and nothing is stored."""
    house = await trial.house()
    genuine = await house.genuine(house.declared.message(await house.instance(), house.written("forged")))
    before = await house.stored()
    for what, forged in [*_forgeries(genuine), *_changed_bodies(house, genuine, await house.instance())]:
        answer = await house.post(forged)
        seen = f"{what}: answered {answer.status_code} instead of 401"
        require(answer.status_code == 401, seen + (f": {answer.text[:200]}" if answer.status_code >= 500 else ""))
    await _stranger_asks(house)
    require(await house.stored() == before, "something of a refused webhook was stored")
    await _others_proof(house, genuine)
    require((await house.post(genuine)).status_code == 200, "the genuine webhook was not answered 200 afterwards")


def _forgeries(genuine: Webhook) -> Iterator[tuple[str, Webhook]]:
    yield "without any proof", Webhook(genuine.body, names_instance=genuine.names_instance)
    for name, value in genuine.headers.items():
        if name.lower() == "content-type":
            continue
        yield f"without the header {name}", replace(genuine, headers=_without(genuine.headers, name))
        for how, wrong in _wrong(value):
            yield f"the header {name} {how}", replace(genuine, headers={**genuine.headers, name: wrong})
    for name, value in genuine.query.items():
        yield f"without {name} in the query", replace(genuine, query=_without(genuine.query, name))
        for how, wrong in _wrong(value):
            yield f"{name} in the query {how}", replace(genuine, query={**genuine.query, name: wrong})
    if genuine.path_secret:
        yield "without the secret in the path", replace(genuine, path_secret=None)
        for how, wrong in _wrong(genuine.path_secret):
            yield f"the secret in the path {how}", replace(genuine, path_secret=wrong or None)


def _without(values: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if key != name}


def _wrong(value: str) -> Iterator[tuple[str, str]]:
    middle = len(value) // 2
    yield "empty", ""
    yield "cut in half", value[:middle]
    yield (
        "with one letter changed",
        value[:middle] + ("x" if value[middle : middle + 1] != "x" else "y") + value[middle + 1 :],
    )
    yield "with one letter more", value + "x"
    yield "not ASCII", value[:-1] + "é"


def _changed_bodies(house: House, genuine: Webhook, instance: Any) -> Iterator[tuple[str, Webhook]]:
    declared = house.declared
    signs = declared.signs_body
    if signs is None:
        once, twice = declared.webhook(instance, genuine.body), declared.webhook(instance, genuine.body)
        other = declared.webhook(instance, genuine.body + b" ")
        signs = (once.headers, once.query) == (twice.headers, twice.query) != (other.headers, other.query)
    if signs:
        middle = len(genuine.body) // 2
        changed = bytes([genuine.body[middle] ^ 1])
        yield (
            "one byte of the body changed",
            replace(genuine, body=genuine.body[:middle] + changed + genuine.body[middle + 1 :]),
        )
        yield "one byte added to the body", replace(genuine, body=genuine.body + b" ")


async def _stranger_asks(house: House) -> None:
    """A GET without anything: refused, or not there, but no error of ours."""
    provider = house.plugin.info.provider
    assert provider
    for path in (f"/api/webhooks/{provider.name}", f"/api/webhooks/{provider.name}/{house.instance_id}"):
        answer = await house.outside.get(path)
        require(400 <= answer.status_code < 500, f"GET {path} by a stranger: answered {answer.status_code}")


async def _others_proof(house: House, genuine: Webhook) -> None:
    """The proof of another instance of this provider speaks for that one alone."""
    instance = await house.instance()
    other = replace(instance, id=new_id(), webhook_secret="the-webhook-secret-of-another-instance-000")
    theirs = house.declared.webhook(other, genuine.body)
    if (theirs.headers, theirs.query, theirs.path_secret) == (genuine.headers, genuine.query, genuine.path_secret):
        return
    headers = {name.lower(): value for name, value in theirs.headers.items()}
    request = WebhookRequest("POST", headers, theirs.query, theirs.body, instance.id, theirs.path_secret)
    try:
        house.plugins.receive(house.plugin, request, [instance], [instance, other])
    except WebhookRejected:
        return
    except Exception as error:
        raise Failed(f"the proof of another instance made provider_receive raise {told(error)}") from error
    raise Failed("the proof of another instance was accepted at this instance's address")


async def order_does_not_matter(trial: Trial) -> None:
    """Post all payloads twice in their order, and in another installation shuffled, several at a time."""
    async with trial.another_house() as tidy:
        moment = tidy.server.kernel.now()
        for body in await _bodies(tidy, moment):
            await asyncio.gather(_taken(tidy, body), _taken(tidy, body))
        expected = await _state(tidy)
    async with trial.another_house() as messy:
        bodies = [body for body in await _bodies(messy, moment) for _ in range(2)]
        random.Random(SEED).shuffle(bodies)  # noqa: S311
        await _at_once(lambda body: _taken(messy, body), bodies)
        found = await _state(messy)
        require(found == expected, _difference(expected, found))
        await messy.buried_nothing()
        await _garbage_at_the_door(messy)


async def _bodies(house: House, moment: Any) -> list[Any]:
    """Return the same bodies for every house: the declared payloads, and messages of two customers."""
    instance = await house.instance()
    letters = [
        Written(
            house.declared.id_format.format(f"order{number}"),
            house.declared.customers[number % 2],
            f"message {number}",
            at,
        )
        for number in range(6)
        for at in [(moment - timedelta(seconds=60 - number)).replace(microsecond=0)]
    ]
    declared = [payload.body for payload in house.declared.payloads(instance)]
    return [*declared, *(house.declared.message(instance, one) for one in letters)]


async def _at_once(post: Callable[[Any], Awaitable[None]], bodies: Iterable[Any]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(body: Any) -> None:
        async with places:
            await post(body)

    await asyncio.gather(*(in_turn(body) for body in bodies))


async def _taken(house: House, body: Any) -> None:
    answer = await house.post(await house.genuine(body))
    require(answer.status_code == 200, f"answered {answer.status_code} to {encoded(body)!r:.200}: {answer.text[:200]}")


SHOWN = ("externalId", "direction", "kind", "text", "payload", "status", "edited", "deleted", "providerTimestamp")


async def _state(house: House) -> Any:
    """Return what the API shows of all conversations, without our own ids and times."""
    shown = []
    conversations = (await house.call("GET", "/api/conversations?limit=100")).json()["items"]
    for conversation in conversations:
        answer = await house.call("GET", f"/api/messages/conversation/{conversation['id']}?limit=200")
        messages = [
            {
                **{name: message[name] for name in SHOWN},
                "reactions": sorted(one["emoji"] for one in message["reactions"]),
                "replyTo": message["replyTo"] and message["replyTo"]["externalId"],
                "hasFile": message["media"] is not None,
            }
            for message in answer.json()["items"]
        ]
        shown.append((conversation["contact"]["phone"], sorted(messages, key=lambda one: str(one["externalId"]))))
    return sorted(shown, key=lambda one: (str(one[0]), str(one[1])))


def _difference(expected: Any, found: Any) -> str:
    if len(expected) != len(found):
        return f"in order there are {len(expected)} conversations, shuffled {len(found)}"
    for (phone, messages), (_, others) in zip(expected, found, strict=True):
        for one, other in zip(messages, others, strict=False):
            if one != other:
                names = [name for name in one if one[name] != other[name]]
                return f"with {phone}, {one['externalId']}: " + "; ".join(
                    f"{name} is {other[name]!r} shuffled, {one[name]!r} in order" for name in names
                )
        if len(messages) != len(others):
            return f"with {phone}: {len(others)} messages shuffled, {len(messages)} in order"
    return "the conversations are of other people"


async def _garbage_at_the_door(house: House) -> None:
    """Whoever is authenticated is answered 200 whatever he brings; a message afterwards still comes in."""
    instance = await house.instance()
    genuine = [encoded(payload.body) for payload in await all_payloads(house)]

    async def post(body: bytes) -> None:
        webhook = house.declared.webhook(instance, body)
        answer = await house.post(webhook)
        allowed = (200,) if webhook.body == body else (200, 401)
        require(
            answer.status_code in allowed,
            f"garbage with a genuine proof was answered {answer.status_code}: {body!r:.200}: {answer.text[:200]}",
        )

    await _at_once(post, garbage_bytes(genuine, GARBAGE))
    await house.says(house.written("still here"))


CHECKS = (
    Check(
        "forged webhooks are refused",
        "Raise WebhookRejected in provider_receive unless the proof is right; compare bytes with hmac.compare_digest "
        "(texts beyond ASCII make it raise), and only the secrets of `instances`.",
        forgeries_are_refused,
    ),
    Check(
        "order and duplicates do no harm",
        "Give the provider's own ids and times, and answer every authenticated webhook with events or with nothing.",
        order_does_not_matter,
    ),
)
