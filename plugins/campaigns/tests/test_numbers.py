"""Numbers are checked before anything is sent to them; a check that cannot be had holds nobody up."""

from typing import Any

import pytest
from elsehu_campaigns import numbers
from elsehu_campaigns.config import CampaignSettings
from elsehu_campaigns.numbers import check, check_some

from elsehu.plugin import Kernel, Rejected, Retryable

from .world import World, people


async def checked(world: World, campaign_id: str) -> dict[str, Any]:
    """Check until the campaign is over."""
    while (shown := await world.show(campaign_id))["state"] != "finished":
        await check_some(world.kernel)
    return shown


async def test_who_does_not_exist_is_skipped_and_everybody_else_gets_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "BATCH", 4)
    phones = people(10)
    number = await world.number(absent=[phones[0], phones[7]])
    campaign = await world.started(number, people=phones, checkNumbers=True)
    await world.when(campaign, lambda one: one["planned"])
    assert await world.arrived(number) == [], "nothing leaves unchecked"

    await check_some(world.kernel)
    await world.when(campaign, lambda one: one["stats"]["sent"] == 3)
    assert (await world.show(campaign))["stats"]["planned"] == 6, "those after the fourth are not checked yet"

    shown = await checked(world, campaign)
    assert (shown["stats"]["sent"], shown["stats"]["skipped"]) == (8, {"invalid_number": 2})
    assert sorted(await world.phones_reached(number)) == sorted(set(phones) - {phones[0], phones[7]})
    skipped = await world.recipients(campaign, status="skipped")
    assert [(one["phone"], one["detail"]) for one in skipped] == [
        (phone, "The provider says that nobody has this number.") for phone in (phones[0], phones[7])
    ]


@pytest.mark.parametrize("error", [Rejected("unsupported", "This channel cannot tell."), KeyError("a bug")])
async def test_a_check_that_cannot_be_had_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """At once where the provider says so; else after the patience of the configuration, here none."""

    async def fail(*_: Any) -> None:
        raise error

    number = await world.number()
    campaign = await world.started(number, people=people(3), checkNumbers=True)
    await world.when(campaign, lambda one: one["planned"])
    monkeypatch.setattr(type(world.kernel.plugins), "check_numbers", fail)
    await check_some(world.kernel)
    if not isinstance(error, Rejected):
        assert await world.arrived(number) == [], "it is asked again for a while"
        monkeypatch.setattr(numbers, "_config", lambda _: CampaignSettings(check_patience=0))
        await check_some(world.kernel)
    assert (await world.over(campaign))["stats"]["sent"] == 3


async def test_what_fails_for_a_moment_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, asked = type(world.kernel.plugins), []
    works = kind.check_numbers

    async def fail_first(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 1:
            raise Retryable("busy", "The provider is busy.")
        return await works(*arguments)

    phones = people(3)
    number = await world.number(absent=phones[:1])
    campaign = await world.started(number, people=phones, checkNumbers=True)
    await world.when(campaign, lambda one: one["planned"])
    monkeypatch.setattr(kind, "check_numbers", fail_first)
    assert (await checked(world, campaign))["stats"]["skipped"] == {"invalid_number": 1}
    assert len(asked) == 2


async def test_one_checks_at_a_time_and_asks_for_the_next_slice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def ask(_: Kernel, job: Any) -> None:
        asked.append(job.name)

    monkeypatch.setattr(numbers, "enqueue", ask)
    monkeypatch.setattr(numbers, "SLICE_SECONDS", 0)
    monkeypatch.setattr(numbers, "BATCH", 2)
    number = await world.number()
    campaign = await world.started(number, people=people(3), checkNumbers=True)
    await world.when(campaign, lambda one: one["planned"])
    async with world.kernel.db.session() as uow:
        await uow.execute("SELECT pg_advisory_lock($1)", numbers.LOCK)
        await check(world.kernel, {})
        assert (await world.show(campaign))["stats"]["planned"] == 3
    await check(world.kernel, {})
    assert asked == ["campaigns.check_numbers"]
    await check(world.kernel, {})
    await check(world.kernel, {})
    assert (await world.over(campaign))["stats"]["sent"] == 3
