"""A number's life at Meta: set up, looked at, disconnected (reference, section 11)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from elsehu_meta_cloud import provider_connect, provider_disconnect, provider_status
from elsehu_meta_cloud.callbacks import FIELDS
from elsehu_meta_cloud.numbers import STATUSES
from elsehu_meta_cloud.sending import send
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from elsehu.plugin import Instance, InstanceSick, InstanceStatus, Retryable
from elsehu.testing.serving import listen_on_loopback, running_server

from .standin_fixtures import World
from .test_sending import outbound


@pytest.fixture
async def hook() -> AsyncIterator[str]:
    """The address of an instance in a program that answers Meta's question as `receive` does."""

    async def verify(request: Request) -> PlainTextResponse:
        query = request.query_params
        is_ours = query.get("hub.verify_token") == "the-verify-token"
        return PlainTextResponse(query.get("hub.challenge", "") if is_ours else "no", 200 if is_ours else 403)

    listening = listen_on_loopback()
    async with running_server(Starlette(routes=[Route("/{path:path}", verify)]), listening) as server:
        yield f"{server.url}/api/webhooks/meta_cloud/01990000-0000-7000-8000-0000000000d1"


def writes(world: World) -> list[str]:
    """Return what was changed at Meta, oldest first."""
    return [one.path for one in world.standin.requests if one.method == "POST"]


async def test_connecting_subscribes_and_sets_the_address_once(world: World, hook: str) -> None:
    options, instance = world.standin.options, world.instance(webhook_url=hook)
    report = await provider_connect(world.context, instance)
    assert (report.status, report.phone) == (InstanceStatus.CONNECTED, options.phone)
    assert "credentials.appId" in report.detail
    assert world.standin.state["callbacks"] == {options.number_id: hook}
    assert writes(world) == [f"{options.waba_id}/subscribed_apps", options.number_id]
    assert report.health == {
        "status": "CONNECTED",
        "quality": "GREEN",
        "tier": "TIER_2K",
        "throughput": "STANDARD",
        "name": "Loja Teste",
        "nameStatus": "APPROVED",
        "codeVerification": "VERIFIED",
        "mode": "LIVE",
        "canSend": "AVAILABLE",
        "webhook": "here",
        "appWebhook": "nowhere",
    }
    known = world.instance(webhook_url=hook, credentials={"app_id": options.app_id})
    world.standin.call("set_callback", url=hook.rpartition("/")[0])
    before = writes(world)
    assert (await provider_connect(world.context, known)).detail == ""
    assert writes(world)[len(before) :] == [f"{options.app_id}/subscriptions"]


async def test_the_apps_own_address_is_set_where_none_is(world: World, hook: str) -> None:
    app_id = world.standin.options.app_id
    instance = world.instance(webhook_url=hook, credentials={"app_id": app_id})
    assert (await provider_connect(world.context, instance)).detail == ""
    (body,) = world.asked("POST", f"{app_id}/subscriptions")
    assert body["callback_url"] == hook.rpartition("/")[0]
    assert body["fields"] == ",".join(FIELDS)
    assert (await provider_connect(world.context, instance)).detail == ""
    assert len(world.asked("POST", f"{app_id}/subscriptions")) == 1


async def test_the_apps_own_address_is_left_where_it_is_another(world: World, hook: str) -> None:
    app_id = world.standin.options.app_id
    world.standin.call("set_callback", url="https://other.example/hook")
    report = await provider_connect(world.context, world.instance(webhook_url=hook, credentials={"app_id": app_id}))
    assert report.status is InstanceStatus.CONNECTED
    assert hook.rpartition("/")[0] in report.detail
    assert world.standin.state["app_callback"] == "https://other.example/hook"


async def test_an_address_for_the_whole_account_is_not_taken_away(world: World, hook: str) -> None:
    options = world.standin.options
    body = {"override_callback_uri": hook, "verify_token": "the-verify-token"}
    await world.http.request(
        "POST",
        f"{world.standin.url}/v24.0/{options.waba_id}/subscribed_apps",
        json=body,
        headers={"authorization": f"Bearer {options.token}"},
    )
    await provider_connect(world.context, world.instance(webhook_url=hook))
    assert len(world.asked("POST", f"{options.waba_id}/subscribed_apps")) == 1


async def test_an_address_that_meta_cannot_reach_is_named_and_sending_works(world: World) -> None:
    report = await provider_connect(world.context, world.instance())
    assert report.status is InstanceStatus.CONNECTED
    assert "public_url" in report.detail
    assert report.health["webhook"] == "nowhere"
    later = await provider_status(world.context, world.instance())
    assert (later.status, "another address" in later.detail) == (InstanceStatus.CONNECTED, True)


WRONG = [
    ("a bad token", {"access_token": "EAAG-wrong"}, "token_refused", "accessToken"),
    ("no such number", {"phone_number_id": "1"}, "object_not_found", "phoneNumberId"),
    ("no such account", {"waba_id": "1"}, "object_not_found", "wabaId"),
]


@pytest.mark.parametrize(("wrong", "code", "named"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
async def test_what_is_configured_wrongly_is_named(world: World, wrong: dict[str, str], code: str, named: str) -> None:
    with pytest.raises(InstanceSick) as error:
        await provider_connect(world.context, world.instance(credentials=wrong))
    assert (error.value.code, error.value.instance_status) == (code, "blocked")
    assert named in error.value.detail
    assert "EAAG" not in error.value.detail + str(world.logged)


async def test_a_number_of_another_account_is_named(world: World) -> None:
    world.standin.call("add_number", number_id="2", phone="12025550109", waba_id="900000000000009")
    with pytest.raises(InstanceSick) as error:
        await provider_connect(world.context, world.instance(credentials={"waba_id": "900000000000009"}))
    assert (error.value.code, "wabaId" in error.value.detail) == ("number_not_in_account", True)
    assert writes(world) == []


@pytest.mark.parametrize("word", [*STATUSES, "SOMETHING_NEW"])
async def test_every_status_of_a_number(world: World, word: str) -> None:
    world.standin.call("change_number", status=word)
    report = await provider_status(world.context, world.instance())
    works = word in ("CONNECTED", "FLAGGED", "RESTRICTED", "RATE_LIMITED", "SOMETHING_NEW")
    assert report.status is (InstanceStatus.CONNECTED if works else InstanceStatus.BLOCKED)
    assert report.detail
    assert report.health["status"] == word


async def test_a_number_that_may_not_send_says_what_to_do(world: World) -> None:
    error = {"error_code": 141006, "error_description": "There is a payment problem.", "possible_solution": "Pay."}
    entities = [{"entity_type": "WABA", "can_send_message": "BLOCKED", "errors": [error]}]
    health = {"can_send_message": "BLOCKED", "entities": entities}
    world.standin.call("change_number", health_status=health)
    report = await provider_status(world.context, world.instance())
    assert (report.status, report.detail) == (InstanceStatus.BLOCKED, "There is a payment problem. Pay.")


async def test_a_version_that_does_not_know_all_fields_tells_the_others(world: World) -> None:
    world.standin.call("hide_fields", names=["is_on_biz_app", "whatsapp_business_manager_messaging_limit"])
    report = await provider_status(world.context, world.instance())
    assert report.status is InstanceStatus.CONNECTED
    assert (report.health["quality"], report.health["tier"]) == ("GREEN", None)
    asked = len(world.standin.requests)
    await provider_status(world.context, world.instance())
    assert len(world.standin.requests) == asked + 1


async def test_a_number_that_is_not_the_configured_one_is_named(world: World) -> None:
    report = await provider_status(world.context, world.instance(phone="+5511900000000"))
    assert (report.phone, "+12025550100" in report.detail) == (None, True)


async def test_a_limit_on_questions_says_nothing_about_sending(world: World) -> None:
    world.standin.refuse(80008, on="GET *")
    report = await provider_status(world.context, world.instance())
    assert report.status is InstanceStatus.CONNECTED
    world.standin.fault("answer", on="GET *", status=500, body="<html>")
    with pytest.raises(Retryable):
        await provider_status(world.context, world.instance())


def stayed(instance: Instance, report: Any) -> dict[str, Any]:
    """Return an instance's state after a report."""
    both = {**instance.state, **report.state}
    return {name: value for name, value in both.items() if value is not None}


async def test_disconnecting_takes_the_address_away_and_stays_so(world: World, hook: str) -> None:
    instance = world.instance(webhook_url=hook)
    await provider_connect(world.context, instance)
    report = await provider_disconnect(world.context, instance, forget=False)
    assert report.status is InstanceStatus.DISCONNECTED
    assert world.standin.state["callbacks"] == {world.standin.options.number_id: None}
    assert list(world.standin.state["subscribed"].values()) == [[world.standin.options.app_id]]

    gone = world.instance(webhook_url=hook, state=stayed(instance, report))
    assert (await provider_status(world.context, gone)).status is InstanceStatus.DISCONNECTED
    again = await provider_connect(world.context, gone)
    back = world.instance(webhook_url=hook, state=stayed(gone, again))
    assert (await provider_status(world.context, back)).status is InstanceStatus.CONNECTED


@pytest.mark.parametrize("forget", [True, False])
async def test_a_number_can_be_given_up_without_a_valid_token(world: World, forget: bool) -> None:
    world.standin.call("set_tokens", tokens=[])
    report = await provider_disconnect(world.context, world.instance(), forget=forget)
    assert report.status is InstanceStatus.DISCONNECTED
    assert "accessToken" in report.detail


async def test_an_address_of_others_is_not_taken_away(world: World, hook: str) -> None:
    await provider_connect(world.context, world.instance(webhook_url=hook))
    await provider_disconnect(world.context, world.instance(webhook_url=hook + "f"), forget=True)
    assert world.standin.state["callbacks"] == {world.standin.options.number_id: hook}


async def test_a_refusal_is_remembered_until_somebody_connects(world: World, hook: str) -> None:
    instance = world.instance(webhook_url=hook)
    world.standin.refuse(131031)
    with pytest.raises(InstanceSick):
        await send(world.context, instance, outbound(text="oi"))
    assert (await provider_status(world.context, instance)).status is InstanceStatus.BLOCKED
    assert (await provider_connect(world.context, instance)).status is InstanceStatus.CONNECTED
    assert (await provider_status(world.context, instance)).status is InstanceStatus.CONNECTED
    assert max(world.cache.seconds.values()) <= 86400
    world.standin.refuse(190)
    with pytest.raises(InstanceSick):
        await send(world.context, instance, outbound(text="oi"))
    assert (await provider_status(world.context, instance)).status is InstanceStatus.CONNECTED


async def test_a_webhook_that_the_app_may_not_set_leaves_the_rest(world: World, hook: str) -> None:
    instance = world.instance(webhook_url=hook, credentials={"app_id": "700000000000001", "app_secret": ["wrong"]})
    report = await provider_connect(world.context, instance)
    assert report.status is InstanceStatus.CONNECTED
    assert "could not be set from here" in report.detail


async def test_the_apps_secret_that_meta_repeats_is_hidden(world: World, hook: str) -> None:
    app_id, secret = world.standin.options.app_id, world.standin.options.app_secret
    words = f"Malformed access token {app_id}|{secret}"
    world.standin.call("add_fault", on="GET */subscriptions", effect="refuse", code=131009, details=words)
    report = await provider_connect(world.context, world.instance(webhook_url=hook, credentials={"app_id": app_id}))
    assert "could not be set from here" in report.detail
    assert "***" in report.detail
    assert secret not in report.detail + str(world.logged)
