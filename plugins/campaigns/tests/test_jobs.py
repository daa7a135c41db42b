"""The runner's slices: one chain of them, whoever asks; and the migrations of this plugin."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from elsehu_campaigns import jobs

from elsehu.plugin import Job, Kernel

from .test_steering import never
from .world import World, people

NEW = """
from piccolo.apps.migrations.commands.new import new
import asyncio
asyncio.run(new(app_name="elsehu_campaigns", auto=True, auto_input="y"))
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The slices that slices asked for. Each is short here."""
    found: list[dict[str, Any]] = []

    async def enqueue(_: Kernel, job: Job, arguments: dict[str, Any] | None = None) -> None:
        assert job is jobs.RUN
        found.extend([arguments] if arguments else [])

    monkeypatch.setattr(jobs, "enqueue", enqueue)
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0.3)
    return found


async def test_a_slice_asks_for_the_next_while_something_runs(world: World, asked: list[dict[str, Any]]) -> None:
    campaign = await world.started(await world.number(), people=people(3), delaySeconds=30)
    await jobs.run(world.kernel, {})
    [first] = asked
    await jobs.run(world.kernel, first)
    assert asked == [first, first], "it is one chain"
    await jobs.run(world.kernel, {})
    assert len(asked) == 3
    await jobs.run(world.kernel, first)
    assert len(asked) == 3, "the old chain ended when the new one began"
    await world.do(campaign, "cancel")


async def test_what_waits_for_hours_is_left_to_the_clock(world: World, asked: list[dict[str, Any]]) -> None:
    ended = "finished_at = finished_at - interval '1 hour', updated_at = updated_at - interval '1 hour'"
    await world.kernel.db.execute(f"UPDATE campaigns SET {ended} WHERE state <> 'running'")
    campaign = await world.started(await world.number(), people=people(1), window={"days": never()})
    await world.when(campaign, lambda shown: shown["holdReason"])
    for _ in range(20):
        asked.clear()
        await jobs.run(world.kernel, {})
        if not asked:
            break  # unless one of the other two runners was at it in that moment
    assert asked == []
    await world.do(campaign, "cancel")


def test_models_and_migrations_agree(database_url: str, tmp_path: Path) -> None:
    package = Path(jobs.__file__).parent
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "PICCOLO_CONF": "elsehu.piccolo_conf",
        "ELSEHU_PLUGIN_APPS": "elsehu_campaigns.piccolo_app",
        "PYTHONPATH": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", NEW], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search("No changes detected", ended.stdout), ended.stdout
