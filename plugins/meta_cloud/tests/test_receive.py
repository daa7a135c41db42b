"""Who may speak for which numbers (Meta Cloud API reference, sections 12, 15.7 and 16)."""

import hashlib
import hmac
from typing import Any
from uuid import UUID

import pytest
from elsehu_meta_cloud.normalize import normalize
from elsehu_meta_cloud.receive import receive
from hypothesis import given
from hypothesis import strategies as st

from elsehu.plugin import Accepted, Challenge, Instance, WebhookRejected, WebhookRequest

from .conftest import APP_SECRET, ID, VERIFY_TOKEN, body_of, bytes_of, make_instance, other_instance, signature

OURS, SECOND = make_instance(), other_instance()
FOREIGN = other_instance(credentials={"app_secret": ["another-app's-secret"], "verify_token": "another-token"})
NUMBERS = [OURS, SECOND]
BODY = bytes_of("01-text")
VECTORS = [
    (
        b'{"object":"whatsapp_business_account","entry":[]}',
        "sha256=39f755e3cc111a668cbe0d00d787c7c9884f8322200c5210a64c2b6c7b9d315c",
    ),
    (
        rb'{"object":"whatsapp_business_account","entry":[{"id":"900000000000001","changes":'
        rb'[{"value":{"note":"Ol\u00e1 \ud83d\ude00 \/x"},"field":"messages"}]}]}',
        "sha256=994a287bbaf691fd9f5c9f3f70e6fe90f12fc20709508c0a2454b352bffd3305",
    ),
]


def posted(body: bytes, shown: str | None = None, url: UUID | None = None, **headers: str) -> WebhookRequest:
    """Return a webhook as Meta posts it."""
    signed = {"x-hub-signature-256": signature(body) if shown is None else shown}
    return WebhookRequest("POST", signed | headers, {}, body, url)


def accepted(request: WebhookRequest, siblings: list[Instance] | None = None) -> Accepted:
    found = receive(request, [], NUMBERS if siblings is None else siblings)
    assert isinstance(found, Accepted)
    return found


@pytest.mark.parametrize(("body", "shown"), VECTORS, ids=["empty", "escapes"])
def test_the_references_signatures_hold(body: bytes, shown: str) -> None:
    assert accepted(posted(body, shown)).instances == NUMBERS


def test_the_second_vector_is_as_long_as_the_reference_says() -> None:
    assert len(VECTORS[1][0]) == 151


@given(vector=st.sampled_from(VECTORS), place=st.integers(0), other=st.integers(1, 255))
def test_one_changed_byte_is_refused(vector: tuple[bytes, str], place: int, other: int) -> None:
    body, shown = vector
    changed = bytearray(body)
    changed[place % len(body)] ^= other
    with pytest.raises(WebhookRejected):
        receive(posted(bytes(changed), shown), NUMBERS, NUMBERS)


def test_what_is_written_anew_is_refused_though_it_means_the_same() -> None:
    body, shown = VECTORS[1]
    with pytest.raises(WebhookRejected):
        receive(posted(body.replace(rb"\u00e1", "á".encode()), shown), NUMBERS, NUMBERS)


SHA1 = "sha1=" + hmac.new(APP_SECRET.encode(), BODY, hashlib.sha1).hexdigest()
FORGERIES = [
    ("nothing", {}),
    ("an empty header", {"x-hub-signature-256": ""}),
    ("the scheme alone", {"x-hub-signature-256": "sha256="}),
    ("no scheme", {"x-hub-signature-256": signature(BODY).removeprefix("sha256=")}),
    ("upper case", {"x-hub-signature-256": "sha256=" + signature(BODY)[7:].upper()}),
    ("a shorter one", {"x-hub-signature-256": signature(BODY)[:-1]}),
    ("a longer one", {"x-hub-signature-256": signature(BODY) + "0"}),
    ("no hex", {"x-hub-signature-256": "sha256=" + "é" * 64}),
    ("another secret's", {"x-hub-signature-256": signature(BODY, "guessed")}),
    ("an empty secret's", {"x-hub-signature-256": signature(BODY, "")}),
    ("another body's", {"x-hub-signature-256": signature(BODY + b" ")}),
    ("the old SHA-1 alone", {"x-hub-signature": SHA1}),
    ("SHA-1 in the new header", {"x-hub-signature-256": SHA1}),
]


@pytest.mark.parametrize("headers", [headers for _, headers in FORGERIES], ids=[name for name, _ in FORGERIES])
def test_no_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(WebhookRejected) as refusal:
        receive(WebhookRequest("POST", headers, {}, BODY, ID, VERIFY_TOKEN), [OURS], NUMBERS)
    assert refusal.value.code == "webhook_unproven"
    assert APP_SECRET not in str(refusal.value)


def test_the_old_header_is_ignored_beside_the_new_one() -> None:
    assert accepted(posted(BODY, **{"x-hub-signature": "sha1=wrong"})).instances == NUMBERS


@pytest.mark.parametrize("secrets", [[], [""], [None], None, 7])
def test_a_number_without_a_secret_is_opened_by_none(secrets: Any) -> None:
    bare = make_instance(credentials={"app_secret": secrets})
    for shown in ("", "sha256=", signature(BODY, "")):
        with pytest.raises(WebhookRejected):
            receive(posted(BODY, shown), [bare], [bare])


def test_without_any_number_everything_is_refused() -> None:
    with pytest.raises(WebhookRejected):
        receive(posted(BODY), [], [])


# Whose it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["the-new-secret", APP_SECRET])
def test_two_secrets_hold_while_one_is_changed(secret: str) -> None:
    changing = make_instance(credentials={"app_secret": ["the-new-secret", APP_SECRET]})
    assert accepted(posted(BODY, signature(BODY, secret)), [changing]).instances == [changing]


def test_an_app_speaks_for_all_its_numbers_whichever_the_url_names() -> None:
    body = bytes_of("25-batch-two-numbers-mixed")
    for url, named in ((None, NUMBERS), (ID, [OURS]), (UUID(int=1), [])):
        found = receive(posted(body, url=url), named, [*NUMBERS, FOREIGN])
        assert isinstance(found, Accepted)
        assert found.instances == NUMBERS
        assert {item.instance_id for item in normalize(found).items} == {OURS.id, SECOND.id}


def test_an_app_does_not_speak_for_another_apps_number() -> None:
    """Not even for one whose ids it knows, and not at that number's own address."""
    body = bytes_of("25-batch-two-numbers-mixed")
    found = receive(posted(body, url=FOREIGN.id), [FOREIGN], [OURS, FOREIGN])
    assert isinstance(found, Accepted)
    assert found.instances == [OURS]
    assert {item.instance_id for item in normalize(found).items} == {OURS.id}


def test_numbers_that_share_one_of_two_secrets_are_of_one_app() -> None:
    changed = other_instance(credentials={"app_secret": ["the-new-secret", APP_SECRET]})
    assert accepted(posted(BODY), [OURS, changed]).instances == [OURS, changed]
    assert accepted(posted(BODY, signature(BODY, "the-new-secret")), [OURS, changed]).instances == [changed]


# Odd bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"not json", b"[", b"\xff\xfe", b"null", b"7", b'"text"', b"[1]"])
def test_an_authentic_body_that_is_no_object_is_taken_and_kept(body: bytes) -> None:
    found = normalize(accepted(posted(body)))
    assert found.items == ()
    assert len(found.broken) == 1
    assert found.raw == found.broken[0].raw
    assert found.raw is not None


@pytest.mark.parametrize("other", ["page", "instagram", None, 7, ""])
def test_another_object_says_nothing_and_is_kept(other: Any) -> None:
    body = body_of("01-text") | {"object": other}
    found = normalize(Accepted(body, NUMBERS))
    assert (found.items, found.broken, found.raw) == ((), (), body)


# Verification ---------------------------------------------------------------------------------------------

QUESTION = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}


def asked(**changes: Any) -> Challenge:
    query = {name: value for name, value in {**QUESTION, **changes}.items() if value is not None}
    found = receive(WebhookRequest("GET", {}, query, b""), NUMBERS, NUMBERS)
    assert isinstance(found, Challenge)
    return found


@pytest.mark.parametrize("text", ["1158201444", "<b>x</b>", '"quoted"', "ünï", ""])
def test_the_challenge_is_answered_exactly(text: str) -> None:
    assert asked(**{"hub.challenge": text}) == Challenge(text, 200)


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"hub.verify_token": "wrong"}, 403),
    ({"hub.verify_token": ""}, 403),
    ({"hub.verify_token": "\udcff"}, 403),
    ({"hub.verify_token": VERIFY_TOKEN + " "}, 403),
    ({"hub.verify_token": None}, 400),
    ({"hub.challenge": None}, 400),
    ({"hub.mode": None}, 400),
    ({"hub.mode": "unsubscribe"}, 400),
]


@pytest.mark.parametrize(("changes", "status"), REFUSED)
def test_a_wrong_question_is_refused(changes: dict[str, Any], status: int) -> None:
    found = asked(**changes)
    assert found.status == status
    assert VERIFY_TOKEN not in found.text
    assert QUESTION["hub.challenge"] not in found.text


def test_a_numbers_own_address_knows_its_own_token_alone() -> None:
    ours, theirs = (
        receive(WebhookRequest("GET", {}, QUESTION, b"", one.id), [one], [OURS, FOREIGN]) for one in (OURS, FOREIGN)
    )
    assert ours == Challenge("1158201444", 200)
    assert isinstance(theirs, Challenge)
    assert theirs.status == 403


def test_no_number_no_verification() -> None:
    for token in (None, "", VERIFY_TOKEN):
        bare = make_instance(credentials={"verify_token": token})
        query = QUESTION | {"hub.verify_token": token or ""}
        found = receive(WebhookRequest("GET", {}, query, b""), [bare] if not token else [], [])
        assert isinstance(found, Challenge)
        assert found.status == 403
