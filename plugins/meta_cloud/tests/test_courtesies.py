"""What the customer sees beside messages (reference, section 4)."""

import pytest
from elsehu_meta_cloud import provider_mark_read, provider_typing

from elsehu.plugin import Quoted

from .standin_fixtures import World

FIRST, SECOND = Quoted("wamid.1", from_company=False, chat_address="a"), Quoted("wamid.2", False, chat_address="a")
OTHER, OURS = Quoted("wamid.3", from_company=False, chat_address="b"), Quoted("wamid.4", True, chat_address="a")


async def test_the_last_message_of_each_chat_marks_those_before_it(world: World) -> None:
    await provider_mark_read(world.context, world.instance(), [FIRST, OTHER, SECOND, OURS])
    assert sorted(world.standin.state["read"]) == ["wamid.2", "wamid.3"]
    assert world.standin.state["typing"] == []


async def test_typing_marks_as_read_and_is_not_repeated_while_it_is_shown(world: World) -> None:
    for _ in range(3):
        await provider_typing(world.context, world.instance(), (), "composing", SECOND)
    await provider_typing(world.context, world.instance(), (), "recording", OTHER)
    assert world.standin.state["typing"] == ["wamid.2", "wamid.3"]
    assert world.standin.state["read"] == ["wamid.2", "wamid.3"]
    assert all(seconds < 25 for seconds in world.cache.seconds.values())


@pytest.mark.parametrize(("state", "last"), [("paused", SECOND), ("composing", None), ("composing", OURS)])
async def test_what_cannot_be_shown_is_not_asked_for(world: World, state: str, last: Quoted | None) -> None:
    await provider_typing(world.context, world.instance(), (), state, last)
    assert world.standin.requests == []
