"""`elsehu storage`: moving media with the real program, killed and run again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elsehu_storage_s3.testing import S3Server, s3_server

from elsehu.embedded import EmbeddedServices
from elsehu.kernel import Kernel, open_kernel
from elsehu.media.objects import store_bytes
from elsehu.media.retention import remove_orphans
from elsehu.media.service import create, ready_file
from elsehu.plugins import load_plugins
from elsehu.settings import Settings

Run = Callable[..., subprocess.CompletedProcess[str]]

MIGRATE = ("storage", "migrate", "--from", "local", "--to", "s3")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def environment(tmp_path: Path, services: EmbeddedServices, database_url: str, s3: S3Server) -> dict[str, str]:
    config = s3.config(prefix=tmp_path.name.replace("_", "-"))
    table = "\n".join(f"{name} = {_toml(value)}" for name, value in config.items())
    plugins = '[plugins]\nenabled = ["storage_local", "storage_s3"]\n[plugins.storage_s3]\n'
    (tmp_path / "elsehu.toml").write_text(f'data_dir = "{tmp_path}/var"\n{plugins}{table}\n')
    return {"DATABASE_URL": database_url, "REDIS_URL": services.redis_url, "ELSEHU_SECRET_KEY": "only for tests"}


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


async def stored(kernel: Kernel, count: int, data: bytes) -> None:
    files = [ready_file(await store_bytes(kernel, data, "")) for _ in range(count)]
    async with kernel.db.transaction() as uow:
        await create(uow, files)


async def moved(kernel: Kernel) -> int:
    count: int = await kernel.db.fetch_value("SELECT count(*) FROM media_files WHERE storage = 'storage_s3'")
    return count


@pytest.fixture
def settings(settings: Settings, s3: S3Server, tmp_path: Path) -> Settings:
    plugins = {
        "enabled": ["storage_local", "storage_s3"],
        "storage_s3": s3.config(prefix=tmp_path.name.replace("_", "-")),
    }
    return settings.model_copy(update={"data_dir": tmp_path / "var", "plugins": plugins})


async def test_killed_in_the_middle_it_goes_on(
    run: Run, environment: dict[str, str], settings: Settings, tmp_path: Path, s3: S3Server
) -> None:
    async with open_kernel(settings, load_plugins(settings)) as kernel:
        await stored(kernel, 80, bytes(range(256)) * 20)
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with subprocess.Popen(
            [sys.executable, "-m", "elsehu", *MIGRATE],
            cwd=tmp_path,
            env={**kept, **environment},
            stderr=subprocess.PIPE,
        ) as process:
            async with asyncio.timeout(30):
                while not await moved(kernel):
                    await asyncio.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        before = await moved(kernel)
        assert 0 < before < 80
        ended = await asyncio.to_thread(run, *MIGRATE, "--delete-source", **environment)
        assert ended.returncode == 0, ended.stderr
        assert f"Moved {80 - before} files" in ended.stdout
        assert "[media] storage" in ended.stderr
        assert await moved(kernel) == 80
        await kernel.db.execute("UPDATE unclaimed_objects SET since = now() - interval '2 days'")
        await remove_orphans(kernel)
        keys = {row["storage_key"] for row in await kernel.db.fetch("SELECT storage_key FROM media_files")}
        prefix = f"{tmp_path.name.replace('_', '-')}/"
        assert {key.removeprefix(prefix) for key in s3.objects() if key.startswith(prefix)} == keys
        assert not [path for path in (tmp_path / "var").rglob("media/*/*/*") if path.is_file()]


async def test_what_cannot_be_moved_is_told(
    run: Run, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    async with open_kernel(settings, load_plugins(settings)) as kernel:
        await stored(kernel, 2, b"x")
        next(path for path in (tmp_path / "var").rglob("media/*/*/*") if path.is_file()).unlink()
        counted = await asyncio.to_thread(run, *MIGRATE, "--dry-run", **environment)
        assert (counted.returncode, "2 files" in counted.stdout) == (0, True)
        ended = await asyncio.to_thread(run, *MIGRATE, **environment)
        assert ended.returncode == 1
        assert "Moved 1 files" in ended.stdout
        assert "It is missing in storage_local." in ended.stderr
        assert "1 originals are kept in storage_local" in ended.stderr
        assert (
            await kernel.db.fetch_value("SELECT details->>'files' FROM audit_log WHERE action = 'media_migrated'")
            == "1"
        )


def test_check(run: Run, environment: dict[str, str]) -> None:
    assert "storage_s3: all is well" in run("storage", "check", "s3", **environment).stdout
    wrong = run("storage", "check", "s3", ELSEHU_PLUGINS__STORAGE_S3__BUCKET="no-such-bucket", **environment)
    assert wrong.returncode == 1
    assert "no such bucket" in wrong.stderr


def test_both_storages_must_be_enabled(run: Run, environment: dict[str, str]) -> None:
    ended = run(*MIGRATE, ELSEHU_PLUGINS__ENABLED="storage_local", **environment)
    assert ended.returncode == 2
    assert "'s3'" in ended.stderr
    assert "[plugins] enabled" in ended.stderr
