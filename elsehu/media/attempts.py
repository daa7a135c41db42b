"""One attempt to fetch a file, and what its end means. Nothing here touches the file's row."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

from elsehu.contracts.errors import ElsehuError, InstanceSick, Rejected, Retryable, TooLarge, Unavailable
from elsehu.contracts.http import AnswerLost, NotSent
from elsehu.contracts.inbound import MediaContent
from elsehu.db import CONNECTION_LOST, Row
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel
from elsehu.media.objects import StoredMedia, drop, identify, mismatch, store
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.media")

FIRST_BACKOFF = 2.0
BACKOFF_FACTOR = 4.0
LONGEST_BACKOFF = 1800.0
HOLD_SECONDS = 60.0
AWAY_SECONDS = 10.0
LONGEST_HOLD = timedelta(days=7)
"""How long a file waits for a number or storage that cannot work: WhatsApp keeps media for some weeks."""


@dataclass(frozen=True, slots=True)
class ToFetch:
    """A file that this process has claimed until `claimed_until`, which no other claim has."""

    id: UUID
    instance_id: UUID | None
    content: MediaContent
    attempts: int
    created_at: datetime
    claimed_until: datetime

    @classmethod
    def of(cls, row: Row) -> "ToFetch":
        """Return what a claimed row of `media_files` says."""
        content = MediaContent(
            mime_type=row["mime_type"],
            file_name=row["file_name"],
            size=row["size"],
            sha256=row["sha256"],
            reference=orjson.loads(row["reference"]),
            is_voice=row["is_voice"],
        )
        return cls(row["id"], row["instance_id"], content, row["attempts"], row["created_at"], row["claimed_until"])


@dataclass(frozen=True, slots=True)
class Later:
    """It did not work and may work in `seconds`. `counts` is False for what says nothing about the file."""

    error: str
    seconds: float
    counts: bool = True


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will not work; `error` tells people why."""

    error: str


Outcome = StoredMedia | Later | GivenUp


class _NotAsAnnounced(Exception):
    """What came differs from what the provider announced."""


async def attempt(kernel: Kernel, file: ToFetch) -> Outcome:
    """Fetch a file into storage, or say what kept it from coming."""
    settings = kernel.settings.media
    if file.attempts > settings.fetch_attempts:
        return GivenUp("Given up: no attempt to fetch it came to an end. The log may say why.")
    try:
        async with asyncio.timeout(settings.fetch_timeout):
            outcome = await _fetch(kernel, file)
    except Exception as error:  # noqa: BLE001 (an edge: whatever a plugin raises is judged, and logged if unknown)
        outcome = judge(error, file, settings.fetch_timeout)
    return _at_last(kernel, file, outcome) if isinstance(outcome, Later) else outcome


def judge(error: Exception, file: ToFetch, timeout: float) -> Later | GivenUp:
    """Return what an error means for the file."""
    match error:
        case Rejected() | TooLarge():
            return GivenUp(error.detail)
        case InstanceSick() | Unavailable():
            return Later(error.detail, HOLD_SECONDS, counts=False)
        case WrongSecretKey():
            return Later("The number's credentials cannot be read with the secret key.", HOLD_SECONDS, counts=False)
        case Retryable(retry_after=float() | int() as seconds):
            return Later(error.detail, min(max(seconds, FIRST_BACKOFF), LONGEST_BACKOFF))
    if isinstance(error, CONNECTION_LOST) and not isinstance(error, TimeoutError):
        return Later("A service that Elsehu depends on was away.", AWAY_SECONDS, counts=False)
    return Later(_reason(error, file, timeout), backoff(file.attempts))


def backoff(attempts: int) -> float:
    """Return how many seconds to wait after so many attempts: four times longer each time, with jitter."""
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * BACKOFF_FACTOR ** max(0, attempts - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def _reason(error: Exception, file: ToFetch, timeout: float) -> str:
    match error:
        case ElsehuError():
            return error.detail
        case TimeoutError():
            return f"The provider took longer than {timeout:g} s."
        case _NotAsAnnounced() | NotSent() | AnswerLost():
            return f"The provider did not give the file: {error}."
    log.error("media_fetch_broke", media=str(file.id), exc_info=error)
    return f"An unexpected {type(error).__name__}; the log has more."


def _at_last(kernel: Kernel, file: ToFetch, outcome: Later) -> Later | GivenUp:
    """Give up what was tried often enough, or waited long enough."""
    if outcome.counts and file.attempts >= kernel.settings.media.fetch_attempts:
        return GivenUp(f"Given up after {file.attempts} attempts. The last one: {outcome.error}")
    if kernel.now() - file.created_at > LONGEST_HOLD:
        return GivenUp(f"Given up after {LONGEST_HOLD.days} days. The last attempt: {outcome.error}")
    return outcome


async def _fetch(kernel: Kernel, file: ToFetch) -> Outcome:
    limit = kernel.settings.media.max_bytes
    if file.content.size is not None and file.content.size > limit:
        return GivenUp(f"The file has {file.content.size} bytes; [media] max_bytes allows {limit}.")
    instance = await kernel.part(Directory).get(file.instance_id) if file.instance_id else None
    if instance is None:
        return GivenUp("The number that the file came to is gone.")
    if kernel.plugins.spec(instance.provider) is None:
        return Later(f"The provider {instance.provider!r} is not enabled.", HOLD_SECONDS, counts=False)
    if not kernel.plugins.can(instance, "media"):
        return GivenUp(f"The provider {instance.provider!r} cannot fetch files, and sent no bytes along.")
    chunks: Any = kernel.plugins.media(instance, file.content)
    async with aclosing(chunks):
        return await _store(kernel, file, chunks, limit)


async def _store(kernel: Kernel, file: ToFetch, chunks: AsyncIterator[bytes], limit: int) -> StoredMedia:
    mime_type, whole = await identify(chunks, file.content.mime_type)
    stored = await store(kernel, whole, mime_type, file.content.file_name, limit)
    wrong = mismatch(stored, file.content.size, file.content.sha256)
    if wrong:
        await drop(kernel, stored)
        raise _NotAsAnnounced(wrong)
    return stored
