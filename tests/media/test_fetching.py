import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.errors import InstanceSick, ProviderError, Rejected, Retryable, Unavailable
from elsehu.contracts.http import AnswerLost
from elsehu.contracts.inbound import MediaContent
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media import attempts, fetcher
from elsehu.media.fetcher import PER_INSTANCE, Fetcher
from elsehu.media.queries import load
from elsehu.media.retention import remove_orphans
from elsehu.media.service import create, pending_file

from .conftest import Settlements
from .provider import FileProvider, Gives
from .rows import add_instance, row_of, until, written

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 2000
SHA256 = hashlib.sha256(PNG)
NOW = timedelta(0)
RUNNING = pytest.mark.usefixtures("fetcher")


def gives(*steps: bytes | BaseException) -> Gives:
    """Give a file that is made of `steps`; the last one, if an error, is raised."""

    async def give() -> AsyncIterator[bytes]:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            yield step

    return give


def one_after_the_other(*givers: Gives) -> Gives:
    """Give another answer each time; the last one for ever."""
    left = list(givers)

    def give() -> AsyncIterator[bytes]:
        return (left.pop(0) if len(left) > 1 else left[0])()

    return give


async def hangs() -> AsyncIterator[bytes]:
    yield PNG[:100]
    await asyncio.Event().wait()


async def wanted(kernel: Kernel, instance_id: UUID | None, name: str = "photo", **claims: Any) -> UUID:
    """Have a file to fetch and return its id."""
    content = MediaContent(claims.pop("mime_type", "image/png"), reference={"name": name}, **claims)
    return await written(kernel, pending_file(instance_id or UUID(int=0), content))


async def settled(kernel: Kernel, media_id: UUID) -> Any:
    """Wait until a file is ready or failed and return its row."""

    async def is_settled() -> bool:
        return bool((await row_of(kernel, media_id))["state"] != "pending")

    await until(is_settled)
    return await row_of(kernel, media_id)


async def tried(kernel: Kernel, media_id: UUID) -> Any:
    """Wait until an attempt has failed and return the file's row."""

    async def has_error() -> bool:
        return bool((await row_of(kernel, media_id))["error"])

    await until(has_error)
    return await row_of(kernel, media_id)


@asynccontextmanager
async def fetching(kernel: Kernel, settlements: Settlements) -> AsyncIterator[None]:
    """Have another fetcher run."""
    running = asyncio.create_task(Fetcher(kernel, settlements).run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_BACKOFF", 0.02)
    monkeypatch.setattr(attempts, "AWAY_SECONDS", 0.1)
    monkeypatch.setattr(fetcher, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(fetcher, "AWAY_SECONDS", 0.1)


@RUNNING
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"size": len(PNG)},
        {"sha256": SHA256.hexdigest()},
        {"sha256": SHA256.hexdigest().upper()},
        {"sha256": base64.b64encode(SHA256.digest()).decode(), "size": len(PNG)},
        {"sha256": base64.urlsafe_b64encode(SHA256.digest()).decode().rstrip("=")},
        {"sha256": "no digest at all"},
        {"mime_type": "image/jpeg; q=1", "file_name": "../x.exe", "is_voice": True},
    ],
)
async def test_a_file_is_fetched(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements, claims: dict[str, Any]
) -> None:
    provider.files["photo"] = gives(PNG[:10], PNG[10:])
    media_id = await wanted(kernel, instance_id, **claims)
    row = await settled(kernel, media_id)
    assert (row["state"], row["mime_type"], row["size"], row["sha256"]) == (
        "ready",
        "image/png",
        len(PNG),
        SHA256.hexdigest(),
    )
    assert (row["error"], row["reference"], row["claimed_until"], row["attempts"]) == ("", "{}", None, 1)
    assert row["is_voice"] is claims.get("is_voice", False)
    assert row["file_name"].endswith(".png")
    assert await (await load(kernel, media_id)).read() == PNG
    assert settlements.ids == [media_id]
    assert await kernel.db.fetch_value("SELECT count(*) FROM unclaimed_objects") == 0


@RUNNING
@pytest.mark.parametrize(
    "trouble",
    [
        Retryable("provider_down", "The provider is away."),
        ProviderError("odd", "Something."),
        AnswerLost("ReadError"),
        ValueError("a plugin's mistake"),
    ],
)
async def test_trouble_passes(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements, trouble: Exception
) -> None:
    provider.files["photo"] = one_after_the_other(gives(trouble), gives(PNG[:99], trouble), gives(PNG))
    media_id = await wanted(kernel, instance_id)
    row = await settled(kernel, media_id)
    assert (row["state"], row["attempts"], settlements.ids) == ("ready", 3, [media_id])


@RUNNING
@pytest.mark.parametrize(
    ("giver", "claims", "attempts_made", "told"),
    [
        (gives(Rejected("media_gone", "WhatsApp deleted the file.")), {}, 1, "WhatsApp deleted the file."),
        (gives(Retryable("down", "Connection refused.")), {}, 3, "Given up after 3 attempts. The last one: Conn"),
        (gives(PNG), {"size": 10}, 3, "512016 bytes came where 10 were announced"),
        (gives(PNG), {"sha256": "0" * 64}, 3, "do not have the announced SHA-256"),
        (gives(), {}, 3, "no bytes came"),
        (gives(bytes(3_000_000), bytes(3_000_000)), {}, 1, "larger than the 4194304 bytes"),
        (gives(PNG), {"size": 5_000_000}, 1, "max_bytes"),
        (gives(ValueError("secret detail")), {}, 3, "An unexpected ValueError"),
    ],
)
async def test_giving_up_is_visible(
    kernel: Kernel,
    provider: FileProvider,
    instance_id: UUID,
    settlements: Settlements,
    giver: Gives,
    claims: dict[str, Any],
    attempts_made: int,
    told: str,
) -> None:
    provider.files["photo"] = giver
    media_id = await wanted(kernel, instance_id, **claims)
    row = await settled(kernel, media_id)
    assert (row["state"], row["attempts"], settlements.ids) == ("failed", attempts_made, [media_id])
    assert told in row["error"]
    assert "secret" not in row["error"]
    await remove_orphans(kernel, NOW)
    assert not list((kernel.settings.data_dir / "plugins" / "storage_local").rglob("*-*"))


@RUNNING
async def test_an_announced_empty_file_is_taken(kernel: Kernel, provider: FileProvider, instance_id: UUID) -> None:
    provider.files["photo"] = gives()
    assert (await settled(kernel, await wanted(kernel, instance_id, size=0)))["state"] == "ready"


@RUNNING
@pytest.mark.parametrize(
    "reason", [InstanceSick("disconnected", "Not connected."), Unavailable("storage_full", "The disk is full.")]
)
async def test_what_is_no_fault_of_the_file_does_not_count(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, reason: Exception
) -> None:
    provider.files["photo"] = one_after_the_other(gives(reason), gives(PNG))
    media_id = await wanted(kernel, instance_id)
    row = await tried(kernel, media_id)
    assert (row["state"], row["attempts"], row["claimed_until"]) == ("pending", 0, None)
    wait = await kernel.db.fetch_value("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM media_files")
    assert 50 < wait <= 60
    await kernel.db.execute("UPDATE media_files SET next_attempt_at = now()")
    assert (await settled(kernel, media_id))["state"] == "ready"


@RUNNING
async def test_nothing_waits_for_ever(kernel: Kernel, provider: FileProvider, instance_id: UUID) -> None:
    provider.files["photo"] = gives(InstanceSick("disconnected", "Not connected."))
    media_id = await wanted(kernel, instance_id)
    await tried(kernel, media_id)
    await kernel.db.execute("UPDATE media_files SET next_attempt_at = now(), created_at = now() - interval '8 days'")
    row = await settled(kernel, media_id)
    assert (row["state"], row["error"]) == ("failed", "Given up after 7 days. The last attempt: Not connected.")


@RUNNING
async def test_the_provider_says_when_to_come_back(kernel: Kernel, provider: FileProvider, instance_id: UUID) -> None:
    provider.files["photo"] = gives(Retryable("busy", "Too many requests.", retry_after=120))
    row = await tried(kernel, await wanted(kernel, instance_id))
    wait = await kernel.db.fetch_value("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM media_files")
    assert (row["attempts"], 110 < wait <= 120) == (1, True)


@RUNNING
async def test_a_number_that_is_gone(kernel: Kernel, provider: FileProvider, instance_id: UUID) -> None:
    provider.files["photo"] = gives(Retryable("down", "Away.", retry_after=1000))
    media_id = await wanted(kernel, instance_id)
    await tried(kernel, media_id)
    await kernel.db.execute("UPDATE media_files SET instance_id = NULL, next_attempt_at = now()")
    assert "is gone" in (await settled(kernel, media_id))["error"]


@pytest.mark.parametrize(
    "settings_overrides",
    [{"plugins": {"enabled": ["files", "storage_local"]}, "media": {"fetch_timeout": 0.3, "fetch_attempts": 2}}],
)
@RUNNING
async def test_a_provider_that_hangs(kernel: Kernel, provider: FileProvider, instance_id: UUID) -> None:
    provider.files["photo"] = hangs
    row = await settled(kernel, await wanted(kernel, instance_id))
    assert (row["state"], row["attempts"]) == ("failed", 2)
    assert "longer than 0.3 s" in row["error"]
    assert provider.at_once == 0


@RUNNING
async def test_a_number_that_hangs_does_not_stop_the_others(
    kernel: Kernel, provider: FileProvider, instance_id: UUID
) -> None:
    provider.files |= {"stuck": hangs, "photo": gives(PNG)}
    stuck = [await wanted(kernel, instance_id, "stuck") for _ in range(PER_INSTANCE * 3)]
    await until(lambda: provider.at_once == PER_INSTANCE)
    other = await add_instance(kernel, "Sales")
    ids = [await wanted(kernel, other) for _ in range(20)]
    for media_id in ids:
        assert (await settled(kernel, media_id))["state"] == "ready"
    assert {(await row_of(kernel, media_id))["state"] for media_id in stuck} == {"pending"}
    assert provider.asked.count("stuck") == PER_INSTANCE


async def test_several_processes_share_the_work(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements
) -> None:
    provider.files["photo"] = gives(PNG)
    ids = [await wanted(kernel, instance_id) for _ in range(60)]
    async with fetching(kernel, settlements), fetching(kernel, settlements), fetching(kernel, settlements):
        await until(lambda: len(settlements.ids) >= 60)
    assert sorted(settlements.ids) == sorted(ids)
    assert len(provider.asked) == 60


async def test_a_stopped_process_gives_its_files_back(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements
) -> None:
    provider.files["photo"] = one_after_the_other(hangs, gives(PNG))
    media_id = await wanted(kernel, instance_id)
    async with fetching(kernel, settlements):
        await until(lambda: provider.at_once == 1)
    row = await row_of(kernel, media_id)
    assert (row["claimed_until"], row["attempts"], provider.at_once) == (None, 0, 0)
    async with fetching(kernel, settlements):
        assert (await settled(kernel, media_id))["state"] == "ready"


@RUNNING
async def test_a_killed_processs_claim_runs_out(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements
) -> None:
    provider.files["photo"] = gives(PNG)
    file = pending_file(instance_id, MediaContent("image/png", reference={"name": "photo"}))
    async with kernel.db.transaction() as uow:
        await create(uow, [file])
        await uow.execute("UPDATE media_files SET attempts = 1, claimed_until = now() + interval '1 second'")
    row = await settled(kernel, file.id)
    assert (row["state"], row["attempts"], settlements.ids) == ("ready", 2, [file.id])


@RUNNING
async def test_a_file_that_kills_processes_is_given_up(
    kernel: Kernel, provider: FileProvider, instance_id: UUID
) -> None:
    provider.files["photo"] = gives(Retryable("down", "Away.", retry_after=1000))
    media_id = await wanted(kernel, instance_id)
    await tried(kernel, media_id)
    await kernel.db.execute("UPDATE media_files SET attempts = 3, next_attempt_at = now()")
    row = await settled(kernel, media_id)
    assert (row["state"], provider.asked) == ("failed", ["photo"])
    assert "no attempt" in row["error"]


@pytest.mark.parametrize(
    "settings_overrides",
    [{"plugins": {"enabled": ["files", "storage_local"]}, "media": {"fetch_timeout": 3.0}}],
)
async def test_the_database_goes_away_in_the_middle(
    kernel: Kernel,
    provider: FileProvider,
    instance_id: UUID,
    settlements: Settlements,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield PNG[:1000]
        await kernel.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        yield PNG[1000:]

    monkeypatch.setattr(fetcher, "LEASE_MARGIN_SECONDS", 0.5)  # a claim's answer may be lost too: it runs out
    provider.files["photo"] = one_after_the_other(gives(PNG), cut_off, gives(PNG))
    ids = [await wanted(kernel, instance_id) for _ in range(10)]
    async with fetching(kernel, settlements):
        await until(lambda: len(settlements.ids) >= 10)
    assert sorted(settlements.ids) == sorted(ids)
    assert {(await row_of(kernel, media_id))["state"] for media_id in ids} == {"ready"}


async def test_an_outcome_is_written_once(
    kernel: Kernel, provider: FileProvider, instance_id: UUID, settlements: Settlements
) -> None:
    """As when the answer to a commit was lost, or another process took the file over."""
    provider.files["photo"] = gives(PNG)
    media_id = await wanted(kernel, instance_id)
    one = Fetcher(kernel, settlements)
    claimed = await one._claim()
    assert claimed is not None
    outcome = await attempts.attempt(kernel, claimed)
    await one._settle(claimed, outcome)
    await one._settle(claimed, outcome)
    assert settlements.ids == [media_id]
    assert await (await load(kernel, media_id)).read() == PNG
    assert await remove_orphans(kernel, NOW) == 0


async def test_what_is_told_and_what_is_written_are_one(
    kernel: Kernel, provider: FileProvider, instance_id: UUID
) -> None:
    async def broken(_: UnitOfWork, __: Sequence[UUID]) -> None:
        raise RuntimeError("cannot be told")

    provider.files["photo"] = gives(PNG)
    media_id = await wanted(kernel, instance_id)
    with pytest.raises(RuntimeError):
        await Fetcher(kernel, broken)._fetch_one()
    assert (await row_of(kernel, media_id))["state"] == "pending"
    assert await remove_orphans(kernel, NOW) == 1


@pytest.mark.parametrize("number", range(1, 12))
def test_backoff_grows_and_is_bounded(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(attempts, "FIRST_BACKOFF", 2.0)
    longest = min(1800.0, 2.0 * 4 ** (number - 1))
    assert all(longest / 2 <= attempts.backoff(number) <= longest for _ in range(50))
