"""Checks of sending that fails: each failure is what it should be, and nothing is sent twice."""

import re
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any

from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, ProviderError, Rejected, Retryable
from elsehu.contracts.http import Answer, AnswerLost, NotSent
from elsehu.contracts.instance import InstanceStatus
from elsehu.contracts.outbound import OutboundMessage
from elsehu.ids import new_token
from elsehu.testing.conformance.declaration import Failure
from elsehu.testing.conformance.examples import address_of, text_to
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.leaving import GOOD, sent_by
from elsehu.testing.conformance.outcome import Check, Failed, Skipped, require
from elsehu.testing.conformance.seeing import told
from elsehu.testing.conformance.trial import Trial, missing

CODE = re.compile(r"[a-z][a-z0-9_]*")
NEEDED = (Retryable, Rejected, InstanceSick)
SETTLED = {"unconfirmed", *GOOD}


async def failures_are_mapped(trial: Trial) -> None:
    """Have a send fail in each declared way."""
    house = await trial.house()
    if not house.declared.failures:
        raise missing("failures", "say how the provider refuses, fails and rejects a token")
    for failure in house.declared.failures:
        await _maps(house, failure)
    lacking = [one.__name__ for one in NEEDED if not any(issubclass(f.error, one) for f in house.declared.failures)]
    require(not lacking, f"no Failure is declared for {', '.join(lacking)}")


async def _maps(house: House, failure: Failure) -> None:
    text = f"failing {new_token(4)}"
    name = f"Failure({failure.error.__name__}, {_cause(failure)})"
    error = await _fails(house, failure, text)
    require(error is not None, f"{name}: the message was sent")
    require(type(error) is failure.error, f"{name}: provider_send raised {told(error) if error else 'nothing'}")
    assert isinstance(error, ProviderError)
    for mark, value in failure.marks.items():
        require(getattr(error, mark) == value, f"{name}: {mark} is {getattr(error, mark)!r}, declared is {value!r}")
    _is_told_well(house, name, error)
    if not isinstance(error, OutcomeUnknown):
        require(
            not house.arrivals_of(text), f"{name}: the message arrived all the same, so OutcomeUnknown is the truth"
        )


def _cause(failure: Failure) -> str:
    cause = failure.cause
    return (
        f"Answer({cause.status}, {cause.body!r:.60})" if isinstance(cause, Answer) else getattr(cause, "__name__", "…")
    )


async def _fails(house: House, failure: Failure, text: str) -> Exception | None:
    message = text_to(address_of(house.declared.customers[0]), text)
    if isinstance(failure.cause, Answer):
        answer = failure.cause
        with house.wire.disturbed(lambda _: answer) as disturbance:
            error = await _attempt(house, message)
        if not disturbance.requests:
            raise Failed("provider_send made no request with context.http: declare a function as the cause")
        return error
    await _done(failure.cause(house.standin))
    return await _attempt(house, message)


async def _done(made: Awaitable[None] | None) -> None:
    if isawaitable(made):
        await made


async def _attempt(house: House, message: OutboundMessage) -> Exception | None:
    try:
        await house.plugins.send(await house.instance(), message)
    except Exception as error:  # noqa: BLE001 - what it is, is what is checked
        return error
    return None


def _is_told_well(house: House, name: str, error: ProviderError) -> None:
    require(CODE.fullmatch(error.code), f"{name}: the code {error.code!r} is not lower_snake")
    require(len(error.detail.split()) > 1, f"{name}: the detail {error.detail!r} tells a person nothing")
    leaked = any(mark in f"{error} {error.detail} {error.provider_code}" for mark in house.marks)
    require(not leaked, f"{name}: the error shows a secret")
    if isinstance(error, InstanceSick):
        status = error.instance_status
        require(status in list(InstanceStatus), f"{name}: instance_status {status!r} is no InstanceStatus")
        require(status != InstanceStatus.CONNECTED, f"{name}: a number that is sick is not `connected`")


async def _requests_of_a_send(house: House) -> int:
    """Return how many HTTP requests one text takes."""
    with house.wire.disturbed() as disturbance:
        await sent_by(house, "text", text_to(address_of(house.declared.customers[0]), f"counted {new_token(4)}"))
    return len(disturbance.requests)


async def lost_answers_are_unknown(trial: Trial) -> None:
    """Lose the answer to each request of a send: what has arrived must never be called not sent."""
    house = await trial.house()
    count = await _requests_of_a_send(house)
    declared = [one for one in house.declared.failures if issubclass(one.error, OutcomeUnknown)]
    if not count and not declared:
        raise missing("failures", "the plugin sends past context.http, so declare a Failure(OutcomeUnknown, function)")
    has_arrived = not count
    for number in range(1, count + 1):
        text = f"answer lost {new_token(4)}"
        with house.wire.disturbed(lambda one, n=number: AnswerLost("time-out") if one.number == n else None):  # type: ignore[misc]
            error = await _attempt(house, text_to(address_of(house.declared.customers[0]), text))
        if not house.arrivals_of(text):
            good = isinstance(error, Retryable | OutcomeUnknown)
            require(good, f"request {number} was lost before the message left; raised was {_seen(error)}")
            continue
        has_arrived = True
        require(
            error is None or isinstance(error, OutcomeUnknown),
            f"it arrived, and the answer to request {number} was lost: raise OutcomeUnknown, not {_seen(error)}",
        )
    require(has_arrived, "no request of a send delivers the message: does `arrived` show what arrived?")
    await _unreadable_answer(house, count)


async def _unreadable_answer(house: House, count: int) -> None:
    if not count:
        return
    html = Answer(200, {"content-type": "text/html"}, b"<html>OK</html>")
    with house.wire.disturbed(lambda one: html if one.number == count else None):
        error = await _attempt(house, text_to(address_of(house.declared.customers[0]), "answered in HTML"))
    require(error is not None, "a 200 with an HTML page was taken for a sent message")
    require(
        not isinstance(error, Retryable | Rejected),
        f"a 200 that cannot be read may be a sent message: raise OutcomeUnknown, not {_seen(error)}",
    )


def _seen(error: Exception | None) -> str:
    return "nothing" if error is None else told(error)


async def lost_answers_are_not_repeated(trial: Trial) -> None:
    """Lose an answer under a whole server: the message is `unconfirmed`, and arrives once."""
    house = await trial.house()
    conversation = await house.says(house.written())
    text = f"time-out {new_token(4)}"
    count = await _requests_of_a_send(house)
    if not count:
        unknown = [one for one in house.declared.failures if issubclass(one.error, OutcomeUnknown)]
        if not unknown or isinstance(unknown[0].cause, Answer):
            raise Skipped("the plugin sends past context.http and declares no function as cause of OutcomeUnknown")
        await _done(unknown[0].cause(house.standin))
    lost = [False]

    def lose(request: Any) -> AnswerLost | None:
        if text in request.text and not lost[0]:
            lost[0] = True
            return AnswerLost("the time-out of a test")
        return None

    with house.wire.disturbed(lose, everywhere=True):
        sent = await house.send(conversation, text)
        message = await house.settles(sent["id"])
    if count and not lost[0]:
        raise Skipped("no request shows the text as it is, so none could be lost")
    require(message["status"] in SETTLED, f"it became {message['status']} ({message['error']}), not `unconfirmed`")
    next_one = await house.send(conversation, f"after the time-out {new_token(4)}")
    after = await house.settles(next_one["id"])
    require(after["status"] in GOOD, f"the next message became {after['status']}: {after['error']}")
    require(house.arrivals_of(text) == 1, f"it arrived {house.arrivals_of(text)} times: it must never be sent again")


async def refused_connections_are_retryable(trial: Trial) -> None:
    """Refuse the connection of each request of a send."""
    house = await trial.house()
    count = await _requests_of_a_send(house)
    if not count:
        raise Skipped("the plugin makes no request with context.http")
    for number in range(1, count + 1):
        text = f"refused {new_token(4)}"
        with house.wire.disturbed(lambda one, n=number: NotSent("refused") if one.number == n else None):  # type: ignore[misc]
            error = await _attempt(house, text_to(address_of(house.declared.customers[0]), text))
        if house.arrivals_of(text):
            good = error is None or isinstance(error, OutcomeUnknown)
            require(good, f"it arrived before request {number} was refused; raised was {_seen(error)}")
        else:
            require(isinstance(error, Retryable), f"request {number} was refused (NotSent): raised was {_seen(error)}")
            assert isinstance(error, ProviderError)
            _is_told_well(house, "a refused connection", error)


CHECKS = (
    Check(
        "failures are mapped",
        "Raise the declared error from provider_send (docs/plugins.md, Errors).",
        failures_are_mapped,
    ),
    Check(
        "lost answers are unknown",
        "Raise OutcomeUnknown from AnswerLost, and from any answer that may come after the message was taken.",
        lost_answers_are_unknown,
    ),
    Check(
        "lost answers are not repeated",
        "Never send again inside provider_send, and never raise Retryable for AnswerLost.",
        lost_answers_are_not_repeated,
    ),
    Check(
        "refused connections are retryable",
        "Raise Retryable from NotSent: the request certainly never left.",
        refused_connections_are_retryable,
    ),
)
