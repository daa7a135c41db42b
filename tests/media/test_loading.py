"""A file on its way to a provider is read as it goes: however large it is, little of it is in memory."""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from elsehu.contracts.errors import Gone
from elsehu.kernel import Kernel
from elsehu.media.objects import store
from elsehu.media.queries import load
from elsehu.media.service import ready_file

from .rows import row_of, stored_file, written

MIB = 1024 * 1024


async def zeros(megabytes: int) -> AsyncIterator[bytes]:
    for _ in range(megabytes * 4):
        yield bytes(MIB // 4)


async def test_sixty_megabytes_are_streamed(kernel: Kernel) -> None:
    stored = await store(kernel, zeros(60), "application/zip", "a.zip", 64 * MIB)
    media = await load(kernel, await written(kernel, ready_file(stored)))
    gc.collect()
    tracemalloc.start()
    try:
        lengths = [len(chunk) async for chunk in media.stream()]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(lengths) == media.size == 60 * MIB
    assert max(lengths) <= MIB
    assert peak < 8 * MIB


async def test_a_stream_can_be_read_again_and_left_early(kernel: Kernel) -> None:
    media = await load(kernel, await stored_file(kernel, bytes(3 * MIB)))
    chunks: Any = media.stream()
    async with aclosing(chunks):
        assert await anext(chunks)
    assert b"".join([chunk async for chunk in media.stream()]) == await media.read() == bytes(3 * MIB)


async def test_bytes_that_are_gone_are_told(kernel: Kernel) -> None:
    media_id = await stored_file(kernel, b"words")
    media = await load(kernel, media_id)
    key = (await row_of(kernel, media_id))["storage_key"]
    Path(kernel.settings.data_dir / "plugins" / "storage_local" / key).unlink()
    with pytest.raises(Gone, match="media_lost"):
        await media.read()
    with pytest.raises(Gone, match="media_lost"):
        _ = [chunk async for chunk in media.stream()]
