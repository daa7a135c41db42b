"""Whatever a body holds: nothing raises, nothing secret is kept, and a replay says the same."""

from typing import Any

import orjson
import pytest
from elsehu_evolution.cleaning import DEEPEST, clean, clean_body
from elsehu_evolution.flavours import octets, sha256_of, wall_clock, whole
from elsehu_evolution.normalize import normalize
from hypothesis import given, settings
from hypothesis import strategies as st

from elsehu.plugin import (
    Accepted,
    IdentityKind,
    InstanceChanged,
    MessageArrived,
    ReactionChanged,
    StatusChanged,
    parse_json,
)

from .conftest import ID, NOW, body_of, make_instance, names
from .test_normalize import read, replayed

INSTANCES = [make_instance(settings={"groups": True})]
BODIES = {name: body_of(name) for name in names()}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "@lid", "5511@s.whatsapp.net", "x@g.us", "READ", "MESSAGE_EDIT", "APP_STATE_SYNC_KEY_SHARE", "0"]
    ),
)
field_names = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["key", "id", "message", "data", "remoteJid", "conversation", "0", "base64", "low", "high", "type"]
    ),
)
garbage = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4), max_leaves=12
)
changes = st.lists(st.tuples(st.integers(0, 10_000), st.one_of(st.just("drop"), garbage)), min_size=1, max_size=6)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in `value`: its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        found += [(value, key), *places(one)]
    return found


def mutilated(name: str, edits: list[tuple[int, Any]]) -> dict[str, Any]:
    """Return a capture with some of its parts dropped or replaced."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(BODIES[name]))
    for place, value in edits:
        every = places(body)
        if not every:
            break
        container, key = every[place % len(every)]
        if value == "drop":
            del container[key]
        else:
            container[key] = orjson.loads(orjson.dumps(value))
    return body


@settings(max_examples=3 * settings.default.max_examples)
@given(name=st.sampled_from(names()), edits=changes)
def test_mutilated_captures_never_raise(name: str, edits: list[tuple[int, Any]]) -> None:
    found = read(mutilated(name, edits))
    for item in found.items:
        check(item.event)
        assert item.instance_id == ID
    kept = orjson.dumps([found.raw, [item.raw for item in found.items], [one.raw for one in found.broken]])
    assert b'"apikey"' not in kept
    assert b'"base64"' not in kept
    again = read(orjson.loads(orjson.dumps(found.raw)))
    assert [item.event for item in again.items] == replayed(found)
    assert again.raw == found.raw


def check(event: Any) -> None:
    """Check what the database relies on: bounded ids and addresses, aware times, JSON payloads."""
    for identity in getattr(event, "sender", ()):
        assert 0 < len(identity.value) <= 60
        assert identity.address.endswith({"phone": "@s.whatsapp.net", "lid": "@lid", "group": "@g.us"}[identity.kind])
        assert identity.kind is IdentityKind.GROUP or identity.value.isdigit()
    if isinstance(event, InstanceChanged):
        return
    if isinstance(event, MessageArrived):
        assert 0 < len(event.external_id) <= 256
        assert event.sender
        orjson.dumps(event.payload)
        assert len(event.sender_name or "") <= 200
        if event.media:
            assert "/" in event.media.mime_type
            assert len(event.media.mime_type) <= 127
    if isinstance(event, MessageArrived | ReactionChanged):
        assert event.at.tzinfo
    if isinstance(event, StatusChanged):
        assert event.external_id


@given(body=garbage)
def test_any_json_never_raises(body: Any) -> None:
    read(orjson.loads(orjson.dumps(body)))


@given(event=st.sampled_from(sorted({body["event"] for body in BODIES.values()})), data=garbage)
def test_any_data_of_a_known_event_never_raises(event: str, data: Any) -> None:
    read({"event": event, "instance": "wa", "data": orjson.loads(orjson.dumps(data))})


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_never_raise(body: bytes) -> None:
    normalize(Accepted(parse_json(body), INSTANCES), lambda: NOW)


@given(value=garbage)
def test_cleaning_twice_is_cleaning_once(value: Any) -> None:
    once = clean(value)
    assert orjson.dumps(clean(once)) == orjson.dumps(once)


@pytest.mark.parametrize("depth", [DEEPEST, 200, 900])
def test_deep_nesting_is_cut(depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = {"message": deep}
    found = read({"event": "messages.upsert", "instance": "wa", "data": deep})
    assert found.items == []
    orjson.dumps(found.raw)
    assert clean_body(found.raw) == found.raw


def test_half_an_emoji_costs_no_message() -> None:
    """JavaScript sends a text cut inside an emoji as half a surrogate pair, which strict readers refuse."""
    body = orjson.dumps(BODIES["messages.upsert-conversation-pn"]).replace(b"Maria Silva", rb"Maria \ud83d")
    (item,) = normalize(Accepted(parse_json(body), INSTANCES), lambda: NOW).items
    assert isinstance(item.event, MessageArrived)
    assert item.event.sender_name == "Maria �"
    assert item.event.text == "Oi, bom dia!"


def test_nul_reaches_no_database() -> None:
    body = orjson.dumps(BODIES["messages.upsert-conversation-pn"]).replace(b"bom dia", rb"bom\u0000dia")
    (item,) = normalize(Accepted(parse_json(body), INSTANCES), lambda: NOW).items
    assert isinstance(item.event, MessageArrived)
    assert item.event.text == "Oi, bomdia!"


FLAVOURS = [
    (1795443300, 1795443300),
    ("1795443320720", 1795443320720),
    ({"low": -807049093, "high": 395, "unsigned": False}, 1700000000123),
    ({"low": 774, "high": 0, "unsigned": True}, 774),
    (12.9, 12),
    (True, None),
    ("12x", None),
    ("9" * 21, None),
    ("٣", None),
    ({"low": 1}, None),
    ([], None),
    (None, None),
    (float("inf"), None),
]


@pytest.mark.parametrize(("flavour", "number"), FLAVOURS)
def test_numbers_in_every_flavour(flavour: Any, number: int | None) -> None:
    assert whole(flavour) == number


BYTES = [
    ("/9g=", b"\xff\xd8"),
    ({"0": 255, "1": 216}, b"\xff\xd8"),
    ({"type": "Buffer", "data": [255, 216]}, b"\xff\xd8"),
    ([255, 216], b"\xff\xd8"),
    ("no base64!", None),
    ({"0": 255, "2": 216}, None),
    ([256], None),
    (["a"], None),
    (7, None),
    (None, None),
]


@pytest.mark.parametrize(("flavour", "value"), BYTES)
def test_bytes_in_every_flavour(flavour: Any, value: bytes | None) -> None:
    assert octets(flavour) == value


def test_hashes_in_every_flavour() -> None:
    digest = bytes(range(32))
    flavours = (
        digest.hex(),
        digest.hex().upper(),
        list(digest),
        {str(i): i for i in digest},
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    )
    assert {sha256_of(flavour) for flavour in flavours} == {digest.hex()}
    for nonsense in ("x", "z" * 64, [1], None, {"0": 1}):
        assert sha256_of(nonsense) is None


@pytest.mark.parametrize("shown", ["", "yesterday", "2026-11-23", "2026-11-23T11:00:00", 7, None])
def test_clocks_that_cannot_be_read(shown: Any) -> None:
    assert wall_clock(shown) is None
