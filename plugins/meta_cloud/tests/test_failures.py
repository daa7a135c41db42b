"""Each code of Meta's has its action, shown through the hook by a stand-in that answers with it (reference, 7.2)."""

from collections.abc import Iterable
from typing import Any

import pytest
from elsehu_meta_cloud import provider_send
from elsehu_meta_cloud.errors import ERRORS, Action, rule_of
from elsehu_meta_cloud.usage import usage_of

from elsehu.plugin import InstanceSick, Mark, OutcomeUnknown, ProviderError, Rejected, Retryable

from .standin_fixtures import World
from .test_sending import outbound

PERMISSIONS = range(200, 300)
PAUSE = [
    0,
    190,
    3,
    10,
    PERMISSIONS[0],
    PERMISSIONS[-1],
    131005,
    33,
    368,
    131031,
    131037,
    131042,
    131044,
    131045,
    133006,
    133010,
]
AGAIN = [2, 131016, 133004]
FEW_TIMES = [1, 131000]
SLOWER = [4, 17, 32, 613, 80007, 80008, 130429]
WAITS = {134101: 600.0, 131057: 60.0, 2494100: 60.0, 133015: 300.0}
LATE = {131048: True, 131064: False, 132069: False, 133009: False}
"""Code: whether the whole number waits."""
FAILS = [
    *(100, 130472, 131008, 131009, 131020, 131041, 131021, 131030, 131049, 131051, 131052, 131053, 131055, 134100),
    *(134102, 131062, 131063, 132000, 132005, 132008, 132012, 132018, 132068, 133000, 133005, 133008, 133016, 135000),
    *(137000, *range(138000, 138014), *range(139100, 139104)),
]
MARKS = {
    130497: Mark.RECIPIENT,
    131026: Mark.RECIPIENT,
    131050: Mark.NO_MARKETING,
    132001: Mark.TEMPLATE,
    132007: Mark.TEMPLATE,
    132015: Mark.TEMPLATE,
    132016: Mark.TEMPLATE,
}


async def failure(world: World, attempt: int = 1, **answer: Any) -> ProviderError:
    """Return the error of sending, where the stand-in answers so."""
    world.standin.call("add_fault", on="POST */messages", effect=answer.pop("effect", "refuse"), **answer)
    message = outbound(text="oi", attempt=attempt)
    with pytest.raises(ProviderError) as error:
        await provider_send(world.context, world.instance(), message)
    return error.value


async def failures(world: World, codes: Iterable[int]) -> list[ProviderError]:
    found = [await failure(world, code=code) for code in codes]
    assert [one.provider_code for one in found] == [str(code) for code in codes]
    assert world.standin.phone == []
    return found


async def test_the_number_is_held(world: World) -> None:
    for error in await failures(world, PAUSE):
        assert isinstance(error, InstanceSick)
        assert error.instance_status == "blocked"


async def test_it_is_tried_again(world: World) -> None:
    for error in await failures(world, AGAIN + FEW_TIMES):
        assert isinstance(error, Retryable)
        assert not error.holds_instance
        assert (error.most_attempts is not None) == (int(error.provider_code or 0) in FEW_TIMES)


async def test_the_number_slows_down(world: World) -> None:
    for error in await failures(world, SLOWER):
        assert isinstance(error, Retryable)
        assert error.holds_instance
        assert error.retry_after
    later = await failure(world, attempt=4, code=130429)
    assert isinstance(later, Retryable)
    assert later.retry_after == 16


async def test_it_is_tried_again_after_a_time(world: World) -> None:
    for error in await failures(world, WAITS):
        assert isinstance(error, Retryable)
        assert error.retry_after == WAITS[int(error.provider_code or 0)]
    for error in await failures(world, LATE):
        assert isinstance(error, Retryable)
        assert (error.retry_after or 0) >= 3600
        assert error.holds_instance == LATE[int(error.provider_code or 0)]


async def test_only_the_pair_waits(world: World) -> None:
    waits = []
    for attempt in range(1, 6):
        error = await failure(world, attempt, code=131056)
        assert isinstance(error, Retryable)
        assert (error.holds_instance, error.most_attempts) == (False, 8)
        waits.append(error.retry_after)
    assert waits == [1, 4, 16, 64, 256]


async def test_only_a_template_may_be_sent(world: World) -> None:
    (error,) = await failures(world, [131047])
    assert isinstance(error, Rejected)
    assert error.code == "window_closed"
    assert "template" in error.detail


async def test_it_fails_for_good(world: World) -> None:
    for error in await failures(world, FAILS):
        assert isinstance(error, Rejected)
        assert error.mark is None
    for error in await failures(world, MARKS):
        assert isinstance(error, Rejected)
        assert error.mark is MARKS[int(error.provider_code or 0)]


def test_the_table_is_whole_and_says_what_to_do() -> None:
    named = {*PAUSE, *PERMISSIONS, *AGAIN, *FEW_TIMES, *SLOWER, *WAITS, *LATE, *FAILS, *MARKS, 131056, 131047}
    assert named == set(ERRORS)
    for rule in ERRORS.values():
        assert rule.code.isidentifier()
        assert len(rule.detail) > 20
        assert rule.detail.endswith(".")


UNKNOWN: list[tuple[str, dict[str, Any], type[ProviderError], str]] = [
    ("an unknown code, 4xx", {"code": 999999, "status": 403}, Rejected, "provider_rejected"),
    ("an unknown code, 5xx", {"code": 999999, "status": 500}, Retryable, "provider_error"),
    ("no such object", {"code": 100, "subcode": 33}, InstanceSick, "object_not_found"),
    ("a known code whatever the status", {"code": 131056, "status": 429}, Retryable, "pair_rate_limited"),
    ("a server error in HTML", {"effect": "answer", "status": 500, "body": "<html>"}, Retryable, "provider_error"),
    ("unavailable, nothing said", {"effect": "answer", "status": 503, "body": ""}, Retryable, "provider_error"),
    ("a lost answer", {"effect": "answer", "status": 502, "body": "<html>"}, OutcomeUnknown, "outcome_unknown"),
    ("a time-out in between", {"effect": "answer", "status": 504, "body": ""}, OutcomeUnknown, "outcome_unknown"),
    ("throttled in HTML", {"effect": "answer", "status": 429, "body": "slow"}, Retryable, "provider_rate_limited"),
    ("no token, nothing said", {"effect": "answer", "status": 401, "body": ""}, InstanceSick, "token_refused"),
    ("another server", {"effect": "answer", "status": 404, "body": "<html>"}, InstanceSick, "provider_not_found"),
    ("bad, nothing said", {"effect": "answer", "status": 400, "body": ""}, Rejected, "provider_rejected"),
    (
        "details as a plain text",
        {"effect": "answer", "status": 400, "body": {"error": {"code": 131009, "error_data": "too long"}}},
        Rejected,
        "provider_rejected",
    ),
    (
        "a code as text",
        {"effect": "answer", "status": 400, "body": {"error": {"code": "131047", "message": "m"}}},
        Rejected,
        "window_closed",
    ),
    (
        "unknown and passing",
        {"effect": "answer", "status": 400, "body": {"error": {"code": 424242, "is_transient": True}}},
        Retryable,
        "provider_error",
    ),
    (
        "an error that is none",
        {"effect": "answer", "status": 400, "body": {"error": "x"}},
        Rejected,
        "provider_rejected",
    ),
]


@pytest.mark.parametrize(("answer", "kind", "code"), [one[1:] for one in UNKNOWN], ids=[one[0] for one in UNKNOWN])
async def test_every_shape_of_an_error(
    world: World, answer: dict[str, Any], kind: type[ProviderError], code: str
) -> None:
    error = await failure(world, **answer)
    assert (type(error), error.code) == (kind, code)


async def test_people_read_what_meta_says_and_the_log_how_to_ask_about_it(world: World) -> None:
    details = "Param text must be at most 4096 long, see https://x.example/a?token=1"
    error = await failure(world, code=131009, details=details)
    assert "4096" in error.detail
    assert "https://" not in error.detail
    ((event, values),) = world.logged
    assert event == "meta_refused"
    assert values["fbtrace_id"].startswith("A")
    assert world.standin.options.token not in str(world.logged) + error.detail


async def test_a_token_that_meta_repeats_is_hidden(world: World) -> None:
    token = world.standin.options.token
    error = await failure(world, code=131009, details=f"Malformed access token {token}")
    assert "***" in error.detail
    assert token not in error.detail + str(world.logged)


async def test_a_long_token_that_meta_repeats_is_hidden_whole(world: World) -> None:
    token = world.standin.options.token
    error = await failure(world, code=131009, details=f"{'.' * 240} {token}")
    assert token[:9] not in error.detail + str(world.logged)


async def test_a_limit_says_when_it_is_over(world: World) -> None:
    header = '{"900":[{"type":"messaging","call_count":100,"estimated_time_to_regain_access":7}]}'
    error = await failure(world, code=80007, headers={"x-business-use-case-usage": header})
    assert isinstance(error, Retryable)
    assert error.retry_after == 420
    assert ("meta_limit_near", {"instance": str(world.instance().id), "percent": 100.0}) in world.logged


@pytest.mark.parametrize(
    ("headers", "percent", "seconds"),
    [
        ({}, 0.0, None),
        ({"x-app-usage": '{"call_count":28,"total_time":91,"total_cputime":3}'}, 91.0, None),
        ({"x-app-usage": "no json", "x-business-use-case-usage": '{"1":[{"call_count":5}]}'}, 5.0, None),
        ({"x-business-use-case-usage": '{"1":[1,{"call_count":"x"}],"2":null}'}, 0.0, None),
        ({"x-app-usage": "[]"}, 0.0, None),
    ],
)
def test_usage_is_read_from_whatever_comes(headers: dict[str, str], percent: float, seconds: float | None) -> None:
    usage = usage_of(headers)
    assert (usage.percent, usage.regain_seconds) == (percent, seconds)


def test_unknown_codes_of_failed_statuses_fail() -> None:
    assert rule_of(None).action is Action.FAIL
    assert rule_of(31337).action is Action.FAIL
