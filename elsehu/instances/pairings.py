"""The last QR code of each instance: in Redis, encrypted, for as long as it can be scanned. Nowhere else."""

from collections.abc import Awaitable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from elsehu.contracts.instance import InstanceStatus, Pairing
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.instances")

USUAL_SECONDS = 30
LONGEST_SECONDS = 300


def is_scannable(pairing: Pairing) -> bool:
    """Whether there is anything to scan or type."""
    return bool(pairing.base64 or pairing.code or pairing.pairing_code)


async def remember(kernel: Kernel, instance_id: UUID, pairing: Pairing) -> Pairing:
    """Keep `pairing` until it expires; return it with the time at which it does. Redis away: not kept."""
    now = kernel.now()
    expires_at = pairing.expires_at or now + timedelta(seconds=USUAL_SECONDS)
    dated = replace(pairing, expires_at=expires_at)
    seconds = min((expires_at - now).total_seconds(), LONGEST_SECONDS)
    if seconds > 0 and is_scannable(pairing):
        await _do(kernel.redis.set(_key(instance_id), _sealed(kernel, dated), px=int(seconds * 1000) or 1))
    return dated


async def recall(kernel: Kernel, instance_id: UUID) -> Pairing | None:
    """Return the pairing that can still be scanned, or None."""
    sealed = await _do(kernel.redis.get(_key(instance_id)))
    if sealed is None:
        return None
    try:
        kept = orjson.loads(kernel.secrets.decrypt(sealed))
    except WrongSecretKey:
        return None
    expires_at = datetime.fromisoformat(kept["expires_at"])
    return Pairing(**{**kept, "status": InstanceStatus(kept["status"]), "expires_at": expires_at})


async def forget(kernel: Kernel, instance_id: UUID) -> None:
    """Drop what is remembered: it was scanned, or the number went away."""
    await _do(kernel.redis.delete(_key(instance_id)))


async def _do(command: Awaitable[Any]) -> Any:
    """Await a Redis command; None while Redis is away: a pairing can be asked for again."""
    try:
        return await command
    except (RedisError, OSError) as error:
        log.warning("pairing_not_kept", error=type(error).__name__)
        return None


def _key(instance_id: UUID) -> str:
    return f"elsehu:pairing:{instance_id}"


def _sealed(kernel: Kernel, pairing: Pairing) -> bytes:
    return kernel.secrets.encrypt(orjson.dumps(asdict(pairing)))
