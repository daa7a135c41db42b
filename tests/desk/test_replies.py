"""Canned replies: everybody's and one's own, found by what is in them, filled in for a conversation."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.desk.replies.places import KNOWN, fill, places_in, unknown_in
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import taken

REPLIES = "/api/quick-replies"


async def added(client: ApiClient, shortcut: str, text: str = "Hello!", **more: Any) -> dict[str, Any]:
    answer = await client.post(REPLIES, {"shortcut": shortcut, "text": text, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def listed(client: ApiClient, **query: Any) -> list[str]:
    """Return the shortcuts that somebody finds, over all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = (
            await client.get(REPLIES, params={"limit": 2, **query, **({"cursor": cursor} if cursor else {})})
        ).json()
        found += [one["shortcut"] for one in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            return found


async def test_everybody_has_the_shared_ones_and_his_own(
    supervisor: ApiClient, operator: ApiClient, colleague: ApiClient
) -> None:
    shared = await added(supervisor, "Hello", "Olá {{ contact.firstName }}!", title="Saudação", shared=True)
    mine = await added(operator, "bye", "See you.")
    await added(colleague, "pix", "The key is 123.")
    await added(supervisor, "Pix", "Our key", shared=True)
    assert await listed(operator) == ["bye", "Hello", "Pix"]
    assert await listed(colleague) == ["Hello", "pix", "Pix"]
    assert await listed(operator, shared=True) == ["Hello", "Pix"]
    assert await listed(operator, shared=False) == ["bye"]
    assert await listed(operator, search="ola SAUDACAO") == ["Hello"]
    assert await listed(operator, search="ola bye") == []
    assert shared["places"] == ["contact.firstName"]
    path = f"{REPLIES}/{mine['id']}"
    assert (await operator.get(path)).json() == mine
    for other in (supervisor, colleague):
        for method, body in (("GET", None), ("PATCH", {"text": "No."}), ("DELETE", None)):
            assert (await other.http.request(method, path, json=body)).status_code == 404
    changed = (await operator.patch(path, {"text": "See you, {{contact.name}}."})).json()
    assert (changed["shortcut"], changed["places"]) == ("bye", ["contact.name"])
    assert (await operator.delete(path)).status_code == 204
    assert await listed(operator) == ["Hello", "Pix"]


async def test_what_is_refused(admin: ApiClient, supervisor: ApiClient, operator: ApiClient) -> None:
    shared = await added(supervisor, "hello", shared=True)
    path = f"{REPLIES}/{shared['id']}"
    for answer in (
        await operator.post(REPLIES, {"shortcut": "x", "text": "x", "shared": True}),
        await operator.patch(path, {"text": "x"}),
        await operator.delete(path),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    await added(operator, "hello")
    answer = await operator.post(REPLIES, {"shortcut": "HELLO", "text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "shortcut_taken")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"shortcut": "two words", "text": "x"}, "shortcut"),
        ({"shortcut": "", "text": "x"}, "shortcut"),
        ({"shortcut": "x", "text": ""}, "text"),
        ({"shortcut": "x", "text": "{{contact.password}}"}, "text"),
        ({"shortcut": "x", "text": "{{}}"}, "text"),
    ]
    for body, field in refused:
        answer = await operator.post(REPLIES, body)
        assert answer.status_code == 422, body
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": "SUPERVISOR"})).json()["key"]
    machine = {"authorization": f"Bearer {key}"}
    answer = await admin.post(REPLIES, {"shortcut": "x", "text": "x"}, headers=machine)
    assert [error["field"] for error in answer.json()["errors"]] == ["shared"]
    assert (await admin.get(REPLIES, headers=machine)).json()["items"] == [shared]


async def test_a_reply_is_filled_in_for_a_conversation(
    server: RunningServer, operator: ApiClient, colleague: ApiClient, number: UUID
) -> None:
    conversation = str(
        await customer_writes(server, number, "5511988887777", sender_name="Maria {{operator.name}} Silva")
    )
    shown = (await operator.get(f"/api/conversations/{conversation}")).json()
    path = f"/api/contacts/{shown['contact']['id']}"
    await operator.patch(path, {"custom": {"order": 42, "list": [1]}})
    reply = await added(
        operator,
        "all",
        "{{contact.firstName}}|{{contact.name}}|{{contact.phone}}|{{contact.email}}|{{ operator.firstName }}|"
        "{{operator.name}}|{{serviceInstance.name}}|{{contact.custom.order}}|{{contact.custom.list}}",
    )
    answer = await operator.post(f"{REPLIES}/{reply['id']}/render", {"conversationId": conversation})
    name = operator.user["name"]
    number_name = shown["serviceInstance"]["name"]
    assert answer.json() == {
        "text": f"Maria|Maria {{{{operator.name}}}} Silva|+5511988887777||{name.split()[0]}|{name}|{number_name}|42|",
        "missing": ["contact.email", "contact.custom.list"],
    }
    await taken(colleague, conversation)
    for body in ({"conversationId": conversation}, {"conversationId": str(uuid4())}):
        assert (await operator.post(f"{REPLIES}/{reply['id']}/render", body)).status_code == 404


@given(st.lists(st.one_of(st.sampled_from([f"{{{{{place}}}}}" for place in KNOWN]), st.text("ab {}\\$&", max_size=5))))
def test_filling_in_changes_places_and_nothing_else(parts: list[str]) -> None:
    text = "".join(parts)
    if unknown_in(text):
        return
    values = {place: f"<{place}>" for place in KNOWN}
    filled = fill(text, values)
    assert filled.missing == ()
    for place in places_in(text):
        assert f"<{place}>" in filled.text
    assert fill(text, {}).missing == tuple(places_in(text))
    if "{{" not in text:
        assert filled.text == text


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("{{contact.name}} {{ contact.name }}", []),
        ("{{contact.custom.order}}", []),
        ("{{contact.custom.}}", ["contact.custom."]),
        ("{{contact.custom.a b}}", ["contact.custom.a b"]),
        ("{{name}} {contact.name} {{ }}", ["name", ""]),
    ],
)
def test_what_is_no_place(text: str, unknown: list[str]) -> None:
    assert unknown_in(text) == unknown
