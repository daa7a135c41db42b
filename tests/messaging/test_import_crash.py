"""An import whose worker is killed: the next one does what is left, and nothing twice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.jobs import begin
from elsehu.messaging.contacts.importing.running import run
from elsehu.messaging.contacts.importing.slices import SLICE
from elsehu.settings import Settings

from .test_importing import counts, started, view_of

COUNT = 24 * SLICE
PATIENCE_SECONDS = 60


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real `elsehu worker`, which is killed in the end."""
    assert settings.database_url
    assert settings.redis_url
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "ELSEHU_SECRET_KEY": "a key",
        "ELSEHU_PLUGINS__ENABLED": "storage_local",
    }
    process = subprocess.Popen([sys.executable, "-m", "elsehu", "worker"], cwd=tmp_path, env=environment)
    yield process
    process.kill()
    process.wait()


async def test_a_killed_worker(kernel: Kernel, tmp_path: Path, worker: subprocess.Popen[bytes]) -> None:
    # Every other row is the same person as the one before, without the ninth digit.
    people = [(f"Pessoa {n}", f"{80_000_000 + n}") for n in range(COUNT // 2)]
    rows = "".join(f"{name};55119{number}\n{name};5511{number}\n" for name, number in people)
    import_id = await started(kernel, tmp_path, "Nome;Fone\n" + rows)
    await begin(kernel, import_id)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while counts(view := await view_of(kernel, import_id))[1] == 0:
            await asyncio.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        before = counts(await view_of(kernel, import_id))
        while view["status"] != "finished":
            assert await run(kernel, import_id)
            view = await view_of(kernel, import_id)
    assert 0 < sum(before[1:]) < COUNT
    assert counts(view) == (COUNT, COUNT // 2, 0, COUNT // 2, 0)
    assert await kernel.db.fetch_value("SELECT count(*) FROM contacts") == COUNT // 2
    assert await kernel.db.fetch_value("SELECT count(*) FROM contact_identities") == COUNT // 2
