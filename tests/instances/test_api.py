"""`/api/service-instances`, as frontends meet it."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest

from elsehu.contracts.errors import InstanceSick, Rejected, Retryable
from elsehu.contracts.inbound import InstanceChanged
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus, Pairing
from elsehu.instances import service
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer
from elsehu.testing.steered import Steered

PATH = "/api/service-instances"
KEY = "very-secret-key"
CREDENTIALS = {"serverUrl": "http://evo.test:8080", "apiKey": KEY}
NEW = {"name": "Shop", "phone": "+55 11 99999-0000", "provider": "pairable", "credentials": CREDENTIALS}

Add = Callable[..., Any]


async def everything_stored(kernel: Kernel) -> str:
    """All that the database holds of instances, events and the audit log, as text."""
    tables = ("service_instances", "events", "audit_log")
    found = [await kernel.db.fetch(f"SELECT t::text AS row FROM {table} AS t") for table in tables]
    return "\n".join(row["row"] for rows in found for row in rows)


class TestAdding:
    async def test_answers_the_instance_without_its_credentials(self, admin: ApiClient) -> None:
        answer = await admin.post(PATH, NEW)
        assert answer.status_code == 201
        body = answer.json()
        assert KEY not in answer.text
        assert body.pop("id") == body["webhookUrl"].rpartition("/")[2]
        assert body.pop("webhookUrl").startswith("https://desk.example.com/api/webhooks/pairable/")
        assert body.pop("createdAt").endswith("Z")
        assert body == {
            "name": "Shop",
            "phone": "+5511999990000",
            "provider": "pairable",
            "isActive": True,
            "status": "connected",
            "statusDetail": "",
            "lastSeenAt": None,
            "health": {},
            "abilities": ["qrcode", "send_image", "send_text"],
        }

    async def test_hands_the_provider_what_it_needs(self, add: Add, steered: Steered) -> None:
        added = await add(settings={"groups": True})
        handed = steered.last("connect")
        assert handed.credentials == {"server_url": "http://evo.test:8080", "api_key": KEY, "instance_name": None}
        assert handed.settings == {"groups": True, "pause_seconds": 1.5}
        assert handed.webhook_url == added["webhookUrl"]
        assert len(handed.webhook_secret) >= 32

    async def test_the_row_is_committed_before_the_provider_is_told(
        self, admin: ApiClient, steered: Steered, kernel: Kernel
    ) -> None:
        seen: list[Any] = []

        async def look(instance: Instance) -> InstanceReport:
            stored = await Directory(kernel).get(instance.id)
            seen.append(stored and stored.webhook_secret == instance.webhook_secret)
            return InstanceReport(InstanceStatus.NEEDS_PAIRING, "Scan the QR code.")

        steered.answers["connect"] = look
        body = (await admin.post(PATH, NEW)).json()
        assert seen == [True]
        assert (body["status"], body["statusDetail"]) == ("needs_pairing", "Scan the QR code.")

    @pytest.mark.parametrize(
        ("failure", "status", "detail"),
        [
            (Retryable("provider_away", "http://evo.test:8080 does not answer."), "disconnected", "evo.test"),
            (Rejected("bad_key", f"The key {KEY} is wrong."), "blocked", "The key *** is wrong."),
            (InstanceSick("banned", "WhatsApp banned it.", "blocked"), "blocked", "WhatsApp banned it."),
            (KeyError(KEY), "disconnected", "failed unexpectedly (KeyError)"),
        ],
    )
    async def test_a_provider_that_fails_does_not_undo_it(
        self, admin: ApiClient, steered: Steered, failure: Exception, status: str, detail: str
    ) -> None:
        steered.answers["connect"] = failure
        answer = await admin.post(PATH, NEW)
        assert answer.status_code == 201
        assert answer.json()["status"] == status
        assert detail in answer.json()["statusDetail"]
        assert KEY not in (await admin.get(PATH)).text

    async def test_a_provider_that_does_not_answer_is_not_waited_for_long(
        self, admin: ApiClient, steered: Steered
    ) -> None:
        async def never(_: Instance) -> InstanceReport:
            await asyncio.Event().wait()
            raise AssertionError

        steered.answers["connect"] = never
        async with asyncio.timeout(5):
            answer = await admin.post(PATH, NEW)
        assert answer.status_code == 201
        assert answer.json()["status"] == "disconnected"
        assert "within 1 s" in answer.json()["statusDetail"]

    @pytest.mark.parametrize(
        ("change", "fields"),
        [
            ({"provider": "fax"}, ["provider"]),
            ({"provider": "pair"}, ["provider"]),
            ({"credentials": {}}, ["credentials.serverUrl", "credentials.apiKey"]),
            ({"credentials": {**CREDENTIALS, "password": "x"}}, ["credentials.password"]),
            ({"credentials": {**CREDENTIALS, "apiKey": 5}}, ["credentials.apiKey"]),
            ({"settings": {"groups": "perhaps"}}, ["settings.groups"]),
            ({"credentials": {}, "settings": {"x": 1}}, ["credentials.serverUrl", "credentials.apiKey", "settings.x"]),
            ({"provider": "plain"}, ["credentials.serverUrl", "credentials.apiKey"]),
            ({"phone": "by the door"}, ["phone"]),
            ({"name": "   "}, ["name"]),
            ({"colour": "red"}, ["colour"]),
            ({"credentials": [1]}, ["credentials"]),
        ],
    )
    async def test_refuses_what_is_not_valid(
        self, admin: ApiClient, steered: Steered, change: dict[str, Any], fields: list[str]
    ) -> None:
        answer = await admin.post(PATH, {**NEW, **change})
        assert answer.status_code == 422
        assert sorted(error["field"] for error in answer.json()["errors"]) == sorted(fields)
        assert steered.calls == []
        assert (await admin.get(PATH)).json()["items"] == []

    async def test_an_unknown_provider_is_told_the_enabled_ones(self, admin: ApiClient) -> None:
        problem = (await admin.post(PATH, {**NEW, "provider": "fax"})).json()
        assert problem["code"] == "unknown_provider"
        assert "pairable, plain" in problem["detail"]

    async def test_a_refusal_does_not_repeat_the_secret(self, admin: ApiClient) -> None:
        answer = await admin.post(PATH, {**NEW, "credentials": {**CREDENTIALS, "apiKey": "s3cr3t"}})
        assert answer.status_code == 422
        assert "is too short" in answer.text
        assert "s3cr3t" not in answer.text

    async def test_a_name_is_taken_once(self, admin: ApiClient, add: Add) -> None:
        await add()
        answer = await admin.post(PATH, NEW)
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")

    async def test_the_same_request_twice_adds_one(self, admin: ApiClient, steered: Steered) -> None:
        headers = {"Idempotency-Key": "one"}
        first = await admin.post(PATH, NEW, headers=headers)
        second = await admin.post(PATH, NEW, headers=headers)
        assert first.json() == second.json()
        assert steered.count("connect") == 1


class TestSecrets:
    async def test_nothing_secret_is_stored_in_the_clear(
        self, add: Add, admin: ApiClient, kernel: Kernel, steered: Steered
    ) -> None:
        steered.answers["connect"] = InstanceReport(InstanceStatus.NEEDS_PAIRING, state={"token": "state-secret"})
        added = await add()
        await admin.get(f"{PATH}/{added['id']}/qrcode")
        stored = await everything_stored(kernel)
        secret = steered.last("connect").webhook_secret
        for text in (KEY, "state-secret", secret, "2@first"):
            assert text not in stored
            assert text.encode().hex() not in stored
        keys = await kernel.redis.keys("*")
        kept: list[Any] = [await kernel.redis.get(key) for key in keys if b"pairing" in key]
        assert len(kept) == 1
        assert b"2@first" not in (kept[0] or b"")

    async def test_no_answer_shows_one(self, add: Add, admin: ApiClient) -> None:
        one = f"{PATH}/{(await add())['id']}"
        changed = await admin.patch(one, {"credentials": {"apiKey": "another-secret-key"}})
        answers = [changed, await admin.get(PATH), await admin.get(one), await admin.get(one + "/status")]
        for answer in answers:
            assert answer.status_code == 200
            assert "secret" not in answer.text


class TestChanging:
    async def test_name_and_phone(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add())['id']}"
        answer = await admin.patch(one, {"name": "Store", "phone": "+551133334444"})
        assert (answer.json()["name"], answer.json()["phone"]) == ("Store", "+551133334444")
        assert steered.count("connect") == 1

    async def test_credentials_are_replaced_key_by_key_and_connected_anew(
        self, add: Add, admin: ApiClient, steered: Steered
    ) -> None:
        one = f"{PATH}/{(await add(credentials={**CREDENTIALS, 'instanceName': 'wa'}))['id']}"
        answer = await admin.patch(one, {"credentials": {"apiKey": "another-secret-key", "instanceName": None}})
        assert answer.status_code == 200
        assert steered.last("connect").credentials == {
            "server_url": "http://evo.test:8080",
            "api_key": "another-secret-key",
            "instance_name": None,
        }

    async def test_settings_too(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add(settings={'groups': True}))['id']}"
        await admin.patch(one, {"settings": {"pauseSeconds": 3}})
        assert steered.last("connect").settings == {"groups": True, "pause_seconds": 3}
        await admin.patch(one, {"settings": {"groups": None}})
        assert steered.last("connect").settings == {"groups": False, "pause_seconds": 3}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"credentials": {"apiKey": None}}, "credentials.apiKey"),
            ({"credentials": {"nonsense": 1}}, "credentials.nonsense"),
            ({"settings": {"groups": []}}, "settings.groups"),
            ({"phone": "nowhere"}, "phone"),
            ({"provider": "plain"}, "provider"),
            ({"isActive": False}, "isActive"),
        ],
    )
    async def test_refuses_what_is_not_valid(
        self, add: Add, admin: ApiClient, change: dict[str, Any], field: str
    ) -> None:
        answer = await admin.patch(f"{PATH}/{(await add())['id']}", change)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    async def test_not_to_another_ones_name(self, add: Add, admin: ApiClient) -> None:
        await add("Shop")
        answer = await admin.patch(f"{PATH}/{(await add('Store'))['id']}", {"name": "Shop"})
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


class TestDeactivating:
    async def test_it_leaves_the_list_and_comes_back(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        added = await add()
        one = f"{PATH}/{added['id']}"
        assert (await admin.delete(one)).status_code == 204
        assert (await admin.get(PATH)).json()["items"] == []
        assert (await admin.get(PATH, params={"includeInactive": "true"})).json()["items"][0]["isActive"] is False
        assert (await admin.get(one)).json()["isActive"] is False
        for refused in (await admin.post(one + "/connect"), await admin.get(one + "/qrcode")):
            assert (refused.status_code, refused.json()["code"]) == (409, "instance_inactive")
        assert steered.count("disconnect") == 0
        assert (await admin.post(one + "/activate")).json()["isActive"] is True
        assert steered.count("connect") == 2

    async def test_with_forget_the_provider_deletes_it(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add())['id']}"
        assert (await admin.delete(one, params={"forget": "true"})).status_code == 204
        assert steered.forgotten == ["Shop"]

    async def test_forgetting_can_be_repeated_where_the_provider_was_away(
        self, add: Add, admin: ApiClient, steered: Steered
    ) -> None:
        one = f"{PATH}/{(await add())['id']}"
        steered.answers["disconnect"] = Retryable("provider_away", "It does not answer.")
        answer = await admin.delete(one, params={"forget": "true"})
        assert (answer.status_code, answer.json()["code"]) == (502, "provider_away")
        assert (await admin.get(one)).json()["isActive"] is False
        del steered.answers["disconnect"]
        assert (await admin.delete(one, params={"forget": "true"})).status_code == 204
        assert steered.forgotten == ["Shop", "Shop"]


class TestListing:
    async def test_pages_by_name_without_gaps(self, add: Add, admin: ApiClient) -> None:
        for name in ("b", "d", "a", "e", "c"):
            await add(name)
        names: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await admin.get(PATH, params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))).json()
            assert len(page["items"]) <= 2
            names += [item["name"] for item in page["items"]]
            cursor = page["nextCursor"]
        assert names == ["a", "b", "c", "d", "e"]

    @pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "201"}, {"cursor": "x"}, {"inactive": "true"}])
    async def test_refuses_strange_queries(self, admin: ApiClient, query: dict[str, str]) -> None:
        assert (await admin.get(PATH, params=query)).status_code == 422


class TestLinking:
    async def test_gives_what_is_to_be_scanned(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        steered.answers["connect"] = InstanceReport(InstanceStatus.CONNECTING)
        added = await add()
        code = (await admin.get(f"{PATH}/{added['id']}/qrcode")).json()
        assert code.pop("expiresAt").endswith("Z")
        assert code == {
            "state": "needs_pairing",
            "base64": "data:image/png;base64,AAAA",
            "code": "2@first",
            "pairingCode": None,
        }
        assert (await admin.get(f"{PATH}/{added['id']}")).json()["status"] == "needs_pairing"

    async def test_the_provider_is_not_asked_again_while_it_can_be_scanned(
        self, add: Add, admin: ApiClient, steered: Steered
    ) -> None:
        one = f"{PATH}/{(await add())['id']}/qrcode"
        first, second = await admin.get(one), await admin.get(one)
        assert first.json() == second.json()
        assert steered.count("qrcode") == 1

    async def test_a_refreshed_code_is_the_one_that_is_given(self, add: Add, admin: ApiClient, kernel: Kernel) -> None:
        added = await add()
        one = f"{PATH}/{added['id']}/qrcode"
        await admin.get(one)
        fresh = Pairing(InstanceStatus.NEEDS_PAIRING, base64="data:image/png;base64,BBBB", code="2@second")
        async with kernel.db.transaction() as uow:
            change = InstanceChanged(InstanceStatus.NEEDS_PAIRING, pairing=fresh)
            await service.apply_change(uow, kernel, UUID(added["id"]), change)
        assert (await admin.get(one)).json()["code"] == "2@second"

    async def test_an_empty_answer_is_asked_for_again(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add())['id']}/qrcode"
        steered.answers["qrcode"] = Pairing(InstanceStatus.CONNECTING)
        assert (await admin.get(one)).json()["base64"] is None
        del steered.answers["qrcode"]
        assert (await admin.get(one)).json()["code"] == "2@first"

    async def test_not_once_it_is_linked(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        steered.answers["connect"] = InstanceReport(InstanceStatus.NEEDS_PAIRING)
        steered.answers["qrcode"] = Pairing(InstanceStatus.CONNECTED)
        one = f"{PATH}/{(await add())['id']}"
        answer = await admin.get(one + "/qrcode")
        assert (answer.status_code, answer.json()["code"]) == (409, "already_connected")
        assert (await admin.get(one)).json()["status"] == "connected"

    async def test_an_old_code_goes_when_it_was_scanned(
        self, add: Add, admin: ApiClient, kernel: Kernel, steered: Steered
    ) -> None:
        added = await add()
        await admin.get(f"{PATH}/{added['id']}/qrcode")
        async with kernel.db.transaction() as uow:
            await service.apply_change(uow, kernel, UUID(added["id"]), InstanceChanged(InstanceStatus.CONNECTED))
        steered.answers["qrcode"] = Pairing(InstanceStatus.CONNECTED)
        assert (await admin.get(f"{PATH}/{added['id']}/qrcode")).status_code == 409

    async def test_a_provider_without_pairing_says_so(self, add: Add, admin: ApiClient) -> None:
        added = await add(provider="plain", credentials={})
        answer = await admin.get(f"{PATH}/{added['id']}/qrcode")
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_by_provider")


class TestAskingTheProvider:
    async def test_status_is_the_providers_own(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add())['id']}"
        steered.answers["status"] = InstanceReport(InstanceStatus.DISCONNECTED, "Logged out.", phone="5511988887777")
        assert (await admin.get(one)).json()["status"] == "connected"
        answer = (await admin.get(one + "/status")).json()
        assert (answer["status"], answer["statusDetail"], answer["phone"]) == (
            "disconnected",
            "Logged out.",
            "+5511988887777",
        )
        assert (await admin.get(one)).json() == answer

    @pytest.mark.parametrize("what", ["status", "qrcode", "connect", "disconnect"])
    async def test_its_errors_are_problems_without_secrets(
        self, add: Add, admin: ApiClient, steered: Steered, what: str
    ) -> None:
        one = f"{PATH}/{(await add())['id']}/{what}"
        steered.answers[what] = Retryable("provider_away", f"No answer to {KEY}.", provider_code="E1")
        answer = await (admin.post(one) if what.endswith("connect") else admin.get(one))
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["detail"], problem["providerCode"]) == (
            "provider_away",
            "No answer to ***.",
            "E1",
        )

    async def test_a_sick_number_is_marked(self, add: Add, admin: ApiClient, steered: Steered) -> None:
        one = f"{PATH}/{(await add())['id']}"
        steered.answers["status"] = InstanceSick("banned", "WhatsApp banned it.", "blocked")
        assert (await admin.get(one + "/status")).status_code == 502
        assert (await admin.get(one)).json()["status"] == "blocked"

    async def test_disconnecting_and_connecting(self, add: Add, admin: ApiClient) -> None:
        one = f"{PATH}/{(await add())['id']}"
        assert (await admin.post(one + "/disconnect")).json()["status"] == "disconnected"
        assert (await admin.post(one + "/connect")).json()["status"] == "connected"

    async def test_a_provider_that_is_not_enabled_any_more(self, add: Add, admin: ApiClient, kernel: Kernel) -> None:
        one = f"{PATH}/{(await add())['id']}"
        await kernel.db.execute("UPDATE service_instances SET provider = 'gone'")
        shown = await admin.get(one)
        assert (shown.status_code, shown.json()["abilities"]) == (200, [])
        answer = await admin.post(one + "/connect")
        assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_enabled")


OPERATIONS = [
    ("GET", PATH, "ADMIN SUPERVISOR OPERATOR"),
    ("POST", PATH, "ADMIN"),
    ("GET", PATH + "/{id}", "ADMIN SUPERVISOR OPERATOR"),
    ("PATCH", PATH + "/{id}", "ADMIN"),
    ("POST", PATH + "/{id}/activate", "ADMIN SUPERVISOR"),
    ("POST", PATH + "/{id}/connect", "ADMIN SUPERVISOR"),
    ("POST", PATH + "/{id}/disconnect", "ADMIN SUPERVISOR"),
    ("GET", PATH + "/{id}/status", "ADMIN SUPERVISOR"),
    ("GET", PATH + "/{id}/qrcode", "ADMIN SUPERVISOR"),
    ("DELETE", PATH + "/{id}", "ADMIN"),
]


class TestRights:
    @pytest.mark.parametrize("role", ["ADMIN", "SUPERVISOR", "OPERATOR"])
    async def test_by_role(self, server: RunningServer, add: Add, role: str) -> None:
        added = await add()
        async with log_in_as(server, role) as client:
            for method, path, roles in OPERATIONS:
                body = {"POST": {**NEW, "name": "Other"}, "PATCH": {"name": "Third"}}.get(method)
                answer = await client.http.request(method, path.format(id=added["id"]), json=body)
                expected = range(200, 300) if role in roles.split() else [403]
                assert answer.status_code in expected, (method, path, answer.text)

    async def test_nobody_without_a_token(self, admin: ApiClient, add: Add) -> None:
        added = await add()
        for method, path, _ in OPERATIONS:
            answer = await admin.http.request(method, path.format(id=added["id"]), headers={"authorization": ""})
            assert answer.status_code == 401, (method, path)

    @pytest.mark.parametrize("instance_id", ["01a20948-8fe2-71e0-9cf0-999ea0e12053", "nonsense"])
    async def test_an_unknown_id_is_404(self, admin: ApiClient, instance_id: str) -> None:
        for method, path, _ in OPERATIONS:
            if "{id}" in path:
                body = {"name": "x"} if method == "PATCH" else None
                answer = await admin.http.request(method, path.format(id=instance_id), json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)


async def test_what_admins_do_is_audited(add: Add, admin: ApiClient, kernel: Kernel) -> None:
    one = f"{PATH}/{(await add())['id']}"
    await admin.patch(one, {"name": "Store", "credentials": {"apiKey": "another-secret-key"}})
    await admin.post(one + "/disconnect")
    await admin.delete(one)
    rows = await kernel.db.fetch("SELECT * FROM audit_log WHERE subject LIKE 'instance:%' ORDER BY id")
    assert [row["action"] for row in rows] == [
        "instance_created",
        "instance_changed",
        "instance_disconnect",
        "instance_deactivated",
    ]
    assert orjson.loads(rows[1]["details"]) == {"fields": ["name", "credentials.apiKey"]}
    assert {str(row["actor_id"]) for row in rows} == {admin.user["id"]}
