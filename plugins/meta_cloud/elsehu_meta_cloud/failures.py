"""What an answer of Meta's says went wrong, as an error that says what is known (Meta Cloud API reference, section 7).

Nothing is sent twice: an error that Meta states in its own words is its word that the message was not taken, and so
is any other 5xx, but for 502 and 504. With these somebody in between says that the answer was lost, as after a
time-out: nobody knows what became of the request, so it is not repeated by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from elsehu.plugin import Answer, InstanceSick, OutcomeUnknown, ProviderError, Rejected, Retryable

from .errors import BAD_REQUEST, LIMITED, SERVER, TOKEN, Action, ErrorRule, rule_of
from .usage import usage_of

Json = Mapping[str, Any]

ANSWER_LOST = (502, 504)
LONGEST = 250
LONGEST_WAIT = 3600.0
URL = re.compile(r"https?://\S+")
ELSEWHERE = ErrorRule(
    Action.PAUSE,
    "provider_not_found",
    "There is no Graph API at settings.baseUrl. It is https://graph.facebook.com unless you use a proxy.",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is no success. `code` is None where it is no error in Meta's form (HTML, or nothing)."""

    status: int
    code: int | None = None
    subcode: int | None = None
    words: str = ""
    trace: str | None = None
    is_transient: bool = False
    regain_seconds: float | None = None


def body_of(answer: Answer) -> Json:
    """Return the JSON object of an answer; an empty one where it has none."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def failure_of(answer: Answer, secrets: Sequence[str] = ()) -> Failure:
    """Read an answer that is no success, in whatever shape it is; `secrets` are taken out of its words."""
    error = body_of(answer).get("error")
    regain = usage_of(answer.headers).regain_seconds
    if not isinstance(error, dict):
        return Failure(answer.status, regain_seconds=regain)
    trace = error.get("fbtrace_id")
    return Failure(
        answer.status,
        _whole(error.get("code")),
        _whole(error.get("error_subcode")),
        _words(error, secrets),
        trace if isinstance(trace, str) else None,
        error.get("is_transient") is True,
        regain,
    )


def rule_for(failure: Failure) -> ErrorRule:
    """Return what is done about a failure: by its code, and only where it has none by the HTTP status."""
    if failure.code is None:
        return _rule_of_status(failure.status)
    rule = rule_of(failure.code, subcode=failure.subcode, status=failure.status)
    return SERVER if rule.code == BAD_REQUEST.code and failure.is_transient else rule


def send_error(failure: Failure, attempt: int) -> ProviderError:
    """Return the error of sending a message, which must not be sent twice."""
    if failure.code is None and failure.status in ANSWER_LOST:
        return maybe_sent(f"the answer was lost on the way ({failure.status})", str(failure.status))
    return error_of(failure, attempt)


def error_of(failure: Failure, attempt: int = 1) -> ProviderError:
    """Return the error of a request that may be repeated. `attempt` counts from 1."""
    rule = rule_for(failure)
    provider_code = str(failure.status if failure.code is None else failure.code)
    detail = f"{rule.detail} Meta says: {failure.words}" if failure.words else rule.detail
    match rule.action:
        case Action.PAUSE:
            return InstanceSick(rule.code, detail, "blocked", provider_code)
        case Action.RETRY | Action.PAIR | Action.LATE:
            wait = failure.regain_seconds if rule.holds and failure.regain_seconds else waiting_time(rule, attempt)
            return Retryable(
                rule.code, detail, provider_code, wait, holds_instance=rule.holds, most_attempts=rule.most_attempts
            )
        case _:
            return Rejected(rule.code, detail, provider_code, mark=rule.mark)


def waiting_time(rule: ErrorRule, attempt: int) -> float | None:
    """Return the seconds to wait after the `attempt`-th attempt; None for the usual backoff."""
    if rule.action is Action.PAIR:
        return 4.0 ** (attempt - 1)
    if rule.wait is None or not rule.grows:
        return rule.wait
    return min(rule.wait * 2.0 ** (attempt - 1), LONGEST_WAIT)


def maybe_sent(why: str, provider_code: str | None = None) -> OutcomeUnknown:
    """Return the error of a send of which nobody knows whether it left."""
    detail = (
        f"Meta may have sent this message: {why}. A status from Meta settles it; if none comes, ask the customer, "
        "and say what you know."
    )
    return OutcomeUnknown("outcome_unknown", detail, provider_code)


def unreachable(error: Exception) -> Retryable:
    """Return the error of a request that has certainly done nothing, or may be repeated."""
    return Retryable("provider_unreachable", f"Meta cannot be reached ({error}). It is tried again.")


def is_about_token(error: ProviderError) -> bool:
    """Whether only a new access token mends it."""
    return error.code == TOKEN.code


def _rule_of_status(status: int) -> ErrorRule:
    if status == 401:
        return TOKEN
    if status == 429:
        return LIMITED
    if status == 404 or 300 <= status < 400:
        return ELSEWHERE
    return SERVER if status >= 500 else replace(BAD_REQUEST, detail=f"Meta refused the request with {status}.")


def _words(error: Json, secrets: Sequence[str]) -> str:
    """Return what Meta says in words: flat, short, and without addresses. A cut secret would not be found."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else data
    said = [error.get("error_user_msg"), details, error.get("details"), error.get("message")]
    best = next((text for text in said if isinstance(text, str) and text.strip()), "")
    for secret in secrets:
        best = best.replace(secret, "***")
    return " ".join(URL.sub("(address)", best).split())[:LONGEST]


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    return value if type(value) is int else None
