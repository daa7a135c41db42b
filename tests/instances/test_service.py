"""Reports, signs of life and holds: written once, told once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from elsehu.contracts.inbound import InstanceChanged
from elsehu.contracts.instance import InstanceReport, InstanceStatus, Pairing
from elsehu.db import UnitOfWork
from elsehu.instances import pairings, service
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel

Add = Callable[..., Any]
SOON = timedelta(minutes=1)


@pytest.fixture
async def number(add: Add, kernel: Kernel) -> UUID:
    """A connected number, nothing told of it yet."""
    added = await add()
    await kernel.db.execute("TRUNCATE events")
    return UUID(added["id"])


async def row_of(kernel: Kernel, number: UUID) -> dict[str, Any]:
    row = await kernel.db.fetch_row("SELECT *, xmin FROM service_instances WHERE id = $1", number)
    assert row is not None
    return dict(row)


async def told(kernel: Kernel) -> list[Any]:
    rows = await kernel.db.fetch("SELECT type, subject_id, data FROM events ORDER BY seq")
    return [(row["type"], row["subject_id"], row["data"] and orjson.loads(row["data"])) for row in rows]


async def report(kernel: Kernel, number: UUID, *reports: InstanceReport) -> None:
    for one in reports:
        async with kernel.db.transaction() as uow:
            await service.apply_report(uow, kernel, number, one)


async def change(kernel: Kernel, number: UUID, *changes: InstanceChanged) -> None:
    for one in changes:
        async with kernel.db.transaction() as uow:
            await service.apply_change(uow, kernel, number, one)


class TestReports:
    async def test_the_same_again_writes_and_tells_nothing(self, kernel: Kernel, number: UUID) -> None:
        before = await row_of(kernel, number)
        await report(kernel, number, *[InstanceReport(InstanceStatus.CONNECTED)] * 50)
        assert await row_of(kernel, number) == before
        assert await told(kernel) == []

    async def test_a_change_is_told_once(self, kernel: Kernel, number: UUID) -> None:
        await report(kernel, number, *[InstanceReport(InstanceStatus.DISCONNECTED, "Gone.")] * 3)
        row = await row_of(kernel, number)
        assert (row["status"], row["status_detail"]) == ("disconnected", "Gone.")
        assert await told(kernel) == [("instance:updated", number, None)]

    @pytest.mark.parametrize(
        ("said", "shown"),
        [("551188887777", "+5511988887777"), ("+5511988887777", "+5511988887777"), (None, "+5511999990000")],
    )
    async def test_phones_are_shown_in_one_form(
        self, kernel: Kernel, number: UUID, said: str | None, shown: str
    ) -> None:
        await report(kernel, number, InstanceReport(InstanceStatus.CONNECTED, phone=said))
        assert (await row_of(kernel, number))["phone"] == shown

    async def test_state_is_kept_key_by_key(self, kernel: Kernel, number: UUID) -> None:
        for state in ({"token": "a", "name": "x"}, {}, {"token": "b"}, {"name": None}):
            await report(kernel, number, InstanceReport(InstanceStatus.CONNECTED, state=state))
        assert (await Directory(kernel).load(number)).state == {"token": "b"}

    async def test_the_same_state_again_writes_nothing(self, kernel: Kernel, number: UUID) -> None:
        same = InstanceReport(InstanceStatus.CONNECTED, state={"token": "a"})
        await report(kernel, number, same)
        before = await row_of(kernel, number)
        await report(kernel, number, same, same)
        assert await row_of(kernel, number) == before

    async def test_becoming_connected_ends_a_hold_and_wakes_the_dispatchers(self, kernel: Kernel, number: UUID) -> None:
        async with kernel.db.transaction() as uow:
            await service.hold(uow, number, kernel.now() + SOON, "Logged out.", InstanceStatus.DISCONNECTED)
        outbound = kernel.signals.event("outbound")
        await report(kernel, number, InstanceReport(InstanceStatus.CONNECTED))
        row = await row_of(kernel, number)
        assert (row["hold_until"], row["hold_reason"], row["just_connected"]) == (None, "", True)
        assert outbound.is_set()

    async def test_an_unknown_number_is_no_error(self, kernel: Kernel, number: UUID) -> None:
        await report(kernel, UUID(int=1), InstanceReport(InstanceStatus.CONNECTED))
        assert await told(kernel) == []


class TestStorms:
    async def test_a_flapping_connection_is_told_a_few_times(self, kernel: Kernel, number: UUID) -> None:
        storm = [InstanceChanged(InstanceStatus.CONNECTING), InstanceChanged(InstanceStatus.DISCONNECTED)] * 60
        await change(kernel, number, *storm)
        assert 1 <= len(await told(kernel)) <= 4
        await change(kernel, number, InstanceChanged(InstanceStatus.CONNECTED))
        assert (await row_of(kernel, number))["status"] == "connected"

    async def test_a_repeated_state_is_told_once(self, kernel: Kernel, number: UUID) -> None:
        await change(kernel, number, *[InstanceChanged(InstanceStatus.NEEDS_PAIRING)] * 40)
        assert len(await told(kernel)) == 1

    async def test_connecting_that_comes_late_holds_up_nothing_and_has_us_look(
        self, kernel: Kernel, number: UUID
    ) -> None:
        await kernel.db.execute("UPDATE service_instances SET next_check_at = now() + interval '1 minute'")
        await change(kernel, number, *[InstanceChanged(InstanceStatus.CONNECTING)] * 40)
        row = await row_of(kernel, number)
        assert row["status"] == "connected"
        assert row["next_check_at"] <= kernel.now() + timedelta(seconds=2)
        assert await told(kernel) == []


class TestPairings:
    async def test_a_new_code_is_told_without_the_code(self, kernel: Kernel, number: UUID) -> None:
        pairing = Pairing(InstanceStatus.NEEDS_PAIRING, code="2@x")
        await change(kernel, number, InstanceChanged(InstanceStatus.NEEDS_PAIRING, pairing=pairing))
        ((kind, subject, data),) = await told(kernel)
        assert (kind, subject, list(data)) == ("instance:updated", number, ["qrRefreshedAt"])
        kept = await pairings.recall(kernel, number)
        assert kept is not None
        assert kept.code == "2@x"

    async def test_an_expired_code_is_not_kept(self, kernel: Kernel, number: UUID) -> None:
        over = Pairing(InstanceStatus.NEEDS_PAIRING, code="2@x", expires_at=kernel.now() - timedelta(seconds=1))
        await pairings.remember(kernel, number, over)
        assert await pairings.recall(kernel, number) is None


class TestTouch:
    async def test_written_after_commit_and_seldom(self, kernel: Kernel, number: UUID) -> None:
        async with kernel.db.transaction() as uow:
            await service.touch(uow, kernel, number, number)
        first = await row_of(kernel, number)
        assert first["last_seen_at"] is not None
        for _ in range(20):
            async with kernel.db.transaction() as uow:
                await service.touch(uow, kernel, number)
        assert await row_of(kernel, number) == first
        assert await told(kernel) == []

    async def test_not_where_nothing_was_committed(self, kernel: Kernel, number: UUID) -> None:
        with pytest.raises(ZeroDivisionError):
            async with kernel.db.transaction() as uow:
                await service.touch(uow, kernel, number)
                raise ZeroDivisionError
        assert (await row_of(kernel, number))["last_seen_at"] is None


class TestHolds:
    async def hold(self, kernel: Kernel, number: UUID, until: datetime, status: InstanceStatus | None = None) -> None:
        async with kernel.db.transaction() as uow:
            await service.hold(uow, number, until, "Wait.", status)

    async def test_a_hold_to_slow_down_keeps_the_status_and_tells_nothing(self, kernel: Kernel, number: UUID) -> None:
        await report(kernel, number, InstanceReport(InstanceStatus.DISCONNECTED, "Gone."))
        await kernel.db.execute("TRUNCATE events")
        until = datetime.now(UTC) + SOON
        await self.hold(kernel, number, until, InstanceStatus.CONNECTED)
        row = await row_of(kernel, number)
        assert (row["status"], row["status_detail"]) == ("disconnected", "Gone.")
        assert (row["hold_until"], row["hold_reason"]) == (until, "Wait.")
        assert await told(kernel) == []

    async def test_a_sick_number_is_told_once(self, kernel: Kernel, number: UUID) -> None:
        until = datetime.now(UTC) + SOON
        for _ in range(5):
            await self.hold(kernel, number, until, InstanceStatus.BLOCKED)
        row = await row_of(kernel, number)
        assert (row["status"], row["status_detail"]) == ("blocked", "Wait.")
        assert len(await told(kernel)) == 1

    async def test_it_is_never_shortened(self, kernel: Kernel, number: UUID) -> None:
        until = datetime.now(UTC) + SOON
        await self.hold(kernel, number, until)
        await self.hold(kernel, number, until - SOON)
        assert (await row_of(kernel, number))["hold_until"] == until


async def test_two_processes_that_hear_the_same_tell_it_once(kernel: Kernel, number: UUID) -> None:
    async def hear() -> None:
        async with kernel.db.transaction() as uow:
            await service.apply_report(uow, kernel, number, InstanceReport(InstanceStatus.DISCONNECTED))

    await asyncio.gather(*(hear() for _ in range(10)))
    assert len(await told(kernel)) == 1


async def test_a_rolled_back_report_leaves_nothing(kernel: Kernel, number: UUID) -> None:
    async def broken(uow: UnitOfWork) -> None:
        await service.apply_report(uow, kernel, number, InstanceReport(InstanceStatus.BLOCKED))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with kernel.db.transaction() as uow:
            await broken(uow)
    assert (await row_of(kernel, number))["status"] == "connected"
    assert await told(kernel) == []
