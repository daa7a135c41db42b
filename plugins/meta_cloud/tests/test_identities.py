"""Who it is: numbers, user ids, usernames, groups (Meta Cloud API reference, section 14)."""

from typing import Any

import pytest
from elsehu_meta_cloud.identities import Cards, identities, shown
from elsehu_meta_cloud.normalize import normalize

from elsehu.plugin import (
    Accepted,
    IdentitiesLinked,
    Identity,
    IdentityChanged,
    IdentityKind,
    MessageArrived,
    ReactionChanged,
)

from .conftest import body_of, make_instance

NUMBER = Identity(IdentityKind.PHONE, "12025550143", "12025550143")
USER = "US.1000000000000000043"
PARENT = "US.ENT.1000000000000000777"
USER_ID = Identity(IdentityKind.BSUID, USER, USER)
PARENT_ID = Identity(IdentityKind.BSUID, PARENT, PARENT, "parent")
CARD = {"profile": {"name": "Dana Sample"}, "wa_id": "12025550143", "user_id": USER}


def events(value: dict[str, Any], field: str = "messages", **settings: Any) -> list[Any]:
    """Return what a value of the samples' number says."""
    body = body_of("01-text")
    change = body["entry"][0]["changes"][0]
    change["field"] = field
    change["value"] = {"metadata": change["value"]["metadata"], **value}
    found = normalize(Accepted(body, [make_instance(settings=settings)]))
    assert not found.broken, found.broken
    return [item.event for item in found.items]


def message(**more: Any) -> dict[str, Any]:
    """Return a text message; None takes a property away."""
    usual = {"from": "12025550143", "id": "wamid.1", "timestamp": "1767229200", "type": "text", "text": {"body": "hi"}}
    return {name: value for name, value in (usual | more).items() if value is not None}


def arrived(card: Any = CARD, **more: Any) -> MessageArrived:
    (event,) = events({"contacts": [card], "messages": [message(**more)]})
    assert isinstance(event, MessageArrived)
    return event


SENDERS: list[tuple[str, dict[str, Any], dict[str, Any], list[Identity]]] = [
    ("number and user id", {"from_user_id": USER}, CARD, [NUMBER, USER_ID]),
    ("the card alone shows the user id", {}, CARD, [NUMBER, USER_ID]),
    ("no number", {"from": None, "from_user_id": USER}, {"user_id": USER}, [USER_ID]),
    ("an empty number", {"from": "", "from_user_id": USER}, {"wa_id": "", "user_id": USER}, [USER_ID]),
    ("the number in the card alone", {"from": None, "from_user_id": USER}, CARD, [NUMBER, USER_ID]),
    ("a user id where the number belongs", {"from": USER}, {"wa_id": USER, "user_id": USER}, [USER_ID]),
    ("empty user ids", {"from_user_id": "", "from_parent_user_id": ""}, {"wa_id": "12025550143"}, [NUMBER]),
    ("a parent", {"from_user_id": USER, "from_parent_user_id": PARENT}, CARD, [NUMBER, USER_ID, PARENT_ID]),
    ("a parent in the card", {"from_user_id": USER}, CARD | {"parent_user_id": PARENT}, [NUMBER, USER_ID, PARENT_ID]),
    ("somebody else's card", {}, CARD | {"wa_id": "447700900123"}, [NUMBER]),
    ("a number as people write it", {"from": "+1 202-555-0143"}, CARD, [NUMBER]),
]


@pytest.mark.parametrize(("more", "card", "sender"), [one[1:] for one in SENDERS], ids=[one[0] for one in SENDERS])
def test_senders(more: dict[str, Any], card: dict[str, Any], sender: list[Identity]) -> None:
    assert list(arrived(card, **more).sender) == sender


def test_a_brazilian_number_is_matched_with_its_ninth_digit_and_answered_without() -> None:
    (number,) = arrived({}, **{"from": "554899990001"}).sender
    assert (number.value, number.address) == ("5548999990001", "554899990001")


@pytest.mark.parametrize(
    ("wa_id", "value"), [("5215512345678", "525512345678"), ("541112345678", "5491112345678"), ("551132345678",) * 2]
)
def test_other_countries_forms(wa_id: str, value: str) -> None:
    assert [(one.value, one.address) for one in arrived({}, **{"from": wa_id}).sender] == [(value, wa_id)]


def test_a_portfolio_that_is_named_has_user_ids_of_its_own() -> None:
    value = {"contacts": [CARD], "messages": [message(from_user_id=USER, from_parent_user_id=PARENT)]}
    (event,) = events(value, portfolio_id="4711")
    assert [one.scope for one in event.sender] == ["", "4711", "parent"]


def test_cards_are_found_by_address_and_never_by_place() -> None:
    sam = {"profile": {"name": "Sam"}, "wa_id": "447700900123"}
    first = message(id="wamid.a", **{"from": "447700900123"})
    nobody = message(id="wamid.c", **{"from": "12025550199"})
    found = events({"contacts": [CARD, sam], "messages": [first, message(id="wamid.b"), nobody]})
    assert [one.sender_name for one in found] == ["Sam", "Dana Sample", None]


@pytest.mark.parametrize("cards", [None, [], {}, [None, 7, {}], "x", CARD])
def test_odd_cards_cost_no_message(cards: Any) -> None:
    (event,) = events({"contacts": cards, "messages": [message()]})
    assert event.sender[0] == NUMBER


NAMES = [
    ("Dana Sample", "Dana Sample"),
    ("  Dana  ", "Dana"),
    ("\u202egnirts\u202c", "gnirts"),
    ("\u200fدانة\u200e", "دانة"),
    ("a\x00\x07b\nc", "abc"),
    ("👩‍👧‍👦", "👩‍👧‍👦"),
    ("", None),
    ("\u2066\u2069", None),
    ("x" * 500, "x" * 200),
    (None, None),
    (7, None),
]


@pytest.mark.parametrize(("name", "seen"), NAMES)
def test_names_cannot_reorder_what_stands_around_them(name: Any, seen: str | None) -> None:
    assert shown(name) == seen
    assert arrived({"wa_id": "12025550143", "profile": {"name": name}}).sender_name == seen


@pytest.mark.parametrize(("username", "seen"), [("@sam.sample", "sam.sample"), ("sam", "sam"), ("@", None), ("", None)])
def test_usernames_are_shown_and_are_no_address(username: str, seen: str | None) -> None:
    event = arrived({"user_id": USER, "profile": {"username": username}}, **{"from": None, "from_user_id": USER})
    assert (event.sender_username, list(event.sender)) == (seen, [USER_ID])


def test_nobody_is_found_in_nonsense() -> None:
    nonsense = ["", " ", "1234", "1" * 21, "a b", "x" * 201, "+", "...", None, 7, [], {"a": 1}, "١٢٣٤٥٦"]
    assert identities(nonsense, "") == ()
    assert Cards({"contacts": nonsense}).of("1234") == {}


# Groups ---------------------------------------------------------------------------------------------------


def test_a_group_is_the_contact_and_the_author_is_named() -> None:
    event = arrived(group_id="R1JPVVA=", from_user_id=USER)
    assert list(event.sender) == [Identity(IdentityKind.GROUP, "R1JPVVA=", "R1JPVVA=")]
    assert (event.author_name, event.sender_name, event.sender_username) == ("Dana Sample", None, None)


def test_an_author_without_a_name_is_called_by_number() -> None:
    assert arrived({}, group_id="R1JPVVA=").author_name == "+12025550143"
    assert arrived({}, group_id="R1JPVVA=", **{"from": USER}).author_name is None


def test_a_reaction_in_a_group_is_one_members() -> None:
    leaf = {"message_id": "wamid.0", "emoji": "👍"}
    value = {"contacts": [CARD], "messages": [message(type="reaction", reaction=leaf, group_id="R1JPVVA=")]}
    (event,) = events(value)
    assert isinstance(event, ReactionChanged)
    assert [one.kind for one in event.sender] == ["group", "phone", "bsuid"]


# Changes --------------------------------------------------------------------------------------------------

OLD, NEW = "GB.1000000000000000123", "GB.1000000000000000999"


def system(name: str, **more: Any) -> list[Any]:
    own = {"from", "from_user_id", "from_parent_user_id"}
    outer = {key: value for key, value in more.items() if key in own}
    inner = {key: value for key, value in more.items() if key not in own}
    usual = {"from": None, "text": None}
    return events({"messages": [message(type="system", system={"type": name, **inner}, **(usual | outer))]})


CHANGES: list[tuple[str, dict[str, Any], tuple[list[str], list[str]]]] = [
    ("user_changed_number", {"from": "12025550143", "wa_id": "12025550177"}, (["12025550143"], ["12025550177"])),
    (
        "customer_changed_number",
        {"from": "12025550143", "new_wa_id": "12025550177", "customer": "12025550143"},
        (["12025550143"], ["12025550177"]),
    ),
    (
        "customer_changed_number",
        {"new_wa_id": "12025550177", "customer": "12025550143"},
        (["12025550143"], ["12025550177"]),
    ),
    (
        "user_changed_number",
        {"body": "User A changed from 12025550143 to 12025550177", "wa_id": "12025550177"},
        (["12025550143"], ["12025550177"]),
    ),
    (
        "user_changed_number",
        {"from": "12025550143", "from_user_id": OLD, "wa_id": "12025550177", "user_id": NEW},
        (["12025550143", OLD], ["12025550177", NEW]),
    ),
    (
        "user_changed_number",
        {"from": "12025550143", "from_user_id": OLD, "wa_id": "12025550177"},
        (["12025550143"], ["12025550177"]),
    ),
    ("user_changed_user_id", {"body": f"User Sam changed from {OLD} to {NEW}", "user_id": NEW}, ([OLD], [NEW])),
    ("user_changed_user_id", {"from_user_id": OLD, "user_id": NEW}, ([OLD], [NEW])),
    ("user_changed_user_id", {"from": "12025550143", "from_user_id": OLD, "user_id": NEW}, ([OLD], [NEW])),
    (
        "user_changed_user_id",
        {"body": f"User changed from US.1 to {NEW} changed from {OLD} to {NEW}", "user_id": NEW},
        ([OLD], [NEW]),
    ),
]


@pytest.mark.parametrize(("name", "more", "change"), CHANGES)
def test_changed_addresses(name: str, more: dict[str, Any], change: tuple[list[str], list[str]]) -> None:
    (event,) = system(name, **more)
    assert isinstance(event, IdentityChanged)
    assert ([one.address for one in event.old], [one.address for one in event.new]) == change


@pytest.mark.parametrize("name", ["customer_identity_changed", "user_identity_changed", "other", None])
def test_a_new_security_code_moves_no_address(name: Any) -> None:
    identity = {"acknowledged": True, "created_timestamp": 1767229200, "hash": "x"}
    value = message(type="system", system={"type": name, "wa_id": "12025550143"}, identity=identity)
    assert events({"messages": [value]}) == []


UNTOLD = [
    {"user_id": NEW},
    {"user_id": NEW, "body": "User Sam changed from nothing"},
    {"user_id": NEW, "body": f"User Sam changed from {OLD} to US.2"},
    {"user_id": NEW, "from_user_id": NEW},
    {"from_user_id": OLD},
]


@pytest.mark.parametrize("more", UNTOLD)
def test_a_change_whose_other_half_is_not_told_is_kept_as_broken(more: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="without the old or the new"):
        system("user_changed_user_id", **more)


def test_a_user_id_update_moves_both_ids_and_no_number() -> None:
    update = {
        "wa_id": "12025550143",
        "user_id": {"previous": OLD, "current": NEW},
        "parent_user_id": {"previous": "GB.ENT.1", "current": "GB.ENT.2"},
        "timestamp": "1767229390",
    }
    (event,) = events({"user_id_update": [update]}, "user_id_update")
    assert [one.address for one in event.old] == [OLD, "GB.ENT.1"]
    assert [one.address for one in event.new] == [NEW, "GB.ENT.2"]


def test_whoever_answers_our_request_for_the_number_is_known_by_it_from_then_on() -> None:
    card = {"phones": [{"phone": "+1 202-555-0143", "wa_id": "12025550143"}], "origin": "contact_request"}
    value = message(type="contacts", contacts=[card], from_user_id=USER, **{"from": None, "text": None})
    shared, linked = events({"messages": [value]})
    assert isinstance(shared, MessageArrived)
    assert linked == IdentitiesLinked((NUMBER, USER_ID))
    early = value | {"contacts": [card | {"origin": None}], "origin": "contact_request"}
    assert events({"messages": [early]})[1] == linked


def test_a_card_that_was_not_asked_for_is_somebody_elses() -> None:
    card = {"phones": [{"wa_id": "12025550143"}], "origin": "other"}
    value = message(type="contacts", contacts=[card], from_user_id=USER, **{"from": None, "text": None})
    assert len(events({"messages": [value]})) == 1
    two = value | {"contacts": [card | {"origin": "contact_request"}] * 2}
    assert len(events({"messages": [two]})) == 1
