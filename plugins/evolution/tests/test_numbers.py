"""Which numbers are on WhatsApp: what the server says is believed, what it does not say is not made up."""

from typing import Any

import pytest
from elsehu_evolution import numbers
from elsehu_evolution.numbers import BATCH, check

from elsehu.plugin import Identity, IdentityKind, InstanceSick, Rejected, Retryable

from .conftest import World

MARIA = Identity(IdentityKind.PHONE, "5511988887777", "5511988887777@s.whatsapp.net")
JOAO = Identity(IdentityKind.PHONE, "5585988887777", "558588887777@s.whatsapp.net")
ROUTE = "POST /chat/whatsappNumbers/*"


async def test_who_is_there_and_who_is_not(world: World) -> None:
    found = await check(world.context, world.instance(), ["5511900000000", "5511988887777", "5585988887777"])
    assert found == {"5511900000000": None, "5511988887777": MARIA, "5585988887777": JOAO}


async def test_few_are_asked_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "PAUSE_SECONDS", 0)
    phones = [f"55119{number:08}" for number in range(2 * BATCH + 1)]
    assert len(await check(world.context, world.instance(), phones)) == len(phones)
    asked = [len(one["numbers"]) for one in world.requests("/chat/whatsappNumbers/wa")]
    assert asked == [BATCH, BATCH, 1]
    assert await check(world.context, world.instance(), []) == {}
    assert len(world.requests("/chat/whatsappNumbers/wa")) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        "no",
        [None, 1, "x", {}],
        [{"number": "5511988887777"}],
        [{"number": "5511988887777", "exists": "no"}],
        [{"number": "5511988887777", "exists": True, "jid": 7}],
        [{"number": 5511988887777, "exists": False}],
        [{"number": "5511977776666", "exists": False, "jid": "5511977776666@s.whatsapp.net"}],
    ],
)
async def test_what_says_nothing_is_no_verdict(world: World, answer: Any) -> None:
    world.standin.faults.answer(ROUTE, 200, answer)
    assert await check(world.context, world.instance(), ["5511988887777"]) == {}


@pytest.mark.parametrize(
    ("status", "error"), [(500, Retryable), (429, Retryable), (401, InstanceSick), (404, InstanceSick), (400, Rejected)]
)
async def test_a_failure_is_no_verdict(world: World, status: int, error: type[Exception]) -> None:
    world.standin.faults.answer(ROUTE, status, {"message": "no"})
    with pytest.raises(error):
        await check(world.context, world.instance(), ["5511988887777"])


async def test_a_number_that_is_not_connected_asks_nobody(world: World) -> None:
    world.standin.drop()
    with pytest.raises(InstanceSick):
        await check(world.context, world.instance(), ["5511988887777"])
