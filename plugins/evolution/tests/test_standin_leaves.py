"""The stand-in's small parts: addresses, flavours, what counts as an emoji."""

import base64
import json

import pytest
from elsehu_evolution.testing.flavours import Long, dumps, dumps_stored
from elsehu_evolution.testing.jids import address
from elsehu_evolution.testing.preparing import is_single_emoji
from elsehu_evolution.testing.sending_media import is_url
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("number", "jid"),
    [
        ("+55 (11) 98888-7777", "5511988887777@s.whatsapp.net"),
        ("5585988887777", "558588887777@s.whatsapp.net"),
        ("5521988887777", "5521988887777@s.whatsapp.net"),
        ("5531988887777", "553188887777@s.whatsapp.net"),
        ("558588887777", "558588887777@s.whatsapp.net"),
        ("5215512345678", "525512345678@s.whatsapp.net"),
        ("5491123456789", "541123456789@s.whatsapp.net"),
        ("120363000000000001", "120363000000000001@g.us"),
        ("5511988887777:7@s.whatsapp.net", "5511988887777@s.whatsapp.net"),
        ("123456789012345@lid", "123456789012345@lid"),
        ("status@broadcast", "status@broadcast"),
        ("abc", "@s.whatsapp.net"),
    ],
)
def test_numbers_become_addresses(number: str, jid: str) -> None:
    assert address(number) == jid


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_an_address_is_its_own_address(number: str) -> None:
    assert address(address(number)) == address(number)


def test_long_numbers_split_as_the_reference_shows() -> None:
    assert json.loads(dumps(Long(1_700_000_000_123))) == {"low": -807049093, "high": 395, "unsigned": False}


@given(st.integers(0, 2**63 - 1), st.booleans())
def test_long_numbers_can_be_read_back(number: int, unsigned: bool) -> None:
    parts = json.loads(dumps({"fileLength": Long(number, unsigned=unsigned)}))["fileLength"]
    assert parts["high"] * 2**32 + parts["low"] % 2**32 == number
    assert parts["unsigned"] is unsigned


@given(st.binary(max_size=100))
def test_bytes_can_be_read_back_in_both_flavours(raw: bytes) -> None:
    indexed = json.loads(dumps({"mediaKey": raw}))["mediaKey"]
    assert bytes(indexed[str(index)] for index in range(len(indexed))) == raw
    assert base64.b64decode(json.loads(dumps_stored({"mediaKey": raw}))["mediaKey"]) == raw


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👍🏽", "👩‍💻", "🇧🇷", "☎"])
def test_one_emoji_is_one_emoji(emoji: str) -> None:
    assert is_single_emoji(emoji)


@pytest.mark.parametrize("text", ["ok", "👍👍", "a", "1", "👍 ", "é"])
def test_anything_else_is_none(text: str) -> None:
    assert not is_single_emoji(text)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("http://127.0.0.1:18082/files/pix.png", True),
        ("https://cdn.example.com/a.png?x=1", True),
        ("http://localhost/x.png", False),
        ("http://minio:9000/b/a.png", False),
        ("data:image/png;base64,AAAA", False),
        ("AAAA", False),
    ],
)
def test_only_real_domains_and_addresses_are_urls(source: str, url: bool) -> None:
    assert is_url(source) is url
