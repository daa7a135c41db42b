import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from elsehu_storage_s3.testing import S3Server

from elsehu.testing import Plugins
from elsehu.testing.storage_suite import PIECE, TYPE, StorageSuite, new_key, pieces_of, read_all

from .loading import load


class TestStorageS3(StorageSuite):
    plugin_name = "storage_s3"

    @pytest.fixture
    def plugin_config(self, s3: S3Server) -> dict[str, Any]:
        return s3.config(presigned_redirects=True)

    @pytest.mark.parametrize("size", [0, 1, 19, 20, 21, 39, 40, 41])
    async def test_sizes_around_a_part(self, storage: Plugins, size: int) -> None:
        key = new_key()
        stored = await storage.storage_put(key, pieces_of([PIECE] * size), TYPE)
        assert stored.size == size * len(PIECE)
        assert await read_all(storage.storage_open(key)) == PIECE * size

    @pytest.mark.parametrize("sent", [0, 8, 19, 20, 21, 60])
    async def test_no_parts_stay_of_a_broken_stream(self, storage: Plugins, s3: S3Server, sent: int) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(sent):
                yield PIECE
            raise FileNotFoundError("the source's own")

        with pytest.raises(FileNotFoundError, match="the source's own"):
            await storage.storage_put(key := new_key(), chunks(), TYPE)
        assert key not in s3.objects()
        assert s3.unfinished_uploads() == 0

    async def test_no_parts_stay_of_what_is_cancelled_in_any_moment(self, storage: Plugins, s3: S3Server) -> None:
        for delay in range(8):
            putting = asyncio.create_task(storage.storage_put(key := new_key(), pieces_of([PIECE] * 45), TYPE))
            await asyncio.sleep(delay / 30)
            putting.cancel()
            await asyncio.wait({putting})
            if key in s3.objects():
                assert await read_all(storage.storage_open(key)) == PIECE * 45
        assert s3.unfinished_uploads() == 0


async def test_the_content_type_is_kept(s3: S3Server) -> None:
    storage = load(s3.config())
    for pieces in ([b"small"], [PIECE] * 21):
        key = (await storage.storage_put(new_key(), pieces_of(pieces), "image/webp")).key
        assert s3.head(key)["content-type"] == "image/webp"


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ({"server_side_encryption": "AES256"}, "x-amz-server-side-encryption", "AES256"),
        ({"server_side_encryption": "aws:kms"}, "x-amz-server-side-encryption", "aws:kms"),
        (
            {"server_side_encryption": "aws:kms", "kms_key_id": "1234abcd"},
            "x-amz-server-side-encryption-aws-kms-key-id",
            "1234abcd",
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 21], ids=["one request", "parts"])
async def test_encryption_at_rest(s3: S3Server, config: dict[str, Any], header: str, value: str, count: int) -> None:
    storage = load(s3.config(**config))
    key = (await storage.storage_put(new_key(), pieces_of([PIECE] * count), TYPE)).key
    assert s3.head(key)[header] == value
    assert await read_all(storage.storage_open(key)) == PIECE * count


async def test_a_prefix_is_a_place_of_its_own(s3: S3Server) -> None:
    plain, ours = load(s3.config()), load(s3.config(prefix="desk/Elsehu_2", presigned_redirects=True))
    key = (await ours.storage_put(new_key(), pieces_of([b"x"]), TYPE)).key
    assert f"desk/Elsehu_2/{key}" in s3.objects()
    with pytest.raises(FileNotFoundError):
        await anext(plain.storage_open(key))
    assert f"/desk/Elsehu_2/{key}?" in (await ours.storage_url(key, "inline", TYPE, 60) or "")
    await ours.storage_delete(key)
    assert f"desk/Elsehu_2/{key}" not in s3.objects()


async def test_keys_from_the_environment(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    storage = load(s3.config(access_key_id="", secret_access_key="", presigned_redirects=True))
    key = (await storage.storage_put(new_key(), pieces_of([b"x"]), TYPE)).key
    assert "AKIDENVIRONMENT" in (await storage.storage_url(key, "inline", TYPE, 60) or "")
