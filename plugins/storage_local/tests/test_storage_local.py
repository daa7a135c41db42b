import asyncio
import errno
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsehu.plugin import ConfigError, Unavailable
from elsehu.testing import Plugins, Settings, load_plugins
from elsehu.testing.storage_suite import PIECE, TYPE, StorageSuite, new_key, pieces_of, read_all

ENDLESS_PUT = """
import asyncio, sys
from pathlib import Path
from elsehu.testing import Settings, load_plugins

async def chunks():
    for number in range(sys.maxsize):
        yield bytes(256 * 1024)
        if number == 8:
            print("growing", flush=True)

plugins = {"enabled": ["storage_local"], "storage_local": {"path": sys.argv[1]}}
asyncio.run(load_plugins(Settings(plugins=plugins)).storage_put(sys.argv[2], chunks(), "x/y"))
"""


def files_in(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestStorageLocal(StorageSuite):
    plugin_name = "storage_local"

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "not" / "yet" / "there"

    @pytest.fixture
    def plugin_config(self, root: Path) -> dict[str, Any]:
        return {"path": str(root)}

    @pytest.fixture
    def endless_put(self, root: Path) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-c", ENDLESS_PUT, str(root), new_key()], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "growing\n"
            yield process
            process.kill()

    async def test_only_the_owner_can_look(self, storage: Plugins, root: Path) -> None:
        key = await self.put(storage, b"private")
        assert (root / key).stat().st_mode & 0o777 == 0o600
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}

    async def test_nothing_temporary_remains(self, storage: Plugins, root: Path) -> None:
        key = await self.put(storage, b"whole")
        await self.test_a_broken_stream_leaves_nothing(storage, ValueError("broken"))
        await self.test_a_cancelled_put_leaves_nothing(storage)
        assert files_in(root) == [root / key]

    async def test_kill_in_the_middle_of_a_put(
        self, storage: Plugins, root: Path, endless_put: subprocess.Popen[str]
    ) -> None:
        endless_put.send_signal(signal.SIGKILL)
        endless_put.wait()
        (leftover,) = files_in(root)
        assert leftover.parent.name == ".tmp"
        key = await self.put(storage, b"next")
        assert files_in(root) == [root / key]

    async def test_a_living_process_keeps_what_it_writes(
        self, storage: Plugins, root: Path, endless_put: subprocess.Popen[str]
    ) -> None:
        key = await self.put(storage, b"next")
        growing, *_ = sorted(set(files_in(root)) - {root / key})
        size = growing.stat().st_size
        async with asyncio.timeout(10):
            while growing.stat().st_size == size:
                await asyncio.sleep(0.01)

    async def test_a_full_disk(self, storage: Plugins, root: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, hard))
        try:
            with pytest.raises(Unavailable) as refused:
                await storage.storage_put(new_key(), pieces_of([PIECE] * 5), TYPE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert refused.value.code == "storage_full"
        assert str(root) not in refused.value.detail
        assert files_in(root) == []
        await self.put(storage, PIECE * 5)

    async def test_a_disk_that_fails_says_so(self, storage: Plugins, root: Path) -> None:
        root.mkdir(parents=True)
        (root / "media").write_text("in the way of the folder")
        with pytest.raises(Unavailable) as refused:
            await self.put(storage, b"x")
        assert refused.value.code == "storage_failed"
        assert isinstance(refused.value.__cause__, OSError)
        assert refused.value.__cause__.errno in {errno.ENOTDIR, errno.EEXIST}

    async def test_readers_leave_no_file_open(self, storage: Plugins) -> None:
        key = await self.put(storage, PIECE * 8)
        before = open_files()
        await read_all(storage.storage_open(key))
        await self.test_a_reader_may_stop_early(storage)
        assert open_files() == before

    async def test_cancelled_in_any_moment(self, storage: Plugins, root: Path) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(4):
                yield PIECE

        for delay in range(40):
            putting = asyncio.create_task(storage.storage_put(key := new_key(), chunks(), TYPE))
            await asyncio.sleep(delay / 5000)
            putting.cancel()
            await asyncio.gather(putting, return_exceptions=True)
            if (root / key).exists():
                assert await read_all(storage.storage_open(key)) == PIECE * 4
        assert not [path for path in files_in(root) if path.parent.name == ".tmp"]


async def test_the_default_folder_is_the_plugins_own(tmp_path: Path) -> None:
    storage = load_plugins(Settings(data_dir=tmp_path, plugins={"enabled": ["storage_local"]}))
    key = (await storage.storage_put(new_key(), pieces_of([b"x"]), TYPE)).key
    assert (tmp_path / "plugins" / "storage_local" / key).read_bytes() == b"x"


def test_a_wrong_key_in_its_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"plugins\.storage_local\.folder"):
        load_plugins(Settings(plugins={"enabled": ["storage_local"], "storage_local": {"folder": "x"}}))
