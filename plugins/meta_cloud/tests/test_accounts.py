"""What Meta says of numbers, accounts, templates, wishes and statuses (reference, sections 13.4 and 13.5)."""

from typing import Any

import pytest
from elsehu_meta_cloud.errors import ERRORS, Action
from elsehu_meta_cloud.normalize import normalize

from elsehu.plugin import (
    Accepted,
    ConsentChanged,
    IdentitiesLinked,
    InstanceChanged,
    InstanceStatus,
    Mark,
    Normalized,
    Status,
    StatusChanged,
    TemplateChanged,
    TemplateStatus,
)

from .conftest import ID, OTHER_ID, OTHER_NUMBER, WABA, make_instance, other_instance
from .test_types import events

NUMBERS = [make_instance(), other_instance()]
TEMPLATE = {"message_template_id": 5, "message_template_name": "hello", "message_template_language": "en_GB"}


def account(field: str, value: Any, entry: Any = WABA, time: Any = 1767229480) -> Normalized:
    """Normalise an account-level change, which has no `metadata`."""
    change = {"field": field, "value": value}
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": entry, "time": time, "changes": [change]}],
    }
    return normalize(Accepted(body, NUMBERS))


def told(field: str, value: Any, **more: Any) -> Any:
    """Return the one event that both numbers of the account are told."""
    found = account(field, value, **more)
    assert not found.broken, found.broken
    assert [item.instance_id for item in found.items] == [ID, OTHER_ID]
    assert found.items[0].event == found.items[1].event
    return found.items[0].event


def health(field: str, value: Any) -> dict[str, Any]:
    """Return what is told of health, where the status stays as it is."""
    event = told(field, value)
    assert isinstance(event, InstanceChanged)
    assert event.status is None
    return dict(event.health)


# Templates ------------------------------------------------------------------------------------------------

STATES: list[tuple[str, TemplateStatus, str]] = [
    ("APPROVED", TemplateStatus.APPROVED, ""),
    ("approved", TemplateStatus.APPROVED, ""),
    ("FLAGGED", TemplateStatus.APPROVED, "FLAGGED"),
    ("REINSTATED", TemplateStatus.APPROVED, "REINSTATED"),
    ("PENDING", TemplateStatus.PENDING, ""),
    ("IN_APPEAL", TemplateStatus.PENDING, "IN_APPEAL"),
    ("REJECTED", TemplateStatus.REJECTED, ""),
    ("PAUSED", TemplateStatus.PAUSED, ""),
    ("Disabled", TemplateStatus.DISABLED, ""),
    ("PENDING_DELETION", TemplateStatus.DISABLED, "PENDING_DELETION"),
    ("DELETED", TemplateStatus.DISABLED, "DELETED"),
    ("LIMIT_EXCEEDED", TemplateStatus.DISABLED, "LIMIT_EXCEEDED"),
    ("ARCHIVED", TemplateStatus.DISABLED, "ARCHIVED"),
    ("UNARCHIVED", TemplateStatus.PENDING, "UNARCHIVED"),
    ("LOCKED", TemplateStatus.DISABLED, "LOCKED"),
    ("something_new", TemplateStatus.PENDING, "SOMETHING_NEW"),
]


@pytest.mark.parametrize(("word", "status", "reason"), STATES)
@pytest.mark.parametrize("none", ["NONE", "null", None, ""])
def test_states_of_templates(word: str, status: TemplateStatus, reason: str, none: Any) -> None:
    event = told("message_template_status_update", TEMPLATE | {"event": word, "reason": none})
    assert isinstance(event, TemplateChanged)
    assert (event.name, event.language, event.external_id) == ("hello", "en_GB", "5")
    assert (event.status, event.reason) == (status, reason)
    assert event.at


def test_only_three_states_can_be_sent() -> None:
    assert {word.upper() for word, status, _ in STATES if status is TemplateStatus.APPROVED} == {
        "APPROVED",
        "FLAGGED",
        "REINSTATED",
    }


REASONS = [
    ({"reason": "SCAM"}, "SCAM"),
    ({"disable_info": {"disable_date": "2026-01-15"}}, "2026-01-15"),
    ({"other_info": {"title": "FIRST_PAUSE", "description": "3 h"}}, "FIRST_PAUSE. 3 h"),
    ({"rejection_info": 7, "other_info": [], "disable_info": {"disable_date": {}}}, ""),
]


@pytest.mark.parametrize(("more", "reason"), REASONS)
def test_why_a_template_stands_as_it_does(more: dict[str, Any], reason: str) -> None:
    assert told("message_template_status_update", TEMPLATE | {"event": "PAUSED", **more}).reason == reason


def test_other_news_of_templates() -> None:
    quality = told("message_template_quality_update", TEMPLATE | {"new_quality_score": "yellow"})
    assert (quality.quality, quality.status, quality.category, quality.reason) == ("YELLOW", None, None, None)
    done = told("template_category_update", TEMPLATE | {"previous_category": "UTILITY", "new_category": "MARKETING"})
    announced = TEMPLATE | {"correct_category": "MARKETING", "new_category": "UTILITY", "category_update_timestamp": 1}
    assert (done.category, told("template_category_update", announced).category) == ("MARKETING", "UTILITY")
    edited = told("message_template_components_update", TEMPLATE | {"message_template_element": "Hi"}, time=None)
    assert (edited.name, edited.at) == ("hello", None)


@pytest.mark.parametrize("name", ["message_template_status_update", "message_template_quality_update"])
def test_a_template_without_a_name_is_broken(name: str) -> None:
    found = account(name, {"event": "APPROVED", "message_template_id": 5})
    assert (found.items, len(found.broken)) == ([], 2)


# Accounts and numbers -------------------------------------------------------------------------------------


def test_what_stops_an_account_stops_its_numbers() -> None:
    banned = told("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}})
    deleted = told("account_update", {"event": "ACCOUNT_DELETED"})
    assert {banned.status, deleted.status} == {InstanceStatus.BLOCKED}
    assert banned.detail
    assert deleted.detail


BAN = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE", "waba_ban_date": "May 1"}}
RESTRICTION = {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1767229480}
ALERT = {"alert_severity": "CRITICAL", "alert_status": "ACTIVE", "alert_type": "OBA_APPROVED", "alert_description": "x"}
SHOWN_ALERT = {"type": "OBA_APPROVED", "severity": "CRITICAL", "status": "ACTIVE", "description": "x"}
HEALTH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("account_update", BAN, {"ban": {"state": "SCHEDULE_FOR_DISABLE", "date": "May 1"}}),
    (
        "account_update",
        {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}},
        {"ban": None, "restrictions": None, "violation": None},
    ),
    (
        "account_update",
        {"event": "ACCOUNT_RESTRICTION", "restriction_info": [RESTRICTION]},
        {"restrictions": [{"type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "until": 1767229480}]},
    ),
    ("account_update", {"event": "ACCOUNT_RESTRICTION"}, {"restrictions": None}),
    (
        "account_update",
        {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}},
        {"violation": "SCAM"},
    ),
    ("account_update", {"event": "PARTNER_REMOVED"}, {"accessLost": "PARTNER_REMOVED"}),
    ("account_update", {"event": "account_reconnected"}, {"accessLost": None}),
    ("account_review_update", {"decision": "approved"}, {"accountReview": "APPROVED"}),
    ("account_alerts", {"entity_type": "WABA", "entity_id": 1, "alert_info": ALERT}, {"alert": SHOWN_ALERT}),
    ("account_alerts", ALERT, {"alert": SHOWN_ALERT}),
    ("business_capability_update", {"max_daily_conversations_per_business": 2000}, {"tier": "TIER_2K"}),
    ("business_capability_update", {"max_daily_conversations_per_business": "250"}, {"tier": "TIER_250"}),
    ("business_capability_update", {"max_daily_conversation_per_phone": -1}, {"tier": "TIER_UNLIMITED"}),
    ("business_capability_update", {"max_daily_conversations_per_business": "TIER_2K"}, {"tier": "TIER_2K"}),
]


@pytest.mark.parametrize(("field", "value", "shown"), HEALTH)
def test_health_of_an_account(field: str, value: dict[str, Any], shown: dict[str, Any]) -> None:
    assert health(field, value) == shown


def test_an_account_that_a_partner_speaks_of_is_named_inside() -> None:
    value = BAN | {"waba_info": {"waba_id": WABA}}
    assert len(account("account_update", value, entry="1").items) == 2
    assert account("account_update", BAN | {"waba_info": {"waba_id": "1"}}).items == []


def test_an_alert_about_one_number_is_that_numbers() -> None:
    found = account("account_alerts", {"entity_type": "PHONE_NUMBER", "entity_id": OTHER_NUMBER, "alert_info": ALERT})
    assert [item.instance_id for item in found.items] == [OTHER_ID]


NUMBER_HEALTH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("phone_number_quality_update", {"event": "FLAGGED", "current_limit": "TIER_1K"}, {"tier": "TIER_1K"}),
    ("phone_number_quality_update", {"event": "FLAGGED"}, {"status": "FLAGGED"}),
    ("phone_number_quality_update", {"event": "UNFLAGGED"}, {"status": "CONNECTED"}),
    ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE"}, {"throughput": "HIGH"}),
    (
        "phone_number_quality_update",
        {"event": "UPGRADE", "current_limit": "TIER_1K", "max_daily_conversations_per_business": "TIER_2K"},
        {"tier": "TIER_2K"},
    ),
    (
        "phone_number_name_update",
        {"decision": "REJECTED", "requested_verified_name": "Shop", "rejection_reason": "NAME_TOO_SHORT"},
        {"nameStatus": "REJECTED", "requestedName": "Shop", "nameRejection": "NAME_TOO_SHORT"},
    ),
    (
        "phone_number_name_update",
        {"decision": "APPROVED", "requested_verified_name": "Shop", "rejection_reason": "NONE"},
        {"nameStatus": "APPROVED", "requestedName": "Shop", "nameRejection": None},
    ),
    ("security", {"event": "PIN_CHANGED", "requester": "1"}, {"security": "PIN_CHANGED"}),
]


@pytest.mark.parametrize("display", ["12025550101", "+1 202-555-0101", "+12025550101"])
@pytest.mark.parametrize(("field", "value", "shown"), NUMBER_HEALTH)
def test_health_of_a_number_that_only_its_digits_name(
    field: str, value: dict[str, Any], shown: dict[str, Any], display: str
) -> None:
    found = account(field, value | {"display_phone_number": display})
    assert [item.instance_id for item in found.items] == [OTHER_ID]
    event = found.items[0].event
    assert isinstance(event, InstanceChanged)
    assert event.status is None
    assert event.health.items() >= shown.items()


@pytest.mark.parametrize(("entry", "display"), [("1", "12025550101"), (WABA, "12025550199"), (WABA, None), (None, "")])
def test_a_number_that_is_not_ours_is_told_nothing(entry: Any, display: Any) -> None:
    value = {"event": "FLAGGED", "display_phone_number": display}
    assert account("phone_number_quality_update", value, entry=entry).items == []


SILENT = [
    ("account_update", {"event": "VOLUME_BASED_PRICING_TIER_UPDATE"}),
    ("account_update", {}),
    ("account_review_update", {}),
    ("account_alerts", {}),
    ("business_capability_update", {"max_phone_numbers_per_business": 25}),
    ("phone_number_quality_update", {"event": "ONBOARDING", "display_phone_number": "12025550100"}),
    ("phone_number_name_update", {"display_phone_number": "12025550100"}),
    ("security", {"display_phone_number": "12025550100"}),
    ("flows", {"event": "FLOW_STATUS_CHANGE"}),
    ("group_participants_update", {"groups": [{"group_id": "g"}]}),
    ("smb_app_state_sync", {"state_sync": [{"type": "contact", "contact": {"phone_number": "1"}, "action": "add"}]}),
    ("a_field_of_next_year", {"messages": [{"id": "x"}]}),
]


@pytest.mark.parametrize(("field", "value"), SILENT)
def test_what_says_nothing_to_us_is_kept(field: str, value: dict[str, Any]) -> None:
    found = account(field, value)
    assert (found.items, found.broken, found.event_name) == ([], [], field)
    assert found.raw["entry"][0]["changes"] == [{"field": field, "value": value}]


# Wishes ---------------------------------------------------------------------------------------------------

WISH = {"wa_id": "12025550143", "user_id": "US.1", "category": "marketing_messages", "timestamp": 1767229200}


@pytest.mark.parametrize(("word", "accepts"), [("stop", False), ("resume", True), ("signup", True), ("STOP", False)])
def test_wishes(word: str, accepts: bool) -> None:
    (event,) = events("user_preferences", user_preferences=[WISH | {"value": word}])
    assert isinstance(event, ConsentChanged)
    assert event.accepts is accepts
    assert [one.address for one in event.sender] == ["12025550143", "US.1"]
    assert int(event.at.timestamp()) == 1767229200


def test_other_wishes_say_nothing() -> None:
    others = [WISH | {"value": "maybe"}, WISH | {"value": "stop", "category": "utility_messages"}, WISH]
    assert events("user_preferences", user_preferences=others) == []


# Statuses -------------------------------------------------------------------------------------------------


def statuses(**told: Any) -> list[Any]:
    return events("messages", statuses=[{"id": "wamid.1", "timestamp": "1767229200", **told}])


@pytest.mark.parametrize("word", ["deleted", "warning", "accepted", "of_next_year", ""])
def test_historic_statuses_say_nothing(word: str) -> None:
    assert statuses(status=word) == []


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "played", "READ"])
def test_statuses_need_neither_time_nor_recipient(word: str) -> None:
    (event,) = events("messages", statuses=[{"id": "wamid.1", "status": word}])
    assert (event.status, event.at, event.client_ref) == (Status(word.lower()), None, None)


def test_a_sent_message_teaches_the_recipients_user_id() -> None:
    both = {"recipient_id": "12025550143", "recipient_user_id": "US.1", "parent_recipient_user_id": "US.ENT.1"}
    _, linked = statuses(status="sent", **both)
    assert isinstance(linked, IdentitiesLinked)
    assert [one.address for one in linked.identities] == ["12025550143", "US.1", "US.ENT.1"]
    assert len(statuses(status="delivered", **both)) == 1
    assert len(statuses(status="sent", recipient_id="12025550143", recipient_user_id="")) == 1
    assert len(statuses(status="sent", recipient_type="group", **both)) == 1


def failure(code: Any, **more: Any) -> list[Any]:
    return statuses(status="failed", recipient_id="12025550143", errors=[{"code": code, **more}])


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_each_code_of_the_table_says_what_to_do(code: int) -> None:
    event, *others = failure(code)
    rule = ERRORS[code]
    assert isinstance(event, StatusChanged)
    assert (event.status, event.error_code, event.provider_code, event.mark) == (
        Status.FAILED,
        rule.code,
        str(code),
        rule.mark,
    )
    assert event.error_detail
    assert "by itself" not in event.error_detail
    assert bool(others) is (rule.action is Action.PAUSE)


@pytest.mark.parametrize(
    ("code", "mark"),
    [(131026, Mark.RECIPIENT), (131050, Mark.NO_MARKETING), (132015, Mark.TEMPLATE), (131047, None), (131049, None)],
)
def test_marks(code: int, mark: Mark | None) -> None:
    assert failure(code)[0].mark is mark


def test_a_failure_that_concerns_the_account_is_shown_on_the_number_and_holds_nothing() -> None:
    """Replies in an open window may still go through; a send that Meta refuses at once holds the queue."""
    failed, shown = failure(131042, title="Business eligibility payment issue")
    assert failed.error_code == "payment_problem"
    assert isinstance(shown, InstanceChanged)
    assert shown.status is None
    assert shown.health["lastError"]["code"] == 131042


def test_an_unknown_failure_shows_metas_words() -> None:
    for detail in ({"error_data": {"details": "No moon"}}, {"details": "No moon"}):
        (event,) = failure(999999, **detail)
        assert (event.error_code, event.provider_code) == ("provider_rejected", "999999")
        assert "No moon" in event.error_detail


@pytest.mark.parametrize("errors", [None, [], {}, [None], [{"code": "x"}], "no"])
def test_a_failure_without_a_reason(errors: Any) -> None:
    (event,) = statuses(status="failed", errors=errors)
    assert (event.status, event.provider_code) == (Status.FAILED, None)
    assert event.error_code


def test_one_members_failure_is_not_the_groups() -> None:
    told = {"status": "failed", "recipient_type": "group", "recipient_id": "g", "errors": [{"code": 131026}]}
    assert statuses(**told, recipient_participant_id="12025550143") == []
    assert len(statuses(**told)) == 1
