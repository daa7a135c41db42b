"""Files made up on demand."""

import io
import struct
import wave
import zlib

import pytest
from elsehu_sandbox.samples import sample
from hypothesis import given
from hypothesis import strategies as st

from elsehu.plugin import MediaContent, Rejected, Retryable

from .conftest import World

TYPES = ["image/png", "audio/ogg", "application/pdf", "video/mp4", "nonsense"]


def whole(mime_type: str, seed: str = "A1", size: int | None = None) -> bytes:
    return b"".join(sample(mime_type, seed, size))


@given(st.sampled_from(TYPES), st.text(max_size=300), st.none() | st.integers(1, 300_000))
def test_the_same_bytes_for_the_same_seed_of_the_size_that_was_asked_for(
    mime_type: str, seed: str, size: int | None
) -> None:
    made = whole(mime_type, seed, size)
    assert made == whole(mime_type, seed, size)
    assert size in (None, len(made))


def test_an_image_is_an_image() -> None:
    png = whole("image/jpeg")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    size = struct.unpack(">I", png[33:37])[0]
    assert len(zlib.decompress(png[41 : 41 + size])) == height * (1 + 3 * width)
    assert png != whole("image/jpeg", "A2")


def test_a_voice_message_can_be_heard() -> None:
    with wave.open(io.BytesIO(whole("audio/ogg"))) as tone:
        assert tone.getnframes() / tone.getframerate() == 0.5


async def test_media_is_fetched_by_its_reference_and_faults_get_in_the_way(world: World) -> None:
    instance = world.instance()
    media = MediaContent("image/png", reference={"seed": "A1", "mime_type": "image/png", "size": 5000})
    world.order_faults(instance, {"kind": "media_error"}, {"kind": "media_gone"})
    for error in (Retryable, Rejected):
        with pytest.raises(error):
            [piece async for piece in world.plugins.media(instance, media)]
    pieces = [piece async for piece in world.plugins.media(instance, media)]
    assert b"".join(pieces) == whole("image/png", "A1", 5000)
