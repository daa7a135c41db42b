"""What the stand-in stores, and the traps in asking for it."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin, webhook_receiver
from elsehu_evolution.testing.matching import VOLATILE, differences

CAPTURES = Path(__file__).parent / "captures" / "api"
MARIA = "5511988887777@s.whatsapp.net"
LID = "123456789012345@lid"
NOON = 1_795_443_300.0


class Store:
    """A connected instance and the questions one can ask of it."""

    def __init__(self, standin: EvolutionStandin, client: httpx.Client) -> None:
        self.standin = standin
        self.maria = standin.customer(phone="5511988887777", lid="123456789012345")
        self.maria_by_lid = standin.customer(phone="5511988887777", lid="123456789012345", addressing="lid")
        self._client = client

    def post(self, path: str, body: Any, **how: Any) -> httpx.Response:
        headers = {"apikey": self.standin.global_key}
        return self._client.post(f"{self.standin.url}{path}/wa", json=body, headers=headers, **how)

    def find(self, where: dict[str, Any] | None = None, **paging: Any) -> dict[str, Any]:
        response = self.post("/chat/findMessages", ({"where": where} if where else {}) | paging)
        found: dict[str, Any] = response.raise_for_status().json()["messages"]
        return found

    def ids(self, where: dict[str, Any] | None = None, **paging: Any) -> list[str]:
        return [record["key"]["id"] for record in self.find(where, **paging)["records"]]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def store(client: httpx.Client) -> Iterator[Store]:
    with running_standin() as standin:
        standin.add_instance("wa")
        yield Store(standin, client)


def captured_records(name: str) -> list[Any]:
    records: list[Any] = json.loads((CAPTURES / f"{name}.json").read_text())["response"]["body"]["messages"]["records"]
    return records


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def test_records_look_as_captured_with_bytes_in_base64(store: Store) -> None:
    store.maria.sends_image(caption="foto do produto", mimetype="image/jpeg", id="AC0BD77CE3E0EB4C23AE03D1019CF442")
    [record] = store.find({"key": {"id": "AC0BD77CE3E0EB4C23AE03D1019CF442"}})["records"]
    [expected] = captured_records("findMessages-image")
    assert differences(expected, record) == []
    assert len(base64.b64decode(record["message"]["imageMessage"]["mediaKey"])) == 32


def test_lid_chats_are_stored_under_the_lid_though_the_webhook_shows_the_phone(store: Store) -> None:
    with webhook_receiver() as receiver:
        hook = {"enabled": True, "url": receiver.url, "events": ["MESSAGES_UPSERT"]}
        store.post("/webhook/set", {"webhook": hook})
        store.maria_by_lid.says("mensagem via LID", id="A")
        store.standin.settle()
        assert receiver.received[0].data["key"]["remoteJid"] == MARIA
    assert store.ids({"key": {"remoteJid": MARIA}}) == []
    [record] = store.find({"key": {"remoteJid": LID}})["records"]
    expected = next(
        r for r in captured_records("findMessages-by-lid") if r["pushName"] == "Maria Silva" and len(r["key"]) == 6
    )
    assert differences(expected, record) == []


def test_pages_run_newest_first_and_offset_is_their_size(store: Store) -> None:
    for index in range(5):
        store.maria.says(str(index), id=str(index), at=NOON + index)
    assert store.ids(offset=2) == ["4", "3"]
    assert store.ids(page=3, offset=2, limit=1) == ["0"]
    past = store.find(page=9, offset=2)
    assert (past["total"], past["pages"], past["currentPage"], past["records"]) == (5, 3, 9, [])


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ({"gte": iso(NOON + 1), "lte": iso(NOON + 2)}, ["2", "1"]),
        ({"gte": int((NOON + 1) * 1000), "lte": int((NOON + 2) * 1000)}, ["2", "1"]),
        ({"gte": int(NOON + 1), "lte": int(NOON + 2)}, []),
        ({"gte": iso(NOON + 3)}, ["3", "2", "1", "0"]),
        ({"lte": iso(NOON)}, ["3", "2", "1", "0"]),
    ],
)
def test_a_range_needs_both_bounds_in_iso_or_milliseconds(
    store: Store, span: dict[str, Any], expected: list[str]
) -> None:
    for index in range(4):
        store.maria.says(str(index), id=str(index), at=NOON + index)
    assert store.ids({"messageTimestamp": span}) == expected


def test_from_me_true_filters_and_false_is_ignored(store: Store) -> None:
    store.maria.says("oi", id="theirs")
    sent = store.post("/message/sendText", {"number": "5511988887777", "text": "olá"}).json()["key"]["id"]
    assert store.ids({"key": {"fromMe": True}}) == [sent]
    assert sorted(store.ids({"key": {"fromMe": False}})) == sorted([sent, "theirs"])


def test_filters_by_type_source_and_row(store: Store) -> None:
    store.maria.says("oi", id="text")
    store.maria.sends_sticker(id="sticker")
    row = store.find({"messageType": "stickerMessage"})["records"][0]["id"]
    assert store.ids({"id": row}) == ["sticker"]
    assert sorted(store.ids({"source": "android"})) == ["sticker", "text"]


def test_a_redelivered_message_is_stored_twice(store: Store) -> None:
    store.maria.says("duplicada", id="twice")
    store.standin.call("redeliver", message_id="twice")
    assert store.ids({"key": {"id": "twice"}}) == ["twice", "twice"]


def test_an_edit_overwrites_text_and_timestamp_and_leaves_a_status_row(store: Store) -> None:
    store.maria.says("Oi, bom dia!", id="edited", at=NOON)
    store.maria.edits("edited", "Oi, boa tarde!")
    [record] = store.find()["records"]
    assert record["message"] == {"conversation": "Oi, boa tarde!"}
    assert record["messageTimestamp"] > NOON
    assert record["MessageUpdate"] == [{"status": "EDITED"}, {"status": "SERVER_ACK"}]


def test_deleting_by_api_marks_the_stored_key_and_editing_the_text(store: Store) -> None:
    key = store.post("/message/sendText", {"number": "5511988887777", "text": "olá"}).json()["key"]
    store.post("/chat/updateMessage", {"number": "5511988887777", "key": key, "text": "texto editado"})
    headers = {"apikey": store.standin.global_key}
    url = f"{store.standin.url}/chat/deleteMessageForEveryone/wa"
    httpx.request("DELETE", url, json=key, headers=headers, trust_env=False).raise_for_status()
    [record] = store.find()["records"]
    expected = captured_records("findMessages-time-range-iso")[0]
    assert differences(expected, record, volatile=VOLATILE) == []
    assert [arrived.kind for arrived in store.standin.phone] == ["text", "edit", "delete"]


def test_status_rows_are_listed_as_captured(store: Store) -> None:
    store.maria.says("Oi", id="ACACFC5B2F3CAC1B3CA38E810FD1ED70")
    store.standin.receipt("ACACFC5B2F3CAC1B3CA38E810FD1ED70", "READ")
    [row] = store.post("/chat/findStatusMessage", {"where": {"remoteJid": MARIA}, "offset": 3}).json()
    capture = json.loads((CAPTURES / "findStatusMessage.json").read_text())["response"]["body"][0]
    assert differences(capture | {"status": "READ"}, row) == []


def test_groups_and_unknown_messages_get_no_receipts(store: Store) -> None:
    store.maria.says("no grupo", id="group", group="120363000000000001@g.us")
    store.standin.receipt("group", "READ")
    store.standin.receipt("nobody knows", "READ")
    assert store.post("/chat/findStatusMessage", {}).json() == []


def test_ignored_groups_leave_no_trace(store: Store) -> None:
    switches = ("rejectCall", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory")
    store.post("/settings/set", dict.fromkeys(switches, False) | {"groupsIgnore": True}).raise_for_status()
    store.maria.says("no grupo", group="120363000000000001@g.us")
    assert store.ids() == []


def test_media_comes_back_byte_for_byte_by_id_and_from_the_whole_message(store: Store) -> None:
    file = bytes(range(256)) * 40
    with webhook_receiver() as receiver:
        hook = {"enabled": True, "url": receiver.url, "events": ["MESSAGES_UPSERT"]}
        store.post("/webhook/set", {"webhook": hook})
        sent = store.maria.sends_document(file, file_name="notas.pdf", caption="segue")
        store.standin.settle()
        whole = receiver.received[0].data
    for asked in ({"key": {"id": sent}}, whole):
        answer = store.post("/chat/getBase64FromMediaMessage", {"message": asked}).json()
        assert base64.b64decode(answer["base64"]) == file
        assert (answer["fileName"], answer["mimetype"], answer["caption"]) == ("notas.pdf", "application/pdf", "segue")


def test_lost_media_is_refused_with_the_download_error(store: Store) -> None:
    sent = store.maria.sends_image()
    store.standin.call("lose_media", message_id=sent)
    response = store.post("/chat/getBase64FromMediaMessage", {"message": {"key": {"id": sent}}})
    assert response.status_code == 400
    assert response.json()["response"]["message"][0].startswith("Error: Failed to fetch stream from https://mmg.")


def test_media_is_fetched_from_a_url_sent_as_a_form_and_arrives_whole(store: Store) -> None:
    store.maria.sends_image(id="source")
    file = base64.b64decode(
        store.post("/chat/getBase64FromMediaMessage", {"message": {"key": {"id": "source"}}}).json()["base64"]
    )
    form = {"number": "5511988887777", "mediatype": "image", "caption": "legenda"}
    headers = {"apikey": store.standin.global_key}
    url = f"{store.standin.url}/message/sendMedia/wa"
    files = {"file": ("pix.png", file, "image/png")}
    httpx.post(url, data=form, files=files, headers=headers, trust_env=False).raise_for_status()
    [arrived] = store.maria.received
    assert (base64.b64decode(arrived.content["base64"]), arrived.content["mimetype"], arrived.text) == (
        file,
        "image/png",
        "legenda",
    )
    late = httpx.post(url, data=form | {"delay": "10"}, files=files, headers=headers, trust_env=False)
    assert late.json()["response"]["message"] == [["Enter a value in milliseconds"]]


def test_a_url_that_is_not_there_is_an_error_of_the_server(store: Store) -> None:
    url = f"{store.standin.url}/nothing/here.png"
    response = store.post("/message/sendMedia", {"number": "5511988887777", "mediatype": "image", "media": url})
    assert response.status_code == 500
    assert response.json()["response"]["message"] == ["AxiosError: Request failed with status code 404"]


def test_reading_skips_lids_without_a_word_and_typing_ends_paused(store: Store) -> None:
    keys = [{"id": "A", "remoteJid": MARIA, "fromMe": False}, {"id": "B", "remoteJid": LID, "fromMe": False}]
    store.post("/chat/markMessageAsRead", {"readMessages": keys}).raise_for_status()
    store.post("/chat/sendPresence", {"number": "5511988887777", "presence": "composing", "delay": 1})
    state = store.standin.state()
    assert [key["id"] for key in state["reads"]] == ["A"]
    assert [shown["presence"] for shown in state["presences"]] == ["composing", "paused"]


def test_the_conversation_key_is_not_the_number_that_was_sent(store: Store) -> None:
    answer = store.post("/message/sendText", {"number": "+55 (85) 98888-7777", "text": "oi"}).json()
    assert answer["key"]["remoteJid"] == "558588887777@s.whatsapp.net"
    assert store.standin.customer(phone="558588887777").received[0].text == "oi"


def test_a_delay_keeps_the_call_open(store: Store) -> None:
    response = store.post("/message/sendText", {"number": "5511988887777", "text": "oi", "delay": 120})
    assert response.elapsed.total_seconds() >= 0.12


def test_a_quoted_reply_reaches_the_phone_with_what_it_quotes(store: Store) -> None:
    asked = store.maria.says("quanto custa?")
    quoted = {"key": {"id": asked}}
    answer = store.post("/message/sendText", {"number": "5511988887777", "text": "dez", "quoted": quoted}).json()
    assert answer["contextInfo"]["quotedMessage"] == {"conversation": "quanto custa?"}
    assert store.maria.received[0].quoted == asked
