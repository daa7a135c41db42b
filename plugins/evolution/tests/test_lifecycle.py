"""A number's life at Evolution, against the stand-in (reference, sections 2, 3, 12 and 13)."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from elsehu_evolution.lifecycle import connect, disconnect, status
from elsehu_evolution.pairing import qrcode
from elsehu_evolution.receive import receive
from elsehu_evolution.testing import running_standin, webhook_receiver
from elsehu_evolution.webhook import EVENTS

from elsehu.plugin import (
    HttpClient,
    Instance,
    InstanceReport,
    InstanceSick,
    InstanceStatus,
    PluginContext,
    ProviderError,
    Rejected,
    Retryable,
    WebhookRequest,
)

from .conftest import KEY, NOW, OWNER, SECRET, URL, World

WEBHOOK = {
    "url": URL,
    "byEvents": False,
    "base64": True,
    "headers": {"X-Elsehu-Secret": SECRET},
    "events": list(EVENTS),
}
SETTINGS = {
    "rejectCall": False,
    "groupsIgnore": True,
    "alwaysOnline": False,
    "readMessages": False,
    "readStatus": False,
    "syncFullHistory": False,
}


def after(instance: Instance, report: InstanceReport) -> Instance:
    """Return the instance as the kernel keeps it after a report: state laid over, None dropped."""
    state = {key: value for key, value in {**instance.state, **report.state}.items() if value is not None}
    return replace(instance, state=state, status=report.status)


def writes(world: World) -> list[str]:
    """Return the requests that change something at the server."""
    return [path for path in world.paths() if not path.startswith("GET") or "/connect/" in path]


# Connecting -----------------------------------------------------------------------------------------------


async def test_a_new_number_is_created_with_its_webhook(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    report = await connect(world.context, instance)
    assert world.requests("/instance/create") == [
        {
            "instanceName": "wa",
            "integration": "WHATSAPP-BAILEYS",
            "qrcode": False,
            **SETTINGS,
            "number": OWNER,
            "webhook": WEBHOOK,
        }
    ]
    assert report.status is InstanceStatus.NEEDS_PAIRING
    assert report.state["instance_name"] == "wa"
    assert len(report.state["token"]) > 20
    assert {one.key for one in world.standin.requests} == {KEY}
    assert writes(world) == ["POST /instance/create", "GET /instance/connect/wa"]


async def test_connecting_again_changes_nothing(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    instance = after(instance, await connect(world.context, instance))
    world.standin.scan("wa", OWNER)
    instance = after(instance, await connect(world.context, instance))
    world.standin.forget()
    report = await connect(world.context, instance)
    assert report == InstanceReport(InstanceStatus.CONNECTED, "", OWNER, {"checked_server": world.standin.url})
    assert writes(world) == []
    assert "GET /" not in world.paths()


async def test_the_settings_are_told(empty_world: World) -> None:
    wanted = {
        "groups": True,
        "reject_calls": True,
        "always_online": True,
        "read_messages": True,
        "sync_history": True,
    }
    await connect(empty_world.context, empty_world.instance(settings=wanted))
    (body,) = empty_world.requests("/instance/create")
    told = {"rejectCall": True, "groupsIgnore": False, "alwaysOnline": True, "readMessages": True}
    assert body | told | {"syncFullHistory": True} == body


async def test_an_instance_that_is_there_is_taken_over(world: World) -> None:
    report = await connect(world.context, world.instance())
    assert report.status is InstanceStatus.CONNECTED
    assert report.phone == OWNER
    assert world.requests("/webhook/set") == [{"webhook": {"enabled": True, **WEBHOOK}}]
    assert world.requests("/settings/set") == [SETTINGS | {"msgCall": "", "wavoipToken": ""}]
    assert world.requests("/instance/create") == []


DRIFTS: list[dict[str, Any]] = [
    {"url": "https://elsewhere.example/hook"},
    {"headers": {"X-Elsehu-Secret": "old"}},
    {"headers": None},
    {"events": ["MESSAGES_UPSERT"]},
    {"events": [*EVENTS, "MESSAGES_EDITED"]},
    {"by_events": True},
    {"base64": False},
    {"enabled": False, "events": []},
]


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: next(iter(drift)))
async def test_a_webhook_that_differs_is_set_again(empty_world: World, drift: dict[str, Any]) -> None:
    hook = {"url": URL, "headers": WEBHOOK["headers"], "events": list(EVENTS), "by_events": False, "base64": True}
    world = empty_world
    world.standin.add_instance("wa", webhook=hook | drift)
    await connect(world.context, world.instance())
    assert world.requests("/webhook/set") == [{"webhook": {"enabled": True, **WEBHOOK}}]
    world.standin.forget()
    await connect(world.context, world.instance())
    assert world.requests("/webhook/set", "/settings/set") == []


async def test_headers_that_somebody_added_stay(empty_world: World) -> None:
    own = {"X-Proxy": "1", "jwt_key": "k"}
    empty_world.standin.add_instance("wa", webhook={"url": URL, "headers": own})
    await connect(empty_world.context, empty_world.instance())
    (body,) = empty_world.requests("/webhook/set")
    assert body["webhook"]["headers"] == own | {"X-Elsehu-Secret": SECRET}


async def test_base64_is_turned_on_by_a_restart_and_only_then(empty_world: World) -> None:
    world = empty_world
    world.standin.add_instance("wa", webhook={"url": URL, "base64": False})
    report = await connect(world.context, world.instance())
    assert "POST /instance/restart/wa" in world.paths()
    assert report.status in (InstanceStatus.CONNECTING, InstanceStatus.CONNECTED)
    world.standin.wait_until(lambda: world.standin.state("wa")["state"] == "open")
    world.standin.forget()
    assert (await connect(world.context, world.instance())).status is InstanceStatus.CONNECTED
    assert "POST /instance/restart/wa" not in world.paths()


async def test_a_number_that_is_not_linked_is_not_restarted(empty_world: World) -> None:
    empty_world.standin.add_instance("wa", phone=None)
    report = await connect(empty_world.context, empty_world.instance())
    assert report.status is InstanceStatus.NEEDS_PAIRING
    assert "POST /instance/restart/wa" not in empty_world.paths()


async def test_the_texts_of_settings_that_elsehu_does_not_know_stay(world: World, http: HttpClient) -> None:
    known = {**SETTINGS, "rejectCall": True, "readStatus": True, "msgCall": "Não atendemos ligações"}
    await http.request("POST", f"{world.standin.url}/settings/set/wa", json=known, headers={"apikey": KEY})
    world.standin.forget()
    await connect(world.context, world.instance())
    (body,) = world.requests("/settings/set")
    assert body == {**SETTINGS, "readStatus": True, "msgCall": "Não atendemos ligações", "wavoipToken": ""}


async def test_the_webhook_that_was_set_is_one_that_we_accept(empty_world: World) -> None:
    """What the server sends with it opens `receive`: header, names and all."""
    with webhook_receiver() as receiver:
        instance = empty_world.instance(webhook_url=receiver.url)
        instance = after(instance, await connect(empty_world.context, instance))
        empty_world.standin.scan("wa", OWNER)
        empty_world.standin.customer(phone="5511988887777").says("Oi")
        empty_world.standin.settle()
    assert {one.event for one in receiver.received} >= {"qrcode.updated", "connection.update", "messages.upsert"}
    for one in receiver.received:
        headers = {name.lower(): value for name, value in one.headers.items()}
        request = WebhookRequest("POST", headers, {}, orjson.dumps(one.body), instance.id)
        assert receive(request, [instance]).instances == [instance]


# Refusals -------------------------------------------------------------------------------------------------


async def refused(context: PluginContext, instance: Instance) -> ProviderError:
    """Return how connecting fails, with nothing secret in it."""
    with pytest.raises(ProviderError) as raised:
        await connect(context, instance)
    for secret in (KEY, SECRET):
        assert secret not in str(raised.value)
    return raised.value


async def test_a_v1_server_is_refused(empty_world: World) -> None:
    with running_standin(version="1.8.2") as old:
        error = await refused(empty_world.context, empty_world.instance(credentials={"server_url": old.url}))
        assert isinstance(error, Rejected)
        assert error.code == "provider_version_unsupported"
        assert "1.8.2" in error.detail
        assert [one.path for one in old.requests] == ["/instance/fetchInstances", "/"]


@pytest.mark.parametrize("version", ["2.2.3", "2.3.7", "2.4.0-rc2", "3.0.0", "v2.3.0", ""])
async def test_later_servers_are_not(empty_world: World, version: str) -> None:
    with running_standin(version=version) as server:
        report = await connect(empty_world.context, empty_world.instance(credentials={"server_url": server.url}))
        assert report.status is InstanceStatus.NEEDS_PAIRING


@pytest.mark.parametrize("status", [403, 404])
async def test_a_proxy_that_hides_the_version_does_not_matter(world: World, status: int) -> None:
    world.standin.faults.answer("GET /", status, "<html>no</html>")
    assert (await connect(world.context, world.instance())).status is InstanceStatus.CONNECTED


async def test_a_server_that_is_down(world: World) -> None:
    world.standin.stop()
    assert isinstance(await refused(world.context, world.instance()), Retryable)


async def test_a_wrong_key(world: World) -> None:
    error = await refused(world.context, world.instance(key="wrong"))
    assert isinstance(error, InstanceSick)
    assert error.code == "provider_key_refused"
    assert "credentials.apiKey" in error.detail


async def test_an_instance_token_cannot_create(world: World) -> None:
    token = world.standin.add_instance("other")
    error = await refused(world.context, world.instance(key=token, credentials={"instance_name": "new"}))
    assert isinstance(error, InstanceSick)
    assert error.code == "instance_missing"
    assert "global key" in error.detail


async def test_an_instance_token_opens_its_own_instance(world: World) -> None:
    token = world.standin.add_instance("other", phone="5511955550002", webhook={"url": URL, "base64": True})
    instance = world.instance(key=token, credentials={"instance_name": "other"}, phone="+5511955550002")
    assert (await connect(world.context, instance)).status is InstanceStatus.CONNECTED


async def test_a_name_that_another_key_owns(world: World) -> None:
    token = world.standin.add_instance("other")
    world.standin.faults.answer(
        "POST /instance/create", 403, {"status": 403, "response": {"message": ['This name "wa" is already in use.']}}
    )
    error = await refused(world.context, world.instance(key=token))
    assert isinstance(error, InstanceSick)
    assert error.code == "instance_name_taken"


async def test_a_name_that_was_taken_meanwhile_is_taken_over(world: World) -> None:
    """Another process has just created it: the first look did not see it."""
    missing = {"status": 404, "response": {"message": ['Instance "wa" not found']}}
    world.standin.faults.answer("GET /instance/fetchInstances", 404, missing)
    assert (await connect(world.context, world.instance())).status is InstanceStatus.CONNECTED
    assert world.requests("/webhook/set")


async def test_a_creation_whose_answer_is_lost_is_taken_over_the_next_time(empty_world: World) -> None:
    world = empty_world
    world.standin.faults.accept_and_close("POST /instance/create")
    assert isinstance(await refused(world.context, world.instance()), Retryable)
    assert (await connect(world.context, world.instance())).status is InstanceStatus.NEEDS_PAIRING
    assert len(world.requests("/instance/create")) == 1


# States ---------------------------------------------------------------------------------------------------


async def test_how_a_number_stands(world: World) -> None:
    instance = world.instance()
    assert await status(world.context, instance) == InstanceReport(
        InstanceStatus.CONNECTED, "", OWNER, (await status(world.context, instance)).state
    )
    world.standin.drop()
    assert (await status(world.context, instance)).status is InstanceStatus.CONNECTING
    world.standin.reconnect()
    assert (await status(world.context, instance)).status is InstanceStatus.CONNECTED
    world.standin.unlink()
    report = await status(world.context, instance)
    assert report.status is InstanceStatus.NEEDS_PAIRING
    assert "Scan a new QR code" in report.detail


async def test_a_banned_number_is_blocked(world: World) -> None:
    world.standin.call("end", instance="wa", reason=403)
    report = await status(world.context, world.instance())
    assert report.status is InstanceStatus.BLOCKED
    assert "403" in report.detail


async def test_an_old_reason_does_not_count_once_it_is_open_again(world: World) -> None:
    """Evolution never clears why it was disconnected."""
    world.standin.unlink()
    await qrcode(world.context, world.instance())
    world.standin.scan("wa", OWNER)
    assert (await status(world.context, world.instance())).status is InstanceStatus.CONNECTED


async def test_a_state_that_the_server_does_not_know_yet_is_not_closed(world: World) -> None:
    world.standin.faults.answer(
        "GET /instance/connectionState/*", 200, {"instance": {"instanceName": "wa"}}, times=None
    )
    assert (await status(world.context, world.instance())).status is InstanceStatus.CONNECTING
    assert (await connect(world.context, world.instance())).status is InstanceStatus.CONNECTING


async def test_waiting_for_a_scan_is_not_connecting(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    instance = after(instance, await connect(world.context, instance))
    assert (await status(world.context, instance)).status is InstanceStatus.NEEDS_PAIRING


async def test_an_instance_that_was_deleted(world: World) -> None:
    with pytest.raises(InstanceSick) as raised:
        await status(world.context, world.instance(credentials={"instance_name": "nope"}))
    assert raised.value.code == "instance_missing"


async def test_another_phone_is_told_of_and_not_taken_over(world: World) -> None:
    instance = world.instance(phone="+5511911112222")
    for report in (await status(world.context, instance), await connect(world.context, instance)):
        assert report.status is InstanceStatus.CONNECTED
        assert report.phone is None
        assert f"+{OWNER}" in report.detail


async def test_the_ninth_digit_is_no_other_phone(empty_world: World) -> None:
    empty_world.standin.add_instance("wa", phone="558588887777")
    report = await status(empty_world.context, empty_world.instance(phone="+5585988887777"))
    assert (report.phone, report.detail) == ("5585988887777", "")


# Pairing --------------------------------------------------------------------------------------------------


async def test_a_code_to_scan_and_one_to_type(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    instance = after(instance, await connect(world.context, instance))
    pairing = await qrcode(world.context, instance)
    assert pairing.status is InstanceStatus.NEEDS_PAIRING
    assert pairing.base64
    assert pairing.base64.startswith("data:image/png;base64,")
    assert pairing.code
    assert pairing.pairing_code == "ABCD1234"
    assert pairing.expires_at
    assert 0 < (pairing.expires_at - NOW).total_seconds() <= 45
    assert world.standin.requests[-1].query == {"number": OWNER}

    world.standin.call("rotate_code", instance="wa")
    assert (await qrcode(world.context, instance)).code != pairing.code

    world.standin.scan("wa", OWNER)
    assert (await qrcode(world.context, instance)).status is InstanceStatus.CONNECTED


async def test_a_new_code_when_the_old_ones_ran_out(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    await connect(world.context, instance)
    world.standin.call("exhaust_codes", instance="wa")
    assert (await qrcode(world.context, instance)).code


async def test_no_code_has_come_yet(empty_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elsehu_evolution.pairing.PAUSE", 0.0)
    world, instance = empty_world, empty_world.instance()
    await connect(world.context, instance)
    world.standin.faults.answer("GET /instance/connect/*", 200, {"count": 0}, times=2)
    assert (await qrcode(world.context, instance)).code
    world.standin.faults.answer("GET /instance/connect/*", 200, {"count": 0}, times=None)
    pairing = await qrcode(world.context, instance)
    assert (pairing.status, pairing.code) == (InstanceStatus.CONNECTING, None)


async def test_a_200_that_is_an_error(world: World) -> None:
    world.standin.faults.answer("GET /instance/connect/*", 200, {"error": True, "message": "[object Object]"})
    with pytest.raises(Retryable):
        await qrcode(world.context, world.instance())


async def test_a_pairing_can_be_given_up(empty_world: World) -> None:
    world, instance = empty_world, empty_world.instance()
    await connect(world.context, instance)
    world.standin.faults.answer("GET /instance/connect/*", 200, {"count": 0}, times=None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await qrcode(world.context, instance)


# Disconnecting --------------------------------------------------------------------------------------------


async def test_logging_out_any_number_of_times(world: World) -> None:
    for _ in range(2):
        report = await disconnect(world.context, world.instance(), forget=False)
        assert report.status is InstanceStatus.DISCONNECTED
        assert world.standin.state("wa")["linked"] is False
    assert "DELETE /instance/delete/wa" not in world.paths()


async def test_forgetting_any_number_of_times(world: World) -> None:
    instance = world.instance(state={"token": "T", "instance_name": "wa"})
    for _ in range(2):
        report = await disconnect(world.context, instance, forget=True)
        assert report.state == {"token": None}
        with pytest.raises(InstanceSick):
            await status(world.context, instance)


async def test_logging_out_from_a_server_that_is_down(world: World) -> None:
    world.standin.stop()
    with pytest.raises(Retryable):
        await disconnect(world.context, world.instance(), forget=True)
