"""Echoes of what we sent: the provider tells of a message that left through its API, and it may be ours.

The answer to a send and its echo race each other, and an answer can be lost. So an echo that looks like a
message of ours without an external id settles it; one that comes while something else is on its way to the
same customer waits for that answer; any other was sent by somebody else and is a message of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.inbound import MessageArrived
from elsehu.contracts.message import RANK, Direction, Status
from elsehu.db import UnitOfWork

CLOCK_SLACK = timedelta(minutes=5)
"""How far a provider's clock and ours may be apart."""

CANDIDATES = """
SELECT m.id, m.kind, m.text, m.status, m.created_at, ARRAY(
    SELECT e.id FROM conversations e
    WHERE e.id = ANY($1::uuid[]) AND e.contact_id = v.contact_id AND e.instance_id = v.instance_id) AS may_echo_in
FROM conversations v JOIN messages m ON m.conversation_id = v.id
WHERE (v.contact_id, v.instance_id) IN (SELECT contact_id, instance_id FROM conversations WHERE id = ANY($1::uuid[]))
  AND m.status IN ('sending', 'unconfirmed') AND m.external_id IS NULL
ORDER BY m.status = 'unconfirmed', m.seq FOR UPDATE OF m
"""
"""Of all conversations of the customer on the number: ours may stand in one that was closed meanwhile."""

ALREADY = """
SELECT e.place - 1 AS place FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS e(instance_id, external_id, place)
JOIN messages m ON m.instance_id = e.instance_id AND m.external_id = e.external_id
"""

ADOPT = """
WITH settled AS (
    UPDATE messages SET external_id = $2, status = $3, status_rank = $4, sent_at = $5, claimed_until = NULL,
        error_code = NULL, error_detail = NULL, provider_code = NULL
    WHERE id = $1 RETURNING id, conversation_id
)
INSERT INTO events (type, subject_id, conversation_id) SELECT 'message:updated', id, conversation_id FROM settled
"""


@dataclass(frozen=True, slots=True)
class Echo:
    """An echo and the conversation that it belongs to."""

    place: int
    instance_id: UUID
    conversation_id: UUID
    event: MessageArrived


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of echoes: places that are done (known or adopted), and places that must wait."""

    done: frozenset[int]
    waiting: frozenset[int]


def may_be_ours(event: MessageArrived) -> bool:
    """Whether a message that left may be one that we sent."""
    return event.direction is Direction.OUTBOUND and (event.through_api or event.is_history)


async def settle(uow: UnitOfWork, echoes: Sequence[Echo]) -> Settled:
    """Match `echoes` with our messages without an answer."""
    if not echoes:
        return Settled(frozenset(), frozenset())
    rows = await uow.fetch(ALREADY, [one.instance_id for one in echoes], [one.event.external_id for one in echoes])
    done = {echoes[row["place"]].place for row in rows}
    candidates = list(await uow.fetch(CANDIDATES, sorted({one.conversation_id for one in echoes})))
    waiting: set[int] = set()
    for echo in echoes:
        if echo.place in done:
            continue
        match = _match(echo, candidates)
        if match is not None:
            candidates.remove(match)
            await _adopt(uow, match["id"], echo.event)
            done.add(echo.place)
        elif _is_sending(echo.conversation_id, candidates):
            waiting.add(echo.place)
    return Settled(frozenset(done), frozenset(waiting))


def _match(echo: Echo, candidates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    mine = [one for one in candidates if echo.conversation_id in one["may_echo_in"]]
    by_reference = [one for one in mine if echo.event.client_ref and str(one["id"]) == echo.event.client_ref]
    by_content = [one for one in mine if _looks_alike(one, echo.event)]
    return next(iter(by_reference or by_content), None)


def _looks_alike(ours: Mapping[str, Any], theirs: MessageArrived) -> bool:
    """Whether kind and text are the same. History also tells of what left before ours was written: that is not it."""
    if theirs.is_history and theirs.at < ours["created_at"] - CLOCK_SLACK:
        return False
    return ours["kind"] == theirs.kind and _same_text(ours["text"], theirs.text)


def _same_text(ours: object, theirs: str | None) -> bool:
    return " ".join(str(ours or "").split()) == " ".join((theirs or "").split())


def _is_sending(conversation_id: UUID, candidates: Sequence[Mapping[str, Any]]) -> bool:
    return any(conversation_id in one["may_echo_in"] and one["status"] == Status.SENDING for one in candidates)


async def _adopt(uow: UnitOfWork, message_id: object, event: MessageArrived) -> None:
    status = event.status or Status.SENT
    await uow.execute(ADOPT, message_id, event.external_id, status, RANK[status], event.at)
