"""Marking read and typing, and that the plugin fits the kernel."""

import time
from pathlib import Path

import pytest
from elsehu_evolution.courtesies import SHOWN_SECONDS, mark_read, show_typing
from pydantic import ValidationError

from elsehu.plugin import Identity, IdentityKind, InstanceSick, Kind, Quoted, Retryable
from elsehu.testing import Plugins, Settings, load_plugins

from .conftest import World

PHONE_JID, LID_JID = "5511988887777@s.whatsapp.net", "123456789012345@lid"
MARIA = [Identity(IdentityKind.PHONE, "5511988887777", PHONE_JID)]


def inbound(message_id: str, chat: str | None = PHONE_JID) -> Quoted:
    """Return a customer's message."""
    return Quoted(message_id, from_company=False, chat_address=chat)


async def test_messages_are_marked_as_read_together(world: World) -> None:
    await mark_read(world.context, world.instance(), [inbound("A"), inbound("B", "5511988887777")])
    assert world.requests("/chat/markMessageAsRead/wa") == [
        {"readMessages": [{"id": name, "remoteJid": PHONE_JID, "fromMe": False} for name in ("A", "B")]}
    ]
    assert [one["id"] for one in world.standin.state("wa")["reads"]] == ["A", "B"]


async def test_what_evolution_would_pass_over_is_not_asked(world: World) -> None:
    messages = [inbound("A", LID_JID), inbound("B", "1203@g.us"), inbound("C", None), Quoted("D", from_company=True)]
    await mark_read(world.context, world.instance(), messages)
    await mark_read(world.context, world.instance(), [])
    assert world.standin.requests == []


async def test_marking_read_fails_loudly(world: World) -> None:
    world.standin.drop()
    with pytest.raises(InstanceSick):
        await mark_read(world.context, world.instance(), [inbound("A")])
    world.standin.stop()
    with pytest.raises(Retryable):
        await mark_read(world.context, world.instance(), [inbound("A")])


@pytest.mark.parametrize("state", ["composing", "recording", "paused"])
async def test_typing_is_shown_until_evolution_ends_it(
    world: World, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHOWN_SECONDS, state, 0.05)
    start = time.monotonic()
    await show_typing(world.context, world.instance(), MARIA, state)
    assert time.monotonic() - start >= 0.05
    assert world.requests("/chat/sendPresence/wa") == [{"number": "5511988887777", "presence": state, "delay": 50}]


async def test_other_states_are_not_shown(world: World) -> None:
    await show_typing(world.context, world.instance(), MARIA, "dancing")
    assert world.standin.requests == []


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    return load_plugins(Settings(data_dir=tmp_path, plugins={"enabled": ["evolution", "storage_local"]}))


def test_the_plugin_fits_the_kernel(plugins: Plugins) -> None:
    assert plugins.abilities("evolution") == sorted(
        ["qrcode", "media", "history", "mark_read", "typing", "check_numbers"]
        + [
            f"send_{kind}"
            for kind in Kind
            if kind.value
            in {"text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction"}
        ]
    )


def test_credentials_as_an_admin_gives_them(plugins: Plugins) -> None:
    spec = plugins.spec("evolution")
    assert spec
    given = spec.credentials.model_validate(
        {"serverUrl": " https://evo.example.com/ ", "apiKey": "K", "instanceName": "loja"}
    )
    assert "K" not in repr(given).replace("apiKey", "")
    assert given.model_dump()["server_url"] == "https://evo.example.com"
    told = spec.settings.model_validate({"groups": True, "rejectCalls": True, "syncHistory": True})
    assert told.model_dump() == {
        "groups": True,
        "reject_calls": True,
        "always_online": False,
        "read_messages": False,
        "sync_history": True,
    }


WRONG = [
    {"apiKey": "K"},
    {"serverUrl": "https://evo.example.com"},
    {"serverUrl": "evo.example.com", "apiKey": "K"},
    {"serverUrl": "ftp://evo.example.com", "apiKey": "K"},
    {"serverUrl": "https://user:secret@evo.example.com", "apiKey": "K"},
    {"serverUrl": "https://evo.example.com?x=1", "apiKey": "K"},
    {"serverUrl": "https://evo.example.com", "apiKey": ""},
    {"serverUrl": "https://evo.example.com", "apiKey": "two words"},
    {"serverUrl": "https://evo.example.com", "apiKey": "K\r\nX-Evil: 1"},
    {"serverUrl": "https://evo.example.com", "apiKey": "K", "instanceName": ""},
    {"serverUrl": "https://evo.example.com", "apiKey": "K", "token": "x"},
]


@pytest.mark.parametrize("credentials", WRONG)
def test_credentials_that_cannot_work(plugins: Plugins, credentials: dict[str, str]) -> None:
    spec = plugins.spec("evolution")
    assert spec
    with pytest.raises(ValidationError):
        spec.credentials.model_validate(credentials)
