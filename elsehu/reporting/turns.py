"""Who waited for whom: read off a conversation's messages."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from elsehu.reporting.history import Span, Who, Written


@dataclass(frozen=True, slots=True)
class Response:
    """From the customer's first unanswered message to an operator's reply."""

    operator_id: UUID
    start: int
    end: int


@dataclass(slots=True)
class Turns:
    """What was answered by whom.

    Attributes:
        first_customer: when the customer first wrote.
        first_reply: when an operator first wrote.
        wait: the first response, if no person of the company wrote before it.
        responses: all that operators answered.
        answers: all that the customer answered, from the last thing that a person of the company wrote.
    """

    first_customer: int | None = None
    first_reply: int | None = None
    wait: Response | None = None
    responses: list[Response] = field(default_factory=list)
    answers: list[Span] = field(default_factory=list)


def turns_of(messages: Iterable[Written]) -> Turns:
    """Follow the messages, which must be in order."""
    turns = Turns()
    unanswered: int | None = None
    said: int | None = None
    is_silent = True
    for one in messages:
        if one.who is Who.CUSTOMER:
            if said is not None:
                turns.answers.append((said, one.at))
            if turns.first_customer is None:
                turns.first_customer = one.at
            unanswered = one.at if unanswered is None else unanswered
            said = None
        elif one.who in (Who.OPERATOR, Who.PHONE):
            response = _replied(turns, one, unanswered)
            turns.wait = response if is_silent else turns.wait
            unanswered, said, is_silent = None, one.at, False
    return turns


def _replied(turns: Turns, message: Written, unanswered: int | None) -> Response | None:
    if message.operator_id is None:
        return None
    if turns.first_reply is None:
        turns.first_reply = message.at
    if unanswered is None:
        return None
    response = Response(message.operator_id, unanswered, message.at)
    turns.responses.append(response)
    return response


def lane_of(messages: Iterable[Written]) -> UUID | None:
    """Return the lane of the last bulk message before the customer's first message."""
    lane: UUID | None = None
    for one in messages:
        if one.who is Who.CUSTOMER:
            return lane
        if one.who is Who.BULK:
            lane = one.lane_id
    return None
