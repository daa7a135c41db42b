"""The conformance suite of storage plugins: what the kernel relies on, as tests.

A storage's own tests subclass it and name the plugin; everything runs through the loaded entry point:

    class TestMyStorage(StorageSuite):
        plugin_name = "my_storage"

        @pytest.fixture
        def plugin_config(self, tmp_path: Path) -> dict[str, Any]:
            return {"path": str(tmp_path / "objects")}
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from elsehu.contracts.storage import ByteRange
from elsehu.ids import new_id
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

MIB = 1024 * 1024
PIECE = bytes(range(256)) * 1024
TYPE = "application/octet-stream"
DISPOSITION = (
    "attachment; filename=\"fatura; 50% & mar_o.pdf\"; filename*=UTF-8''fatura%3B%2050%25%20%26%20mar%C3%A7o.pdf"
)

FOREIGN_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "media/../../outside",
    "media/./x",
    "media//x",
    "media/x/",
    "media\\x",
    "Media/X",
    "media/x.txt",
    "media/x\n",
    "media/\x00",
    "média/x",
    "-rf/x",
    "media/" + "x" * 200,
]


def new_key() -> str:
    """Return a key such as the kernel makes."""
    return f"media/2026/07/{new_id()}"


async def pieces_of(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield `pieces`, giving way in between as a network would."""
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


async def read_all(chunks: AsyncIterator[bytes]) -> bytes:
    """Return all that `chunks` yields."""
    return b"".join([chunk async for chunk in chunks])


def resident_bytes() -> int:
    """Return this process's resident memory in bytes (Linux)."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return resident_pages * 4096


class StorageSuite:
    """Subclass it in a storage plugin's tests; see the module's docstring."""

    plugin_name: ClassVar[str]

    @pytest.fixture
    def plugin_config(self, tmp_path: Path) -> dict[str, Any]:
        """The plugin's table of `elsehu.toml`: override it where the plugin needs one."""
        return {}

    @pytest.fixture
    def storage_settings(self, tmp_path: Path, plugin_config: dict[str, Any]) -> Settings:
        """Settings with this storage alone."""
        plugins = {"enabled": [self.plugin_name], self.plugin_name: plugin_config}
        media = {"storage": self.plugin_name}
        return Settings.model_validate({"data_dir": tmp_path / "var", "plugins": plugins, "media": media})

    @pytest.fixture
    def storage(self, storage_settings: Settings) -> Plugins:
        """The loaded storage, as the kernel calls it."""
        return load_plugins(storage_settings)

    async def put(self, storage: Plugins, data: bytes, key: str | None = None) -> str:
        """Store `data` and return its key."""
        return (await storage.storage_put(key or new_key(), pieces_of([data]), TYPE)).key

    @pytest.mark.parametrize(
        "pieces",
        [
            [],
            [b""],
            [b"x"],
            [b"", b"one", b"", b"two", b""],
            [b"x"] * 1000,
            [PIECE[:-1]],
            [PIECE, b"!"],
            [PIECE] * 8,
            [PIECE * 12],
        ],
        ids=["nothing", "empty", "one byte", "gaps", "crumbs", "block-1", "block+1", "2 MiB", "3 MiB at once"],
    )
    async def test_what_was_put_is_there(self, storage: Plugins, pieces: list[bytes]) -> None:
        whole = b"".join(pieces)
        key = new_key()
        stored = await storage.storage_put(key, pieces_of(pieces), TYPE)
        assert (stored.key, stored.size, stored.sha256) == (key, len(whole), hashlib.sha256(whole).hexdigest())
        assert await read_all(storage.storage_open(key)) == whole

    async def test_what_a_storage_may_cut_into_parts_is_whole(self, storage: Plugins) -> None:
        whole = random.Random(7).randbytes(11 * MIB + 1)  # noqa: S311
        key = new_key()
        pieces = [whole[start : start + 100_003] for start in range(0, len(whole), 100_003)]
        stored = await storage.storage_put(key, pieces_of(pieces), TYPE)
        assert (stored.size, stored.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert await read_all(storage.storage_open(key)) == whole
        part = ByteRange(5 * MIB - 3, 10 * MIB + 3)
        assert await read_all(storage.storage_open(key, part)) == whole[part.start : part.end + 1]

    async def test_another_process_reads_it(self, storage: Plugins, storage_settings: Settings) -> None:
        key = await self.put(storage, b"shared")
        assert await read_all(load_plugins(storage_settings).storage_open(key)) == b"shared"

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, 0), (0, 9), (5, 5), (999_999, 999_999), (262_143, 262_144), (1, 700_000), (0, 999_999)],
    )
    async def test_a_range_is_read(self, storage: Plugins, start: int, end: int) -> None:
        whole = (PIECE * 4)[:1_000_000]
        key = await self.put(storage, whole)
        assert await read_all(storage.storage_open(key, ByteRange(start, end))) == whole[start : end + 1]

    async def test_what_is_not_there_is_told_at_the_first_step(self, storage: Plugins) -> None:
        for byte_range in (None, ByteRange(0, 1)):
            with pytest.raises(FileNotFoundError):
                await anext(storage.storage_open(new_key(), byte_range))

    async def test_an_object_shows_only_when_whole(self, storage: Plugins) -> None:
        key, half_sent, go_on = new_key(), asyncio.Event(), asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield PIECE * 8
            half_sent.set()
            await go_on.wait()
            yield PIECE

        putting = asyncio.create_task(storage.storage_put(key, chunks(), TYPE))
        await half_sent.wait()
        with pytest.raises(FileNotFoundError):
            await anext(storage.storage_open(key))
        go_on.set()
        await putting
        assert len(await read_all(storage.storage_open(key))) == 9 * len(PIECE)

    @pytest.mark.parametrize("error", [ValueError("broken"), ConnectionResetError("gone"), TimeoutError()])
    async def test_a_broken_stream_leaves_nothing(self, storage: Plugins, error: Exception) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield PIECE * 2
            raise error

        key = new_key()
        with pytest.raises(type(error)) as caught:
            await storage.storage_put(key, chunks(), TYPE)
        assert caught.value is error, "the stream's own error must pass through"
        with pytest.raises(FileNotFoundError):
            await anext(storage.storage_open(key))

    async def test_a_cancelled_put_leaves_nothing(self, storage: Plugins) -> None:
        key, started = new_key(), asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield PIECE
                started.set()

        putting = asyncio.create_task(storage.storage_put(key, chunks(), TYPE))
        await started.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        with pytest.raises(FileNotFoundError):
            await anext(storage.storage_open(key))

    async def test_a_put_that_waits_for_its_stream_can_be_cancelled(self, storage: Plugins) -> None:
        key, waits = new_key(), asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield PIECE * 24
            waits.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(storage.storage_put(key, chunks(), TYPE))
        await waits.wait()
        putting.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait({putting})
        assert putting.cancelled()
        with pytest.raises(FileNotFoundError):
            await anext(storage.storage_open(key))

    async def test_of_puts_of_one_key_one_wins_whole(self, storage: Plugins) -> None:
        key, contents = new_key(), [bytes([number]) * (6 * MIB) for number in range(3)]
        await asyncio.gather(*(self.put(storage, content, key) for content in contents))
        assert await read_all(storage.storage_open(key)) in contents

    async def test_a_second_put_replaces_the_first(self, storage: Plugins) -> None:
        key = await self.put(storage, b"first, and longer")
        await self.put(storage, b"second", key)
        assert await read_all(storage.storage_open(key)) == b"second"

    async def test_many_at_once(self, storage: Plugins) -> None:
        contents = [bytes([number]) * (number * 50_000) for number in range(16)]
        keys = await asyncio.gather(*(self.put(storage, content) for content in contents))
        assert await asyncio.gather(*(read_all(storage.storage_open(key)) for key in keys)) == contents

    async def test_delete_and_delete_again(self, storage: Plugins) -> None:
        key, other = await self.put(storage, b"x"), await self.put(storage, b"y")
        await storage.storage_delete(key)
        with pytest.raises(FileNotFoundError):
            await anext(storage.storage_open(key))
        await storage.storage_delete(key)
        assert await read_all(storage.storage_open(other)) == b"y"

    async def test_a_reader_may_stop_early(self, storage: Plugins) -> None:
        key = await self.put(storage, PIECE * 16)
        async with aclosing(storage.storage_open(key)) as chunks:  # type: ignore[type-var]
            assert (await anext(chunks))[:256] == PIECE[:256]
        await storage.storage_delete(key)

    @pytest.mark.parametrize("key", FOREIGN_KEYS)
    async def test_a_foreign_key_is_refused(self, storage: Plugins, key: str, tmp_path: Path) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match="storage key"):
            await storage.storage_put(key, pieces_of([b"x"]), TYPE)
        with pytest.raises(ValueError, match="storage key"):
            await anext(storage.storage_open(key))
        with pytest.raises(ValueError, match="storage key"):
            await storage.storage_delete(key)
        assert sorted(tmp_path.rglob("*")) == before

    async def test_a_large_object_takes_little_memory(self, storage: Plugins) -> None:
        key, size, peak = new_key(), 96 * MIB, 0
        before = resident_bytes()

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal peak
            for _ in range(size // len(PIECE)):
                yield PIECE
                peak = max(peak, resident_bytes())

        assert (await storage.storage_put(key, chunks(), TYPE)).size == size
        read = 0
        async for chunk in storage.storage_open(key):
            read += len(chunk)
            peak = max(peak, resident_bytes())
        assert read == size
        assert peak - before < 32 * MIB

    async def test_a_presigned_url_gives_the_bytes(self, storage: Plugins) -> None:
        whole = PIECE * 2
        key = await self.put(storage, whole)
        url = await storage.storage_url(key, DISPOSITION, "application/pdf", 60)
        if url is None:
            pytest.skip("this storage gives no presigned URLs")
        async with httpx.AsyncClient() as client:
            answer = await client.get(url)
            part = await client.get(url, headers={"range": "bytes=300000-300009"})
        assert (answer.status_code, answer.content) == (200, whole)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == DISPOSITION
        assert (part.status_code, part.content) == (206, whole[300_000:300_010])
