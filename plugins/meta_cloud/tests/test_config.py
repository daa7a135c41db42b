"""What an admin may give, and what is refused with a word on why."""

from typing import Any

import pytest
from elsehu_meta_cloud import plugin_info
from elsehu_meta_cloud.config import META_HOSTS, Credentials, Settings
from pydantic import SecretStr, ValidationError

from elsehu.plugin import Kind

GIVEN = {
    "accessToken": "EAAG-token",
    "phoneNumberId": "100000000000001",
    "wabaId": "900000000000001",
    "appSecret": "secret-one",
    "verifyToken": "any text-of-ours".replace(" ", "-"),
}


def test_ids_come_as_text_or_number_and_secrets_as_text_or_list() -> None:
    made = Credentials.model_validate({**GIVEN, "phoneNumberId": 100000000000001, "appSecret": "one, two"})
    assert (made.phone_number_id, made.waba_id, made.app_id) == ("100000000000001", "900000000000001", None)
    assert made.app_secret == [SecretStr("one"), SecretStr("two")]
    assert Credentials.model_validate({**GIVEN, "appSecret": ["one"]}).app_secret == [SecretStr("one")]


def test_nothing_secret_is_printed() -> None:
    shown = repr(Credentials.model_validate(GIVEN))
    assert not [value for name, value in GIVEN.items() if not name.endswith("Id") and value in shown]


@pytest.mark.parametrize(
    "wrong",
    [
        {"phoneNumberId": "+55 11 98888-7777"},
        {"wabaId": ""},
        {"appSecret": []},
        {"appSecret": ","},
        {"appSecret": ["a", "b", "c"]},
        {"appSecret": ["with space"]},
        {"accessToken": "two words"},
        {"accessToken": ""},
        {"verifyToken": "ç"},
        {"unknown": 1},
    ],
)
def test_credentials_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Credentials.model_validate({**GIVEN, **wrong})


def test_settings_have_metas_own_values() -> None:
    made = Settings()
    assert (made.base_url, made.version, made.messages_per_second) == ("https://graph.facebook.com", "v24.0", 80)
    assert made.media_hosts == META_HOSTS
    proxied = Settings.model_validate(
        {"baseUrl": "http://127.0.0.1:1/", "mediaHosts": ["http://127.0.0.1:2", "*.X.net"]}
    )
    assert (proxied.base_url, proxied.media_hosts) == ("http://127.0.0.1:1", ("http://127.0.0.1:2", "*.x.net"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"baseUrl": "graph.facebook.com"},
        {"baseUrl": "https://user@graph.facebook.com"},
        {"version": "24"},
        {"messagesPerSecond": 0},
        {"mediaHosts": ["*"]},
        {"mediaHosts": ["a/b"]},
        {"mediaHosts": ["ftp://x"]},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_limits_are_those_of_the_reference() -> None:
    spec = plugin_info().provider
    assert spec is not None
    assert (spec.max_text, spec.max_caption, spec.window_hours, spec.webhook_names) == (4096, 1024, 24, ("meta",))
    assert spec.pair_limit is not None
    assert (spec.pair_limit.seconds, spec.pair_limit.burst) == (6, 45)
    assert {kind: limit.max_bytes for kind, limit in spec.media_limits.items()} == {
        Kind.IMAGE: 5 << 20,
        Kind.AUDIO: 16 << 20,
        Kind.VIDEO: 16 << 20,
        Kind.STICKER: 500 << 10,
        Kind.DOCUMENT: 100 << 20,
    }
    choices = {name: (one.max_choices, one.max_choice_title) for name, one in spec.interactive.items()}
    assert (choices["buttons"], choices["list"]) == ((3, 20), (10, 24))
