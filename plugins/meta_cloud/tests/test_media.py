"""Files of customers: where they are, then they themselves; the token goes to Meta's hosts alone (reference, 8)."""

import base64
from typing import Any

import pytest
from elsehu_meta_cloud import provider_media
from elsehu_meta_cloud.config import META_HOSTS
from elsehu_meta_cloud.media import is_allowed
from elsehu_meta_cloud.testing import samples

from elsehu.plugin import Instance, InstanceSick, MediaContent, Rejected, Retryable

from .standin_fixtures import World


def stored(world: World, data: bytes = b"", mime_type: str = "image/png", **more: Any) -> MediaContent:
    """Have the stand-in keep a customer's file; return what a webhook's normaliser makes of it."""
    encoded = base64.b64encode(data or samples.png()).decode()
    file = world.standin.call("store_file", mime_type=mime_type, data=encoded, **more)
    return MediaContent(mime_type, reference={"id": file["id"]})


async def fetched(world: World, media: MediaContent, instance: Instance | None = None) -> bytes:
    """Return a file as the hook yields it."""
    chunks = provider_media(world.context, instance or world.instance(), media)
    return b"".join([chunk async for chunk in chunks])


async def test_a_file_is_fetched_in_two_steps(world: World) -> None:
    assert await fetched(world, stored(world)) == samples.png()
    first, second = world.standin.requests
    assert second.path.startswith("files/")
    assert first.token == second.token == world.standin.options.token


async def test_a_large_file_comes_in_pieces(world: World) -> None:
    media = stored(world, b"%PDF-1.4", "application/pdf", size=3_000_000)
    sizes = [len(chunk) async for chunk in provider_media(world.context, world.instance(), media)]
    assert sum(sizes) == 3_000_000
    assert max(sizes) < 1_000_000


async def test_an_address_that_expired_is_asked_for_again(world: World) -> None:
    media = stored(world)
    for status in (401, 404):
        world.standin.fault("answer", on="GET files", status=status)
        assert await fetched(world, media) == samples.png()
    world.standin.fault("answer", on="GET files", status=404, times=2)
    with pytest.raises(Retryable):
        await fetched(world, media)


async def test_a_file_that_is_gone_is_gone(world: World) -> None:
    media = stored(world)
    world.standin.call("forget_files")
    with pytest.raises(Rejected) as gone:
        await fetched(world, media)
    assert gone.value.code == "media_gone"
    with pytest.raises(Rejected) as nothing:
        await fetched(world, MediaContent("image/png"))
    assert nothing.value.code == "media_unreferenced"


async def test_the_token_is_shown_to_no_other_host(world: World) -> None:
    media = stored(world)
    with pytest.raises(Rejected) as error:
        await fetched(world, media, world.instance(settings={"media_hosts": ["*.fbsbx.com"]}))
    assert error.value.code == "media_host_refused"
    world.standin.fault("redirect", on="GET files", location=f"{world.standin.url}/steal")
    with pytest.raises(Rejected):
        await fetched(world, media)
    assert [one.path for one in world.standin.requests if "steal" in one.path] == []


async def test_a_redirect_within_the_hosts_is_followed_but_not_for_ever(world: World) -> None:
    media = stored(world)
    world.standin.fault("redirect", on="GET files", location=f"{world.standin.files_url}/not-here")
    assert await fetched(world, media) == samples.png()
    assert "files/not-here" in [one.path for one in world.standin.requests]
    world.standin.fault("redirect", on="GET files", location="/round", times=None)
    with pytest.raises(Retryable) as circles:
        await fetched(world, media)
    assert "circles" in circles.value.detail


async def test_what_arrives_otherwise_than_announced_is_not_taken(world: World) -> None:
    media = stored(world)
    world.standin.fault("answer", on="GET files", status=200, body="something else")
    with pytest.raises(Retryable):
        await fetched(world, media)
    world.standin.fault("answer", on="GET files", status=500)
    with pytest.raises(Retryable):
        await fetched(world, media)


async def test_a_bad_token_is_the_numbers_trouble_not_the_files(world: World) -> None:
    media = stored(world)
    world.standin.call("set_tokens", tokens=[])
    with pytest.raises(InstanceSick):
        await fetched(world, media)


HOSTS = [
    ("https://lookaside.fbsbx.com/a?b=c", True),
    ("https://graph.facebook.com/x", True),
    ("https://mmg.whatsapp.net:443/x", True),
    ("http://lookaside.fbsbx.com/a", False),
    ("https://lookaside.fbsbx.com:8443/a", False),
    ("https://fbsbx.com.evil.example/", False),
    ("https://evil.example/.fbsbx.com", False),
    ("https://user@lookaside.fbsbx.com/", False),
    ("https://lookaside.fbsbx.com@evil.example/", False),
    ("https://xfbsbx.com/", False),
    ("https://evil.example\\.fbsbx.com/", False),
    ("https://LOOKASIDE.FBSBX.COM/", True),
    ("https://127.0.0.1/", False),
    ("file:///etc/passwd", False),
    ("https://[::1", False),
    ("", False),
]


@pytest.mark.parametrize(("url", "is_ours"), HOSTS)
def test_metas_hosts(url: str, is_ours: bool) -> None:
    assert is_allowed(url, META_HOSTS) is is_ours


def test_a_host_that_is_listed_with_its_scheme_is_taken_as_it_stands() -> None:
    assert is_allowed("http://127.0.0.1:9000/x", ["http://127.0.0.1:9000"])
    assert not is_allowed("http://127.0.0.1:9001/x", ["http://127.0.0.1:9000"])
    assert not is_allowed("https://127.0.0.1:9000/x", ["http://127.0.0.1:9000"])
