"""The doctor names the fault and the fix."""

import errno
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from elsehu.doctor import Finding, State, examine
from elsehu.doctor.machine import check_clock, check_disk
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number
from elsehu.testing.serving import RunningServer

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


async def found(settings: Settings) -> Mapping[str, Finding]:
    return {finding.subject: finding async for finding in examine(settings)}


def test_every_broken_finding_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_disk(tmp_path).state in (State.OK, State.WARNING)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    finding = check_disk(tmp_path)
    assert (finding.state, "No space left" in finding.detail, "Make room" in finding.fix) == (State.BROKEN, True, True)


@pytest.mark.parametrize(
    ("skew", "state"),
    [(0.5, State.OK), (-3, State.WARNING), (3, State.WARNING), (-60, State.BROKEN), (3600, State.BROKEN)],
)
def test_clocks(skew: float, state: State) -> None:
    finding = check_clock("PostgreSQL", NOON, NOON + timedelta(seconds=skew))
    assert finding.state is state
    assert ("time synchronisation" in finding.fix) == (state is not State.OK)
    assert ("ahead" if skew > 0 else "behind") in finding.detail


async def test_a_well_installation(server: RunningServer, admin: ApiClient) -> None:
    await add_number(admin, "Desk")
    findings = await found(server.kernel.settings)
    states = {subject: one.state for subject, one in findings.items()}
    assert states["database"] is states["migrations"] is states["redis"] is states["secret key"] is State.OK
    assert states["number Desk"] is states["storage"] is states["periodic jobs"] is State.OK
    assert states["public URL"] is State.WARNING  # loopback: nobody else reaches it
    assert states["workers"] is State.BROKEN
    assert "elsehu worker" in findings["workers"].fix


async def test_faults_are_named_with_their_fix(server: RunningServer, admin: ApiClient) -> None:
    await add_number(admin, "Desk")
    settings = server.kernel.settings
    nowhere = SecretStr("postgresql://somebody:a-planted-password@127.0.0.1:1/nothing")

    gone = await found(
        settings.model_copy(update={"database_url": nowhere, "redis_url": SecretStr("redis://127.0.0.1:1")})
    )
    assert (gone["database"].state, gone["redis"].state) == (State.BROKEN, State.BROKEN)
    assert "DATABASE_URL" in gone["database"].fix
    assert "REDIS_URL" in gone["redis"].fix
    assert "a-planted-password" not in str(gone)

    locked = await found(settings.model_copy(update={"secret_key": SecretStr("another key than before")}))
    assert locked["secret key"].state is State.BROKEN
    assert "Desk" in locked["secret key"].detail
    assert "ELSEHU_SECRET_KEY" in locked["secret key"].fix

    plugins = {"enabled": ["sandbox", "storage_local", "acme"]}
    lacking = await found(settings.model_copy(update={"plugins": plugins}))
    assert lacking["plugins"].state is State.BROKEN
    assert "acme" in lacking["plugins"].detail
    assert lacking["database"].state is State.OK

    lost = await found(settings.model_copy(update={"public_url": "http://127.0.0.1:1"}))
    assert (lost["public URL"].state, "ELSEHU_PUBLIC_URL" in lost["public URL"].fix) == (State.BROKEN, True)

    await server.kernel.db.execute("DELETE FROM migration WHERE app_name = 'elsehu_desk'")
    behind = await found(settings)
    assert (behind["migrations"].state, behind["migrations"].fix) == (State.BROKEN, "Run `elsehu migrate`.")
