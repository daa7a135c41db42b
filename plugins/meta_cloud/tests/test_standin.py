"""The stand-in is as strict as Meta: what the reference says is refused is refused, with its code."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from elsehu_meta_cloud.testing import MetaStandin, meta_json, running_standin, samples, sign, standin_process
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from elsehu.testing.serving import running_server

MARIA = "5511988887777"
ENVELOPE = {"messaging_product": "whatsapp", "to": "+" + MARIA}


class Client:
    """Talks to a stand-in as a program would."""

    def __init__(self, standin: MetaStandin) -> None:
        options = standin.options
        self.number, self.waba = options.number_id, options.waba_id
        self.http = httpx.AsyncClient(base_url=standin.url, headers={"authorization": f"Bearer {options.token}"})

    async def send(self, **body: Any) -> httpx.Response:
        return await self.http.post(f"/v24.0/{self.number}/messages", json={**ENVELOPE, **body})

    async def upload(self, data: bytes, mime_type: str, **form: str) -> httpx.Response:
        fields = {"messaging_product": "whatsapp", "type": mime_type, **form}
        return await self.http.post(f"/v24.0/{self.number}/media", data=fields, files={"file": ("f", data, mime_type)})


@pytest.fixture
async def client(meta: MetaStandin) -> AsyncIterator[Client]:
    made = Client(meta)
    yield made
    await made.http.aclose()


def buttons(*titles: str, **more: Any) -> dict[str, Any]:
    replies = [{"type": "reply", "reply": {"id": str(at), "title": title}} for at, title in enumerate(titles)]
    return {"type": "button", "body": {"text": "b"}, "action": {"buttons": replies}, **more}


def rows(*counts: int, title: str = "s", row: dict[str, Any] | None = None) -> dict[str, Any]:
    ids = iter(range(1000))
    made = [
        {"title": title, "rows": [{"id": str(next(ids)), "title": "r", **(row or {})} for _ in range(count)]}
        for count in counts
    ]
    return {"type": "list", "body": {"text": "b"}, "action": {"button": "l", "sections": made}}


def action(kind: str, name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": kind, "body": {"text": "b"}, "action": {"name": name, "parameters": parameters}}


BAD: list[tuple[str, dict[str, Any], int]] = [
    ("no product", {"messaging_product": None, "type": "text", "text": {"body": "x"}}, 100),
    ("nobody", {"to": None, "type": "text", "text": {"body": "x"}}, 131008),
    ("no number", {"to": "+12", "type": "text", "text": {"body": "x"}}, 131009),
    ("no such type", {"type": "poll", "poll": {}}, 100),
    ("no content", {"type": "text"}, 131008),
    ("an empty text", {"type": "text", "text": {"body": ""}}, 131009),
    ("a long text", {"type": "text", "text": {"body": "x" * 4097}}, 131009),
    ("a long reference", {"type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x" * 513}, 131009),
    ("a context without an id", {"type": "text", "text": {"body": "x"}, "context": {}}, 131009),
    ("a file without id", {"type": "image", "image": {}}, 100),
    ("a file with id and link", {"type": "image", "image": {"id": "1", "link": "https://x"}}, 100),
    ("an unknown file", {"type": "image", "image": {"id": "1"}}, 100),
    ("an http link", {"type": "image", "image": {"link": "http://x"}}, 131009),
    ("a long caption", {"type": "image", "image": {"link": "https://x", "caption": "x" * 1025}}, 131009),
    ("a caption of a sound", {"type": "audio", "audio": {"link": "https://x", "caption": "x"}}, 100),
    ("a caption of a sticker", {"type": "sticker", "sticker": {"link": "https://x", "caption": "x"}}, 100),
    ("a place without latitude", {"type": "location", "location": {"longitude": 0}}, 131009),
    ("a place beyond the pole", {"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
    ("cards that are no list", {"type": "contacts", "contacts": {}}, 131009),
    ("too many cards", {"type": "contacts", "contacts": [{}] * 258}, 131009),
    (
        "a card without a part of the name",
        {"type": "contacts", "contacts": [{"name": {"formatted_name": "x"}}]},
        131008,
    ),
    ("a reaction without a target", {"type": "reaction", "reaction": {"emoji": "👍"}}, 131008),
    ("a reaction by letters", {"type": "reaction", "reaction": {"message_id": "w", "emoji": "ok"}}, 131009),
    (
        "a reaction that quotes",
        {"type": "reaction", "reaction": {"message_id": "w", "emoji": "👍"}, "context": {"message_id": "w"}},
        131009,
    ),
    ("four buttons", {"type": "interactive", "interactive": buttons("a", "b", "c", "d")}, 131009),
    ("equal buttons", {"type": "interactive", "interactive": buttons("a", "a")}, 131009),
    ("a long button", {"type": "interactive", "interactive": buttons("x" * 21)}, 131009),
    ("a long body", {"type": "interactive", "interactive": buttons("a", body={"text": "x" * 1025})}, 131009),
    ("a long footer", {"type": "interactive", "interactive": buttons("a", footer={"text": "x" * 61})}, 131009),
    (
        "a long header",
        {"type": "interactive", "interactive": buttons("a", header={"type": "text", "text": "x" * 61})},
        131009,
    ),
    (
        "a list under an image",
        {"type": "interactive", "interactive": {**rows(1), "header": {"type": "image", "image": {"id": "1"}}}},
        131009,
    ),
    ("eleven rows in all", {"type": "interactive", "interactive": rows(6, 5)}, 131009),
    ("a section without title", {"type": "interactive", "interactive": rows(1, 1, title="")}, 131009),
    ("a long row", {"type": "interactive", "interactive": rows(1, row={"title": "x" * 25})}, 131009),
    ("equal rows", {"type": "interactive", "interactive": rows(2, row={"id": "1"})}, 131009),
    (
        "a link to nowhere",
        {"type": "interactive", "interactive": action("cta_url", "cta_url", display_text="l")},
        131009,
    ),
    (
        "a flow of an old version",
        {"type": "interactive", "interactive": action("flow", "flow", flow_message_version="2")},
        131009,
    ),
    (
        "a flow without an id",
        {"type": "interactive", "interactive": action("flow", "flow", flow_message_version="3", flow_cta="l")},
        131009,
    ),
    (
        "a request with a header",
        {
            "type": "interactive",
            "interactive": {**action("location_request_message", "send_location"), "header": {"type": "text"}},
        },
        131009,
    ),
    ("an unknown template", {"type": "template", "template": {"name": "x", "language": {"code": "en"}}}, 132001),
    ("a template without language", {"type": "template", "template": {"name": "x"}}, 131008),
]


@pytest.mark.parametrize(("body", "code"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
async def test_what_meta_refuses(meta: MetaStandin, client: Client, body: dict[str, Any], code: int) -> None:
    answer = await client.send(**body)
    assert (answer.status_code // 100, answer.json()["error"]["code"]) == (4, code), answer.text
    assert answer.json()["error"]["fbtrace_id"]
    assert meta.phone == []


async def test_unknown_properties_are_tolerated(meta: MetaStandin, client: Client) -> None:
    answer = await client.send(type="text", text={"body": "x", "new": 1}, something={"else": 2})
    assert answer.json()["contacts"] == [{"input": "+" + MARIA, "wa_id": MARIA}]
    assert [one.content["body"] for one in meta.phone] == ["x"]


async def test_without_a_plus_a_message_goes_to_a_stranger(meta: MetaStandin, client: Client) -> None:
    await client.send(type="text", to=MARIA, text={"body": "x"})
    assert [one.to for one in meta.phone] == ["1" + MARIA]


async def test_a_number_wins_over_a_user_id(meta: MetaStandin, client: Client) -> None:
    await client.send(type="text", recipient="BR.1", text={"body": "x"})
    assert [one.to for one in meta.phone] == [MARIA]


PLACEHOLDER = [{"type": "BODY", "text": "Oi {{1}}"}]


@pytest.mark.parametrize(
    ("template", "parameters", "code"),
    [
        ({"components": PLACEHOLDER}, [], 132000),
        ({"components": PLACEHOLDER}, [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], 132000),
        ({"components": PLACEHOLDER}, [{"type": "text", "text": "a\nb"}], 132018),
        ({"components": PLACEHOLDER}, [{"type": "image"}], 132012),
        (
            {"components": [{"type": "BODY", "text": "{{nome}}"}], "parameter_format": "NAMED"},
            [{"type": "text", "text": "a"}],
            132000,
        ),
        ({"components": PLACEHOLDER, "status": "PAUSED"}, [{"type": "text", "text": "a"}], 132015),
        ({"components": PLACEHOLDER, "status": "DISABLED"}, [{"type": "text", "text": "a"}], 132016),
        ({"components": PLACEHOLDER, "status": "PENDING"}, [{"type": "text", "text": "a"}], 132001),
    ],
)
async def test_templates_want_their_values(
    meta: MetaStandin, client: Client, template: dict[str, Any], parameters: list[Any], code: int
) -> None:
    meta.call("add_template", name="oi", **template)
    content = {"name": "oi", "language": {"code": "pt_BR"}, "components": [{"type": "body", "parameters": parameters}]}
    answer = await client.send(type="template", template=content)
    assert answer.json()["error"]["code"] == code


async def test_a_password_needs_a_number(meta: MetaStandin, client: Client) -> None:
    parts = [{"type": "BODY", "text": "x"}, {"type": "BUTTONS", "buttons": [{"type": "OTP", "text": "c"}]}]
    meta.call("add_template", name="codigo", components=parts)
    body = {"messaging_product": "whatsapp", "recipient": "BR.1", "type": "template"}
    content = {"name": "codigo", "language": {"code": "pt_BR"}}
    answer = await client.http.post(f"/v24.0/{client.number}/messages", json={**body, "template": content})
    assert answer.json()["error"]["code"] == 131062


@pytest.mark.parametrize(
    ("data", "mime_type", "form"),
    [
        (b"x", "application/octet-stream", {}),
        (b"x", "image/gif", {}),
        (b"x", "audio/wav", {}),
        (b"", "image/png", {}),
        (b"x" * (5 * 1024 * 1024 + 1), "image/png", {}),
        (b"x", "image/png", {"messaging_product": "x"}),
        (b"x", "image/png", {"type": "image/jpeg"}),
    ],
)
async def test_files_that_are_refused(client: Client, data: bytes, mime_type: str, form: dict[str, str]) -> None:
    assert (await client.upload(data, mime_type, **form)).json()["error"]["code"] in (100, 131008)


async def test_a_files_address_needs_the_token_and_expires(meta: MetaStandin, client: Client) -> None:
    media_id = (await client.upload(samples.png(), "image/png")).json()["id"]
    found = (await client.http.get(f"/v24.0/{media_id}")).json()
    assert found["file_size"] == len(samples.png())
    assert (await client.http.get(found["url"])).content == samples.png()
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(found["url"])).status_code == 401
    old = found["url"].replace("&ext=", "&ext=1")
    assert (await client.http.get(old)).status_code == 404
    other = await client.http.get(f"/v24.0/{media_id}", params={"phone_number_id": "1"})
    assert other.json()["error"]["error_subcode"] == 33
    assert (await client.http.delete(f"/v24.0/{media_id}")).json() == {"success": True}
    assert (await client.http.get(f"/v24.0/{media_id}")).status_code == 400


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("/v24.0/1", None, 100),
        ("/v24.0/100000000000001", "wrong", 190),
        ("/v9.0/100000000000001", None, 2635),
        ("/100000000000001", None, 2635),
        ("/v24.0/100000000000001/nothing", None, 2500),
        ("/v24.0/100000000000001?fields=id,colour", None, 100),
    ],
)
async def test_paths_tokens_and_fields(client: Client, path: str, token: str | None, code: int) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    assert (await client.http.get(path, headers=headers)).json()["error"]["code"] == code


async def test_limits_are_in_force_on_demand(meta: MetaStandin, client: Client) -> None:
    text = {"type": "text", "text": {"body": "x"}}
    meta.call("limit", pair=[60, 2])
    codes = [(await client.send(**text)).json().get("error", {}).get("code") for _ in range(3)]
    assert codes == [None, None, 131056]
    assert (await client.send(**text, to="+5511900000001")).status_code == 200
    meta.call("limit", throughput=[60, 1])
    codes = [(await client.send(**text)).json().get("error", {}).get("code") for _ in range(2)]
    assert codes == [None, 130429]


class Hook:
    """A program that hears webhooks; `answers` are the statuses that it gives, the last for ever."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str]] = []
        self.answers = [200]
        self.url = ""

    async def endpoint(self, request: Request) -> PlainTextResponse:
        if request.method == "GET":
            query = request.query_params
            is_ours = query.get("hub.verify_token") == "secret"
            return PlainTextResponse(query.get("hub.challenge", "") if is_ours else "", 200 if is_ours else 403)
        self.heard.append((await request.body(), request.headers["x-hub-signature-256"]))
        return PlainTextResponse("", self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = Starlette(routes=[Route("/{path:path}", made.endpoint, methods=["GET", "POST"])])
    async with running_server(app) as server:
        made.url = server.url + "/hook"
        yield made


async def test_webhooks_are_signed_over_metas_own_bytes_and_repeated_until_200(meta: MetaStandin, hook: Hook) -> None:
    meta.call("set_callback", url=hook.url)
    hook.answers = [500, 404, 200]
    meta.customer(MARIA).says("Olá 😀 /x")
    await meta.eventually(lambda: meta.webhooks[0].is_done)
    assert meta.webhooks[0].answers == [500, 404, 200]
    bodies = {body for body, _ in hook.heard}
    (body,) = bodies
    assert b"Ol\\u00e1 \\ud83d\\ude00 \\/x" in body
    assert {signature for _, signature in hook.heard} == {sign(meta.options.app_secret, body)}


async def test_statuses_tell_our_own_words_back(meta: MetaStandin, client: Client, hook: Hook) -> None:
    meta.call("set_callback", url=hook.url)
    await client.send(type="text", text={"body": "x"}, biz_opaque_callback_data="ours")
    await meta.eventually(lambda: len(meta.webhooks) == 2 and meta.webhooks[1].is_done)
    found = [one.body["entry"][0]["changes"][0]["value"]["statuses"][0] for one in meta.webhooks]
    assert [one["status"] for one in found] == ["sent", "delivered"]
    assert {one["biz_opaque_callback_data"] for one in found} == {"ours"}


async def test_an_address_must_answer_before_it_is_set(client: Client, meta: MetaStandin, hook: Hook) -> None:
    async def override(token: str, url: str = hook.url) -> httpx.Response:
        wanted = {"override_callback_uri": url, "verify_token": token}
        return await client.http.post(f"/v24.0/{client.number}", json={"webhook_configuration": wanted})

    assert (await override("wrong")).json()["error"]["code"] == 2200
    assert (await override("secret", hook.url + "x" * 200)).json()["error"]["code"] == 131009
    assert (await override("secret")).json() == {"success": True}
    meta.customer(MARIA).says("ninguém ouve")
    assert meta.webhooks == []
    assert (await client.http.post(f"/v24.0/{client.waba}/subscribed_apps")).json() == {"success": True}
    meta.customer(MARIA).says("agora sim")
    await meta.eventually(lambda: meta.webhooks and meta.webhooks[0].is_done)
    assert (await override("", "")).json() == {"success": True}
    assert meta.state["callbacks"][client.number] is None


async def test_the_window_is_checked_on_demand(hook: Hook) -> None:
    with running_standin(checks_window=True) as meta:
        meta.call("set_callback", url=hook.url)
        client, maria = Client(meta), meta.customer(MARIA)
        await client.send(type="text", text={"body": "zu früh"})
        await meta.eventually(lambda: meta.webhooks)
        (status,) = meta.webhooks[0].body["entry"][0]["changes"][0]["value"]["statuses"]
        assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)
        maria.says("oi", at=time.time() - 60)
        await client.send(type="text", text={"body": "offen"})
        assert maria.texts == ["offen"]
        await client.http.aclose()


async def test_it_runs_as_a_process_of_its_own() -> None:
    with standin_process(retry_base=0.05) as meta:
        maria = meta.customer(MARIA)
        headers = {"authorization": "Bearer EAAG-standin-token"}
        async with httpx.AsyncClient(base_url=meta.url, headers=headers) as http:
            body = {**ENVELOPE, "type": "text", "text": {"body": "von außen"}}
            assert (await http.post("/v24.0/100000000000001/messages", json=body)).status_code == 200
            file = meta.call("store_file", mime_type="application/pdf", size=5_000_000)
            url = (await http.get(f"/v24.0/{file['id']}")).json()["url"]
            assert len((await http.get(url)).content) == 5_000_000
        assert maria.texts == ["von außen"]
        assert [one.status for one in meta.requests if one.method == "POST"] == [200]
        with pytest.raises(ValueError, match="no effect"):
            meta.fault("explode")


def test_json_is_metas() -> None:
    assert meta_json({"a": "á/"}) == b'{"a":"\\u00e1\\/"}'
    vector = '{"object":"whatsapp_business_account","entry":[]}'
    expected = "sha256=39f755e3cc111a668cbe0d00d787c7c9884f8322200c5210a64c2b6c7b9d315c"
    assert sign("elsehu-sample-app-secret", vector.encode()) == expected
