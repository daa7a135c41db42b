"""Moving files from the disk to S3, both real, and from there back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from elsehu_storage_s3.testing import S3Server, s3_server
from structlog.testing import capture_logs

from elsehu.contracts.errors import Unavailable
from elsehu.contracts.inbound import MediaContent
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.media.moving import GRACE, MOST_FAILURES_IN_A_ROW, Amount, Move, kept_in, move, originals_kept
from elsehu.media.objects import announce
from elsehu.media.queries import load
from elsehu.media.retention import expire, remove_orphans
from elsehu.media.service import failed_file, pending_file
from elsehu.plugins import Plugins

from .rows import row_of, stored_file, written

TO_S3 = Move("storage_local", "storage_s3")
AND_DELETE = Move("storage_local", "storage_s3", deletes_originals=True)
CONTENTS = [b"", b"x", b"GIF89a" + bytes(70_000), bytes(range(256)) * 30_000]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def settings_overrides(s3: S3Server) -> dict[str, Any]:
    config = s3.config(prefix=str(new_id()))
    return {"plugins": {"enabled": ["files", "storage_local", "storage_s3"], "storage_s3": config}}


@pytest.fixture
async def files(kernel: Kernel) -> list[UUID]:
    return [await stored_file(kernel, content) for content in CONTENTS]


async def rendition_of(kernel: Kernel, file: UUID, data: bytes) -> UUID:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    key = await announce(kernel, "storage_local")
    await kernel.plugins.storage_put(key, chunks(), "image/webp", storage="storage_local")
    await kernel.db.execute("DELETE FROM unclaimed_objects WHERE key = $1", key)
    rendition = new_id()
    await kernel.db.execute(
        "INSERT INTO media_renditions (id, media_id, purpose, mime_type, size, sha256, storage_key, storage,"
        " created_at) VALUES ($1, $2, 'thumbnail', 'image/webp', $3, $4, $5, 'storage_local', now())",
        rendition,
        file,
        len(data),
        hashlib.sha256(data).hexdigest(),
        key,
    )
    return rendition


async def contents(kernel: Kernel, files: list[UUID]) -> list[bytes]:
    return [await (await load(kernel, one)).read() for one in files]


def on_disk(kernel: Kernel) -> int:
    return sum(path.is_file() for path in (kernel.settings.data_dir / "plugins" / "storage_local").rglob("*-*"))


def in_bucket(kernel: Kernel, s3: S3Server) -> int:
    prefix = kernel.settings.plugins["storage_s3"]["prefix"]
    return sum(key.startswith(prefix) for key in s3.objects())


async def count(kernel: Kernel, of: str) -> int:
    answer: int = await kernel.db.fetch_value(f"SELECT count(*) FROM {of}")
    return answer


async def test_everything_goes_and_the_originals_are_kept(kernel: Kernel, files: list[UUID], s3: S3Server) -> None:
    told: list[int] = []
    thumbnail = await rendition_of(kernel, files[2], b"small")
    whole = Amount(len(files) + 1, sum(map(len, CONTENTS)) + 5)
    assert await kept_in(kernel, "storage_local") == whole
    tally = await move(kernel, TO_S3, told.append)
    assert (tally.moved, tally.failed) == (whole, {})
    assert sorted(told) == sorted([*map(len, CONTENTS), 5])
    assert await kept_in(kernel, "storage_local") == Amount()
    assert {(await row_of(kernel, one))["storage"] for one in files} == {"storage_s3"}
    assert await count(kernel, f"media_renditions WHERE id = '{thumbnail}' AND storage = 'storage_s3'") == 1
    assert await contents(kernel, files) == CONTENTS
    assert on_disk(kernel) == in_bucket(kernel, s3) == await originals_kept(kernel, "storage_local") == 5
    await remove_orphans(kernel)
    assert on_disk(kernel) == 5


async def test_originals_are_swept_some_minutes_after_their_move(
    kernel: Kernel, files: list[UUID], s3: S3Server
) -> None:
    await move(kernel, AND_DELETE)
    assert await remove_orphans(kernel) == 0
    await kernel.db.execute("UPDATE unclaimed_objects SET since = since - $1::interval", GRACE)
    assert await remove_orphans(kernel) == len(files)
    assert on_disk(kernel) == 0
    assert await contents(kernel, files) == CONTENTS


async def test_originals_that_were_kept_are_swept_when_a_later_move_says_so(kernel: Kernel, files: list[UUID]) -> None:
    await move(kernel, TO_S3)
    assert (await move(kernel, AND_DELETE)).moved == Amount()
    assert await originals_kept(kernel, "storage_local") == 0
    await kernel.db.execute("UPDATE unclaimed_objects SET since = since - $1::interval", GRACE)
    await remove_orphans(kernel)
    assert on_disk(kernel) == 0


async def test_there_and_back(kernel: Kernel, files: list[UUID]) -> None:
    await move(kernel, TO_S3)
    assert (await move(kernel, Move("storage_s3", "storage_local"))).moved.files == len(files)
    assert await contents(kernel, files) == CONTENTS


async def test_what_has_no_bytes_stays_as_it_is(kernel: Kernel, instance_id: UUID) -> None:
    content = MediaContent("image/png", reference={"name": "x"})
    ids = [await written(kernel, make(instance_id, content)) for make in (pending_file, _failed)]
    ids.append(await stored_file(kernel, b"old"))
    await expire(kernel, datetime.now(UTC))
    before = [await row_of(kernel, one) for one in ids]
    assert (await move(kernel, TO_S3)).moved == Amount()
    assert [await row_of(kernel, one) for one in ids] == before


def _failed(instance_id: UUID, content: MediaContent) -> Any:
    return failed_file(instance_id, content, "given up")


async def test_what_is_missing_or_spoilt_stays_and_is_told(kernel: Kernel, files: list[UUID], s3: S3Server) -> None:
    root = kernel.settings.data_dir / "plugins" / "storage_local"
    (root / (await row_of(kernel, files[1]))["storage_key"]).unlink()
    (root / (await row_of(kernel, files[2]))["storage_key"]).write_bytes(b"spoilt")
    tally = await move(kernel, TO_S3)
    assert tally.moved.files == 2
    assert "missing" in tally.failed[files[1]]
    assert "SHA-256" in tally.failed[files[2]]
    assert (await row_of(kernel, files[2]))["storage"] == "storage_local"
    assert in_bucket(kernel, s3) == 2


async def test_it_stops_when_nothing_can_be_moved(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: Any, **__: Any) -> None:
        raise Unavailable("storage_denied", "The storage says no.")

    files = [await stored_file(kernel, b"x") for _ in range(MOST_FAILURES_IN_A_ROW + 5)]
    monkeypatch.setattr(Plugins, "storage_put", refuses)
    with pytest.raises(Unavailable, match=r"The storage says no\."):
        await move(kernel, TO_S3)
    monkeypatch.undo()
    assert (await move(kernel, TO_S3)).moved.files == len(files)


async def test_what_comes_meanwhile_goes_too(
    kernel: Kernel, files: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[UUID] = []

    def told(_: int) -> None:
        if not late:
            late.append(UUID(int=0))
            coming.append(asyncio.create_task(stored_file(kernel, b"late")))

    coming: list[asyncio.Task[UUID]] = []
    tally = await move(kernel, TO_S3, told)
    assert tally.moved.files == len(files) + 1
    assert await contents(kernel, [await coming[0]]) == [b"late"]


async def test_what_is_deleted_meanwhile_leaves_no_copy(
    kernel: Kernel, files: list[UUID], s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Plugins.storage_put

    async def deleted_meanwhile(plugins: Plugins, *arguments: Any, storage: str) -> Any:
        stored = await put(plugins, *arguments, storage=storage)
        await expire(kernel, datetime.now(UTC))
        return stored

    monkeypatch.setattr(Plugins, "storage_put", deleted_meanwhile)
    tally = await move(kernel, TO_S3)
    assert (tally.moved, tally.failed) == (Amount(), {})
    assert (on_disk(kernel), in_bucket(kernel, s3)) == (0, 0)
    assert await count(kernel, "unclaimed_objects WHERE NOT doomed AND since < 'infinity'") == 0


async def test_two_moves_at_once_move_each_file_once(kernel: Kernel, files: list[UUID], s3: S3Server) -> None:
    tallies = await asyncio.gather(move(kernel, TO_S3), move(kernel, TO_S3))
    assert sum(tally.moved.files for tally in tallies) == len(files)
    assert await contents(kernel, files) == CONTENTS
    assert in_bucket(kernel, s3) == len(files)


async def test_readers_meanwhile_notice_nothing(kernel: Kernel, files: list[UUID]) -> None:
    done = asyncio.Event()

    async def read() -> int:
        reads = 0
        while not done.is_set():
            assert await contents(kernel, files[1:3]) == CONTENTS[1:3]
            reads += 1
        return reads

    readers = [asyncio.create_task(read()) for _ in range(3)]
    media = await load(kernel, files[2])
    await move(kernel, AND_DELETE)
    await remove_orphans(kernel)
    assert await media.read() == CONTENTS[2], "who had asked before the move reads the original"
    done.set()
    assert min(await asyncio.gather(*readers)) > 0


async def test_a_storage_that_fails_or_is_not_enabled_does_not_stop_the_sweep_of_the_others(
    kernel: Kernel, files: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    await move(kernel, AND_DELETE)
    await kernel.db.execute("UPDATE unclaimed_objects SET since = '-infinity'")
    for storage in ("storage_s3", "storage_gone"):
        await kernel.db.execute("INSERT INTO unclaimed_objects VALUES ($1, $2, '-infinity', true)", storage, storage)
    delete = Plugins.storage_delete

    async def fails_on_s3(plugins: Plugins, key: str, *, storage: str | None = None) -> None:
        if storage == "storage_s3":
            raise Unavailable("storage_unreachable", "The storage does not answer.")
        await delete(plugins, key, storage=storage)

    monkeypatch.setattr(Plugins, "storage_delete", fails_on_s3)
    with pytest.raises(Unavailable, match="storage_unreachable"), capture_logs() as logs:
        await remove_orphans(kernel)
    assert on_disk(kernel) == 0
    assert {"event": "objects_out_of_reach", "log_level": "warning", "storage": "storage_gone", "objects": 1} in logs
    left = [row["storage"] for row in await kernel.db.fetch("SELECT storage FROM unclaimed_objects ORDER BY storage")]
    assert left == ["storage_gone", "storage_s3"]
