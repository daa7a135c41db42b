"""Files that are sent by their URL, voice notes in a form that the provider takes, and small pictures of what came."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import MediaLimit, NoConfig, ProviderSpec
from elsehu.media import voice
from elsehu.media.pictures import shrunk
from elsehu.media.queries import load
from elsehu.media.retention import remove_orphans
from elsehu.messaging.contacts.erasing import erase
from elsehu.messaging.jobs import expire_files
from elsehu.plugins import Plugins
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer, running_server

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)
OPUS = b"OggS" + bytes(24) + b"OpusHead\x01\x01" + bytes(200)
STEREO = OPUS.replace(b"Head\x01\x01", b"Head\x01\x02")
WEBM = b"\x1a\x45\xdf\xa3\x42\x82\x84webm" + bytes(200)
KINDS = frozenset({Kind.TEXT, Kind.IMAGE, Kind.AUDIO, Kind.DOCUMENT})
STRICT = ProviderSpec(
    "sandbox",
    NoConfig,
    NoConfig,
    KINDS,
    media_limits={Kind.IMAGE: MediaLimit(5000), Kind.AUDIO: MediaLimit(10_000, frozenset({"audio/ogg", "audio/mpeg"}))},
    voice_types=frozenset({"audio/ogg"}),
)
FAKE_FFMPEG = """#!/bin/sh
# Stands in for ffmpeg: it converts nothing, but gives a file whose head says OGG/OPUS in one channel.
echo "$@" >> "{log}"
env > "{log}.env"
for last; do :; done
case "{mode}" in
works) cp "{note}" "$last" ;;
fails) echo "Invalid data found" >&2; exit 1 ;;
lies) echo "no sound" > "$last" ;;
hangs) sleep 30 ;;
esac
"""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "media": {
            "url_networks": ["127.0.0.1/32"],
            "url_timeout": 1.0,
            "retention_days": 30,
            "ffmpeg": "no-such-ffmpeg",
        }
    }


@pytest.fixture
async def conversation(server: RunningServer, admin: ApiClient) -> UUID:
    return await customer_writes(server, await add_number(admin), "5511988887777")


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plugins, "spec", lambda *_: STRICT)


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def picture(_: Request) -> Response:
        return Response(PNG, media_type="text/html", headers={"Content-Disposition": 'inline; filename="cat.png"'})

    async def large(_: Request) -> Response:
        return Response(PNG + bytes(6000), media_type="image/png")

    async def empty(_: Request) -> Response:
        return Response(b"", media_type="image/png")

    async def away(_: Request) -> Response:
        return RedirectResponse("http://10.1.2.3:8000/secret")

    routes = [Route(f"/{one.__name__}", one) for one in (picture, large, empty, away)]
    async with running_server(Starlette(routes=routes)) as running:
        yield running.url


async def say(admin: ApiClient, conversation: UUID, **content: Any) -> httpx.Response:
    return await admin.post("/api/messages/send", {"conversationId": str(conversation), **content})


async def upload(admin: ApiClient, name: str, content: bytes, **query: Any) -> str:
    declared = "audio/webm;codecs=opus" if name.endswith(".webm") else "application/octet-stream"
    answer = await admin.http.post("/api/media", files={"file": (name, content, declared)}, params=query)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def objects(server: RunningServer) -> int:
    root = server.kernel.settings.data_dir / "plugins" / "storage_local"
    return sum(path.is_file() for path in root.rglob("*-*"))


@pytest.mark.usefixtures("strict")
async def test_a_file_is_sent_by_its_url(admin: ApiClient, conversation: UUID, site: str) -> None:
    answer = await say(admin, conversation, kind="image", mediaUrl=f"{site}/picture?x=1", caption="A cat")
    assert answer.status_code == 201, answer.text
    media = answer.json()["media"]
    assert (media["mimeType"], media["fileName"], media["size"], media["state"]) == (
        "image/png",
        "cat.png",
        33,
        "ready",
    )
    assert (await admin.get(media["url"])).content == PNG


URLS = [
    ("image", "away", "media_url_refused"),
    ("image", "nowhere", "media_url_failed"),
    ("image", "empty", "media_url_failed"),
    ("image", "large", "media_too_large"),
    ("audio", "picture", "media_type_unsupported"),
]


@pytest.mark.usefixtures("strict")
async def test_urls_that_do_not_do(server: RunningServer, admin: ApiClient, conversation: UUID, site: str) -> None:
    for kind, path, code in URLS:
        answer = await say(admin, conversation, kind=kind, mediaUrl=f"{site}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (422, code), path
        assert answer.json()["errors"][0]["field"] == "mediaUrl"
        assert "10.1.2.3" not in answer.text
    assert await server.kernel.db.fetch_value("SELECT count(*) FROM messages WHERE direction = 'OUTBOUND'") == 0
    await remove_orphans(server.kernel, timedelta(0))
    assert objects(server) == 0


async def test_a_private_url_is_refused(admin: ApiClient, conversation: UUID) -> None:
    for url in ("http://10.0.0.1:6379/", "http://169.254.169.254/latest", "http://2886729729/", "http://[::1]:8000/"):
        answer = await say(admin, conversation, kind="document", mediaUrl=url)
        assert (answer.status_code, answer.json()["code"]) == (422, "media_url_refused"), url


@pytest.mark.usefixtures("strict")
async def test_without_the_program_a_recording_says_what_to_do(admin: ApiClient, conversation: UUID) -> None:
    for content in (WEBM, STEREO):
        recording = await upload(admin, "r.webm", content, voice=True)
        answer = await say(admin, conversation, kind="audio", mediaId=recording)
        assert (answer.status_code, answer.json()["code"]) == (422, "voice_format_unsupported")
        assert "no-such-ffmpeg is not installed" in answer.json()["detail"]
        assert "OGG/OPUS" in answer.json()["detail"]
        assert answer.json()["errors"][0]["field"] == "mediaId"


@pytest.mark.usefixtures("strict")
async def test_what_is_a_voice_note_already_goes_as_it_is(
    server: RunningServer, admin: ApiClient, conversation: UUID
) -> None:
    note = await upload(admin, "r.ogg", OPUS, voice=True)
    assert (await say(admin, conversation, kind="audio", mediaId=note)).status_code == 201
    assert (await load(server.kernel, UUID(note))).size == len(OPUS)


class Program:
    """The stand-in for ffmpeg."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._log = folder / "log"
        note = folder / "note.ogg"
        note.write_bytes(OPUS)
        self.path = folder / "ffmpeg"
        self.path.write_text(FAKE_FFMPEG.format(log=self._log, note=note, mode=mode))
        self.path.chmod(0o755)

    @property
    def runs(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    @property
    def environment(self) -> set[str]:
        lines = Path(f"{self._log}.env").read_text().splitlines()
        return {line.partition("=")[0] for line in lines}


def use(server: RunningServer, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server.kernel.settings.media.__dict__, "ffmpeg", str(program.path))


@pytest.mark.usefixtures("strict")
async def test_a_recording_is_converted_once(
    server: RunningServer, admin: ApiClient, conversation: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path, "works")
    use(server, program, monkeypatch)
    monkeypatch.setenv("ELSEHU_SECRET_KEY", "not for programs")
    recording = await upload(admin, "r.webm", WEBM, voice=True)
    for _ in range(2):
        answer = await say(admin, conversation, kind="audio", mediaId=recording)
        assert answer.status_code == 201, answer.text
    assert len(program.runs) == 1
    assert "-f matroska -i recording" in program.runs[0]
    assert "libopus" in program.runs[0]
    assert not [name for name in program.environment if name.startswith("ELSEHU")]
    sent = await load(server.kernel, UUID(recording))
    assert (sent.mime_type, sent.file_name, sent.is_voice) == ("audio/ogg", "r.ogg", True)
    assert await sent.read() == OPUS
    assert (await say(admin, conversation, kind="document", mediaId=recording)).status_code == 201


@pytest.mark.usefixtures("strict")
async def test_a_conversion_that_fails_is_told(
    server: RunningServer, admin: ApiClient, conversation: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await upload(admin, "r.webm", WEBM, voice=True)
    for mode in ("fails", "lies", "nothing", "hangs"):
        use(server, Program(tmp_path, mode), monkeypatch)
        monkeypatch.setattr(voice, "CONVERT_SECONDS", 0.5 if mode == "hangs" else 30)
        answer = await say(admin, conversation, kind="audio", mediaId=recording)
        assert (answer.status_code, answer.json()["code"]) == (422, "voice_conversion_failed"), mode


def picture(width: int = 1000, height: int = 400, format_: str = "JPEG", **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGBA" if format_ in {"PNG", "WEBP"} else "RGB", (width, height), (200, 30, 30)).save(
        out, format_, **options
    )
    return out.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret place"
    return picture(exif=exif)


def turned_by_careless() -> bytes:
    """A turned picture whose EXIF has a tag (the unit of resolution) of another type than it should, as happens."""
    exif = Image.Exif()
    exif[0x0112], exif[0x0128] = 6, 2
    short, long = b"\x01\x28\x00\x03", b"\x01\x28\x00\x04"
    right = picture(exif=exif)
    assert right.count(short) == 1
    return right.replace(short, long)


async def shown(admin: ApiClient, conversation: UUID, content: bytes, name: str = "p.jpg") -> dict[str, Any]:
    media_id = await upload(admin, name, content)
    answer = await say(admin, conversation, kind="image", mediaId=media_id)
    assert answer.status_code == 201, answer.text
    media: dict[str, Any] = answer.json()["media"]
    return media


async def test_pictures_have_small_ones(admin: ApiClient, conversation: UUID) -> None:
    await small_one(admin, conversation, picture(), (320, 128))
    await small_one(admin, conversation, turned(), (128, 320))
    await small_one(admin, conversation, turned_by_careless(), (128, 320))
    await small_one(admin, conversation, picture(format_="PNG"), (320, 128))
    await small_one(admin, conversation, picture(format_="WEBP"), (320, 128))
    await small_one(admin, conversation, picture(format_="GIF"), (320, 128))
    await small_one(admin, conversation, picture(20, 10), (20, 10))


async def small_one(admin: ApiClient, conversation: UUID, content: bytes, size: tuple[int, int]) -> None:
    media = await shown(admin, conversation, content)
    assert media["thumbnailUrl"] == media["url"] + "?thumbnail=true"
    answers = await asyncio.gather(*(admin.get(media["thumbnailUrl"]) for _ in range(3)))
    assert {(one.status_code, one.headers["content-type"]) for one in answers} == {(200, "image/webp")}
    assert len({one.content for one in answers}) == 1
    with Image.open(BytesIO(answers[0].content)) as small:
        assert small.size == size
        assert not small.getexif()
        red, green, *_ = small.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
        assert red > 150 > green
    assert answers[0].headers["content-disposition"].endswith('.webp"')
    unchanged = {"If-None-Match": answers[0].headers["etag"]}
    assert (await admin.http.get(media["thumbnailUrl"], headers=unchanged)).status_code == 304
    assert (await admin.get(media["url"])).content == content


@pytest.mark.parametrize("orientation", range(1, 9))
def test_small_pictures_stand_upright(orientation: int) -> None:
    upright = Image.new("RGB", (300, 150), "white")
    upright.paste("red", (0, 0, 100, 50))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = {5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    lying |= {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM"}
    out = BytesIO()
    how = lying.get(orientation)
    (upright.transpose(Image.Transpose[how]) if how else upright).save(out, "PNG", exif=exif)
    with Image.open(BytesIO(shrunk(out.getvalue()) or b"")) as small:
        assert small.size == (300, 150)
        assert [small.convert("RGB").getpixel(at)[1] > 150 for at in ((20, 20), (280, 20), (20, 130), (280, 130))] == [  # type: ignore[index]
            False,
            True,
            True,
            True,
        ]


async def test_transparency_stays(admin: ApiClient, conversation: UUID) -> None:
    out = BytesIO()
    Image.new("RGBA", (600, 600), (0, 0, 0, 0)).save(out, "PNG")
    media = await shown(admin, conversation, out.getvalue(), "p.png")
    with Image.open(BytesIO((await admin.get(media["thumbnailUrl"])).content)) as small:
        assert small.mode == "RGBA"
        assert small.getpixel((100, 100))[3] == 0  # type: ignore[index]


def bomb() -> bytes:
    """A PNG whose head promises 60,000 × 60,000 pixels."""
    small = picture(1, 1, "PNG")
    head = b"IHDR" + struct.pack(">II", 60_000, 60_000) + small[24:29]
    return small[:12] + head + struct.pack(">I", zlib.crc32(head)) + small[33:]


async def test_what_cannot_be_read_has_no_small_picture(admin: ApiClient, conversation: UUID) -> None:
    for content in (PNG, picture()[:300], picture(format_="PNG")[:80] + bytes(500), bomb()):
        media = await shown(admin, conversation, content)
        answer = await admin.get(media["thumbnailUrl"])
        assert (answer.status_code, answer.json()["code"]) == (404, "no_thumbnail")


async def test_what_is_no_picture_has_no_small_one(admin: ApiClient, conversation: UUID) -> None:
    document = await upload(admin, "a.txt", b"words")
    answer = await say(admin, conversation, kind="document", mediaId=document)
    media = answer.json()["media"]
    assert media["thumbnailUrl"] is None
    small = await admin.get(media["url"] + "?thumbnail=true")
    assert (small.status_code, small.json()["code"]) == (404, "no_thumbnail")


async def test_expiry_takes_all_forms_along_and_is_told(
    server: RunningServer, admin: ApiClient, conversation: UUID
) -> None:
    media = await shown(admin, conversation, picture())
    assert (await admin.get(media["thumbnailUrl"])).status_code == 200
    assert objects(server) == 2
    kernel = server.kernel
    await kernel.db.execute("UPDATE media_files SET created_at = now() - interval '31 days'")
    before = await kernel.db.fetch_value("SELECT count(*) FROM events WHERE type = 'message:updated'")
    await expire_files(kernel, {})
    assert objects(server) == 0
    assert await kernel.db.fetch_value("SELECT count(*) FROM events WHERE type = 'message:updated'") == before + 1
    for url in (media["url"], media["thumbnailUrl"]):
        answer = await admin.get(url)
        assert (answer.status_code, answer.json()["code"]) == (410, "media_expired")
    thread = (await admin.get(f"/api/messages/conversation/{conversation}")).json()["items"]
    assert [one["media"]["state"] for one in thread if one["media"]] == ["expired"]
    assert [one["media"]["thumbnailUrl"] for one in thread if one["media"]] == [None]


async def test_erasing_takes_all_forms_along(server: RunningServer, admin: ApiClient, conversation: UUID) -> None:
    media = await shown(admin, conversation, picture())
    assert (await admin.get(media["thumbnailUrl"])).status_code == 200
    kernel = server.kernel
    await kernel.db.execute("UPDATE conversations SET status = 'closed', closed_at = now()")
    contact_id = await kernel.db.fetch_value("SELECT contact_id FROM conversations")
    async with kernel.db.transaction() as uow:
        await erase(uow, kernel, contact_id)
    await remove_orphans(kernel, timedelta(0))
    assert objects(server) == 0
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_renditions") == 0
