"""Erasing a contact: nothing that it said or was called is left in the tables, and it may write again."""

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.inbound import Item, MediaContent, Normalized, ReactionChanged
from elsehu.contracts.message import Kind
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

MARIA = "5511988887777"
SECRETS = ("zyxmaria", "zyxsilva", MARIA, "zyxwords", "zyxnote", "zyxtag", "zyxfield", "zyxreason", "zyxfile")
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
RAW = (
    "INSERT INTO webhook_events (provider, instance_id, event_name, body) VALUES ('sandbox', $1, 'message', $2::jsonb)"
)
DEAD = (
    "INSERT INTO dead_letters (provider, instance_id, error, item) VALUES ('sandbox', $1, 'no such thing', $2::jsonb)"
)


@pytest.fixture
async def number(admin: ApiClient) -> UUID:
    return await add_number(admin)


async def told_everything(server: RunningServer, admin: ApiClient, number: UUID) -> tuple[str, str]:
    """Have a customer leave traces everywhere; return the ids of contact and conversation."""
    picture = MediaContent(mime_type="text/plain", data=b"zyxwords in a file", file_name="zyxfile.txt")
    conversation = await customer_writes(server, number, MARIA, "zyxwords", sender_name="zyxmaria")
    for spelled in (MARIA, MARIA[:4] + MARIA[5:]):
        body = f'{{"from": "{spelled}@s.whatsapp.net", "pushName": "zyxmaria", "text": "zyxwords"}}'
        for sql in (RAW, DEAD):
            await server.kernel.db.execute(sql, number, body)
    await customer_writes(server, number, MARIA, "zyxwords", kind=Kind.DOCUMENT, media=picture)
    await customer_writes(server, number, MARIA, "zyxwords", payload={"a": "zyxwords"}, author_name="zyxmaria")
    path = f"/api/conversations/{conversation}"
    contact = str((await admin.get(path)).json()["contact"]["id"])
    described = {"name": "zyxsilva", "email": "zyxmaria@example.com", "tags": ["zyxtag"], "custom": {"a": "zyxfield"}}
    assert (await admin.patch(f"/api/contacts/{contact}", described)).status_code == 200
    await admin.post(f"{path}/assign")
    sent = (await admin.post("/api/messages/send", {"conversationId": str(conversation), "text": "zyxwords"})).json()
    assert sent["status"] == "sent"
    await admin.post(f"{path}/notes", {"text": "zyxnote"})
    await admin.post(f"{path}/tags", {"tags": ["zyxtag"]})
    await admin.post(f"{path}/transfer", {"userId": admin.user["id"], "reason": "zyxreason"})
    await admin.post(f"{path}/transfer", {"queue": True, "reason": "zyxreason"})
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    closing = {"tabulationId": tabulation, "notes": "zyxnote", "fields": {"x": "zyxfield"}}
    assert (await admin.post(f"{path}/close", closing)).status_code == 200
    return contact, str(conversation)


async def traces(server: RunningServer) -> set[tuple[str, str]]:
    """Return in which tables which secrets are found."""
    found = set()
    for table in [row["relname"] for row in await server.kernel.db.fetch(TABLES)]:
        rows = await server.kernel.db.fetch(f"SELECT t::text AS text FROM {table} t")
        found |= {(table, secret) for secret in SECRETS for row in rows if secret in row["text"]}
    return found


async def test_nothing_is_left(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    contact, conversation = await told_everything(server, admin, number)
    before = {table for table, _ in await traces(server)}
    assert before >= {
        "webhook_events",
        "dead_letters",
        "contacts",
        "contact_identities",
        "conversations",
        "messages",
        "conversation_timeline",
        "media_files",
    }
    assert (await admin.delete(f"/api/contacts/{contact}?erase=true")).status_code == 204
    assert await traces(server) == set()

    shown = (await admin.get(f"/api/contacts/{contact}")).json()
    assert shown["name"] == ""
    assert (shown["phone"], shown["email"], shown["identities"], shown["tags"], shown["custom"]) == (
        None,
        None,
        [],
        [],
        {},
    )
    assert (await admin.get("/api/contacts")).json()["items"] == []
    messages = (await admin.get(f"/api/messages/conversation/{conversation}")).json()["items"]
    assert len(messages) == 4
    assert all((one["text"], one["payload"], one["media"]) == (None, None, None) for one in messages)
    listed = (await admin.get("/api/conversations")).json()["items"]
    assert [(one["tabulation"]["name"], one["lastMessage"]["preview"]) for one in listed] == [("Resolved", None)]
    history = (await admin.get(f"/api/conversations/{conversation}/history")).json()["items"]
    assert [entry["action"] for entry in history] == ["closed", "transferred", "tags", "note", "assigned"]
    kept = server.kernel.settings.data_dir / "plugins" / "storage_local"
    stored = [one for one in kept.rglob("*") if one.is_file()]
    assert not [one for one in stored if b"zyx" in one.read_bytes()]
    assert (await admin.delete(f"/api/contacts/{contact}?erase=true")).status_code == 204


async def test_what_others_said_stays(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    contact, _ = await told_everything(server, admin, number)
    await server.kernel.db.execute(RAW, number, '{"from": "5511977776666@s.whatsapp.net", "text": "from Joana"}')
    joana = await customer_writes(server, number, "5511977776666", "from Joana", sender_name="Joana")
    await admin.delete(f"/api/contacts/{contact}?erase=true")
    assert (
        await server.kernel.db.fetch_value("SELECT count(*) FROM webhook_events WHERE body::text LIKE '%Joana%'") == 1
    )
    messages = (await admin.get(f"/api/messages/conversation/{joana}")).json()["items"]
    assert [one["text"] for one in messages] == ["from Joana"]


async def test_all_that_is_kept_is_handed_out(
    server: RunningServer, admin: ApiClient, operator: ApiClient, number: UUID
) -> None:
    contact, conversation = await told_everything(server, admin, number)
    await customer_writes(server, number, "5511977776666", "from somebody else")
    assert (await operator.get(f"/api/contacts/{contact}/export")).status_code == 403
    answer = await admin.get(f"/api/contacts/{contact}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert json.loads(texts["contact.json"])["name"] == "zyxsilva"
    assert [one["id"] for one in json.loads(texts["conversations.json"])] == [conversation]
    messages = [json.loads(line) for line in texts[f"messages/{conversation}.jsonl"].splitlines()]
    assert [one["text"] for one in messages].count("zyxwords") == 4
    assert "zyxnote" in texts["timeline.json"]
    assert "zyxwords in a file" in [text for name, text in texts.items() if name.startswith("media/")]
    assert json.loads(texts["missing.json"]) == []
    assert "from somebody else" not in "".join(texts.values())
    assert await server.kernel.db.fetch_value("SELECT count(*) FROM audit_log WHERE action = 'contact_exported'") == 1


async def test_who_writes_again_is_new(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    contact, conversation = await told_everything(server, admin, number)
    await admin.delete(f"/api/contacts/{contact}?erase=true")
    again = await customer_writes(server, number, MARIA, "hello", at=server.kernel.now() + timedelta(seconds=1))
    assert str(again) != conversation
    shown = (await admin.get(f"/api/conversations/{again}")).json()
    assert shown["contact"]["id"] != contact
    assert shown["contact"]["phone"] == "+" + MARIA


async def test_a_file_that_went_to_others_too_stays(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    files = {"file": ("note.txt", b"to everybody", "text/plain")}
    media = (await admin.http.post("/api/media", files=files)).json()["id"]
    ids = []
    for digits in (MARIA, "5511977776666"):
        conversation = await customer_writes(server, number, digits)
        ids.append(str(conversation))
        body = {"conversationId": str(conversation), "kind": "document", "mediaId": media}
        assert (await admin.post("/api/messages/send", body)).status_code == 201
    contact = (await admin.get(f"/api/conversations/{ids[0]}")).json()["contact"]["id"]
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    await admin.post(f"/api/conversations/{ids[0]}/close", {"tabulationId": tabulation})
    assert (await admin.delete(f"/api/contacts/{contact}?erase=true")).status_code == 204
    [sent, _] = (await admin.get(f"/api/messages/conversation/{ids[1]}")).json()["items"]
    assert sent["media"]["id"] == media
    assert (await admin.get(f"/api/messages/{sent['id']}/media")).content == b"to everybody"


async def test_not_while_a_conversation_is_open(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    conversation = str(await customer_writes(server, number, MARIA))
    contact = (await admin.get(f"/api/conversations/{conversation}")).json()["contact"]["id"]
    answer = await admin.delete(f"/api/contacts/{contact}?erase=true")
    assert (answer.status_code, answer.json()["code"]) == (409, "conversation_open")
    assert answer.json()["conversationIds"] == [conversation]


async def test_what_was_merged_into_it_is_erased_too(server: RunningServer, admin: ApiClient) -> None:
    kept = (await admin.post("/api/contacts", {"name": "Maria", "phone": "+" + MARIA})).json()["id"]
    lost = (await admin.post("/api/contacts", {"name": "zyxmaria", "phone": "+5511977776666"})).json()["id"]
    await admin.post("/api/contacts/merge", {"contactIds": [kept, lost]})
    assert (await admin.delete(f"/api/contacts/{lost}?erase=true")).status_code == 204
    assert await traces(server) == set()


async def test_what_was_never_sent_does_not_leave_any_more(
    server: RunningServer, admin: ApiClient, number: UUID
) -> None:
    await server.kernel.db.execute("UPDATE service_instances SET hold_until = now() + interval '1 day'")
    conversation = str(await customer_writes(server, number, MARIA))
    sent: dict[str, Any] = (
        await admin.post("/api/messages/send", {"conversationId": conversation, "text": "zyxwords"})
    ).json()
    assert sent["status"] == "pending"
    tabulation = (await admin.post("/api/tabulations", {"name": "Resolved"})).json()["id"]
    await admin.post(f"/api/conversations/{conversation}/close", {"tabulationId": tabulation})
    contact = (await admin.get(f"/api/conversations/{conversation}")).json()["contact"]["id"]
    await admin.delete(f"/api/contacts/{contact}?erase=true")
    shown = (await admin.get(f"/api/messages/{sent['id']}")).json()
    assert (shown["status"], shown["error"]["code"], shown["text"]) == ("failed", "contact_erased", None)


async def test_reactions_and_what_waits_go(server: RunningServer, admin: ApiClient, number: UUID) -> None:
    contact, conversation = await told_everything(server, admin, number)
    messages = (await admin.get(f"/api/messages/conversation/{conversation}")).json()["items"]
    now = server.kernel.now()
    events = [ReactionChanged(one["externalId"], "👍", now, from_company=False) for one in messages]
    await server.kernel.part(Ingest).submit("sandbox", Normalized([Item(number, event) for event in events], raw={}))
    counted = "SELECT count(*) FROM message_reactions"
    assert await server.kernel.db.fetch_value(counted) == 4
    await admin.delete(f"/api/contacts/{contact}?erase=true")
    assert await server.kernel.db.fetch_value(counted) == 0
