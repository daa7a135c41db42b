"""Files that a webhook only referred to (reference, section 5)."""

from typing import Any

import pytest
from elsehu_evolution.media import PIECE, fetch
from elsehu_evolution.testing import samples

from elsehu.plugin import InstanceSick, MediaContent, ProviderError, Rejected, Retryable

from .conftest import KEY, World


def referring(message_id: str) -> MediaContent:
    """Return what a webhook says of a file that did not come along."""
    return MediaContent("image/jpeg", reference={"key": {"id": message_id}})


async def fetched(world: World, media: MediaContent) -> bytes:
    """Return a file's bytes."""
    return b"".join([piece async for piece in fetch(world.context, world.instance(), media)])


async def failure(world: World, media: MediaContent) -> ProviderError:
    """Return how fetching fails."""
    with pytest.raises(ProviderError) as raised:
        await fetched(world, media)
    assert KEY not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("wrapper", [None, "ephemeralMessage", "viewOnceMessageV2"])
async def test_a_file_is_fetched_by_the_id_of_its_message(world: World, wrapper: str | None) -> None:
    maria = world.standin.customer(phone="5511988887777", instance="wa")
    message_id = maria.sends_image(samples.png(), wrapper=wrapper)
    assert await fetched(world, referring(message_id)) == samples.png()
    assert world.requests("/chat/getBase64FromMediaMessage/wa") == [
        {"message": {"key": {"id": message_id}}, "convertToMp4": False}
    ]


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE - 1, PIECE, PIECE * 3 + 5])
async def test_files_of_all_sizes(world: World, size: int) -> None:
    file = bytes(index % 251 for index in range(size))
    maria = world.standin.customer(phone="5511988887777", instance="wa")
    message_id = maria.sends_document(file)
    if size:
        assert await fetched(world, referring(message_id)) == file


async def test_a_message_without_a_file_has_none_for_good(world: World) -> None:
    message_id = world.standin.customer(phone="5511988887777", instance="wa").says("só texto")
    error = await failure(world, referring(message_id))
    assert isinstance(error, Rejected)
    assert error.code == "media_missing"


async def test_a_reference_that_refers_to_nothing(world: World) -> None:
    assert isinstance(await failure(world, MediaContent("image/jpeg")), Rejected)


async def test_a_message_that_the_server_does_not_have_yet(world: World) -> None:
    assert isinstance(await failure(world, referring("NOPE")), Retryable)


async def test_a_file_that_whatsapp_has_dropped_looks_like_a_failed_download(world: World) -> None:
    message_id = world.standin.customer(phone="5511988887777", instance="wa").sends_image()
    world.standin.call("lose_media", instance="wa", message_id=message_id)
    error = await failure(world, referring(message_id))
    assert isinstance(error, Retryable)
    assert "mmg.whatsapp.net" not in error.detail


@pytest.mark.parametrize("state", ["stop", "drop", "unlink"])
async def test_a_server_or_number_that_is_away(world: World, state: str) -> None:
    message_id = world.standin.customer(phone="5511988887777", instance="wa").sends_image()
    getattr(world.standin, state)()
    if state == "stop":
        assert isinstance(await failure(world, referring(message_id)), InstanceSick)
    else:
        assert await fetched(world, referring(message_id))


ANSWERS: list[Any] = [{}, {"base64": None}, {"base64": "%%%"}, {"base64": "abc"}, [], "x"]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_answers_without_a_file(world: World, answer: Any) -> None:
    world.standin.faults.answer("POST /chat/getBase64FromMediaMessage/*", 201, answer)
    assert isinstance(await failure(world, referring("X")), Retryable)
