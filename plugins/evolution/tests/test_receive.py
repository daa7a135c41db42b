"""Who may speak for an instance, and what becomes of what they say."""

import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import jwt
import orjson
import pytest
from elsehu_evolution.normalize import normalize
from elsehu_evolution.receive import receive

from elsehu.plugin import Accepted, Instance, WebhookRejected, WebhookRequest

from .conftest import CAPTURES, ID, KEY, NOW, SECRET, body_of, make_instance

OTHER = UUID("01990000-0000-7000-8000-0000000000b2")
TOKEN = "0453BA9F-23CA-4B0A-98F2-DA32444A8F16"
BODY = body_of("messages.upsert-conversation-pn")
HEADER = {"x-elsehu-secret": SECRET}

WA = make_instance(state={"token": TOKEN})
WA2 = make_instance(
    id=OTHER,
    credentials={"instance_name": "wa2"},
    state={"token": "7A451CA9-3DE4-44DC-8692-5131CCCE6510"},
    webhook_secret="the-webhook-secret-of-another-instance-2",
)


def request(
    body: Any = None, headers: dict[str, str] | None = None, instance_id: UUID | None = ID, secret: str | None = None
) -> WebhookRequest:
    """Return a webhook request; `instance_id` None is that of a server's global webhook."""
    raw = body if isinstance(body, bytes) else orjson.dumps(BODY if body is None else body)
    return WebhookRequest("POST", headers or {}, {}, raw, instance_id, secret)


def signed(key: str = SECRET, **claims: Any) -> dict[str, str]:
    """Return the header of a JWT as Evolution signs it with `jwt_key`."""
    now = int(time.time())
    token = jwt.encode({"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"} | claims, key, "HS256")
    return {"authorization": f"Bearer {token}"}


def without(field: str, **changes: Any) -> dict[str, Any]:
    """Return the body without one field."""
    return {name: value for name, value in (BODY | changes).items() if name != field}


PROOFS: list[tuple[str, WebhookRequest]] = [
    ("the header", request(headers=HEADER)),
    ("the header, whatever the body's key", request(BODY | {"apikey": "x"}, HEADER)),
    ("the header without a key in the body", request(without("apikey"), HEADER)),
    ("the secret in the path", request(without("apikey"), secret=SECRET)),
    ("a JWT", request(without("apikey"), signed())),
    ("a JWT that a retry brought late", request(without("apikey"), signed(exp=int(time.time()) - 1500))),
    ("the instance's token", request(BODY)),
    ("the key that was configured", request(BODY | {"apikey": KEY})),
]


@pytest.mark.parametrize("sent", [proof for _, proof in PROOFS], ids=[name for name, _ in PROOFS])
def test_a_proof_opens(sent: WebhookRequest) -> None:
    accepted = receive(sent, [WA])
    assert accepted.instances == [WA]
    assert accepted.payload["event"] == "messages.upsert"


FORGERIES: list[tuple[str, WebhookRequest]] = [
    ("nothing", request(without("apikey"))),
    ("an empty header", request(without("apikey"), {"x-elsehu-secret": ""})),
    ("a wrong header", request(without("apikey"), {"x-elsehu-secret": SECRET[:-1] + "2"})),
    ("a header that is no ASCII", request(without("apikey"), {"x-elsehu-secret": "é" * 40})),
    ("another instance's header", request(without("apikey"), {"x-elsehu-secret": WA2.webhook_secret})),
    ("a wrong path", request(without("apikey"), secret="x")),
    ("an empty path", request(without("apikey"), secret="")),
    ("a key of nobody", request(BODY | {"apikey": "x"})),
    ("a hidden key", request(BODY | {"apikey": None})),
    ("a key that is no text", request(BODY | {"apikey": [TOKEN]})),
    ("a JWT of somebody else", request(without("apikey"), signed("another-secret-that-is-long-enough-for-it"))),
    ("a JWT from last year", request(without("apikey"), signed(iat=1, exp=600))),
    (
        "a JWT without an end",
        request(without("apikey"), {"authorization": "Bearer " + jwt.encode({}, SECRET, "HS256")}),
    ),
    (
        "an unsigned JWT",
        request(without("apikey"), {"authorization": "Bearer " + jwt.encode({"exp": 9e9}, "", "none")}),
    ),
    ("no JWT at all", request(without("apikey"), {"authorization": "Bearer x.y.z"})),
    ("another scheme", request(without("apikey"), {"authorization": f"Basic {SECRET}"})),
    ("no JSON", request(b"not json")),
    ("an array", request([TOKEN])),
]


@pytest.mark.parametrize("sent", [forgery for _, forgery in FORGERIES], ids=[name for name, _ in FORGERIES])
def test_no_proof_is_refused(sent: WebhookRequest) -> None:
    with pytest.raises(WebhookRejected) as refusal:
        receive(sent, [WA])
    assert refusal.value.code == "webhook_unproven"
    for secret in (SECRET, TOKEN, KEY):
        assert secret not in str(refusal.value)


def test_an_instance_that_is_not_there_is_refused() -> None:
    with pytest.raises(WebhookRejected):
        receive(request(headers=HEADER), [])


@pytest.mark.parametrize("secret", ["", None])
def test_an_instance_without_a_secret_is_opened_by_none(secret: Any) -> None:
    bare = replace(WA, webhook_secret=secret or "", state={}, credentials={"instance_name": "wa"})
    for headers in ({}, {"x-elsehu-secret": ""}, signed(" " * 40)):
        with pytest.raises(WebhookRejected):
            receive(request(without("apikey"), headers, secret=""), [bare])


def test_the_captured_jwt_is_what_evolution_signs() -> None:
    """Its signature cannot be checked without the key it was made with, but its claims can be read."""
    capture = orjson.loads((CAPTURES / "webhooks" / "jwt_key-header.json").read_bytes())
    token = capture["headers"]["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert claims["exp"] - claims["iat"] == 600


# A global webhook: one URL for all instances --------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "owner"), [(BODY, WA), (BODY | {"instance": "wa2", "apikey": WA2.state["token"]}, WA2)]
)
def test_a_global_webhook_finds_the_instance_by_its_name(body: dict[str, Any], owner: Instance) -> None:
    assert receive(request(body, instance_id=None), [WA, WA2]).instances == [owner]


def test_a_name_alone_is_no_proof() -> None:
    with pytest.raises(WebhookRejected):
        receive(request(without("apikey"), instance_id=None), [WA, WA2])


def test_one_instances_token_does_not_speak_for_another() -> None:
    accepted = receive(request(BODY | {"instance": "wa2"}, instance_id=None), [WA, WA2])
    assert accepted.instances == []


def test_a_global_key_speaks_for_all_that_it_opens() -> None:
    body = BODY | {"instance": "wa2", "apikey": KEY}
    assert receive(request(body, instance_id=None), [WA, WA2]).instances == [WA2]


def test_an_unknown_name_with_a_proof_is_accepted_for_nobody() -> None:
    """Evolution would drop the event for good after a refusal, and creating may race its first webhooks."""
    for headers in (HEADER, {}):
        accepted = receive(request(BODY | {"instance": "wa9"}, headers, instance_id=None), [WA, WA2])
        assert accepted.instances == []
        found = normalize(accepted, lambda: NOW)
        assert (found.items, found.raw["instance"]) == ((), "wa9")


def test_our_own_webhook_names_the_instance_by_itself() -> None:
    """Its header is set on one instance alone, so the name may have changed since."""
    assert receive(request(BODY | {"instance": "renamed"}, HEADER), [WA]).instances == [WA]
    assert receive(request(BODY | {"instance": "renamed"}, signed()), [WA]).instances == [WA]


def test_a_path_that_a_global_webhook_may_share_does_not() -> None:
    assert receive(request(BODY | {"instance": "wa2"}, secret=SECRET), [WA]).instances == []


def test_two_servers_with_an_instance_of_one_name() -> None:
    twin = replace(WA2, credentials=WA.credentials, state={"token": "TWIN"})
    body = BODY | {"apikey": "TWIN"}
    assert receive(request(body, instance_id=None), [WA, twin]).instances == [twin]


# Odd bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers_and_secret", [(HEADER, None), ({}, SECRET)], ids=["header", "path"])
@pytest.mark.parametrize("body", [b"", b"not json", b"[", b"\xff"])
def test_what_is_no_json_is_accepted_and_becomes_broken(body: bytes, headers_and_secret: Any) -> None:
    headers, secret = headers_and_secret
    accepted = receive(request(body, headers, secret=secret), [WA])
    assert accepted == Accepted(None, [WA])
    found = normalize(accepted, lambda: NOW)
    assert [broken.instance_id for broken in found.broken] == [ID]


@pytest.mark.parametrize("body", [[], [1], "text", 7, {"event": 7}, {"data": None}])
def test_odd_json_is_accepted(body: Any) -> None:
    assert receive(request(body, HEADER), [WA]).payload == body


def test_the_default_name_is_made_from_ours() -> None:
    unnamed = make_instance(credentials={"instance_name": None}, name="Loja São João")
    body = BODY | {"instance": "loja-sao-joao-0000a1", "apikey": KEY}
    assert receive(request(body, instance_id=None), [unnamed]).instances == [unnamed]
    kept = make_instance(credentials={"instance_name": None}, name="Renamed since", state={"instance_name": "wa"})
    assert receive(request(BODY | {"apikey": KEY}, instance_id=None), [kept]).instances == [kept]
