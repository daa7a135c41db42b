"""What customers tell of themselves: usernames, whether they want marketing, that they can be reached; the window."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.inbound import ConsentChanged, MessageArrived, ReactionChanged
from elsehu.contracts.message import Direction, Identity, IdentityKind, Mark
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.messaging.contacts import marking
from elsehu.messaging.contacts.editing import set_consent
from elsehu.messaging.contacts.listing import get_contact
from elsehu.messaging.conversations.opening import open_conversation
from elsehu.messaging.conversations.views import conversation_views
from elsehu.messaging.inbound.batch import Arriving, Batch
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.inbound.retrying import commit_batch

from .conftest import NOON, deliver, phone, text

MARIA = Identity(IdentityKind.BSUID, "BR.maria", "BR.maria", "shop")
CLOSE = "UPDATE conversations SET status = 'closed', closed_at = now() WHERE status <> 'closed'"


def after(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


async def contact(kernel: Kernel) -> Row:
    row = await kernel.db.fetch_row("SELECT * FROM contacts WHERE merged_into IS NULL")
    assert row is not None
    return row


class TestUsernames:
    async def test_it_is_shown_where_nothing_else_tells_who_it_is(
        self, kernel: Kernel, ingest: Ingest, number: UUID
    ) -> None:
        await deliver(ingest, number, text("U1", "hi", MARIA, sender_username="@maria"))
        maria = await contact(kernel)
        shown = await get_contact(kernel.db, maria["id"])
        assert (shown["name"], shown["username"], shown["phone"]) == ("@maria", "maria", None)
        conversations = await kernel.db.fetch("SELECT id FROM conversations")
        views = await conversation_views(kernel.db, [row["id"] for row in conversations])
        assert [view["contact"]["name"] for view in views.values()] == ["@maria"]
        assert "maria" in maria["search_text"]

    @pytest.mark.parametrize("more", [{"sender_name": "Maria"}, {"sender": (phone("5511900000001"), MARIA)}])
    async def test_a_name_or_a_phone_tells_more(
        self, kernel: Kernel, ingest: Ingest, number: UUID, more: dict[str, Any]
    ) -> None:
        await deliver(ingest, number, text("U1", "hi", MARIA, **{"sender_username": "maria"} | more))
        assert (await get_contact(kernel.db, (await contact(kernel))["id"]))["name"] == more.get("sender_name", "")

    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    async def test_the_newest_counts(
        self, kernel: Kernel, ingest: Ingest, number: UUID, order: tuple[int, ...]
    ) -> None:
        for n in order:
            message = text(f"U{n}", "hi", MARIA, seconds=n, sender_username=f"maria{n}", sender_name="Maria")
            await deliver(ingest, number, message)
        assert (await contact(kernel))["username"] == "maria2"


class TestConsent:
    async def test_who_never_wrote_is_remembered_without_a_conversation(
        self, kernel: Kernel, ingest: Ingest, number: UUID
    ) -> None:
        await deliver(ingest, number, ConsentChanged((MARIA,), accepts=False, at=after(5)))
        assert (await contact(kernel))["opted_out_at"] == after(5)
        assert await kernel.db.fetch_value("SELECT count(*) FROM conversations") == 0
        await deliver(ingest, number, text("C1", "hi", MARIA, seconds=9))
        assert (await contact(kernel))["opted_out_at"] == after(5)

    async def test_it_comes_with_the_first_message(self, kernel: Kernel, ingest: Ingest, number: UUID) -> None:
        told = ConsentChanged((MARIA, phone("5511900000001")), accepts=False, at=after(5))
        await deliver(ingest, number, text("C1", "hi", phone("5511900000001")), told)
        maria = await contact(kernel)
        assert (maria["opted_out_at"], maria["phone"]) == (after(5), "5511900000001")

    async def test_what_was_recorded_by_hand_stays_until_the_customer_says_yes_later(
        self, kernel: Kernel, ingest: Ingest, number: UUID
    ) -> None:
        await deliver(ingest, number, text("C1", "hi", MARIA))
        async with kernel.db.transaction() as uow:
            await set_consent(uow, (await contact(kernel))["id"], after(10), accepts=False)
        await deliver(ingest, number, ConsentChanged((MARIA,), accepts=True, at=after(9)))
        assert (await contact(kernel))["opted_out_at"] == after(10)
        await deliver(ingest, number, ConsentChanged((MARIA,), accepts=True, at=after(11)))
        assert (await contact(kernel))["opted_out_at"] is None


class TestReach:
    @pytest.mark.parametrize(
        ("more", "is_cleared"),
        [
            ({"seconds": 6}, True),
            ({"seconds": 4}, False),
            ({"seconds": 6, "direction": Direction.OUTBOUND}, False),
        ],
        ids=["a later message", "a late message", "an echo"],
    )
    async def test_who_writes_can_be_reached(
        self, kernel: Kernel, ingest: Ingest, number: UUID, more: dict[str, Any], is_cleared: bool
    ) -> None:
        await deliver(ingest, number, text("R1", "hi", MARIA))
        maria = await contact(kernel)
        async with kernel.db.transaction() as uow:
            await marking.mark_unreachable(uow, [maria["id"]], "not on WhatsApp", after(5))
        shown = await get_contact(kernel.db, maria["id"])
        assert shown["unreachable"]["reason"] == "not on WhatsApp"
        await deliver(ingest, number, text("R2", "again", MARIA, **more))
        assert ((await get_contact(kernel.db, maria["id"]))["unreachable"] is None) is is_cleared


class TestTheWindow:
    """24 hours for a number that has one."""

    @staticmethod
    async def hear(kernel: Kernel, number: UUID, *events: MessageArrived | ReactionChanged) -> None:
        def make() -> Batch:
            batch = Batch(windows={number: 24})
            for event in events:
                if isinstance(event, MessageArrived):
                    batch.messages.append(Arriving(number, event))
                else:
                    batch.updates.append((number, event))
            return batch

        await commit_batch(kernel, make)

    @staticmethod
    async def until(kernel: Kernel) -> Any:
        """Return until when the window of the open conversation is open, in hours after noon."""
        end = await kernel.db.fetch_value("SELECT window_expires_at FROM conversations WHERE status <> 'closed'")
        return end and (end - NOON).total_seconds() / 3600

    @pytest.mark.parametrize(
        ("reactions", "hours"),
        [
            ([(3600, False)], 25),
            ([(3600, False), (1800, False)], 25),
            ([(-3600, False)], 24),
            ([(3600, True)], 24),
        ],
        ids=["it opens anew", "only forward", "an old one does nothing", "ours does nothing"],
    )
    async def test_a_customers_reaction_is_heard(
        self, kernel: Kernel, number: UUID, reactions: list[tuple[float, bool]], hours: float
    ) -> None:
        await self.hear(kernel, number, text("W1", "hi", MARIA))
        for seconds, from_company in reactions:
            await self.hear(kernel, number, ReactionChanged("W1", "👍", after(seconds), from_company))
        assert await self.until(kernel) == hours

    async def test_a_reaction_that_came_before_its_message(self, kernel: Kernel, number: UUID) -> None:
        await self.hear(kernel, number, ReactionChanged("W1", "👍", after(3600), from_company=False))
        await self.hear(kernel, number, text("W1", "hi", MARIA))
        assert await self.until(kernel) == 25

    async def test_a_number_without_a_window_has_none(self, kernel: Kernel, ingest: Ingest, number: UUID) -> None:
        await deliver(ingest, number, text("W1", "hi", MARIA))
        await deliver(ingest, number, ReactionChanged("W1", "👍", after(3600), from_company=False))
        assert await self.until(kernel) is None

    async def test_it_stays_open_over_a_closing(self, kernel: Kernel, number: UUID) -> None:
        await self.hear(kernel, number, text("W1", "hi", MARIA))
        await kernel.db.execute(CLOSE)
        await self.hear(kernel, number, ReactionChanged("W1", "👍", after(3600), from_company=False))
        async with kernel.db.transaction() as uow:
            await open_conversation(uow, (await contact(kernel))["id"], number, None, after(7200))
        assert await self.until(kernel) == 25

    async def test_the_customer_opens_the_next_conversation(self, kernel: Kernel, number: UUID) -> None:
        await self.hear(kernel, number, text("W1", "hi", MARIA))
        await self.hear(kernel, number, ReactionChanged("W1", "👍", after(7200), from_company=False))
        await kernel.db.execute(CLOSE)
        await self.hear(kernel, number, text("W2", "again", MARIA, seconds=3600))
        assert await self.until(kernel) == 26

    async def test_ours_opens_none(self, kernel: Kernel, number: UUID) -> None:
        await self.hear(kernel, number, text("W1", "typed on the phone", MARIA, direction=Direction.OUTBOUND))
        assert await self.until(kernel) is None
        await self.hear(kernel, number, text("W2", "hi", MARIA, seconds=60))
        assert await self.until(kernel) == pytest.approx(24 + 1 / 60)


async def test_marks_of_a_failure_reach_the_contact(kernel: Kernel, ingest: Ingest, number: UUID) -> None:
    await deliver(ingest, number, text("M1", "hi", MARIA))
    conversation_id = await kernel.db.fetch_value("SELECT id FROM conversations")
    async with kernel.db.transaction() as uow:
        await marking.mark(uow, [conversation_id], Mark.NO_MARKETING, "stopped", after(5))
    assert (await get_contact(kernel.db, (await contact(kernel))["id"]))["optedOut"] is True
