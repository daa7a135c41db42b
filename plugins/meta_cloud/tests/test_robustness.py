"""Whatever a body holds, whole or mutilated, alone or in a batch: nothing raises, and nothing secret is kept."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from elsehu_meta_cloud.cleaning import DEEPEST, clean
from elsehu_meta_cloud.fields import ACCOUNT_FIELDS, NUMBER_FIELDS, SHOWN_NUMBER_FIELDS
from elsehu_meta_cloud.normalize import normalize
from hypothesis import given, settings
from hypothesis import strategies as st

from elsehu.plugin import Accepted, Identity, IdentityKind, MessageArrived, Normalized, ReactionChanged, parse_json

from .conftest import ID, OTHER_ID, PHONE, WABA, body_of, make_instance, names, other_instance
from .essence import essence

NUMBERS = [make_instance(), other_instance()]
BODIES = {name: body_of(name) for name in names()}
FIELDS = sorted({**NUMBER_FIELDS, **ACCOUNT_FIELDS, **SHOWN_NUMBER_FIELDS})
METADATA = {"display_phone_number": PHONE, "phone_number_id": "800000000000001"}
TYPES = ["text", "image", "voice", "location", "contacts", "reaction", "interactive", "button", "order", "system"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "US.1", "12025550143", "failed", "sent", "1767229200", *TYPES]),
)
field_names = st.text(max_size=8) | st.sampled_from(
    [
        "id",
        "type",
        "from",
        "text",
        "body",
        "image",
        "errors",
        "code",
        "context",
        "url",
        "mime_type",
        "threads",
        "system",
    ]
)
garbage = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4), max_leaves=12
)
changes = st.lists(st.tuples(st.integers(0, 10_000), st.just("drop") | garbage), min_size=1, max_size=6)


def read(body: Any) -> Normalized:
    return normalize(Accepted(body, NUMBERS))


def copied(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in `value`: its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        found += [(value, key), *places(one)]
    return found


def mutilated(name: str, edits: Sequence[tuple[int, Any]]) -> dict[str, Any]:
    """Return a sample with some of its parts dropped or replaced."""
    body: dict[str, Any] = copied(BODIES[name])
    for place, value in edits:
        every = places(body)
        if not every:
            break
        container, key = every[place % len(every)]
        if value == "drop":
            del container[key]
        else:
            container[key] = copied(value)
    return body


def check(found: Normalized) -> None:
    """Check what the database relies on, and that a replay says the same."""
    for item in found.items:
        assert item.instance_id in (ID, OTHER_ID)
        check_event(item.event)
    kept = orjson.dumps([found.raw, [item.raw for item in found.items], [one.raw for one in found.broken]])
    assert b"lookaside" not in kept
    again = read(orjson.loads(orjson.dumps(found.raw)))
    assert [told(item.event) for item in again.items] == [told(item.event) for item in found.items]
    assert orjson.dumps(again.raw) == orjson.dumps(found.raw)


def told(event: Any) -> Any:
    """Return what an event says, but for the address of its file."""
    said = essence(event)
    said.get("media", {}).get("reference", {}).pop("url", None)
    return orjson.dumps(said)


def check_event(event: Any) -> None:
    for identity in addresses(event):
        assert 0 < len(identity.value) <= 200
        assert 0 < len(identity.address) <= 200
        assert identity.kind is not IdentityKind.PHONE or identity.value.isdigit()
    if isinstance(event, MessageArrived):
        assert 0 < len(event.external_id) <= 256
        assert event.sender
        assert len(event.sender_name or "") <= 200
        assert not event.media or len(event.media.mime_type) <= 127
        orjson.dumps(event.payload)
    if isinstance(event, MessageArrived | ReactionChanged):
        assert event.at.tzinfo


def addresses(event: Any) -> Iterator[Identity]:
    for name in ("sender", "identities", "old", "new"):
        yield from getattr(event, name, ())


@settings(max_examples=3 * settings.default.max_examples)
@given(name=st.sampled_from(names()), edits=changes)
def test_mutilated_samples_never_raise(name: str, edits: list[tuple[int, Any]]) -> None:
    check(read(mutilated(name, edits)))


@given(body=garbage)
def test_any_json_never_raises(body: Any) -> None:
    check(read(copied(body)))


@given(field=st.sampled_from(FIELDS), value=garbage, lists=st.dictionaries(st.sampled_from(FIELDS), garbage))
def test_any_value_of_a_known_field_never_raises(field: str, value: Any, lists: dict[str, Any]) -> None:
    laid_over = (value if isinstance(value, dict) else {"messages": value}) | lists | {"metadata": METADATA}
    change = {"field": field, "value": copied(laid_over)}
    body = {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": [change]}]}
    check(read(body))


@given(kind=st.sampled_from(TYPES), content=garbage, more=st.dictionaries(field_names, garbage, max_size=3))
def test_any_content_of_a_known_type_never_raises(kind: str, content: Any, more: dict[str, Any]) -> None:
    message = {"from": "12025550143", "id": "wamid.1", "timestamp": "1767229200", **more, "type": kind, kind: content}
    value = {"metadata": METADATA, "messages": [copied(message)]}
    change = {"field": "messages", "value": value}
    found = read({"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": [change]}]})
    check(found)
    assert kind == "system" or len([*found.items, *found.broken]) >= 1


@given(body=st.binary(max_size=60))
def test_any_bytes_never_raise(body: bytes) -> None:
    read(parse_json(body))


@given(value=garbage)
def test_cleaning_twice_is_cleaning_once(value: Any) -> None:
    once = clean(value, {})
    assert orjson.dumps(clean(once, {})) == orjson.dumps(once)


# Batches --------------------------------------------------------------------------------------------------


def counted(bodies: Sequence[dict[str, Any]]) -> tuple[list[bytes], list[str]]:
    """Return what bodies say and what is broken in them, whatever the order."""
    found = [read(body) for body in bodies]
    said = [orjson.dumps([str(item.instance_id), told(item.event).decode()]) for one in found for item in one.items]
    return sorted(said), sorted(one.error for each in found for one in each.broken)


def batch(bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "whatsapp_business_account", "entry": [entry for body in bodies for entry in body["entry"]]}


@given(order=st.permutations(names()), edits=changes, size=st.integers(1, 30))
def test_a_batch_says_what_its_parts_say_in_any_order(order: list[str], edits: Any, size: int) -> None:
    """With one of them mutilated, which costs the others nothing."""
    first, *others = order[:size]
    broken = mutilated(first, edits)
    bodies = [BODIES[name] for name in others]
    if (
        isinstance(broken, dict)
        and isinstance(broken.get("entry"), list)
        and broken.get("object") == BODIES[first]["object"]
    ):
        bodies.append(broken)
    assert counted([batch(copied(bodies))]) == counted(copied(bodies))
    assert counted([batch(copied(bodies[::-1]))]) == counted(copied(bodies))


def test_the_largest_bodies_are_read() -> None:
    """Meta's have up to 3 MB and a thousand updates; each of these has a card of its own."""
    body = body_of("25-batch-two-numbers-mixed")
    value = body["entry"][0]["changes"][0]["value"]
    value["contacts"] = [{"wa_id": f"1202555{number:04}", "profile": {"name": "x"}} for number in range(2000)]
    value["messages"] = [
        value["messages"][0] | {"id": f"wamid.{number}", "from": f"1202555{number:04}", "text": {"body": "x" * 2000}}
        for number in range(2000)
    ]
    assert len(orjson.dumps(body)) > 4_000_000
    found = read(body)
    assert (len(found.items), found.broken) == (2002, [])
    assert {item.event.sender_name for item in found.items[:2000]} == {"x"}  # type: ignore[union-attr]


# Depth and letters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [DEEPEST, 200, 900])
def test_deep_nesting_is_cut(depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = {"message": [deep]}
    body = copied(BODIES["01-text"])
    body["entry"][0]["changes"][0]["value"]["messages"][0]["referral"] = deep
    found = read(body)
    assert len(found.items) == 1
    orjson.dumps(found.raw)
    assert read(deep).items == ()


@pytest.mark.parametrize(("written", "seen"), [(rb"\ud83d", "�"), (rb"\u0000", ""), ("é\u202e".encode(), "é")])
def test_letters_that_no_database_takes(written: bytes, seen: str) -> None:
    body = orjson.dumps(BODIES["01-text"]).replace(b"Dana Sample", b"Dana " + written + b"Sample")
    (item,) = read(parse_json(body)).items
    assert item.event.sender_name == f"Dana {seen}Sample"  # type: ignore[union-attr]


def test_letters_inside_a_forms_answer() -> None:
    body = body_of("12-interactive-flow-reply")
    reply = body["entry"][0]["changes"][0]["value"]["messages"][0]["interactive"]["nfm_reply"]
    for written, data in ((r'{"a": "\ud83d"}', {"a": "�"}), (r'{"a": "\u0000x"}', {"a": "x"}), ('"' * 9, None)):
        reply["response_json"] = written
        (item,) = read(body).items
        assert item.event.payload["data"] == data  # type: ignore[union-attr]
    reply["response_json"] = "[" * 5000 + "]" * 5000
    (item,) = read(body).items
    orjson.dumps(item.event.payload)  # type: ignore[union-attr]
