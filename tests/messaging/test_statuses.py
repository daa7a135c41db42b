"""How far a message has come follows from all that was told of it, not from when, or under which id."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elsehu.contracts.errors import OutcomeUnknown
from elsehu.contracts.inbound import MessageDeleted, ReactionChanged, StatusChanged
from elsehu.contracts.message import RANK, Direction, Kind, Mark, Status
from elsehu.contracts.outbound import Sent
from elsehu.contracts.user import Caller, Role
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.outbound import decisions, results
from elsehu.messaging.outbound.judging import Verdict, judge_error, judge_sent
from elsehu.messaging.outbound.results import Result
from elsehu.messaging.outbound.sending import Draft, enqueue

from .conftest import NOON, deliver, text

MACHINE = Caller(Role.ADMIN, None, "a test")
ARRIVED = (Status.DELIVERED, Status.READ, Status.PLAYED)
SENT, FAILED, DELIVERED, READ, PLAYED = Status.SENT, Status.FAILED, *ARRIVED
PENDING, SENDING, UNCONFIRMED = Status.PENDING, Status.SENDING, Status.UNCONFIRMED


@pytest.fixture
async def conversation(kernel: Kernel, ingest: Ingest, number: UUID) -> UUID:
    await deliver(ingest, number, text("IN1", "hello"))
    found: UUID = await kernel.db.fetch_value("SELECT id FROM conversations")
    return found


async def queued(kernel: Kernel, conversation: UUID, number: UUID, draft: Draft | None = None) -> UUID:
    return await enqueue(kernel, MACHINE, conversation, number, draft or Draft(Kind.TEXT, "good morning"))


async def becomes(kernel: Kernel, message_id: UUID, status: Status, external_id: str | None = None) -> datetime:
    """Have a message be as it is after a dispatcher claimed it. Returns the claim's end."""
    until = kernel.now() + timedelta(seconds=60)
    await kernel.db.execute(
        "UPDATE messages SET status = $2, status_rank = $3, external_id = $4, claimed_until = $5, attempts = 1 "
        "WHERE id = $1",
        message_id, status, RANK[status], external_id, until,
    )  # fmt: skip
    return until


async def recorded(kernel: Kernel, number: UUID, message_id: UUID, claim: datetime, verdict: Verdict) -> None:
    async with kernel.db.transaction() as uow:
        await results.record(uow, [Result(message_id, number, claim, verdict)], kernel.now())


async def retry(kernel: Kernel, message_id: UUID) -> None:
    async with kernel.db.transaction() as uow:
        await decisions.retry(uow, message_id)


async def row_of(kernel: Kernel, message_id: UUID) -> dict[str, Any]:
    row = await kernel.db.fetch_row("SELECT * FROM messages WHERE id = $1", message_id)
    assert row is not None
    return dict(row)


def told(external_id: str, status: Status, seconds: float | None = None, **more: Any) -> StatusChanged:
    at = None if seconds is None else NOON + timedelta(seconds=seconds)
    code = f"failed at {seconds:g}" if status is FAILED and seconds is not None else None
    return StatusChanged(external_id, status, at, error_code=code, **more)


def telling_of(statuses: Sequence[Status]) -> st.SearchStrategy[list[tuple[Status, int]]]:
    return st.lists(st.tuples(st.sampled_from(statuses), st.integers(1, 4)), max_size=5)


TELLING = telling_of([SENT, FAILED]) | telling_of([SENT, FAILED, *ARRIVED])


def outcome(telling: Sequence[tuple[Status, int]]) -> tuple[Status, str | None]:
    """Return the status that follows by the rule in contracts.message, and the error."""
    arrived = [status for status, _ in telling if status in ARRIVED]
    if arrived:
        return max(arrived, key=lambda status: RANK[status]), None
    failures = [at for status, at in telling if status is FAILED]
    recoveries = [at for status, at in telling if status is SENT]
    if failures and max(recoveries, default=0) <= max(failures):
        return FAILED, f"failed at {max(failures)}"
    return SENT, None


async def comes_to(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID, batches: Sequence[Sequence[tuple[Status, int]]]
) -> dict[str, Any]:
    """Return what becomes of a message of which the provider, having taken it, tells `batches`."""
    message_id, external_id = await queued(kernel, conversation, number), f"EXT-{uuid4()}"
    claim = await becomes(kernel, message_id, SENDING)
    await recorded(kernel, number, message_id, claim, judge_sent(Sent(external_id, NOON)))
    for batch in batches:
        await deliver(ingest, number, *(told(external_id, status, at) for status, at in batch))
    return await row_of(kernel, message_id)


@settings(max_examples=settings.default.max_examples // 3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(telling=TELLING, order=st.randoms(use_true_random=False))
async def test_any_order_in_any_batches_comes_to_the_same(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID, telling: list[tuple[Status, int]], order: Any
) -> None:
    shuffled, batches = [*telling, *telling[:1]], []
    order.shuffle(shuffled)
    while shuffled:
        size = order.randint(1, len(shuffled))
        batches.append([shuffled.pop() for _ in range(size)])
    row = await comes_to(kernel, ingest, conversation, number, batches)
    assert (row["status"], row["error_code"]) == outcome(telling)
    assert row["status_rank"] == RANK[Status(row["status"])]
    for column, meaning in {"delivered_at": ARRIVED, "read_at": (READ, PLAYED)}.items():
        times = [NOON + timedelta(seconds=at) for status, at in telling if status in meaning]
        assert row[column] == min(times, default=None)


async def test_a_provider_that_recovers_is_believed_whatever_comes_first(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    recovers = [(SENT, 1), (FAILED, 2), (SENT, 3)]
    fails_again = [(FAILED, 2), (SENT, 3), (FAILED, 4)]
    for telling, status in ((recovers, SENT), (fails_again, FAILED)):
        for order in permutations(telling):
            row = await comes_to(kernel, ingest, conversation, number, [[one] for one in order])
            assert (row["status"], row["error_code"]) == (status, None if status is SENT else "failed at 4"), order


async def test_a_sent_without_a_time_lifts_no_failure(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    message_id = await queued(kernel, conversation, number)
    await becomes(kernel, message_id, SENT, "EXT")
    await deliver(ingest, number, told("EXT", FAILED, 1))
    await deliver(ingest, number, told("EXT", SENT))
    assert (await row_of(kernel, message_id))["status"] == FAILED


async def test_a_sent_of_what_was_sent_is_nothing_to_show(
    kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
) -> None:
    message_id = await queued(kernel, conversation, number)
    claim = await becomes(kernel, message_id, SENDING)
    await recorded(kernel, number, message_id, claim, judge_sent(Sent("EXT", NOON)))
    await kernel.db.execute("DELETE FROM events")
    await deliver(ingest, number, told("EXT", SENT, 1))
    assert await kernel.db.fetch_value("SELECT count(*) FROM events") == 0


class TestOurOwnIdBesideTheirs:
    """A status may come before the answer to the send, or instead of it: our id in it says which message it is."""

    @pytest.mark.parametrize("was", [SENDING, UNCONFIRMED])
    async def test_it_settles_the_message_at_once(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID, was: Status
    ) -> None:
        error = OutcomeUnknown("send_timeout", "no answer")
        lost = judge_error(error, 1, timedelta(), kernel.settings.messaging, kernel.now())
        for status in (SENT, FAILED, DELIVERED, READ):
            message_id, external_id = await queued(kernel, conversation, number), f"EXT-{status}"
            claim = await becomes(kernel, message_id, was)
            await deliver(ingest, number, told(external_id, status, 1, client_ref=str(message_id)))
            row = await row_of(kernel, message_id)
            assert (row["status"], row["external_id"], row["claimed_until"]) == (status, external_id, None)
            await recorded(kernel, number, message_id, claim, lost)
            await recorded(kernel, number, message_id, claim, judge_sent(Sent(external_id)))
            row = await row_of(kernel, message_id)
            assert (row["status"], row["external_id"]) == (status, external_id)
            assert row["error_code"] == ("failed at 1" if status is FAILED else None)
        assert await kernel.db.fetch_value("SELECT count(*) FROM waiting_updates") == 0

    async def test_what_waited_under_their_id_follows_and_the_echo_is_no_second_message(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id = await queued(kernel, conversation, number)
        await becomes(kernel, message_id, SENDING)
        echo = text("EXT", "*good morning*", direction=Direction.OUTBOUND, through_api=True)
        await deliver(ingest, number, told("EXT", READ, 5), echo)
        await deliver(ingest, number, told("EXT", SENT, 1, client_ref=str(message_id)))
        await deliver(ingest, number, echo)
        row = await row_of(kernel, message_id)
        assert (row["status"], row["sent_at"]) == (READ, NOON + timedelta(seconds=1))
        assert await kernel.db.fetch_value("SELECT count(*) FROM messages WHERE direction = 'OUTBOUND'") == 1
        assert await kernel.db.fetch_value("SELECT count(*) FROM waiting_updates") == 0

    async def test_anything_else_waits(self, kernel: Kernel, ingest: Ingest, number: UUID) -> None:
        for count, ref in enumerate([str(new_id()), "another program's", "", "a" * 500], start=1):
            await deliver(ingest, number, told(f"EXT{count}", SENT, 1, client_ref=ref))
            assert await kernel.db.fetch_value("SELECT count(*) FROM waiting_updates") == count

    async def test_no_number_speaks_for_another(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id, other = await queued(kernel, conversation, number), new_id()
        await kernel.db.execute(
            "INSERT INTO service_instances (id, name, provider, credentials, state, webhook_secret) "
            "SELECT $1, 'other', provider, credentials, state, webhook_secret FROM service_instances",
            other,
        )
        await deliver(ingest, other, told("EXT", FAILED, 1, client_ref=str(message_id)))
        assert (await row_of(kernel, message_id))["status"] == PENDING

    async def test_the_providers_word_counts_for_more_than_a_persons(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id = await queued(kernel, conversation, number)
        await becomes(kernel, message_id, UNCONFIRMED)
        async with kernel.db.transaction() as uow:
            await decisions.resolve(uow, message_id, FAILED, kernel.now())
        await deliver(ingest, number, told("EXT", SENT, 1, client_ref=str(message_id)))
        assert (await row_of(kernel, message_id))["status"] == SENT


class TestAnAttemptBeforeTheLast:
    """A failed message was put back into the queue: what is still told of its first attempt."""

    @pytest.fixture
    async def retried(self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID) -> UUID:
        message_id = await queued(kernel, conversation, number)
        await becomes(kernel, message_id, SENT, "OLD")
        await deliver(ingest, number, told("OLD", FAILED, 1))
        await retry(kernel, message_id)
        return message_id

    @pytest.mark.parametrize("ref", [False, True], ids=["by its id", "and by ours"])
    @pytest.mark.parametrize("now", [PENDING, SENDING, SENT])
    async def test_only_that_it_arrived_counts(
        self, kernel: Kernel, ingest: Ingest, number: UUID, retried: UUID, now: Status, ref: bool
    ) -> None:
        if now is not PENDING:
            await becomes(kernel, retried, now, "NEW" if now is SENT else None)
        for status, comes_to in ((FAILED, now), (SENT, now), (DELIVERED, DELIVERED), (FAILED, DELIVERED), (READ, READ)):
            await deliver(ingest, number, told("OLD", status, 9, client_ref=str(retried) if ref else None))
            row = await row_of(kernel, retried)
            assert row["status"] == comes_to, status
        assert row["external_id"] == ("NEW" if now is SENT else "OLD")

    async def test_what_arrived_is_not_sent_again(
        self, kernel: Kernel, ingest: Ingest, number: UUID, retried: UUID
    ) -> None:
        await deliver(ingest, number, told("OLD", DELIVERED, 9))
        due = "SELECT count(*) FROM messages WHERE status IN ('pending', 'sending')"
        assert await kernel.db.fetch_value(due) == 0
        await deliver(ingest, number, MessageDeleted("OLD"), told("OLD", READ, 10))
        row = await row_of(kernel, retried)
        assert (row["status"], row["external_id"], row["deleted_at"] is not None) == (READ, "OLD", True)

    async def test_the_new_attempt_has_its_own_fate(
        self, kernel: Kernel, ingest: Ingest, number: UUID, retried: UUID
    ) -> None:
        claim = await becomes(kernel, retried, SENDING)
        await recorded(kernel, number, retried, claim, judge_sent(Sent("NEW", NOON)))
        assert (await row_of(kernel, retried))["status"] == SENT
        await deliver(ingest, number, told("NEW", FAILED, 2))
        assert (await row_of(kernel, retried))["status"] == FAILED
        await retry(kernel, retried)
        await deliver(ingest, number, told("OLD", FAILED, 3), told("NEW", FAILED, 3))
        assert (await row_of(kernel, retried))["status"] == PENDING

    async def test_an_attempt_that_never_had_an_id(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id = await queued(kernel, conversation, number)
        await deliver(ingest, number, told("NEVER TOLD", FAILED, 1, client_ref=str(message_id)))
        assert (await row_of(kernel, message_id))["status"] == PENDING
        await becomes(kernel, message_id, SENT, "NEW")
        await deliver(ingest, number, told("NEVER TOLD", FAILED, 2), told("NEVER TOLD", DELIVERED, 3))
        assert (await row_of(kernel, message_id))["status"] == DELIVERED


class TestWhatFailuresSay:
    UNREACHABLE = "SELECT unreachable_at IS NOT NULL FROM contacts"

    async def test_a_customer_is_out_of_reach_until_something_arrives(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id = await queued(kernel, conversation, number)
        await becomes(kernel, message_id, SENT, "EXT")
        await deliver(ingest, number, told("EXT", FAILED, 1, mark=Mark.RECIPIENT, error_detail="Not on WhatsApp."))
        assert await kernel.db.fetch_value(self.UNREACHABLE) is True
        assert await kernel.db.fetch_value("SELECT unreachable_reason FROM contacts") == "Not on WhatsApp."
        later = await queued(kernel, conversation, number)
        await becomes(kernel, later, SENT, "LATER")
        await deliver(ingest, number, told("LATER", DELIVERED, 60))
        assert await kernel.db.fetch_value(self.UNREACHABLE) is False

    async def test_a_failure_that_is_ignored_marks_nobody(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID
    ) -> None:
        message_id = await queued(kernel, conversation, number)
        await becomes(kernel, message_id, DELIVERED, "EXT")
        await deliver(ingest, number, told("EXT", FAILED, 1, mark=Mark.RECIPIENT))
        assert (await row_of(kernel, message_id))["status"] == DELIVERED
        assert await kernel.db.fetch_value(self.UNREACHABLE) is False

    async def test_a_template_is_paused(self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID) -> None:
        template_id = new_id()
        await kernel.db.execute(
            "INSERT INTO message_templates (id, instance_id, name, language, category, status, body, examples, buttons)"
            "VALUES ($1, $2, 'order', 'pt_BR', 'UTILITY', 'APPROVED', 'Hi', '[]', '[]')",
            template_id, number,
        )  # fmt: skip
        draft = Draft(Kind.TEMPLATE, "Hi", template_id=template_id)
        message_id = await queued(kernel, conversation, number, draft)
        await becomes(kernel, message_id, SENT, "EXT")
        await deliver(ingest, number, told("EXT", FAILED, 1, mark=Mark.TEMPLATE, error_detail="Paused."))
        row = await kernel.db.fetch_row("SELECT status, reason FROM message_templates")
        assert row is not None and tuple(row) == ("PAUSED", "Paused.")


class TestReactionsWithoutOutcome:
    @pytest.fixture
    async def reaction(self, kernel: Kernel, conversation: UUID, number: UUID) -> UUID:
        draft = Draft(Kind.REACTION, payload={"emoji": "❤️"}, reply_to="IN1")
        message_id = await queued(kernel, conversation, number, draft)
        await becomes(kernel, message_id, UNCONFIRMED)
        return message_id

    async def shown(self, kernel: Kernel) -> list[tuple[Any, ...]]:
        rows = await kernel.db.fetch(
            "SELECT m.external_id, r.emoji, r.from_company FROM message_reactions r "
            "JOIN messages m ON m.id = r.message_id"
        )
        return [tuple(row) for row in rows]

    async def test_a_status_settles_it(self, kernel: Kernel, ingest: Ingest, number: UUID, reaction: UUID) -> None:
        await deliver(ingest, number, told("EXT", SENT, 1, client_ref=str(reaction)))
        assert (await row_of(kernel, reaction))["status"] == SENT
        assert await self.shown(kernel) == [("IN1", "❤️", True)]

    async def test_a_failure_leaves_nothing(self, kernel: Kernel, ingest: Ingest, number: UUID, reaction: UUID) -> None:
        await deliver(ingest, number, told("EXT", FAILED, 1, client_ref=str(reaction)))
        assert (await row_of(kernel, reaction))["status"] == FAILED
        assert await self.shown(kernel) == []

    @pytest.mark.parametrize(("emoji", "settles"), [("❤️", True), ("❤", True), ("👍", False)])
    async def test_what_the_customer_sees_settles_it(
        self, kernel: Kernel, ingest: Ingest, number: UUID, reaction: UUID, emoji: str, settles: bool
    ) -> None:
        await deliver(ingest, number, ReactionChanged("IN1", emoji, NOON, from_company=True))
        assert (await row_of(kernel, reaction))["status"] == (SENT if settles else UNCONFIRMED)

    @pytest.mark.parametrize("result", [SENT, FAILED])
    async def test_a_person_settles_it(self, kernel: Kernel, reaction: UUID, result: Status) -> None:
        async with kernel.db.transaction() as uow:
            await decisions.resolve(uow, reaction, result, kernel.now())
        assert (await row_of(kernel, reaction))["status"] == result
        assert await self.shown(kernel) == ([("IN1", "❤️", True)] if result is SENT else [])

    async def test_one_that_was_replaced_meanwhile_does_not_come_back(
        self, kernel: Kernel, ingest: Ingest, conversation: UUID, number: UUID, reaction: UUID
    ) -> None:
        second = await queued(
            kernel, conversation, number, Draft(Kind.REACTION, payload={"emoji": "👍"}, reply_to="IN1")
        )
        claim = await becomes(kernel, second, SENDING)
        await recorded(kernel, number, second, claim, judge_sent(Sent("SECOND")))
        await deliver(ingest, number, told("FIRST", DELIVERED, 60, client_ref=str(reaction)))
        assert (await row_of(kernel, reaction))["status"] == DELIVERED
        assert await self.shown(kernel) == [("IN1", "👍", True)]
